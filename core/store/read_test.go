package store

import (
	"errors"
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/membership"
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
		{1, 1, 1}, {1, time.Second, 1}, {1, time.Second + 1, 2},
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

// TestOldestStorageVersion: a database of the oldest version whose data is known is taken.
func TestOldestStorageVersion(t *testing.T) {
	mem := backend.NewMem()
	if err := mem.Commit([]backend.Op{{
		Bucket: backend.Meta, Key: []byte(keyStorageVersion), Value: []byte(oldest.String()),
	}}); err != nil {
		t.Fatal(err)
	}
	if m := newMachine(t, mem); m.StorageVersion() != "3.5.0" {
		t.Errorf("storage version %s", m.StorageVersion())
	}
}

// TestNoQuota: without a quota everything has space.
func TestNoQuota(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	put := &pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}}
	for quota, want := range map[int64]bool{-1: true, 0: true, 1: false} {
		if m.cfg.QuotaBytes = quota; m.HasSpace(put) != want {
			t.Errorf("quota %d: has space %v", quota, !want)
		}
	}
}

// TestPasswords: to hash one takes a salt that is not in the entry, so only hashed ones are taken, and none where none
// is meant.
func TestPasswords(t *testing.T) {
	for _, c := range []struct {
		name string
		req  *pb.InternalRaftRequest
		ok   bool
	}{
		{"a new user's", &pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{Name: "a", Password: "p"}}, false},
		{"hashed", &pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{
			Name: "a", Password: "p", HashedPassword: "h",
		}}, true},
		{"none", &pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{Name: "a"}}, true},
		{"not wanted", &pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{
			Name: "a", Password: "p", Options: &pb.UserAddOptions{NoPassword: true},
		}}, true},
		{"another", &pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{
			Name: "a", Password: "p",
		}}, false},
		{"another, hashed", &pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{
			Name: "a", Password: "p", HashedPassword: "h",
		}}, true},
		{"another, none", &pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{
			Name: "a", HashedPassword: "h",
		}}, true},
	} {
		data, err := c.req.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckData(data); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNotSupported) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSharedDecoder: a driver that has read an entry already says so, and what it says is applied.
func TestSharedDecoder(t *testing.T) {
	m, j := newMachine(t, backend.NewMem()), &journal{}
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte("1")}})
	read := 0
	r := m.Apply(ApplyContext{Decode: func(data []byte) (*pb.InternalRaftRequest, error) {
		read++
		return Decode(data)
	}}, j.entries)
	if r.Err != nil || read != 1 || m.KV.Keys() != 1 {
		t.Errorf("%v, read %d times, %d keys", r.Err, read, m.KV.Keys())
	}
}

// TestNothingAsked: a number alone asks for nothing, nor does a header.
func TestNothingAsked(t *testing.T) {
	for _, req := range []*pb.InternalRaftRequest{{ID: 7}, {Header: &pb.RequestHeader{ID: 7}}} {
		data, err := req.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckData(data); !errors.Is(err, ErrUnknownRequest) {
			t.Errorf("%v: %v", req, err)
		}
	}
}

// TestCheckpointsAreKept from the first cluster version on of which all members write them down.
func TestCheckpointsAreKept(t *testing.T) {
	m, batch := newMachine(t, backend.NewMem()), backend.NewBatch()
	if m.keepsCheckpoints() {
		t.Error("they are kept before there is a version")
	}
	for minor, want := range map[int64]bool{5: false, 6: true, 7: true} {
		m.Members.SetVersion(membership.Version{Major: 3, Minor: minor}, batch)
		if m.keepsCheckpoints() != want {
			t.Errorf("in 3.%d they are kept: %v", minor, !want)
		}
	}
}
