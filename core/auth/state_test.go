package auth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"

	"google.golang.org/protobuf/proto"
)

// world is a state with the backend that it is kept in.
type world struct {
	t     *testing.T
	b     *backend.Backend
	state *State
	index uint64
}

func newWorld(t *testing.T) *world {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, b: b, state: New()}
}

func (w *world) apply(r *pb.InternalRaftRequest) (any, Effect, error) {
	w.t.Helper()
	w.index++
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: w.index, Term: 1})
	resp, e, err := w.state.Apply(w.index, r, batch)
	if err != nil && (batch.Len() > 0 || e.Changed) {
		w.t.Fatalf("%v: refused, but it wrote %d records", r, batch.Len())
	}
	w.b.Write(batch)
	w.reload()
	return resp, e, err
}

// reload compares the state with the one that the backend holds.
func (w *world) reload() {
	w.t.Helper()
	again, err := Load(w.b)
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := describe(again), describe(w.state); got != want {
		w.t.Fatalf("loaded:\n%s\napplied:\n%s", got, want)
	}
}

// describe is all that can be known of a state.
func describe(s *State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "enabled %v, revision %d\n", s.enabled, s.revision)
	s.users.Ascend(func(u *user) bool {
		fmt.Fprintf(&b, "user %x root %v read %q write %q\n", encode(u.record), u.root, u.read, u.write)
		return true
	})
	s.roles.Ascend(func(r *pb.Role) bool {
		fmt.Fprintf(&b, "role %x\n", encode(r))
		return true
	})
	return b.String()
}

func userAdd(name string) *pb.InternalRaftRequest {
	hash := base64.StdEncoding.EncodeToString([]byte("hash"))
	return &pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{Name: name, HashedPassword: hash}}
}

func roleAdd(name string) *pb.InternalRaftRequest {
	return &pb.InternalRaftRequest{AuthRoleAdd: &pb.AuthRoleAddRequest{Name: name}}
}

func grantRole(user, role string) *pb.InternalRaftRequest {
	return &pb.InternalRaftRequest{AuthUserGrantRole: &pb.AuthUserGrantRoleRequest{User: user, Role: role}}
}

func grantRange(role, key, end string, t pb.Permission_Type) *pb.InternalRaftRequest {
	p := &pb.Permission{PermType: t, Key: []byte(key), RangeEnd: []byte(end)}
	return &pb.InternalRaftRequest{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: p}}
}

var (
	enable  = &pb.InternalRaftRequest{AuthEnable: &pb.AuthEnableRequest{}}
	disable = &pb.InternalRaftRequest{AuthDisable: &pb.AuthDisableRequest{}}
)

// must applies requests that change the state.
func (w *world) must(all ...*pb.InternalRaftRequest) {
	w.t.Helper()
	for _, r := range all {
		if _, e, err := w.apply(r); err != nil || !e.Changed {
			w.t.Fatalf("%v: changed %v, %v", r, e.Changed, err)
		}
	}
}

// TestRevision counts as a live etcd does: six changes and an enable give 7.
func TestRevision(t *testing.T) {
	w := newWorld(t)
	w.must(userAdd(Root), grantRole(Root, Root), userAdd("alice"), roleAdd("readers"),
		grantRange("readers", "a", "c", pb.Permission_READ), grantRole("alice", "readers"), enable)
	if w.state.Revision() != 7 || !w.state.Enabled() {
		t.Fatalf("revision %d, enabled %v", w.state.Revision(), w.state.Enabled())
	}
	if _, e, err := w.apply(enable); err != nil || e.Changed {
		t.Errorf("to enable again: %v, changed %v", err, e.Changed)
	}
	if _, e, err := w.apply(grantRole("alice", "readers")); err != nil || e.Changed {
		t.Errorf("to grant again: %v, changed %v", err, e.Changed)
	}
	_, e, _ := w.apply(disable)
	if w.state.Revision() != 8 || w.state.Enabled() || !e.Disabled {
		t.Errorf("disabled: revision %d, %+v", w.state.Revision(), e)
	}
	if _, e, err := w.apply(disable); err != nil || e.Changed {
		t.Errorf("to disable again: %v, changed %v", err, e.Changed)
	}
}

