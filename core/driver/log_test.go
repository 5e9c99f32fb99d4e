package driver

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vitrine/core/consensus"
	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// TestGroups: neighbours become one write with the newest state; a snapshot or a mark keeps its place.
func TestGroups(t *testing.T) {
	mem, writes := vfs.NewMem(), 0
	d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && strings.HasSuffix(op.Path, ".wal") {
			writes++
		}
		return nil
	}))
	d.WAL.SegmentBytes = 1 << 20
	l := living(t, d) // and the database stands at 1
	s := l.started
	if err := s.Log.WAL.Append(&raftpb.HardState{Term: new(uint64(1))}, nil); err != nil { // and zeros are ahead
		t.Fatal(err)
	}
	state := func(commit uint64) *raftpb.HardState {
		return &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(self)), Commit: &commit}
	}
	mark := &pb.WALSnapshot{Index: new(uint64(1)), Term: new(uint64(1)), ConfState: s.State.Store.Members.ConfState()}
	entry := func(i uint64) []*raftpb.Entry { return []*raftpb.Entry{putEntry(t, i, 10)} }
	for _, c := range []struct {
		name  string
		group []consensus.LogWrite
		sync  bool
		least int
	}{
		{"nothing", nil, false, 0},
		{"a state", []consensus.LogWrite{{HardState: state(1)}}, false, 1},
		{"entries", []consensus.LogWrite{{Entries: entry(2), MustSync: true}, {Entries: entry(3), MustSync: true}}, true, 1},
		{"last one that need not be synced", []consensus.LogWrite{
			{Entries: entry(4), MustSync: true}, {HardState: state(2)},
		}, true, 1},
		{"first one that need not be synced", []consensus.LogWrite{
			{HardState: state(3)}, {Entries: entry(5), MustSync: true},
		}, true, 1},
		{"a mark last", []consensus.LogWrite{{Entries: entry(6), MustSync: true}, {Mark: mark, MustSync: true}}, true, 2},
		{"a mark alone", []consensus.LogWrite{{Mark: mark, MustSync: true}}, true, 1},
		{"a mark between", []consensus.LogWrite{
			{Entries: entry(6), MustSync: true},
			{HardState: state(4), Mark: mark, MustSync: true},
			{Entries: entry(7), MustSync: true},
		}, true, 3},
	} {
		writes = 0
		sync, err := s.Log.Append(c.group)
		if err != nil || sync != c.sync || writes != c.least {
			t.Errorf("%s: must be synced %v, %d writes, %v", c.name, sync, writes, err)
		}
	}
	for _, e := range s.Log.entries[:cap(s.Log.entries)] {
		if e != nil {
			t.Error("an entry that was written is kept")
		}
	}
	if err := s.Log.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = born(t, d)
	if hs := s.Found.HardState; len(s.Found.Entries) != 6 || hs.GetCommit() != 4 {
		t.Errorf("%d entries, commit %d", len(s.Found.Entries), hs.GetCommit())
	}
}

// TestGroupFails at each of its steps: nothing is done after it, and the log goes no further.
func TestGroupFails(t *testing.T) {
	broken := errors.New("broken")
	_, meta := imageAt(t, 40)
	mark := &pb.WALSnapshot{Index: new(uint64(41)), Term: new(uint64(1)), ConfState: meta.ConfState}
	group := []consensus.LogWrite{
		{Ticket: 5, Entries: []*raftpb.Entry{putEntry(t, 2, 10)}, MustSync: true},
		{Ticket: 6, Snapshot: &raftpb.Snapshot{Metadata: meta}, HardState: hardAt(40), MustSync: true},
		{Ticket: 7, Entries: []*raftpb.Entry{putEntry(t, 41, 10)}, MustSync: true},
		{Ticket: 8, HardState: hardAt(41), Mark: mark, Release: 41, MustSync: true},
		{Ticket: 9, Entries: []*raftpb.Entry{putEntry(t, 42, 10)}, MustSync: true},
	}
	want := []Step{LogAppend, LogSnapshot, LogCommit, LogAppend, LogMark, LogAppend}
	for fail := range len(want) + 1 {
		d := diskOn(vfs.NewMem())
		l := living(t, d)
		before := l.started.Log.Written()
		var steps []Step
		d.Hook = func(s Step) error {
			if steps = append(steps, s); len(steps) == fail {
				return broken
			}
			return nil
		}
		mustSync, err := l.started.Log.Append(group)
		after := l.started.Log.Written()
		if fail == 0 {
			if end := (Position{Index: 42, Term: 1, Vote: self, InTerm: 1}); err != nil || !mustSync || after != end {
				t.Errorf("%v, must be synced %v, written %+v", err, mustSync, after)
			}
			fail = len(want)
		} else if !errors.Is(err, broken) || after != before {
			t.Errorf("step %d fails: %v, written %+v", fail, err, after)
		}
		if !slices.Equal(steps, want[:fail]) {
			t.Errorf("steps %v, want %v", steps, want[:fail])
		}
	}
}

