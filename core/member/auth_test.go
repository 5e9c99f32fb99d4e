package member_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/auth"
	"vitrine/core/member"
	"vitrine/core/pb"
)

// work does secret work at once, with a hash that everybody can read. Machines whose prefix is empty sign their tokens.
func (m *machine) work(w auth.Work) {
	d := auth.Done{ID: w.ID}
	switch w.Kind {
	case auth.Hash:
		d.Text = base64.StdEncoding.EncodeToString([]byte("#" + w.Password))
	case auth.Compare:
		d.OK = string(w.Hash) == "#"+w.Password
		if !m.c.signed {
			d.Text = fmt.Sprintf("prefix%d", w.ID)
		}
	case auth.LeaseKeys:
		d.Keys = m.store.Leases.KeysOf(w.Lease)
	case auth.Sign:
		d.Text = fmt.Sprintf("%s at %d", w.User, w.Revision)
	}
	m.step(member.Input{Kind: member.WorkDone, Done: &d})
}

// as asks as somebody.
func (c *cluster) as(id uint64, who api.Identity, body any) (any, error) {
	c.t.Helper()
	r, answered := c.machine(id).replies[c.askAs(id, who, body)]
	if !answered {
		c.t.Fatalf("member %d has not answered %T", id, body)
	}
	return r.Response, r.Err
}

func (c *cluster) askAs(id uint64, who api.Identity, body any) uint64 {
	c.requests++
	asked := c.requests // members that pass a call on take numbers, too
	c.machine(id).step(member.Input{Kind: member.Request, Call: &api.Call{ID: asked, Body: body, Identity: who}})
	c.run()
	return asked
}

// users makes root, and alice who may read and write [a, c), and enables authentication.
func (c *cluster) users() {
	c.t.Helper()
	for _, body := range []any{
		&pb.AuthUserAddRequest{Name: "root", Password: "r"}, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"},
		&pb.AuthUserAddRequest{Name: "alice", Password: "a"},
		&pb.AuthUserAddRequest{Name: "carol", Password: "lost", Options: &pb.UserAddOptions{NoPassword: true}},
		&pb.AuthRoleAddRequest{Name: "rw"},
		&pb.AuthRoleGrantPermissionRequest{Name: "rw", Perm: &pb.Permission{
			PermType: pb.Permission_READWRITE, Key: []byte("a"), RangeEnd: []byte("c"),
		}},
		&pb.AuthUserGrantRoleRequest{User: "alice", Role: "rw"}, &pb.AuthEnableRequest{},
	} {
		if _, err := c.as(1, api.Identity{}, body); err != nil {
			c.t.Fatalf("%T: %v", body, err)
		}
	}
}

func (c *cluster) login(id uint64, user, password string) (string, error) {
	c.t.Helper()
	resp, err := c.as(id, api.Identity{}, &pb.AuthenticateRequest{Name: user, Password: password})
	if err != nil {
		return "", err
	}
	return resp.(*pb.AuthenticateResponse).Token, nil
}

// mustLogin is an identity that shows a token.
func (c *cluster) mustLogin(id uint64, user, password string) api.Identity {
	c.t.Helper()
	token, err := c.login(id, user, password)
	if err != nil {
		c.t.Fatal(err)
	}
	return api.Identity{Token: token}
}

func TestLogin(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	if _, err := c.login(2, "root", "r"); !errors.Is(err, api.ErrAuthNotEnabled) {
		t.Errorf("before there are users: %v", err)
	}
	c.users()
	for _, id := range []uint64{1, 2, 3} { // a token is good at all members, whoever gave it out
		alice := c.mustLogin(id, "alice", "a")
		for _, at := range []uint64{1, 2, 3} {
			if _, err := c.as(at, alice, &pb.PutRequest{Key: []byte("a")}); err != nil {
				t.Errorf("a token of member %d at %d: %v", id, at, err)
			}
		}
	}
	for who, want := range map[[2]string]error{
		{"alice", "x"}: api.ErrAuthFailed, {"nobody", "a"}: api.ErrAuthFailed, {"", ""}: api.ErrAuthFailed,
	} {
		if _, err := c.login(2, who[0], who[1]); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", who, err, want)
		}
	}
	var e *api.Error
	if _, err := c.login(1, "carol", "lost"); !errors.As(err, &e) || e.Code != api.Unknown ||
		e.Text != auth.ErrNoPasswordUser.Error() {
		t.Errorf("a user without a password: %v", err)
	}
}

