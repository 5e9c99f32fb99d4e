package fold

import (
	"encoding/base64"
	"testing"

	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// TestTokensOfTheLog: a token is good from the entry that assigns it to the one that makes it void, whoever asks.
func TestTokensOfTheLog(t *testing.T) {
	root := &pb.RequestHeader{Username: "root", AuthRevision: 100}
	hash := base64.StdEncoding.EncodeToString([]byte("#"))
	login := func(name, text string) *pb.InternalRaftRequest {
		return &pb.InternalRaftRequest{Authenticate: &pb.InternalAuthenticateRequest{Name: name, SimpleToken: text}}
	}
	passwd := func(name string) *pb.InternalRaftRequest {
		return &pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{Name: name,
			HashedPassword: hash}}
	}
	disable := &pb.InternalRaftRequest{Header: root, AuthDisable: &pb.AuthDisableRequest{}}
	enable := &pb.InternalRaftRequest{Header: root, AuthEnable: &pb.AuthEnableRequest{}}
	denied := passwd("ann") // by nobody
	allowed := passwd("ann")
	allowed.Header = root
	f := New()
	for i, r := range []*pb.InternalRaftRequest{
		0: {AuthUserAdd: &pb.AuthUserAddRequest{Name: "root", Options: &pb.UserAddOptions{NoPassword: true}}},
		1: {AuthUserGrantRole: &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		2: {AuthUserAdd: &pb.AuthUserAddRequest{Name: "ann", HashedPassword: hash}},
		3: {AuthUserAdd: &pb.AuthUserAddRequest{Name: "bob", HashedPassword: hash}},
		4: login("ann", "early"), 5: enable, 6: login("ann", "a"), 7: login("bob", "b"), 8: login("root", "none"),
		9: denied, 10: allowed, 11: login("ann", "c"),
		12: {Header: root, AuthUserDelete: &pb.AuthUserDeleteRequest{Name: "bob"}},
		13: login("bob", "gone"), 14: disable, 15: enable, 16: {Put: put("k", "")},
	} {
		f.Entries([]*raftpb.Entry{logEntry(t, uint64(i+1), r)})
	}
	for text, want := range map[string]Token{
		"a.6": {"ann", 7, 11}, "b.7": {"bob", 8, 13}, "c.11": {"ann", 12, 15}, "early.4": {}, "none.8": {}, "gone.13": {},
		"a.7": {},
	} {
		if got, ok := f.Token(text); got != want || ok != (want != Token{}) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, ok, want)
		}
	}
	a, _ := f.Token("a.6")
	if a.Valid(1, 6) || !a.Valid(1, 7) || !a.Valid(10, 20) || a.Valid(11, 20) {
		t.Error("the bounds of a token")
	}
	if !f.Unasked(0, 1) || !f.Unasked(5, 5) || f.Unasked(6, 14) || !f.Unasked(14, 15) || f.Unasked(16, 17) {
		t.Error("when nobody was asked")
	}
	f.Forget(15)
	if _, ok := f.Token("c.11"); ok || f.Tokens() != 0 || f.Unasked(16, 17) {
		t.Error("what is void is kept")
	}
}