// TestGroupFailsOnDisk at each write: the error is that of Append, and the log goes no further.
func TestGroupFailsOnDisk(t *testing.T) {
	broken := errors.New("broken")
	_, meta := imageAt(t, 40)
	mark := &pb.WALSnapshot{Index: new(uint64(2)), Term: new(uint64(1)), ConfState: meta.ConfState}
	image := &raftpb.Snapshot{Metadata: meta}
	for name, group := range map[string][]consensus.LogWrite{
		"entries": {{Ticket: 5, Entries: []*raftpb.Entry{putEntry(t, 2, 10)}, MustSync: true}},
		"a mark":  {{Ticket: 5, Mark: mark, MustSync: true}},
		"both": {
			{Ticket: 5, Entries: []*raftpb.Entry{putEntry(t, 2, 10)}, HardState: hardAt(2), MustSync: true},
			{Ticket: 6, Mark: mark, MustSync: true},
		},
		"a snapshot":             {{Ticket: 5, Snapshot: image, HardState: hardAt(40), MustSync: true}},
		"a snapshot and no more": {{Ticket: 5, Snapshot: image, MustSync: true}},
	} {
		for fail, all := 1, 1; fail <= all; fail++ {
			n, on := 0, false
			d := diskOn(vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
				if on && op.Kind == vfs.OpWrite {
					if n++; n == fail {
						return broken
					}
				}
				return nil
			}))
			l := living(t, d)
			before, steps := l.started.Log.Written(), 0
			on = true
			d.Hook = func(Step) error {
				if n >= fail {
					steps++
				}
				return nil
			}
			_, err := l.started.Log.Append(group)
			if after := l.started.Log.Written(); !errors.Is(err, broken) || after != before || steps > 0 {
				t.Errorf("%s, write %d fails: %v, written %+v, %d steps more", name, fail, err, after, steps)
			}
			all = max(all, n)
		}
	}
}

// TestGroupsAreChecked: what no member may ask for is not written.
func TestGroupsAreChecked(t *testing.T) {
	_, meta := imageAt(t, 40)
	entry := []*raftpb.Entry{putEntry(t, 2, 10)}
	mark := &pb.WALSnapshot{Index: new(uint64(2)), Term: new(uint64(1)), ConfState: meta.ConfState}
	image := &raftpb.Snapshot{Metadata: meta}
	other := &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(2))}
	for name, group := range map[string][]consensus.LogWrite{
		"out of order":              {{Ticket: 5, HardState: hardAt(1)}, {Ticket: 4, HardState: hardAt(1)}},
		"entries without a sync":    {{Entries: entry}},
		"a mark without a sync":     {{Mark: mark}},
		"a snapshot without a sync": {{Snapshot: image}},
		"a snapshot with a mark":    {{Snapshot: image, Mark: mark, MustSync: true}},
		"more given up than marked": {{Mark: mark, Release: 3, MustSync: true}},
		"a mark beyond the commit":  {{Mark: mark, HardState: hardAt(1), MustSync: true}},
		"a snapshot of nothing":     {{Snapshot: &raftpb.Snapshot{}, MustSync: true}},
		"a term that falls":         {{HardState: &raftpb.HardState{Vote: new(uint64(self))}}},
		"a vote that changes":       {{HardState: hardAt(1)}, {HardState: other}},
		"a vote that is taken back": {{HardState: hardAt(1)}, {HardState: &raftpb.HardState{Term: new(uint64(1))}}},
	} {
		l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
		l.start()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is written", name)
				}
			}()
			_, _ = l.started.Log.Append(group)
		}()
	}
}

// TestGroupsShareRoom: what a group is merged in is there for the next one.
func TestGroupsShareRoom(t *testing.T) {
	l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
	l.start()
	l.group(7, 10, 0)
	if got := cap(l.started.Log.entries); got < 7 {
		t.Errorf("room for %d entries after a group of 7", got)
	}
}

// TestFinish gives up what a durable mark has made superfluous, and tells when it cannot.
func TestFinish(t *testing.T) {
	mem, fail := vfs.NewMem(), false
	broken := errors.New("broken")
	d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
		if fail && (op.Kind == vfs.OpRemove || op.Kind == vfs.OpRename) {
			return broken
		}
		return nil
	}))
	l := living(t, d)
	for range 6 {
		l.group(4, 900, 0)
	}
	before := len(l.started.Log.Segments())
	l.commit()
	l.group(1, 10, l.promised.applied) // with a mark at the end of the group
	if after := len(l.started.Log.Segments()); after >= before || after > 2 {
		t.Errorf("%d segments, before it were %d", after, before)
	}
	for range 6 {
		l.group(4, 900, 0)
	}
	fail = true
	group := []consensus.LogWrite{{}, {Release: l.last}}
	if err := l.started.Log.Finish(group); !errors.Is(err, broken) {
		t.Errorf("what cannot be released: %v", err)
	}
	fail = false
	l.check(l.started.State.Store.Backend.Close())
}

// TestLyingDisk: a sync that is left out is called done, and the log is gone with the power.
func TestLyingDisk(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	l := living(t, d)
	d.Hook = func(s Step) error {
		if s == LogSync {
			return ErrLeftOut
		}
		return nil
	}
	l.group(3, 10, 0)
	if got := l.started.Log.Synced(); got.Index != 4 || got != l.started.Log.Written() {
		t.Errorf("synced %+v, written %+v", got, l.started.Log.Written())
	}
	if s := born(t, diskOn(mem.LoseUnsynced())); len(s.Found.Entries) != 1 {
		t.Errorf("%d entries survive", len(s.Found.Entries))
	}
	d.Hook = nil
	l.group(1, 10, 0)
	if s := born(t, diskOn(mem.LoseUnsynced())); len(s.Found.Entries) != 5 {
		t.Errorf("%d entries survive a sync", len(s.Found.Entries))
	}
}
