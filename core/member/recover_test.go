package member_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// storeOf is a store at a position, with these voters in its members bucket.
func storeOf(t *testing.T, at backend.Applied, voters ...uint64) *backend.Backend {
	t.Helper()
	b, err := backend.New(backend.NewMem())
	must(t, err)
	batch := backend.NewBatch()
	batch.Reset(at)
	members := membership.New(0)
	for _, id := range voters {
		m := &membership.Member{ID: id, PeerURLs: []string{fmt.Sprintf("http://m%d:2380", id)}}
		must(t, members.Apply(&raftpb.ConfChange{NodeId: &id, Context: m.Bootstrap()}, batch))
	}
	b.Write(batch)
	must(t, b.Flush())
	return b
}

// restoredLog is what a tool that restores a snapshot leaves: the conf changes of the new cluster and a mark behind
// them.
func restoredLog(t *testing.T, voters ...uint64) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	log, err := wal.Create(fs, dir, []byte("m"), wal.Options{SegmentBytes: 1 << 16})
	must(t, err)
	var peers []consensus.Peer
	for _, id := range voters {
		peers = append(peers, consensus.Peer{ID: id})
	}
	entries, hs, err := consensus.Bootstrap(peers)
	must(t, err)
	must(t, log.Append(hs, entries))
	must(t,
		log.SaveSnapshot(&pb.WALSnapshot{Index: new(uint64(len(voters))), Term: new(uint64(1)),
			ConfState: &raftpb.ConfState{Voters: voters}}))
	must(t, log.Close())
	return fs
}

// Tools that restore a snapshot write the members bucket and the log, and leave meta/confState, which etcd never reads
// at a start, as the old cluster had it.
func TestVotersAreNotThoseOfTheOldCluster(t *testing.T) {
	old := &raftpb.ConfState{Voters: []uint64{9}, AutoLeave: new(bool)}
	b := storeOf(t, backend.Applied{Index: 3, Term: 1, ConfState: old}, 1, 2, 3)
	b, err := backend.New(b.Store())
	must(t, err)
	if raw := b.Get(backend.Meta, []byte("confState")); !strings.Contains(string(raw), "[9]") {
		t.Fatalf("meta/confState is %q", raw)
	}
	_, _, boot, err := member.Recover(restoredLog(t, 1, 2, 3), dir, b, wal.Options{})
	must(t, err)
	node, err := consensus.New(consensus.Config{ID: 1}, boot)
	must(t, err)
	if got := node.Voters(); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("voters %v, want those of the log", got)
	}
	s, err := store.Open(b, store.Config{}, nil)
	must(t, err)
	snap, at, err := s.Image()
	must(t, err)
	defer snap.Close()
	if !slices.Equal(at.ConfState.GetVoters(), []uint64{1, 2, 3}) || !slices.Equal(b.Durable().ConfState.GetVoters(),
		[]uint64{1, 2, 3}) {
		t.Errorf("an image is sent with the voters %v, a mark made with %v", at.ConfState.GetVoters(),
			b.Durable().ConfState.GetVoters())
	}
}

func TestLogOfOtherMembersIsRefused(t *testing.T) {
	_, _, boot, err := member.Recover(restoredLog(t, 1, 2, 3), dir, storeOf(t, backend.Applied{Index: 3, Term: 1}, 1, 2),
		wal.Options{})
	must(t, err)
	_, err = consensus.New(consensus.Config{ID: 1}, boot)
	if !errors.Is(err, consensus.ErrMembersDisagree) || !strings.Contains(err.Error(), "voters [1 2 3]") ||
		!strings.Contains(err.Error(), "voters [1 2]") {
		t.Errorf("got %v, want an error that names both", err)
	}
}

// The process dies when the mark of a received snapshot is written and not yet
// synced: the next one finds it in the page cache and installs the image. If the
// power goes then, the mark must not go with it, or the log would end before the
// store.
func TestMissingImageIsNamedByADurableLog(t *testing.T) {
	fs := vfs.NewMem()
	log, err := wal.Create(fs, dir, []byte("m"), wal.Options{SegmentBytes: 1 << 16})
	must(t, err)
	must(t, log.Append(&raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(0)), Commit: new(uint64(1))},
		[]*raftpb.Entry{{Term: new(uint64(1)), Index: new(uint64(1))}}))
	must(t, log.Sync())
	conf := &raftpb.ConfState{Voters: []uint64{1, 2, 3}}
	must(t, log.SaveSnapshot(&pb.WALSnapshot{Index: new(uint64(100)), Term: new(uint64(2)), ConfState: conf}))
	must(t, log.Append(&raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(0)), Commit: new(uint64(100))}, nil))

	fs = fs.Clone() // kill -9
	var missing *member.MissingImageError
	if _, _, _, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: 1, Term: 1}, 1),
		wal.Options{}); !errors.As(err, &missing) || missing.Index != 100 {
		t.Fatalf("got %v, want that the image at 100 is missing", err)
	}
	fs = fs.LoseUnsynced() // and now the power
	_, _, boot, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: 100, Term: 2}, 1, 2, 3), wal.Options{})
	if err != nil || boot.Snapshot.GetIndex() != 100 {
		t.Errorf("boots at %d: %v", boot.Snapshot.GetIndex(), err)
	}
}

