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

// restoredLog is what a tool that restores a snapshot leaves: the conf changes of the new cluster and a mark behind them.
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
	must(t, log.SaveSnapshot(&pb.WALSnapshot{Index: new(uint64(len(voters))), Term: new(uint64(1)), ConfState: &raftpb.ConfState{Voters: voters}}))
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
	if !slices.Equal(at.ConfState.GetVoters(), []uint64{1, 2, 3}) || !slices.Equal(b.Durable().ConfState.GetVoters(), []uint64{1, 2, 3}) {
		t.Errorf("an image is sent with the voters %v, a mark made with %v", at.ConfState.GetVoters(), b.Durable().ConfState.GetVoters())
	}
}

func TestLogOfOtherMembersIsRefused(t *testing.T) {
	_, _, boot, err := member.Recover(restoredLog(t, 1, 2, 3), dir, storeOf(t, backend.Applied{Index: 3, Term: 1}, 1, 2), wal.Options{})
	must(t, err)
	_, err = consensus.New(consensus.Config{ID: 1}, boot)
	if !errors.Is(err, consensus.ErrMembersDisagree) || !strings.Contains(err.Error(), "voters [1 2 3]") || !strings.Contains(err.Error(), "voters [1 2]") {
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
	must(t, log.Append(&raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(0)), Commit: new(uint64(1))}, []*raftpb.Entry{{Term: new(uint64(1)), Index: new(uint64(1))}}))
	must(t, log.Sync())
	conf := &raftpb.ConfState{Voters: []uint64{1, 2, 3}}
	must(t, log.SaveSnapshot(&pb.WALSnapshot{Index: new(uint64(100)), Term: new(uint64(2)), ConfState: conf}))
	must(t, log.Append(&raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(0)), Commit: new(uint64(100))}, nil))

	fs = fs.Clone() // kill -9
	var missing *member.MissingImageError
	if _, _, _, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: 1, Term: 1}, 1), wal.Options{}); !errors.As(err, &missing) || missing.Index != 100 {
		t.Fatalf("got %v, want that the image at 100 is missing", err)
	}
	fs = fs.LoseUnsynced() // and now the power
	_, _, boot, err := member.Recover(fs, dir, storeOf(t, backend.Applied{Index: 100, Term: 2}, 1, 2, 3), wal.Options{})
	if err != nil || boot.Snapshot.GetIndex() != 100 {
		t.Errorf("boots at %d: %v", boot.Snapshot.GetIndex(), err)
	}
}
