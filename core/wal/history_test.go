package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// written is a log that holds what a history says, record by record, whatever it makes of it:
//
//	1/5 1/5-9   an entry, or some, of term 1
//	s4/1        the record of a snapshot at index 4, of term 1
//	h1/2/3      a hard state: term, vote, commit index
func written(t *testing.T, history string) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	w := create(t, m, Options{SegmentBytes: 64 << 10})
	for word := range strings.FieldsSeq(history) {
		var a, b, c uint64
		if n, _ := fmt.Sscanf(word, "h%d/%d/%d", &a, &b, &c); n == 3 {
			w.enc.state(hardState(a, b, c))
		} else if n, _ := fmt.Sscanf(word, "s%d/%d", &a, &b); n == 2 {
			data, err := mark(a, b).MarshalVT()
			check(t, err)
			w.enc.record(snapshotRecord, data, nil)
		} else if n, _ := fmt.Sscanf(word, "%d/%d-%d", &a, &b, &c); n >= 2 {
			for i := b; i <= max(b, c); i++ {
				w.enc.entry(entry(a, i, "x"))
			}
		} else {
			t.Fatalf("%q in a history", word)
		}
	}
	check(t, w.flush())
	check(t, w.Close())
	return m
}

// history is what a log was told, and what is to be found in it.
type history struct {
	records   string
	snapshots string // that it may be opened at, or a part of the error
	at        string // index/term to open at
	want      string // hard state, entries, or a part of the error
}

func histories() []history {
	return []history{
		{"1/1-5", "0", "0/0", "0/0/0 1/1 1/2 1/3 1/4 1/5"},
		{"1/1-4 h1/1/2 2/3", "0", "0/0", "1/1/2 1/1 1/2 2/3"},
		{"1/1-3 1/5", "0", "0/0", "entry 5 follows entry 3"},
		{"1/1-4", "0", "2/1", "snapshot not found"},

		// what counts
		{"1/1-5 h1/1/3 s3/1 s4/1", "0 3", "3/1", "stale 1/1/3 1/4 1/5"},
		{"1/1-5 h1/1/3 s3/1 s4/1", "0 3", "4/1", "1/1/3 1/5"},
		{"1/1-5 h1/1/3 s3/1 s4/1", "0 3", "0/0", "stale 1/1/3 1/1 1/2 1/3 1/4 1/5"},
		{"1/1-5 h1/1/3 s4/1 s3/1", "0 3", "3/1", "1/1/3 1/4 1/5"},
		{"1/1-5 s3/1 s4/1 h1/1/4", "0 3 4", "4/1", "1/1/4 1/5"},
		{"1/1-5 s4/1 h1/1/3 h1/1/4", "0 4", "4/1", "1/1/4 1/5"},
		{"1/1-5 s4/1 1/6 h1/1/6", "0 4", "4/1", "1/1/6 1/5 1/6"},

		// a snapshot that did not become the log
		{"1/1-5 h1/1/3 s5/1 2/5 h2/1/5", "0", "0/0", "stale 2/1/5 1/1 1/2 1/3 1/4 2/5"},
		{"1/1-5 h1/1/3 s5/1 2/4 h2/1/4 2/5 h2/1/5", "0", "0/0", "stale 2/1/5 1/1 1/2 1/3 2/4 2/5"},
		{"1/1-5 h1/1/3 s5/1 1/6 h1/1/6", "0 5", "5/1", "1/1/6 1/6"},
		{"1/1-5 h1/1/3 s9/2 s4/1 1/5 h1/1/5 1/6-9 h1/1/9", "0 4", "4/1", "1/1/9 1/5 1/6 1/7 1/8 1/9"},

		// a snapshot that was sent
		{"1/1-3 s9/2 h2/1/9 2/10", "0 9", "9/2", "2/1/9 2/10"},
		{"1/1-3 s9/2 h2/1/9 2/10", "0 9", "0/0", "entry 10 follows entry 3"},
		{"1/1-3 s9/2 h2/1/9", "0 9", "0/0", "stale 2/1/9 1/1 1/2 1/3"},
		{"1/1-3 s8/2 s9/2 s7/2 h2/1/9", "0 8 9 7", "0/0", "stale 2/1/9 1/1 1/2 1/3"},
		{"1/1-9 s5/2 h2/1/5", "0 5", "5/2", "2/1/5"},
		{"1/1-9 s5/1 h1/1/5", "0 5", "5/1", "1/1/5 1/6 1/7 1/8 1/9"},
		{"s40/3 h3/1/40 3/41", "0 40", "40/3", "3/1/40 3/41"},

		// the beginning was released while the record of a snapshot waits for its hard state
		{"h1/1/20 s22/1 1/23-25 h1/1/22", "0 22", "22/1", "1/1/22 1/23 1/24 1/25"},
		{"h1/1/20 s22/1 1/23-25", "0", "22/1", "1/1/20 1/23 1/24 1/25"},

		// what is committed and not there
		{"1/1-3 h1/1/9", "0", "0/0", "the log ends at index 3, but says that index 9 is committed"},
		{"1/1-3 h1/1/4", "0", "0/0", "the log ends at index 3, but says that index 4 is committed"},
		{"1/1-3 h1/1/3", "0", "0/0", "1/1/3 1/1 1/2 1/3"},
		{"1/1-3 s9/2 h2/1/10", "0 9", "0/0", "the log ends at index 3, but says that index 10 is committed"},
		{"1/1-3 s9/2 h2/1/10", "0 9", "9/2", "the log ends at index 9, but says that index 10 is committed"},

		// terms
		{"h3/1/0 h3/2/0 h4/2/0", "0", "0/0", "4/2/0"},
		{"h3/1/0 h2/1/0", "goes back from term 3 to 2", "0/0", "goes back from term 3 to 2"},
		{"1/1-5 s3/1 h1/1/3", "0 3", "3/2", "has term 1, not 2"},
	}
}

