package store

import (
	"fmt"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

// standing is all that a store says of itself, and how it takes what comes next.
func standing(m *machine, next *journal) string {
	var out strings.Builder
	for _, id := range []uint64{1, 2} {
		fmt.Fprintf(&out, "member %d: %+v, removed %t\n", id, m.Members.Get(id), m.Members.IsRemoved(id))
	}
	r := m.Apply(ApplyContext{}, next.entries)
	ms := m.Members
	fmt.Fprintf(&out, "voters %v, learners %v\n", ms.Voters(), ms.Learners())
	fmt.Fprintf(&out, "version %v, downgrade %v, storage version %q\n", ms.Version(), ms.Downgrade(), m.StorageVersion())
	fmt.Fprintf(&out, "alarms %v, compacting %t\n%s", r.Alarms, m.Compacting(), describe(r))
	m.finish()
	hash, compacted, current, err := m.HashKV(0)
	fmt.Fprintf(&out, "hash %x from %d at %d, %v\n", hash, compacted, current, err)
	fmt.Fprintf(&out, "%d keys, %d indexed\n", m.KV.Keys(), m.KV.Indexed())
	out.WriteString(m.dump())
	return out.String()
}

// TestStatesAtBoot: whatever a transition has brought about is in force when the store is opened anew. Each case leads
// to a state and names what must be seen of it afterwards, with and without a restart.
func TestStatesAtBoot(t *testing.T) {
	for _, c := range []struct {
		entries, seen string
		steps         int // of housekeeping before the restart
	}{
		{"add 1 u; add 2 v; remove 2", "member 2: <nil>, removed true", 0},
		{"add 1 u; learner 2 v", "learners [2]", 0},
		{"add 1 u; learner 2 v; promote 2 v", "voters [1 2]", 0},
		{"add 1 u; attr 1 n c", "Name:n", 0},
		{"alarm on nospace 1", `error "etcdserver: no space"`, 0},
		{"alarm on corrupt 1", `error "etcdserver: corrupt cluster"`, 0},
		{"alarm on corrupt 1; alarm off corrupt 1", "alarms [], ", 0},
		{"put a=1; put a=2; put b=1; del b; put a=3; compact 5", "compacting true", 0},
		{"put a=1; put a=2; put b=1; del b; put a=3; compact 5", "compacting true", 1},
		{"put a=1; put a=2; put b=1; del b; put a=3; compact 5", "compacting true", 2},
		{"put a=1; del a; compact 3", "hash", 9},
		{"put a=1; compact 0", "compact 0", 0},
		{"version 3.7.0", `version 3.7.0, downgrade`, 0},
		{"version 3.7.0", `storage version "3.7.0"`, 0},
		{"version 3.7.0; version 3.6.0", `storage version "3.6.0"`, 0},
		{"version 3.5.0", `storage version ""`, 0},
		{"version 3.7.0; downgrade on 3.6.0", "downgrade {3.6.0 true}", 0},
		{"version 3.7.0; downgrade on 3.6.0; downgrade off 3.6.0", "downgrade { false}", 0},
	} {
		j := &journal{}
		for _, e := range strings.Split(c.entries, "; ") {
			if err := j.entry(e); err != nil {
				t.Fatal(err)
			}
		}
		m := newMachine(t, backend.NewMem())
		if r := m.Apply(ApplyContext{}, j.entries); r.Err != nil {
			t.Fatal(r.Err)
		}
		for range c.steps {
			m.Housekeep(1)
		}
		m.commit(t)
		again := m.reboot(t)
		next := &journal{entries: j.entries}
		next.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("z"), Value: []byte("1"), PrevKv: true}})
		next.request(&pb.InternalRaftRequest{Range: &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte{0}}})
		got, want := standing(again, next), standing(m, next)
		if got != want || !strings.Contains(want, c.seen) {
			t.Errorf("%s, %d steps: want %q\nopened anew\n%snot\n%s", c.entries, c.steps, c.seen, got, want)
		}
	}
}

// TestStorageVersionIsSetAfterBoot: a member that died between the cluster version and its storage version, or that
// came with the data of 3.5, sets it with the next entry, whatever that is.
func TestStorageVersionIsSetAfterBoot(t *testing.T) {
	mem := backend.NewMem()
	op := backend.Op{Bucket: backend.Cluster, Key: []byte("clusterVersion"), Value: []byte("3.7.0")}
	if err := mem.Commit([]backend.Op{op}); err != nil {
		t.Fatal(err)
	}
	m, j := newMachine(t, mem), &journal{}
	if v := m.StorageVersion(); v != "" {
		t.Fatalf("storage version %q", v)
	}
	j.add(0, nil)
	if m.Apply(ApplyContext{}, j.entries); m.StorageVersion() != "3.7.0" {
		t.Errorf("storage version %q", m.StorageVersion())
	}
}
