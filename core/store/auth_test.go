package store

import (
	"errors"
	"testing"

	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/pb"
)

// as appends a request of a user, named at an auth revision.
func (j *journal) as(user string, revision uint64, r *pb.InternalRaftRequest) {
	r.Header = &pb.RequestHeader{ID: uint64(len(j.entries) + 1), Username: user, AuthRevision: revision}
	data, err := r.MarshalVT()
	if err != nil {
		panic(err)
	}
	j.add(0, data)
}

// users is a log after which alice may write [a, c), and the auth revision is 7.
func users(j *journal) {
	for _, r := range []*pb.InternalRaftRequest{
		{AuthUserAdd: &pb.AuthUserAddRequest{Name: "root", HashedPassword: "cm9vdA=="}},
		{AuthUserGrantRole: &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		{AuthUserAdd: &pb.AuthUserAddRequest{Name: "alice", HashedPassword: "cm9vdA=="}},
		{AuthRoleAdd: &pb.AuthRoleAddRequest{Name: "rw"}},
		{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: "rw", Perm: &pb.Permission{
			PermType: pb.Permission_WRITE, Key: []byte("a"), RangeEnd: []byte("c"),
		}}},
		{AuthUserGrantRole: &pb.AuthUserGrantRoleRequest{User: "alice", Role: "rw"}},
	} {
		j.request(r)
	}
}

// enabled is a machine that has applied users, and on which authentication is enabled.
func enabled(t *testing.T) (*machine, *journal) {
	m, j := newMachine(t, backend.NewMem()), &journal{}
	users(j)
	j.request(&pb.InternalRaftRequest{AuthEnable: &pb.AuthEnableRequest{}})
	r := m.Apply(ApplyContext{}, j.entries)
	if r.Err != nil || r.Auth == nil || r.Auth.Revision() != 7 || !r.Auth.Enabled() {
		t.Fatalf("%+v", r)
	}
	return m, j
}

// TestAuthorizedAtApply: whoever asks is judged by the state at the entry, and what is refused has no effect.
func TestAuthorizedAtApply(t *testing.T) {
	m, j := enabled(t)
	put := func(key string) *pb.InternalRaftRequest {
		return &pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte(key), Value: []byte("v")}}
	}
	start := len(j.entries)
	j.as("", 0, put("a"))
	j.as("alice", 7, put("a"))
	j.as("alice", 7, put("c"))
	j.as("alice", 6, put("a"))
	j.as("alice", 7, &pb.InternalRaftRequest{AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: "rw"}})
	j.as("root", 7, &pb.InternalRaftRequest{AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: "rw"}})
	j.as("alice", 7, put("b")) // was under way when the role went
	j.as("alice", 8, put("b"))
	j.as("root", 8, put("z"))
	j.as("", 0, &pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 2}}) // checked at the door
	r := m.Apply(ApplyContext{}, j.entries)
	want := []error{
		auth.ErrUserEmpty, nil, auth.ErrPermissionDenied, auth.ErrOldRevision, auth.ErrPermissionDenied, nil,
		auth.ErrOldRevision, auth.ErrPermissionDenied, nil, nil,
	}
	for i, w := range want {
		if got := r.Outcomes[i]; got.Index != uint64(start+i+1) || !errors.Is(got.Err, w) {
			t.Errorf("entry %d: %v, want %v", got.Index, got.Err, w)
		}
	}
	if len(r.Changes) != 2 || r.Revision != 3 || r.Auth.Revision() != 8 {
		t.Errorf("%d changes, revision %d, auth revision %d", len(r.Changes), r.Revision, r.Auth.Revision())
	}
}

// TestTokensFollowTheLog: what the entries mean for a member's tokens, whoever proposed them.
func TestTokensFollowTheLog(t *testing.T) {
	m, j := enabled(t)
	start := len(j.entries)
	j.request(&pb.InternalRaftRequest{Authenticate: &pb.InternalAuthenticateRequest{Name: "alice", SimpleToken: "abc"}})
	j.as("root", 7, &pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{Name: "alice"}})
	j.as("root", 8, &pb.InternalRaftRequest{AuthDisable: &pb.AuthDisableRequest{}})
	r := m.Apply(ApplyContext{Proposer: func(uint64) bool { return false }}, j.entries)
	for i, want := range []auth.Effect{
		{Token: "abc.7", User: "alice"}, {Changed: true, User: "alice"}, {Changed: true, Disabled: true},
	} {
		if got := r.Outcomes[i].Tokens; got != want {
			t.Errorf("entry %d: %+v, want %+v", start+i+1, got, want)
		}
	}
}

// TestReadsAreAuthorized: a read is decided by the state that it reads.
func TestReadsAreAuthorized(t *testing.T) {
	m, _ := enabled(t)
	read := auth.RangeNeed(&pb.RangeRequest{Key: []byte("a")})
	for _, c := range []struct {
		id   auth.Identity
		want error
	}{
		{auth.Identity{}, auth.ErrUserEmpty}, {auth.Identity{User: "root", Revision: 7}, nil},
		{auth.Identity{User: "root", Revision: 1}, auth.ErrOldRevision},
		{auth.Identity{User: "root", Revision: 6}, auth.ErrOldRevision},
		{auth.Identity{User: "root", Revision: 8}, auth.ErrOldRevision},
		{auth.Identity{User: "alice", Revision: 7}, auth.ErrPermissionDenied},
	} {
		if err := m.Authorize(c.id, read); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.id, err, c.want)
		}
	}
	if err := newMachine(t, backend.NewMem()).Authorize(auth.Identity{User: "root", Revision: 7}, read); err != nil {
		t.Errorf("while authentication is off: %v", err)
	}
	// What anybody may ask is refused to whoever was named by another state only.
	for revision, want := range map[uint64]error{0: nil, 1: auth.ErrOldRevision, 7: nil, 8: auth.ErrOldRevision} {
		if err := m.Authorize(auth.Identity{Revision: revision}, auth.Need{}); !errors.Is(err, want) {
			t.Errorf("at revision %d: %v, want %v", revision, err, want)
		}
	}
}