// TestRecords pins the bytes of the buckets, which are those that etcd 3.7.3 writes.
func TestRecords(t *testing.T) {
	w := newWorld(t)
	w.must(userAdd(Root), grantRole(Root, Root), roleAdd("r"), grantRange("r", "b", "", pb.Permission_WRITE),
		grantRange("r", "a", "\x00", pb.Permission_READWRITE), enable,
		&pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{
			Name: "cn", Options: &pb.UserAddOptions{NoPassword: true},
		}})
	for _, c := range []struct {
		bucket     backend.Bucket
		key, value string
	}{
		{backend.Auth, "authEnabled", "01"},
		{backend.Auth, "authRevision", "0000000000000007"},
		{backend.AuthUsers, "root", "0a04726f6f74" + "120468617368" + "1a04726f6f74" + "2200"},
		{backend.AuthUsers, "cn", "0a02636e" + "22020801"},
		{backend.AuthRoles, "r", "0a0172" + "12080802120161" + "1a0100" + "12050801120162"},
	} {
		if got := hex.EncodeToString(w.b.Get(c.bucket, []byte(c.key))); got != c.value {
			t.Errorf("%s/%s = %s, want %s", c.bucket, c.key, got, c.value)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	user := func(r *pb.AuthUserRevokeRoleRequest) *pb.InternalRaftRequest {
		return &pb.InternalRaftRequest{AuthUserRevokeRole: r}
	}
	type refusal struct {
		request *pb.InternalRaftRequest
		want    error
	}
	check := func(all ...refusal) {
		t.Helper()
		for _, c := range all {
			before := describe(w.state)
			if _, _, err := w.apply(c.request); !errors.Is(err, c.want) {
				t.Errorf("%v: %v, want %v", c.request, err, c.want)
			}
			if describe(w.state) != before {
				t.Errorf("%v: refused, and the state is another", c.request)
			}
		}
	}
	check(
		refusal{enable, ErrRootUserNotExist},
		refusal{&pb.InternalRaftRequest{Authenticate: &pb.InternalAuthenticateRequest{Name: "root"}}, ErrNotEnabled},
		refusal{userAdd(""), ErrUserEmpty},
		refusal{roleAdd(""), ErrRoleEmpty},
		refusal{grantRole("nobody", "r"), ErrUserNotFound},
		refusal{grantRange("r", "a", "", pb.Permission_READ), ErrRoleNotFound},
	)
	w.must(userAdd(Root))
	check(
		refusal{enable, ErrRootRoleNotExist},
		refusal{userAdd(Root), ErrUserAlreadyExist},
		refusal{grantRole(Root, "r"), ErrRoleNotFound},
	)
	w.must(grantRole(Root, Root), enable, roleAdd("r"), roleAdd(Root), userAdd("alice"))
	plain := &pb.AuthUserAddRequest{Name: "bob", Password: "secret"}
	check(
		refusal{&pb.InternalRaftRequest{AuthUserDelete: &pb.AuthUserDeleteRequest{Name: Root}}, ErrInvalidManagement},
		refusal{&pb.InternalRaftRequest{AuthUserDelete: &pb.AuthUserDeleteRequest{Name: "x"}}, ErrUserNotFound},
		refusal{&pb.InternalRaftRequest{AuthUserGet: &pb.AuthUserGetRequest{Name: "x"}}, ErrUserNotFound},
		refusal{&pb.InternalRaftRequest{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{Name: "x"}},
			ErrUserNotFound},
		refusal{user(&pb.AuthUserRevokeRoleRequest{Name: Root, Role: Root}), ErrInvalidManagement},
		refusal{user(&pb.AuthUserRevokeRoleRequest{Name: "x", Role: Root}), ErrUserNotFound},
		refusal{user(&pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "r"}), ErrRoleNotGranted},
		refusal{&pb.InternalRaftRequest{AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: Root}}, ErrInvalidManagement},
		refusal{&pb.InternalRaftRequest{AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: "x"}}, ErrRoleNotFound},
		refusal{&pb.InternalRaftRequest{AuthRoleGet: &pb.AuthRoleGetRequest{Role: "x"}}, ErrRoleNotFound},
		refusal{roleAdd("r"), ErrRoleAlreadyExist},
		refusal{grantRange("r", "", "b", pb.Permission_READ), ErrInvalidManagement},
		refusal{grantRange("r", "b", "a", pb.Permission_READ), ErrInvalidManagement},
		refusal{&pb.InternalRaftRequest{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: "r"}},
			ErrPermissionNotGiven},
		refusal{&pb.InternalRaftRequest{AuthRoleRevokePermission: &pb.AuthRoleRevokePermissionRequest{Role: "r",
			Key: []byte("a")}}, ErrPermissionNotGranted},
		refusal{&pb.InternalRaftRequest{AuthRoleRevokePermission: &pb.AuthRoleRevokePermissionRequest{Role: "x"}},
			ErrRoleNotFound},
		refusal{&pb.InternalRaftRequest{Authenticate: &pb.InternalAuthenticateRequest{Name: "x"}}, ErrFailed},
		refusal{&pb.InternalRaftRequest{AuthUserAdd: plain}, ErrPlainPassword{}},
		refusal{&pb.InternalRaftRequest{AuthUserAdd: &pb.AuthUserAddRequest{Name: "bob", HashedPassword: "?"}},
			ErrNoPasswordUser},
	)
}

