package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/mvcc"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// TestUnreadableConfChange stops the member, as any entry does that cannot be read.
func TestUnreadableConfChange(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	j.add(raftpb.EntryConfChange, []byte{0xff})
	r := m.Apply(ApplyContext{}, j.entries)
	if !errors.Is(r.Err, ErrBadEntry) || r.Index != 0 || len(r.ConfChanges) != 0 || m.Applied().Index != 0 {
		t.Errorf("%v, at %d, %d changes", r.Err, r.Index, len(r.ConfChanges))
	}
}

// TestPhysicalCompaction: nobody waits for the deletions of a compaction that was refused.
func TestPhysicalCompaction(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}})
	j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 9, Physical: true}})
	j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 2, Physical: true}})
	j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 2, Physical: true}})
	var got []bool
	for _, o := range m.Apply(ApplyContext{}, j.entries).Outcomes {
		got = append(got, o.Physical)
	}
	if want := []bool{false, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("physical %v, want %v", got, want)
	}
}

// TestOpen names the damage of a pair that cannot be read, and knows the configuration before the first entry.
func TestOpen(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	j.conf(raftpb.ConfChangeAddNode, 7, []byte(`{"id":7,"peerURLs":["http://localhost:1"]}`))
	if r := m.Apply(ApplyContext{}, j.entries); r.Outcomes[0].Err != nil {
		t.Fatal(r.Outcomes[0].Err)
	}
	m.commit(t)
	m = m.reboot(t)
	if got := m.Backend.Applied().ConfState.GetVoters(); !slices.Equal(got, []uint64{7}) {
		t.Errorf("voters of the backend after boot: %v", got)
	}
	if got := m.Applied(); got.Index != 1 || !slices.Equal(got.ConfState.GetVoters(), []uint64{7}) {
		t.Errorf("applied %+v", got)
	}
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 2, Term: 2})
	batch.Put(backend.Key, []byte("no revision"), []byte("no pair"))
	m.Backend.Write(batch)
	m.commit(t)
	b, err := backend.New(m.mem.Clone())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Open(b, Config{}, nil); s != nil || !errors.Is(err, mvcc.ErrDamaged) ||
		!strings.HasPrefix(err.Error(), "store: ") {
		t.Errorf("opened a damaged database: %v", err)
	}
}

// TestImageReader reads no more pairs than it was asked for, and stops when it is told.
func TestImageReader(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 1, Term: 1})
	for _, k := range []string{"a", "b", "c"} {
		batch.Put(backend.Auth, []byte(k), nil)
	}
	m.Backend.Write(batch)
	m.commit(t)
	v, err := m.mem.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, c := range []struct {
		limit, stop int
		want        string
	}{{0, 9, "abc"}, {1, 9, "a"}, {2, 9, "ab"}, {3, 9, "abc"}, {0, 1, "a"}, {2, 1, "a"}} {
		var got []byte
		imageReader{v}.Range(backend.Auth, nil, nil, c.limit, func(k, _ []byte) bool {
			got = append(got, k...)
			return len(got) < c.stop
		})
		if string(got) != c.want {
			t.Errorf("limit %d, stopped at %d: %q, want %q", c.limit, c.stop, got, c.want)
		}
	}
}

// TestCheckLog looks at what the member is about to apply, and at nothing else.
func TestCheckLog(t *testing.T) {
	j := &journal{}
	bad := func() { j.add(raftpb.EntryNormal, []byte{0xff}) }
	bad()
	j.add(raftpb.EntryNormal, nil)
	j.add(raftpb.EntryConfChange, []byte{0xff}) // boot has looked at it
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}})
	bad()
	for _, c := range []struct {
		applied, commit uint64
		ok              bool
	}{{0, 5, false}, {0, 1, false}, {1, 4, true}, {1, 5, false}, {4, 5, false}, {5, 5, true}, {0, 0, true}} {
		if err := CheckLog(j.entries, c.applied, c.commit); (err == nil) != c.ok ||
			err != nil && !errors.Is(err, ErrBadEntry) {
			t.Errorf("applied %d, committed %d: %v", c.applied, c.commit, err)
		}
	}
}