// TestWhoMayWhat is one question of each kind by each kind of asker.
func TestWhoMayWhat(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.users()
	alice, root := c.mustLogin(1, "alice", "a"), c.mustLogin(1, "root", "r")
	askers := []api.Identity{
		{}, alice, root, {Token: "no.1"}, {Forged: true}, {Signed: auth.Identity{User: "alice", Revision: 8}},
		{Signed: auth.Identity{User: "alice", Revision: 3}}, {Certified: true, CommonName: "alice"}, {Own: true},
	}
	empty, denied, bad, old := api.ErrUserEmpty, api.ErrPermissionDenied, api.ErrInvalidAuthToken, api.ErrAuthOldRevision
	for _, q := range []struct {
		body any
		want []*api.Error // nil = granted
	}{
		{&pb.RangeRequest{Key: []byte("a")}, []*api.Error{empty, nil, nil, bad, bad, nil, old, nil, nil}},
		{&pb.RangeRequest{Key: []byte("x"), Serializable: true}, []*api.Error{empty, denied, nil, bad, bad, denied, old,
			denied, nil}},
		{&pb.PutRequest{Key: []byte("a")}, []*api.Error{empty, nil, nil, bad, bad, nil, old, nil, nil}},
		{&pb.PutRequest{Key: []byte("x")}, []*api.Error{empty, denied, nil, bad, bad, denied, old, denied, nil}},
		{&pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("d")}, []*api.Error{empty, denied, nil, bad, bad, denied,
			old, denied, nil}},
		{&pb.StatusRequest{}, []*api.Error{empty, nil, nil, bad, bad, nil, nil, nil, nil}},
		{&pb.MemberListRequest{}, []*api.Error{empty, nil, nil, bad, bad, nil, nil, nil, nil}},
		{&pb.AlarmRequest{}, []*api.Error{empty, nil, nil, bad, bad, nil, nil, nil, nil}},
		{&pb.HashKVRequest{}, []*api.Error{empty, denied, nil, bad, bad, denied, denied, denied, nil}},
		{&pb.SnapshotRequest{}, []*api.Error{empty, denied, nil, bad, bad, denied, denied, denied, nil}},
		{&pb.DefragmentRequest{}, []*api.Error{empty, denied, nil, bad, bad, denied, denied, denied, nil}},
		{&pb.AuthStatusRequest{}, []*api.Error{nil, nil, nil, bad, bad, nil, nil, nil, nil}},
		{&pb.AuthUserChangePasswordRequest{Name: "carol", Password: "x"}, []*api.Error{empty, denied, nil, bad, bad, denied,
			denied, denied, nil}},
		{&pb.AuthUserListRequest{}, []*api.Error{empty, denied, nil, bad, bad, denied, denied, denied, nil}},
		{&pb.AuthUserGetRequest{Name: "alice"}, []*api.Error{empty, nil, nil, bad, bad, nil, nil, nil, nil}},
		{&pb.AuthRoleGetRequest{Role: "rw"}, []*api.Error{empty, nil, nil, bad, bad, nil, nil, nil, nil}},
	} {
		for i, who := range askers {
			_, err := c.as(1, who, q.body)
			var e *api.Error
			if errors.As(err, &e); e != q.want[i] {
				t.Errorf("%T %v by %+v: %v, want %v", q.body, q.body, who, err, q.want[i])
			}
		}
	}
}