// TestDecision asks one question of every kind of asker.
func TestDecision(t *testing.T) {
	w := newWorld(t)
	w.must(userAdd(Root), grantRole(Root, Root), userAdd("alice"), roleAdd("rw"), grantRole("alice", "rw"),
		grantRange("rw", "a", "c", pb.Permission_READWRITE), grantRange("rw", "c", "e", pb.Permission_READ))
	nobody, alice := Identity{}, func(rev uint64) Identity { return Identity{"alice", rev} }
	now := func(name string) Identity { return Identity{name, w.state.Revision()} }
	read := func(key, end string) Need { return Need{Read: []Range{{[]byte(key), []byte(end)}}} }
	write := func(key, end string) Need { return Need{Write: []Range{{[]byte(key), []byte(end)}}} }
	if err := w.state.Allowed(nobody, Need{User: true, Root: true, Write: write("x", "").Write}); err != nil {
		t.Fatalf("authentication is off: %v", err)
	}
	w.must(enable)
	self, other, role := "alice", "bob", "rw"
	for i, c := range []struct {
		id   Identity
		need Need
		want error
	}{
		{nobody, Need{}, nil},
		{nobody, Need{User: true}, ErrUserEmpty},
		{nobody, Need{Root: true}, ErrUserEmpty},
		{nobody, read("a", ""), ErrUserEmpty},
		{now("ghost"), Need{User: true}, nil},
		{now("ghost"), Need{Root: true}, ErrUserNotFound},
		{now("ghost"), read("a", ""), ErrPermissionDenied},
		{now(Root), Need{Root: true}, nil},
		{Identity{Root, 1}, Need{Root: true}, nil},
		{Identity{Root, 1}, write("x", ""), ErrOldRevision},
		{Identity{Root, 1}, Need{RootExempt: true, Write: write("x", "").Write}, nil},
		{now(Root), write("x", "\x00"), nil},
		{now("alice"), Need{Root: true}, ErrPermissionDenied},
		{now("alice"), Need{Root: true, SelfOrRoot: &self}, nil},
		{now("alice"), Need{Root: true, SelfOrRoot: &other}, ErrPermissionDenied},
		{now("alice"), Need{Root: true, RoleOrRoot: &role}, nil},
		{now("alice"), read("a", "e"), nil},
		{now("alice"), write("a", "c"), nil},
		{now("alice"), write("a", "d"), ErrPermissionDenied},
		{now("alice"), read("b", "\x00"), ErrPermissionDenied},
		{now("alice"), Need{RootExempt: true, Write: write("d", "").Write}, ErrPermissionDenied},
		{alice(w.state.Revision() - 1), read("a", ""), ErrOldRevision},
		{alice(w.state.Revision() + 1), read("a", ""), nil},
	} {
		if err := w.state.Allowed(c.id, c.need); !errors.Is(err, c.want) {
			t.Errorf("%d: %+v needs %+v: %v, want %v", i, c.id, c.need, err, c.want)
		}
	}
	var denied *Denied
	if err := w.state.Allowed(now("alice"), write("a", "d")); !errors.As(err, &denied) || !denied.Write ||
		string(denied.Range.End) != "d" || err.Error() != ErrPermissionDenied.Error() {
		t.Errorf("%+v", err)
	}
}

