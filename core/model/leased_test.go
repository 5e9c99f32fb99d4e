package model

import (
	"testing"

	"vitrine/core/pb"
)

// TestLeasesOfOthers: whoever puts a key with a lease, or revokes it, decides over all its keys.
func TestLeasesOfOthers(t *testing.T) {
	s := New()
	for _, r := range []any{
		&pb.AuthUserAddRequest{Name: "root"}, &pb.AuthUserAddRequest{Name: "alice"},
		&pb.AuthRoleAddRequest{Name: "root"}, &pb.AuthRoleAddRequest{Name: "a"},
		&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}, &pb.AuthUserGrantRoleRequest{User: "alice", Role: "a"},
		&pb.AuthRoleGrantPermissionRequest{Name: "a",
			Perm: &pb.Permission{PermType: pb.Permission_READWRITE, Key: []byte("a")}},
		&pb.LeaseGrantRequest{ID: 7, TTL: 60}, &pb.LeaseGrantRequest{ID: 8, TTL: 60}, &pb.LeaseGrantRequest{ID: 9, TTL: 60},
		&pb.PutRequest{Key: []byte("b"), Lease: 7}, &pb.PutRequest{Key: []byte("a"), Lease: 8},
		&pb.AuthEnableRequest{},
	} {
		if _, err := s.Apply(r); err != nil {
			t.Fatalf("%v: %v", r, err)
		}
	}
	now := s.Users().Revision()
	put := func(lease int64) *pb.PutRequest { return &pb.PutRequest{Key: []byte("a"), Lease: lease} }
	nested := &pb.TxnRequest{Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put(7)}}}}
	for name, c := range map[string]struct {
		user     string
		revision uint64
		request  any
		want     error
	}{
		"a key of her own":                 {"alice", now, put(8), nil},
		"with a lease of another's key":    {"alice", now, put(7), ErrPermissionDenied},
		"the same in a branch not taken":   {"alice", now, nested, ErrPermissionDenied},
		"ends the lease of another's key":  {"alice", now, &pb.LeaseRevokeRequest{ID: 7}, ErrPermissionDenied},
		"ends her own":                     {"alice", now, &pb.LeaseRevokeRequest{ID: 8}, nil},
		"ends one, named too long ago":     {"alice", now - 1, &pb.LeaseRevokeRequest{ID: 8}, ErrOldAuthRevision},
		"nobody ends a lease with keys":    {"", 0, &pb.LeaseRevokeRequest{ID: 7}, ErrUserEmpty},
		"nobody ends a lease without keys": {"", 0, &pb.LeaseRevokeRequest{ID: 9}, nil},
		"root ends it, named long ago":     {"root", 1, &pb.LeaseRevokeRequest{ID: 7}, nil},
		"nobody lists the leases":          {"", 0, &pb.LeaseLeasesRequest{}, ErrUserEmpty},
		"any user lists them":              {"alice", now, &pb.LeaseLeasesRequest{}, nil},
		"nobody asks how a member is":      {"", 0, &pb.StatusRequest{}, ErrUserEmpty},
		"any user asks how a member is":    {"alice", now, &pb.StatusRequest{}, nil},
		"a hash is for root":               {"alice", now, &pb.HashKVRequest{}, ErrPermissionDenied},
		"nobody asks for a hash":           {"", 0, &pb.HashRequest{}, ErrUserEmpty},
		"root asks for one":                {"root", now, &pb.HashRequest{}, nil},
	} {
		if err := s.may(c.user, c.revision, c.request); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