// TestTokensOfLaterEntries: a call with a token that another member gave out waits until this one has applied so far.
func TestTokensOfLaterEntries(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.users()
	slow := c.machine(3)
	slow.lag = true
	alice := c.mustLogin(1, "alice", "a")
	slow.step(member.Input{Kind: member.WatchOpen, Stream: 5, Call: &api.Call{Identity: alice}})
	c.watch(3, 5, &pb.WatchCreateRequest{Key: []byte("a")})
	c.watch(3, 5, &pb.WatchCreateRequest{Key: []byte("x")})
	put := c.askAs(3, alice, &pb.PutRequest{Key: []byte("a")})
	read := c.askAs(3, alice, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
	never := c.askAs(3, api.Identity{Token: "prefix.99999"}, &pb.PutRequest{Key: []byte("a")})
	if len(slow.pushes[5]) > 0 || len(slow.replies) > 0 {
		t.Fatalf("answered before the token is known: %v %v", slow.pushes[5], slow.replies)
	}
	slow.lag = false
	c.run()
	for _, id := range []uint64{put, read} {
		if r, ok := slow.replies[id]; !ok || r.Err != nil {
			t.Errorf("answered %v: %v", ok, r.Err)
		}
	}
	denied := "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
	if p := slow.pushes[5]; len(p) < 2 || p[0].Canceled || !p[1].Canceled || p[1].WatchId != -1 ||
		p[1].CancelReason != denied {
		t.Errorf("watchers: %v", p)
	}
	c.tick(71)
	if err := slow.replies[never].Err; !errors.Is(err, api.ErrInvalidAuthToken) {
		t.Errorf("a token that nobody gives out: %v", err)
	}
}

// TestTokensEnd: by time, with the password, and with authentication.
func TestTokensEnd(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.users()
	get := &pb.RangeRequest{Key: []byte("a")}
	alice, root := c.mustLogin(1, "alice", "a"), c.mustLogin(1, "root", "r")
	for range 3 {
		c.tick(2000) // 200 s; each use renews it
		if _, err := c.as(1, alice, get); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.as(1, root, get); !errors.Is(err, api.ErrInvalidAuthToken) {
		t.Errorf("after 600 s without use: %v", err)
	}
	root = c.mustLogin(1, "root", "r")
	if _, err := c.as(1, root, &pb.AuthUserChangePasswordRequest{Name: "alice", Password: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.as(1, alice, get); !errors.Is(err, api.ErrInvalidAuthToken) {
		t.Errorf("after another password: %v", err)
	}
	if _, err := c.login(1, "alice", "a"); !errors.Is(err, api.ErrAuthFailed) {
		t.Errorf("the old password: %v", err)
	}
	alice = c.mustLogin(1, "alice", "b")
	if _, err := c.as(1, root, &pb.AuthDisableRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.as(1, api.Identity{Forged: true}, get); err != nil {
		t.Errorf("without authentication: %v", err)
	}
	if _, err := c.as(1, api.Identity{}, &pb.AuthEnableRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.as(1, alice, get); !errors.Is(err, api.ErrInvalidAuthToken) {
		t.Errorf("a token from before: %v", err)
	}
}

// TestSignedLogin: where tokens are signed, the driver makes them of what the core says, and no member keeps any.
func TestSignedLogin(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.signed = true
	c.elect(1)
	c.users()
	token, err := c.login(1, "alice", "a")
	if want := fmt.Sprintf("alice at %d", c.machine(1).store.Auth.Revision()); err != nil || token != want {
		t.Errorf("%q, %v, want %q", token, err, want)
	}
}

// TestLoginBeginsAgain: a password that was right before users changed is compared once more.
func TestLoginBeginsAgain(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.users()
	m := c.machine(1)
	m.hold = func(in member.Input) bool { return in.Kind == member.WorkDone }
	root := api.Identity{Own: true}
	login := c.askAs(1, api.Identity{}, &pb.AuthenticateRequest{Name: "alice", Password: "a"})
	if _, err := c.as(1, root,
		&pb.AuthUserChangePasswordRequest{Name: "alice",
			HashedPassword: base64.StdEncoding.EncodeToString([]byte("#b"))}); err != nil {
		t.Fatal(err)
	}
	m.releaseHeld()
	c.run()
	if r, ok := m.replies[login]; !ok || !errors.Is(r.Err, api.ErrAuthFailed) {
		t.Errorf("answered %v: %v %v", ok, r.Response, r.Err)
	}
	for _, use := range m.member.Held(nil) {
		if use.Have != 0 {
			t.Errorf("%d %s are left", use.Have, use.Name)
		}
	}
}

// TestNoSecretInTheLog reads what the members wrote: only hashes.
func TestNoSecretInTheLog(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.users()
	for i := range c.ring.Len() {
		if e := c.ring.At(i); strings.Contains(e.Text, "prefix") || strings.Contains(e.Text, "#") {
			t.Errorf("the trace has %q", e.Text)
		}
	}
	for _, body := range []any{
		&pb.AuthUserAddRequest{Name: "dave", Password: "secretsecret"},
		&pb.AuthUserAddRequest{Name: "erin", Password: "secretsecret", Options: &pb.UserAddOptions{NoPassword: true}},
	} {
		if _, err := c.as(1, api.Identity{Own: true}, body); err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(body); strings.Contains(text, "secretsecret") {
			t.Errorf("proposed with its password: %s", text)
		}
		if text := api.Describe(body); strings.Contains(text, "secret") {
			t.Errorf("described as %s", text)
		}
	}
}

// TestLeasesOfOthers: whoever may not write the keys of a lease may not keep it alive, nor revoke it or attach keys to
// it; and may not ask which keys it has.
func TestLeasesOfOthers(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.users()
	own := api.Identity{Own: true}
	alice := c.mustLogin(2, "alice", "a")
	for id, keys := range map[int64][]string{7: {"a", "b"}, 8: {"y", "z"}} {
		if _, err := c.as(1, alice, &pb.LeaseGrantRequest{ID: id, TTL: 600}); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if _, err := c.as(1, own, &pb.PutRequest{Key: []byte(key), Lease: id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for at := uint64(1); at <= 3; at++ {
		for _, q := range []struct {
			body any
			want error
		}{
			{&pb.LeaseKeepAliveRequest{ID: 7}, nil}, {&pb.LeaseKeepAliveRequest{ID: 8}, api.ErrPermissionDenied},
			{&pb.LeaseTimeToLiveRequest{ID: 7, Keys: true}, nil}, {&pb.LeaseTimeToLiveRequest{ID: 8}, nil},
			{&pb.LeaseTimeToLiveRequest{ID: 8, Keys: true}, api.ErrPermissionDenied},
			{&pb.LeaseLeasesRequest{}, api.ErrPermissionDenied}, {&pb.LeaseKeepAliveRequest{ID: 9}, nil},
			{&pb.PutRequest{Key: []byte("b"), Lease: 8}, api.ErrPermissionDenied},
			{&pb.LeaseRevokeRequest{ID: 8}, api.ErrPermissionDenied},
		} {
			if _, err := c.as(at, alice, q.body); !errors.Is(err, q.want) {
				t.Errorf("member %d: %T %v: %v, want %v", at, q.body, q.body, err, q.want)
			}
			if _, err := c.as(at, api.Identity{}, q.body); !errors.Is(err, api.ErrUserEmpty) {
				t.Errorf("member %d, nobody: %T: %v", at, q.body, err)
			}
		}
		if _, err := c.as(at, own, &pb.LeaseLeasesRequest{}); err != nil {
			t.Errorf("member %d lists: %v", at, err)
		}
	}
	if _, err := c.as(3, alice, &pb.LeaseRevokeRequest{ID: 7}); err != nil {
		t.Errorf("revoked by who may write its keys: %v", err)
	}
}
