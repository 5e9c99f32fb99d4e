package consensus

import (
	"errors"
	"slices"
	"testing"

	"vitrine/core/pb"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// run makes entries of one term with the indexes from to.
func run(term, from, to uint64) []*raftpb.Entry {
	var es []*raftpb.Entry
	for i := from; i <= to; i++ {
		es = append(es, &raftpb.Entry{Term: new(term), Index: new(i), Data: make([]byte, 76)}) // 100 bytes in all
	}
	return es
}

func terms(l *memLog) []uint64 {
	var ts []uint64
	for i := l.base; i <= l.last(); i++ {
		t, err := l.Term(i)
		if err != nil {
			return nil
		}
		ts = append(ts, t)
	}
	return ts
}

func TestMemLogAppend(t *testing.T) {
	for _, c := range []struct {
		name string
		add  []*raftpb.Entry
		want []uint64 // terms from the base, 10, on
	}{
		{"nothing", nil, []uint64{1, 1, 1, 2, 2}},
		{"at the end", run(3, 15, 16), []uint64{1, 1, 1, 2, 2, 3, 3}},
		{"over the tail", run(3, 13, 13), []uint64{1, 1, 1, 3}},
		{"over everything", run(3, 11, 12), []uint64{1, 3, 3}},
		{"from below the base", append(run(1, 9, 11), run(3, 12, 12)...), []uint64{1, 1, 3}},
		{"from the base", append(run(1, 10, 10), run(3, 11, 12)...), []uint64{1, 3, 3}},
		{"below the base alone", run(1, 8, 10), []uint64{1, 1, 1, 2, 2}},
	} {
		l := &memLog{base: 10, baseTerm: 1, entries: append(run(1, 11, 12), run(2, 13, 14)...)}
		l.append(c.add)
		if got := terms(l); !slices.Equal(got, c.want) {
			t.Errorf("%s: terms %v, want %v", c.name, got, c.want)
		}
	}
}

// TestMemLogShares: what was handed out never changes, whatever happens to the log.
func TestMemLogShares(t *testing.T) {
	l := &memLog{}
	l.append(run(1, 1, 8))
	l.append(run(1, 9, 9))
	l.append(run(1, 10, 10)) // the array behind has room for more by now
	out, err := l.Entries(5, 9, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(out)
	l.append(run(2, 6, 7)) // a conflict
	l.append(run(2, 8, 12))
	l.applied = 7
	l.compact(7)
	l.append(run(3, 9, 20))
	_ = append(out, run(9, 9, 9)...) // what the receiver does with it is not seen here
	if !slices.Equal(out, before) {
		t.Error("entries under way have changed")
	}
	if got := terms(l); !slices.Equal(got, []uint64{2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}) {
		t.Errorf("terms %v", got)
	}
}

func TestMemLogBounds(t *testing.T) {
	l := &memLog{base: 10, baseTerm: 1, entries: run(2, 11, 20)}
	if _, err := l.Entries(10, 12, 1000); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("entries at the base: %v", err)
	}
	if _, err := l.Entries(11, 22, 1000); !errors.Is(err, raft.ErrUnavailable) {
		t.Errorf("entries beyond the end: %v", err)
	}
	if _, err := l.Term(9); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("term below the base: %v", err)
	}
	if _, err := l.Term(21); !errors.Is(err, raft.ErrUnavailable) {
		t.Errorf("term beyond the end: %v", err)
	}
	for _, c := range []struct {
		max  uint64
		want int
	}{{0, 1}, {99, 1}, {100, 1}, {200, 2}, {299, 2}, {1 << 20, 10}} {
		es, err := l.Entries(11, 21, c.max)
		if err != nil || len(es) != c.want {
			t.Errorf("at most %d bytes: %d entries, %v", c.max, len(es), err)
		}
	}
	if _, err := l.Snapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) {
		t.Errorf("a snapshot of nothing: %v", err)
	}
	l.applied, l.conf = 15, &raftpb.ConfState{Voters: []uint64{1}}
	s, err := l.Snapshot()
	if m := s.GetMetadata(); err != nil || m.GetIndex() != 15 || m.GetTerm() != 2 ||
		!slices.Equal(m.GetConfState().GetVoters(), []uint64{1}) {
		t.Errorf("snapshot %v, %v", m, err)
	}
	for _, index := range []uint64{99, 21, 10, 5} {
		if l.compact(index); l.base != 10 {
			t.Errorf("compacted to %d by index %d, which is not there", l.base, index)
		}
	}
}