// TestRevokedAtOnce takes a permission away in each possible manner; a request from before is old, one from after
// denied.
func TestRevokedAtOnce(t *testing.T) {
	for name, takeAway := range map[string]*pb.InternalRaftRequest{
		"role": {AuthUserRevokeRole: &pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "r"}},
		"permission": {AuthRoleRevokePermission: &pb.AuthRoleRevokePermissionRequest{
			Role: "r", Key: []byte("a"), RangeEnd: []byte("c"),
		}},
		"role deleted": {AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: "r"}},
		"user deleted": {AuthUserDelete: &pb.AuthUserDeleteRequest{Name: "alice"}},
		"weaker":       grantRange("r", "a", "c", pb.Permission_READ),
	} {
		w := newWorld(t)
		w.must(userAdd(Root), grantRole(Root, Root), userAdd("alice"), roleAdd("r"), grantRole("alice", "r"),
			grantRange("r", "a", "c", pb.Permission_WRITE), enable)
		need := Need{Write: []Range{{Key: []byte("b")}}}
		before := Identity{"alice", w.state.Revision()}
		old := w.state.Clone()
		if err := w.state.Allowed(before, need); err != nil {
			t.Fatal(err)
		}
		w.must(takeAway)
		if err := w.state.Allowed(before, need); !errors.Is(err, ErrOldRevision) {
			t.Errorf("%s: asked before: %v", name, err)
		}
		if err := w.state.Allowed(Identity{"alice", w.state.Revision()}, need); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s: asked after: %v", name, err)
		}
		if err := old.Allowed(before, need); err != nil {
			t.Errorf("%s: a clone has changed: %v", name, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	w := newWorld(t)
	w.must(userAdd(Root), grantRole(Root, Root), roleAdd("r"), roleAdd(Root), userAdd("al"),
		grantRange("r", "k", "", pb.Permission_READ), enable)
	ask := func(r *pb.InternalRaftRequest) any {
		t.Helper()
		resp, e, err := w.apply(r)
		if err != nil || e.Changed {
			t.Fatalf("%v: %v", r, err)
		}
		return resp
	}
	status := ask(&pb.InternalRaftRequest{AuthStatus: &pb.AuthStatusRequest{}}).(*pb.AuthStatusResponse)
	if !status.Enabled || status.AuthRevision != w.state.Revision() {
		t.Errorf("status %v", status)
	}
	users := ask(&pb.InternalRaftRequest{AuthUserList: &pb.AuthUserListRequest{}}).(*pb.AuthUserListResponse)
	roles := ask(&pb.InternalRaftRequest{AuthRoleList: &pb.AuthRoleListRequest{}}).(*pb.AuthRoleListResponse)
	if !slices.Equal(users.Users, []string{"al", "root"}) || !slices.Equal(roles.Roles, []string{"r", "root"}) {
		t.Errorf("users %v, roles %v", users, roles)
	}
	get := ask(&pb.InternalRaftRequest{AuthUserGet: &pb.AuthUserGetRequest{Name: Root}}).(*pb.AuthUserGetResponse)
	if !slices.Equal(get.Roles, []string{Root}) {
		t.Errorf("user %v", get)
	}
	root := ask(&pb.InternalRaftRequest{AuthRoleGet: &pb.AuthRoleGetRequest{Role: Root}}).(*pb.AuthRoleGetResponse)
	all := &pb.Permission{PermType: pb.Permission_READWRITE, Key: []byte{}, RangeEnd: []byte{0}}
	if len(root.Perm) != 1 || !proto.Equal(root.Perm[0], all) {
		t.Errorf("role root %v", root)
	}
	auth := &pb.InternalAuthenticateRequest{Name: "al", SimpleToken: "abcdefghijklmnop"}
	resp, e, err := w.apply(&pb.InternalRaftRequest{Authenticate: auth})
	token := fmt.Sprintf("abcdefghijklmnop.%d", w.index-1)
	if err != nil || e != (Effect{Token: token, User: "al"}) || resp.(*pb.AuthenticateResponse).Token != token {
		t.Errorf("%v, %+v, %v", resp, e, err)
	}
}

// TestGrantOrder keeps etcd's habit: of several permissions on one key only the first is looked at.
func TestGrantOrder(t *testing.T) {
	w := newWorld(t)
	w.must(roleAdd("r"), grantRange("r", "a", "", pb.Permission_READ), grantRange("r", "a", "c", pb.Permission_READ),
		grantRange("r", "a", "c", pb.Permission_WRITE), grantRange("r", "a", "", pb.Permission_WRITE))
	var got []string
	for _, p := range w.state.role("r").KeyPermission {
		got = append(got, fmt.Sprintf("%s %q-%q", p.PermType, p.Key, p.RangeEnd))
	}
	want := []string{`WRITE "a"-""`, `READ "a"-"c"`, `WRITE "a"-"c"`}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDamagedRecords(t *testing.T) {
	for name, put := range map[string]func(*backend.Batch){
		"name":     func(b *backend.Batch) { b.Put(backend.AuthUsers, []byte("a"), encode(&pb.User{Name: []byte("b")})) },
		"bytes":    func(b *backend.Batch) { b.Put(backend.AuthRoles, []byte("a"), []byte{1}) },
		"revision": func(b *backend.Batch) { b.Put(backend.Auth, []byte(keyRevision), []byte{1}) },
	} {
		w := newWorld(t)
		batch := backend.NewBatch()
		put(batch)
		w.b.Write(batch)
		if _, err := Load(w.b); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

type lessor map[int64][]string

func (l lessor) Keys(id int64) []string { return l[id] }

func TestNeeds(t *testing.T) {
	leases := lessor{7: {"x", "y"}}
	r := func(key, end string) Range { return Range{[]byte(key), []byte(end)} }
	k := func(key string) Range { return Range{Key: []byte(key)} }
	put := &pb.PutRequest{Key: []byte("k"), Lease: 7, PrevKv: true}
	del := &pb.DeleteRangeRequest{Key: []byte("d"), RangeEnd: []byte("e"), PrevKv: true}
	get := &pb.RangeRequest{Key: []byte("g"), RangeEnd: []byte("h")}
	txn := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("c"), RangeEnd: []byte("d")}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}},
		Failure: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del}},
			}}}},
			{Request: &pb.RequestOp_RequestRange{RequestRange: get}}, {},
		},
	}
	for _, c := range []struct {
		request *pb.InternalRaftRequest
		want    Need
	}{
		{&pb.InternalRaftRequest{Put: put}, Need{Write: []Range{k("k"), k("x"), k("y")}, Read: []Range{k("k")}}},
		{&pb.InternalRaftRequest{DeleteRange: del}, Need{Write: []Range{r("d", "e")}, Read: []Range{r("d", "e")}}},
		{&pb.InternalRaftRequest{Range: get}, Need{Read: []Range{r("g", "h")}}},
		{&pb.InternalRaftRequest{Txn: txn}, Need{
			Write: []Range{k("k"), k("x"), k("y"), r("d", "e")},
			Read:  []Range{r("c", "d"), k("k"), r("d", "e"), r("g", "h")},
		}},
		{&pb.InternalRaftRequest{Txn: &pb.TxnRequest{}}, Need{}},
		{&pb.InternalRaftRequest{LeaseRevoke: &pb.LeaseRevokeRequest{ID: 7}},
			Need{RootExempt: true, Write: []Range{k("x"), k("y")}}},
		{&pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{}}, Need{}},
		{&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{}}, Need{}},
		{userAdd("a"), Need{Root: true}},
		{&pb.InternalRaftRequest{AuthStatus: &pb.AuthStatusRequest{}}, Need{}},
	} {
		if got := NeedOf(c.request, leases); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v needs %+v, want %+v", c.request, got, c.want)
		}
	}
}