// TestHistories: which snapshots a log may be opened at, and what it holds when it is opened at one.
func TestHistories(t *testing.T) {
	for _, c := range histories() {
		m := written(t, c.records)
		if got := knownSnapshots(m); got != c.snapshots && !strings.HasSuffix(got, c.snapshots+" (error)") {
			t.Errorf("%s\nsnapshots %s, want %s", c.records, got, c.snapshots)
		}
		var index, term uint64
		_, err := fmt.Sscanf(c.at, "%d/%d", &index, &term)
		check(t, err)
		w, log, err := Open(m, "m/wal", mark(index, term), Options{SegmentBytes: 64 << 10})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s\nopened at %s: %v, want %s", c.records, c.at, err, c.want)
			}
			continue
		}
		hs := log.HardState
		got := fmt.Sprintf("%d/%d/%d", hs.GetTerm(), hs.GetVote(), hs.GetCommit())
		if log.Stale {
			got = "stale " + got
		}
		for _, e := range log.Entries {
			got += fmt.Sprintf(" %d/%d", e.GetTerm(), e.GetIndex())
		}
		if got != c.want {
			t.Errorf("%s\nopened at %s: %s, want %s", c.records, c.at, got, c.want)
		}
		check(t, w.Close())
	}
}

func knownSnapshots(m *vfs.Mem) string {
	snaps, err := Snapshots(m, "m/wal", Options{SegmentBytes: 64 << 10})
	if err != nil {
		return err.Error() + " (error)"
	}
	var got []string
	for _, s := range snaps {
		got = append(got, fmt.Sprint(s.GetIndex()))
	}
	return strings.Join(got, " ")
}

// TestEntriesOfEachType: raft's types are taken, a change of the configuration only with its data, and no other.
func TestEntriesOfEachType(t *testing.T) {
	for _, c := range []struct {
		kind raftpb.EntryType
		data string
		ok   bool
	}{
		{raftpb.EntryNormal, "", true},
		{raftpb.EntryNormal, "x", true},
		{raftpb.EntryConfChange, "", false},
		{raftpb.EntryConfChange, "x", true},
		{raftpb.EntryConfChangeV2, "", false},
		{raftpb.EntryConfChangeV2, "x", true},
		{raftpb.EntryConfChangeV2 + 1, "", false},
		{raftpb.EntryConfChangeV2 + 1, "x", false},
	} {
		m := vfs.NewMem()
		w := create(t, m, Options{})
		e := entry(1, 1, c.data)
		e.Type = c.kind.Enum()
		check(t, w.Append(nil, []*raftpb.Entry{e}))
		check(t, w.Close())
		w, log, err := Open(m, "m/wal", nil, Options{})
		if (err == nil) != c.ok || err != nil && !errors.As(err, new(*CorruptError)) {
			t.Errorf("an entry of type %d with %q: %v", c.kind, c.data, err)
		}
		if err == nil {
			if log.Entries[0].GetType() != c.kind {
				t.Errorf("an entry of type %d is read as %d", c.kind, log.Entries[0].GetType())
			}
			check(t, w.Close())
		}
	}
}

// TestGapsInTheFiles: a segment that is missing in front of the one to start from does not matter, and one behind it
// does. Snapshots are those of the segments that follow the last gap.
func TestGapsInTheFiles(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, small)
	for index := uint64(1); len(w.Segments()) < 6; index++ {
		check(t, w.Append(hardState(1, 1, index), entries(1, index, 1)))
		if index%10 == 0 {
			check(t, w.SaveSnapshot(mark(index, 1)))
		}
	}
	check(t, w.Append(hardState(1, 1, w.lastIndex+1), entries(1, w.lastIndex+1, 1)))
	check(t, w.SaveSnapshot(mark(w.lastIndex, 1)))
	segments, last := w.Segments(), mark(w.lastIndex, 1)
	check(t, w.Close())
	rest := m.Clone()
	for gone, s := range segments[:len(segments)-1] {
		hurt := m.Clone()
		check(t, hurt.Remove("m/wal/"+s.Name))
		check(t, rest.Remove("m/wal/"+s.Name))
		want := "no segment begins at or before index 0"
		if gone > 0 {
			want = "the segment after " + segments[gone-1].Name + " is missing"
		}
		_, _, err := Open(hurt, "m/wal", nil, small)
		if c := new(CorruptError); !errors.As(err, &c) || c.File != "m/wal" || !strings.Contains(err.Error(), want) {
			t.Errorf("without segment %d: %v, want %s", gone, err, want)
		}
		if got, want := knownSnapshots(hurt), knownSnapshots(rest); got != want || strings.Contains(got, "error") {
			t.Errorf("without segment %d: snapshots %s, want %s", gone, got, want)
		}
		w, log := open(t, hurt, last, small)
		if len(log.Entries) > 0 || log.Snapshot.GetIndex() != last.GetIndex() || log.Stale {
			t.Errorf("without segment %d, opened at the last snapshot: %s", gone, text(log))
		}
		check(t, w.Close())
	}
}