// TestMemLogCompact: to the last entry, too; the term at the new base is the one of the entry there.
func TestMemLogCompact(t *testing.T) {
	for index, want := range map[uint64][]uint64{11: {2, 3, 3}, 12: {3, 3}, 13: {3}} {
		l := &memLog{base: 10, baseTerm: 1, applied: 13, entries: append(run(2, 11, 11), run(3, 12, 13)...)}
		if l.compact(index); !slices.Equal(terms(l), want) {
			t.Errorf("to %d: terms %v, want %v", index, terms(l), want)
		}
	}
}

// TestMemLogSnapshot: there is none of a store that has not come up to the base, where a received one is installed.
func TestMemLogSnapshot(t *testing.T) {
	joint := conf123(4)
	joint.AutoLeave = new(true)
	l := &memLog{entries: run(1, 1, 9), applied: 5, conf: conf123()}
	l.install(20, 3, joint)
	if _, err := l.Snapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) {
		t.Errorf("before the store has it: %v", err)
	}
	for applied := range uint64(2) {
		early := &memLog{entries: run(1, 1, 9), applied: applied, conf: conf123()}
		if _, err := early.Snapshot(); (err == nil) != (applied > 0) {
			t.Errorf("applied %d: %v", applied, err)
		}
	}
	l.applied = 20
	s, err := l.Snapshot()
	if m := s.GetMetadata(); err != nil || m.GetIndex() != 20 || m.GetTerm() != 3 ||
		!proto.Equal(m.GetConfState(), joint) {
		t.Errorf("snapshot %v, %v", s, err)
	}
	if l.conf = conf123(); !proto.Equal(cloneConf(l.conf), l.conf) {
		t.Errorf("the copy is %v", cloneConf(l.conf))
	}
}

