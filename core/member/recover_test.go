package member_test

import (
	"errors"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

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
	if _, _, _, err := member.Recover(fs, dir, backend.Applied{Index: 1, Term: 1}, wal.Options{}); !errors.As(err, &missing) || missing.Index != 100 {
		t.Fatalf("got %v, want that the image at 100 is missing", err)
	}
	fs = fs.LoseUnsynced() // and now the power
	_, _, boot, err := member.Recover(fs, dir, backend.Applied{Index: 100, Term: 2, ConfState: conf}, wal.Options{})
	if err != nil || boot.Snapshot.GetIndex() != 100 {
		t.Errorf("boots at %d: %v", boot.Snapshot.GetIndex(), err)
	}
}
