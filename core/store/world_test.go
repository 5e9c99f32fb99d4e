package store

import (
	"bytes"
	"fmt"
	"strings"

	"vitrine/core/backend"
	"vitrine/core/membership"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// journal is a raft log as a test writes it.
type journal struct{ entries []*raftpb.Entry }

func (j *journal) add(typ raftpb.EntryType, data []byte) {
	index, term := uint64(len(j.entries)+1), uint64(2)
	j.entries = append(j.entries, &raftpb.Entry{Index: &index, Term: &term, Type: &typ, Data: data})
}

// request appends a request whose id is its index.
func (j *journal) request(r *pb.InternalRaftRequest) {
	r.Header = &pb.RequestHeader{ID: uint64(len(j.entries) + 1)}
	data, err := r.MarshalVT()
	if err != nil {
		panic(err)
	}
	j.add(raftpb.EntryNormal, data)
}

func (j *journal) conf(typ raftpb.ConfChangeType, id uint64, context []byte) {
	proposal := uint64(len(j.entries) + 1)
	data, err := proto.Marshal(&raftpb.ConfChange{Type: &typ, NodeId: &id, Context: context, Id: &proposal})
	if err != nil {
		panic(err)
	}
	j.add(raftpb.EntryConfChange, data)
}

func memberOf(id uint64, urls ...string) *membership.Member {
	return &membership.Member{ID: id, PeerURLs: urls}
}

// machine is a store on a memory backend that can lose power.
type machine struct {
	*Store
	mem *backend.Mem
}

func newMachine(t failer, mem *backend.Mem) *machine {
	t.Helper()
	b, err := backend.New(mem)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{Store: s, mem: mem}
}

// reboot is the machine after a power loss: what was not committed is gone.
func (m *machine) reboot(t failer) *machine { return newMachine(t, m.mem.Clone()) }

func (m *machine) commit(t failer) {
	t.Helper()
	if err := m.Backend.Flush(); err != nil {
		t.Fatal(err)
	}
}

// finish does all housekeeping.
func (m *machine) finish() {
	for m.Housekeep(3) {
	}
}

// dump writes all pairs of the buckets that are named, or of all.
func (m *machine) dump(only ...string) string {
	var out bytes.Buffer
	for _, b := range backend.Buckets() {
		if len(only) > 0 && !strings.Contains(strings.Join(only, " ")+" ", b.Name()+" ") {
			continue
		}
		m.Backend.Range(b, nil, nil, 0, func(k, v []byte) bool {
			fmt.Fprintf(&out, "%s/%s = %s\n", b.Name(), printable(k), printable(v))
			return true
		})
	}
	return out.String()
}

func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%x", b)
		}
	}
	return string(b)
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
}