func TestBootRefusesWhatCannotBe(t *testing.T) {
	mark := func(index, term uint64) *pb.WALSnapshot {
		return &pb.WALSnapshot{Index: new(index), Term: new(term), ConfState: &raftpb.ConfState{Voters: []uint64{1}}}
	}
	conf := &raftpb.ConfState{Voters: []uint64{1}}
	hard := func(commit uint64) *raftpb.HardState {
		return &raftpb.HardState{Term: new(uint64(5)), Vote: new(uint64(1)), Commit: new(commit)}
	}
	change := run(1, 1, 1)
	change[0].Type = raftpb.EntryConfChange.Enum()
	change[0].Data, _ = proto.Marshal(&raftpb.ConfChange{NodeId: new(uint64(1))})
	for _, c := range []struct {
		name string
		boot Boot
		ok   bool
		is   error
	}{
		{"nothing", Boot{}, true, nil},
		{"a log", Boot{HardState: hard(3), Entries: run(1, 1, 5)}, true, nil},
		{"a log after a mark", Boot{HardState: hard(12), Snapshot: mark(10, 1), Entries: run(2, 11, 15), Applied: 10,
			ConfState: conf}, true, nil},
		{"the store of a mark", Boot{HardState: hard(12), Snapshot: mark(10, 1), Entries: run(2, 11, 15), Applied: 10}, true,
			nil},
		{"a gap", Boot{Entries: append(run(1, 1, 2), run(1, 4, 5)...)}, false, nil},
		{"a gap after the mark", Boot{Snapshot: mark(10, 1), Entries: run(1, 12, 13), Applied: 10}, false, nil},
		{"terms that fall", Boot{Entries: append(run(2, 1, 2), run(1, 3, 3)...)}, false, nil},
		{"a commit beyond the log", Boot{HardState: hard(6), Entries: run(1, 1, 5)}, false, nil},
		{"a store ahead of the log", Boot{HardState: hard(5), Entries: run(1, 1, 5), Applied: 6}, false, ErrLogBehindStore},
		{"a store behind the mark", Boot{Snapshot: mark(10, 1), Applied: 9, ConfState: conf}, false, ErrStoreBehindLog},
		{"a configuration that cannot be", Boot{ConfState: &raftpb.ConfState{Voters: []uint64{1}, Learners: []uint64{1}}},
			false, nil},
		{"a store that lacks a configuration", Boot{HardState: hard(1), Entries: change, Applied: 1}, false, nil},
	} {
		n, err := New(Config{ID: 1}, c.boot)
		if errors.Is(err, ErrMembersDisagree) {
			t.Errorf("%s: %v, which is not what is wrong", c.name, err)
		}
		if (err == nil) != c.ok || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && n.Status().Applied != c.boot.Applied {
			t.Errorf("%s: applied %d", c.name, n.Status().Applied)
		}
	}
	for _, cfg := range []Config{{}, {ID: raft.LocalApplyThread}, {ID: 1, ElectionTicks: 3, HeartbeatTicks: 3}} {
		if _, err := New(cfg, Boot{}); err == nil {
			t.Errorf("config %+v was taken", cfg)
		}
	}
	if _, _, err := Bootstrap(nil); err == nil {
		t.Error("a cluster of nobody was made")
	}
}

// TestBootKeepsTheStoresCommit: a hard state may be older than what the store has applied, because commit indexes are
// not synced on their own.
func TestBootKeepsTheStoresCommit(t *testing.T) {
	n, err := New(Config{ID: 1}, Boot{
		HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(1)), Commit: new(uint64(3))},
		Entries:   run(1, 1, 9), Applied: 7,
		Snapshot:  &pb.WALSnapshot{ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}},
		ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := n.Status(); s.Commit != 7 || s.Applied != 7 || s.Term != 2 || s.Vote != 1 {
		t.Errorf("status %+v", s)
	}
}

// TestBootWritesTheTermOfTheLog: of a torn write the entries may be left without their hard state. The term that they
// tell is on the disk before anything is promised in it.
func TestBootWritesTheTermOfTheLog(t *testing.T) {
	n, err := New(Config{ID: 1}, Boot{
		HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(3)), Commit: new(uint64(7))},
		Entries:   append(run(2, 1, 8), run(5, 9, 9)...), Applied: 7,
		Snapshot:  &pb.WALSnapshot{ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}},
		ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out Output
	n.Ready(&out)
	if len(out.Log) == 0 || out.Log[0].HardState.GetTerm() != 5 || out.Log[0].HardState.GetVote() != 0 ||
		!out.Log[0].MustSync {
		t.Fatalf("writes %+v, want the hard state of term 5 without a vote, synced", out.Log)
	}
	n.LogDone(out.Log[0].Ticket)
	if s := n.Status(); s.Term != 5 || s.Vote != 0 || s.Commit != 7 {
		t.Errorf("status %+v", s)
	}
}

func TestIDs(t *testing.T) {
	for _, first := range []uint64{0, 0x1234_0001, 1<<64 - 100} {
		g, seen := NewIDs(first), map[uint64]bool{0: true}
		for range 300 {
			id := g.Next()
			if seen[id] {
				t.Fatalf("%x is none, or twice", id)
			}
			seen[id] = true
			if !Ours(first, id) || Ours(first+1<<48, id) || Ours(first-1<<48, id) {
				t.Errorf("whose is %x?", id)
			}
		}
	}
}
