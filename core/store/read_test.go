package store

import (
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

// TestLeaseTTL is one and a half election timeouts in whole seconds, of which a part counts as one.
func TestLeaseTTL(t *testing.T) {
	for _, c := range []struct {
		ticks int
		tick  time.Duration
		want  int64
	}{
		{10, 100 * time.Millisecond, 2}, // etcd's own: 1.5 s
		{20, 100 * time.Millisecond, 3}, {21, 100 * time.Millisecond, 4}, {10, 66 * time.Millisecond, 1},
		{2, time.Second, 3}, {2, time.Second + 1, 4}, {2, time.Second - 1, 3}, {1, time.Millisecond, 1}, {0, time.Second, 0},
	} {
		if got := LeaseTTL(c.ticks, c.tick); got != c.want {
			t.Errorf("%d ticks of %v: %d seconds, want %d", c.ticks, c.tick, got, c.want)
		}
	}
}

// TestReadOfLeases: the store knows which keys a lease holds, and leaves it to the member which leases there are.
func TestReadOfLeases(t *testing.T) {
	m, j := newMachine(t, backend.NewMem()), &journal{}
	j.request(&pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 60}})
	for _, key := range []string{"b", "a", "c"} {
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte(key), Lease: 7}})
	}
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("c")}})
	if r := m.Apply(ApplyContext{}, j.entries); r.Err != nil {
		t.Fatal(r.Err)
	}
	for id, want := range map[int64]string{7: "ab", 8: ""} {
		resp, err := m.Read(&pb.LeaseTimeToLiveRequest{ID: id, Keys: true})
		if err != nil {
			t.Fatal(err)
		}
		ttl := resp.(*pb.LeaseTimeToLiveResponse)
		got := ""
		for _, k := range ttl.Keys {
			got += string(k)
		}
		if got != want || ttl.Header.GetRevision() != 5 {
			t.Errorf("lease %d has keys %q at %d, want %q", id, got, ttl.Header.GetRevision(), want)
		}
	}
	resp, err := m.Read(&pb.LeaseLeasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if all := resp.(*pb.LeaseLeasesResponse); len(all.Leases) != 0 || all.Header.GetRevision() != 5 {
		t.Errorf("leases %v at %d", all.Leases, all.Header.GetRevision())
	}
}