// staleMark is a log of entries up to 3 whose process got a snapshot at 180: its mark was written, and the hard state
// that commits it was not, because the disk refused it or the process died between the two. The store is at 3.
func staleMark(t *testing.T) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	w, err := wal.Create(fs, dir, []byte("m"), wal.Options{SegmentBytes: 1 << 16})
	must(t, err)
	must(t, w.Append(hardAt(1, 3), entriesOf(1, 1, 3)))
	must(t, w.Sync())
	must(t, w.SaveSnapshot(markAt(180, 2)))
	must(t, w.Close())
	return fs
}

func hardAt(term, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: new(uint64), Commit: &commit}
}

func markAt(index, term uint64) *pb.WALSnapshot {
	return &pb.WALSnapshot{Index: &index, Term: &term, ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}}
}

func entriesOf(term, first, last uint64) (es []*raftpb.Entry) {
	for i := first; i <= last; i++ {
		es = append(es, &raftpb.Entry{Index: new(i), Term: &term})
	}
	return es
}

// reboot recovers with a store at index, and expects to start from the mark at from.
func reboot(t *testing.T, fs vfs.FS, index, from uint64) *wal.WAL {
	t.Helper()
	w, r, boot, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: index, Term: 2}, 1, 2, 3),
		wal.Options{SegmentBytes: 1 << 16})
	must(t, err)
	if boot.Snapshot.GetIndex() != from || r.Snapshot.GetIndex() != from {
		t.Fatalf("boots from the mark at %d, want %d", boot.Snapshot.GetIndex(), from)
	}
	return w
}

// The next process passes over the mark and drops its image. It gets an older snapshot from another leader, and goes
// on beyond 180 by entries. The old mark must not count again when 180 is committed.
func TestStaleMarkBehindAnotherSnapshot(t *testing.T) {
	fs := staleMark(t)
	w := reboot(t, fs, 3, 0)
	must(t, w.SaveSnapshot(markAt(179, 2)))
	must(t, w.Append(hardAt(5, 179), nil))
	must(t, w.Append(hardAt(5, 181), append(entriesOf(2, 180, 180), entriesOf(5, 181, 181)...)))
	must(t, w.Close())
	must(t, reboot(t, fs, 179, 179).Close())
}

// The same by entries alone, which the store has not committed to its own disk yet when the process is killed.
func TestStaleMarkThatEntriesOvertake(t *testing.T) {
	fs := staleMark(t)
	w := reboot(t, fs, 3, 0)
	must(t, w.Append(hardAt(5, 200), entriesOf(2, 4, 200)))
	must(t, w.Sync())
	fs = fs.Clone()
	w = reboot(t, fs, 50, 0)
	must(t, w.SaveSnapshot(markAt(180, 2))) // of its own now, with the store durable up to there
	must(t, w.Close())
	must(t, reboot(t, fs, 190, 180).Close())
}

// The snapshot arrives a second time, and this time all of it is written: the first record and the second are of one
// index, and what followed the first is gone.
func TestStaleMarkThatComesAgain(t *testing.T) {
	fs := staleMark(t)
	w := reboot(t, fs, 3, 0)
	must(t, w.Append(hardAt(1, 3), entriesOf(1, 4, 185)))
	must(t, w.SaveSnapshot(markAt(180, 2)))
	must(t, w.Append(hardAt(3, 181), entriesOf(3, 181, 182)))
	must(t, w.Close())
	w, r, _, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: 180, Term: 2}, 1, 2, 3),
		wal.Options{SegmentBytes: 1 << 16})
	must(t, err)
	must(t, w.Close())
	if r.Snapshot.GetIndex() != 180 || len(r.Entries) != 2 || r.Entries[0].GetTerm() != 3 {
		t.Errorf("from %d with %d entries", r.Snapshot.GetIndex(), len(r.Entries))
	}
}

// A log that ends before what the store contains has lost what was promised, and the error says which file and where.
func TestLogBehindTheStoreIsNamed(t *testing.T) {
	_, _, _, err := member.Recover(staleMark(t), dir, storeOf(t, backend.Applied{Index: 5, Term: 1}, 1, 2, 3),
		wal.Options{SegmentBytes: 1 << 16})
	var corrupt *wal.CorruptError
	if !errors.As(err, &corrupt) || !strings.HasSuffix(corrupt.File, ".wal") || corrupt.Offset == 0 ||
		!strings.Contains(err.Error(), "index 5") {
		t.Errorf("got %v", err)
	}
}
