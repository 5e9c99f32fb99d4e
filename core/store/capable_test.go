package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// stops are requests that a member cannot apply and stops at, by what it says of them.
var stops = map[string]*pb.InternalRaftRequest{
	"auth_user_add: a password that is not hashed": {AuthUserAdd: &pb.AuthUserAddRequest{Name: "a", Password: "p"}},
}

// changesNothing are those that etcd answers without a change of the state: of lease 0, or of a put that names a lease
// that does not exist, and about users while there are none.
var changesNothing = []string{
	"lease_grant", "lease_revoke", "lease_checkpoint", "auth_disable", "auth_status", "authenticate", "auth_user_get",
	"auth_user_list",
	"auth_role_get", "auth_role_list", "downgrade_version_test", "put", "range",
	// As empty as they are here, these are refused without a change.
	"auth_enable", "auth_user_add", "auth_user_delete", "auth_user_change_password", "auth_user_grant_role",
	"auth_user_revoke_role",
	"auth_role_add", "auth_role_delete", "auth_role_grant_permission", "auth_role_revoke_permission",
}

// one is a request that has one field set, to an empty message or to one without which it means nothing.
func one(field string) *pb.InternalRaftRequest {
	req := &pb.InternalRaftRequest{}
	m := req.ProtoReflect()
	f := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	m.Set(f, m.NewField(f))
	if req.Put != nil {
		req.Put = &pb.PutRequest{Key: []byte("k"), Value: []byte("v"), Lease: 7}
	}
	return req
}

// TestEveryKindOfRequestIsDecided: a kind that this build does not apply as etcd does stops the member by name, and
// changes neither the state nor the applied index.
func TestEveryKindOfRequestIsDecided(t *testing.T) {
	applied := map[string]bool{"header": true, "ID": true}
	for _, f := range []string{
		"range", "put", "delete_range", "txn", "compaction", "alarm", "cluster_version_set", "cluster_member_attr_set",
		"downgrade_info_set",
	} {
		applied[f] = true
	}
	for _, f := range changesNothing {
		applied[f] = true
	}
	all := (&pb.InternalRaftRequest{}).ProtoReflect().Descriptor().Fields()
	for i := range all.Len() {
		name := string(all.Get(i).Name())
		if !applied[name] {
			t.Errorf("%s is not decided", name)
		}
	}
	for why, req := range stops {
		m, j := newMachine(t, backend.NewMem()), &journal{}
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("a")}})
		m.Apply(ApplyContext{}, j.entries)
		before := m.dump()
		j.request(req)
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("b")}})
		for _, err := range []error{m.Apply(ApplyContext{}, j.entries).Err, CheckLog(j.entries, 1, 3)} {
			said := err != nil && strings.Contains(err.Error(), " 2: "+why)
			if !said || !errors.Is(err, ErrBadEntry) || !errors.Is(err, ErrNotSupported) {
				t.Errorf("%s: %v", why, err)
			}
		}
		if after := m.dump(); after != before || m.Applied().Index != 1 {
			t.Errorf("%s: applied %d, %s", why, m.Applied().Index, after)
		}
		for _, span := range [][2]uint64{{2, 3}, {1, 1}} { // applied before, not committed yet
			if err := CheckLog(j.entries, span[0], span[1]); err != nil {
				t.Errorf("%s: applied %d, committed %d: %v", why, span[0], span[1], err)
			}
		}
	}
	for _, name := range changesNothing {
		m, j := newMachine(t, backend.NewMem()), &journal{}
		j.request(one(name))
		if r := m.Apply(ApplyContext{}, j.entries); r.Err != nil || r.Index != 1 || r.Revision != 1 || len(r.Changes) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if err := CheckLog(j.entries, 0, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnreadableEntries: bytes that are no request, a request for nothing or for what is not known, a version that is
// not. Fields that are not known within a request that is have no effect, as in etcd.
func TestUnreadableEntries(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1)
	marshal := func(req *pb.InternalRaftRequest, in proto.Message) []byte {
		if in != nil {
			in.ProtoReflect().SetUnknown(unknown)
		}
		b, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := &pb.PutRequest{Key: []byte("k")}
	nested := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}}}
	txn := &pb.TxnRequest{Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: nested}}}}
	for want, data := range map[string][]byte{
		"cannot parse":                         {0x22, 0xff},
		"unknown request: it asks for nothing": marshal(&pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 5}}, nil),
		"unknown request: field 2":             {0x12, 0x00}, // the second version of the API
		"unknown request: field 999":           unknown,
		"cluster version 3.8.0, above 3.7, is": marshal(
			&pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: "3.8.0"}}, nil),
	} {
		m, j := newMachine(t, backend.NewMem()), &journal{}
		j.add(raftpb.EntryNormal, data)
		applied := m.Apply(ApplyContext{}, j.entries).Err
		for _, err := range []error{applied, CheckLog(j.entries, 0, 1), badEntry(1, CheckData(data))} {
			said := err != nil && strings.Contains(err.Error(), "entry 1: ") && strings.Contains(err.Error(), want)
			if !said || !errors.Is(err, ErrBadEntry) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if m.Applied().Index != 0 {
			t.Errorf("%s: applied", want)
		}
	}
	m, j := newMachine(t, backend.NewMem()), &journal{}
	j.add(raftpb.EntryNormal, append(marshal(&pb.InternalRaftRequest{Put: put}, nil), unknown...))
	j.add(raftpb.EntryNormal, marshal(&pb.InternalRaftRequest{Txn: txn}, put))
	if r := m.Apply(ApplyContext{}, j.entries); r.Err != nil || r.Index != 2 || r.Revision != 2 {
		t.Errorf("requests with unknown fields: %+v", r)
	}
}

// TestDatabasesThatAreRefused names what in a database this build cannot do.
func TestDatabasesThatAreRefused(t *testing.T) {
	type pair struct {
		bucket     backend.Bucket
		key, value string
	}
	open := func(pairs ...pair) error {
		mem := backend.NewMem()
		for _, p := range pairs {
			if err := mem.Commit([]backend.Op{{Bucket: p.bucket, Key: []byte(p.key), Value: []byte(p.value)}}); err != nil {
				t.Fatal(err)
			}
		}
		b, err := backend.New(mem)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(b, Config{}, nil)
		if image := CheckImage(mem, 0); fmt.Sprint(image) != fmt.Sprint(err) {
			t.Errorf("as an image: %v; as a database: %v", image, err)
		}
		return err
	}
	for want, p := range map[string]pair{
		"lease: record 3132333435363738 is of lease 0":  {backend.Lease, "12345678", ""},
		"storage version 3.8.0, above 3.7, is":          {backend.Meta, "storageVersion", "3.8.0"},
		"storage version 4.0.0, above 3.7, is":          {backend.Meta, "storageVersion", "4.0.0"},
		"storage version 3.4.0, below 3.5, is":          {backend.Meta, "storageVersion", "3.4.0"},
		"storage version: membership: not a semantic":   {backend.Meta, "storageVersion", "new"},
		"cluster version 3.8.0, above 3.7, is":          {backend.Cluster, "clusterVersion", "3.8.0"},
		`key "shards" of bucket meta is not supported`:  {backend.Meta, "shards", "1"},
		`key "shards" of bucket cluster is not support`: {backend.Cluster, "shards", "1"},
		`key "shards" of bucket auth is not supported`:  {backend.Auth, "shards", "1"},
		`auth: bucket authUsers: record "root": `:       {backend.AuthUsers, "root", "x"},
		"store: bucket alarm: ":                         {backend.Alarm, "\xff", ""},
		"membership: ":                                  {backend.Members, "8211f1d0f64f3269", "{"},
	} {
		if err := open(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := open(pair{backend.Auth, "authEnabled", "\x00"}, pair{backend.Auth, "shards", "1"}); err == nil ||
		!strings.Contains(err.Error(), `key "shards" of bucket auth`) {
		t.Errorf("a new key beside a known one: %v", err)
	}
	if err := open(
		pair{backend.Auth, "authEnabled", "\x00"}, pair{backend.Auth, "authRevision", "\x00\x00\x00\x00\x00\x00\x00\x05"},
		pair{backend.AuthUsers, "root", "\n\x04root"}, pair{backend.AuthRoles, "root", "\n\x04root"},
		pair{backend.Meta, "storageVersion", "3.6.0"}, pair{backend.Cluster, "clusterVersion", "3.6.0"},
	); err != nil {
		t.Errorf("users while authentication is off: %v", err)
	}
}

// TestImagesThatAreRefused: an image must stand where its snapshot says, at least.
func TestImagesThatAreRefused(t *testing.T) {
	mem := backend.NewMem()
	m, j := newMachine(t, mem), &journal{}
	for _, key := range []string{"a", "b", "c"} {
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte(key), Value: []byte("1")}})
	}
	m.Apply(ApplyContext{}, j.entries)
	m.commit(t)
	if err := CheckImage(mem, 3); err != nil {
		t.Errorf("at its own index: %v", err)
	}
	if err := CheckImage(mem, 4); err == nil || !strings.Contains(err.Error(), "stands at 3 instead of 4") {
		t.Errorf("behind its snapshot: %v", err)
	}
	key := []byte("\x00\x00\x00\x00\x00\x00\x00\x03_\x00\x00\x00\x00\x00\x00\x00\x00")
	if err := mem.Commit([]backend.Op{{Bucket: backend.Key, Key: key, Delete: true}}); err != nil {
		t.Fatal(err)
	}
	if err := CheckImage(mem, 3); err == nil || !strings.Contains(err.Error(), "revision 4.0 follows 2.0") {
		t.Errorf("without one of its revisions: %v", err)
	}
	index := []backend.Op{{Bucket: backend.Meta, Key: []byte("consistent_index"), Value: []byte("123")}}
	if err := mem.Commit(index); err != nil {
		t.Fatal(err)
	}
	if err := CheckImage(mem, 0); err == nil || !strings.Contains(err.Error(), "holds 3 bytes, want 8") {
		t.Errorf("with an applied index that is none: %v", err)
	}
}

// viewed counts the views of a store that are open; err keeps it from giving any.
type viewed struct {
	backend.Store
	open int
	err  error
}

type countedView struct {
	backend.StoreView
	of *viewed
}

func (v *viewed) View() (backend.StoreView, error) {
	if v.err != nil {
		return nil, v.err
	}
	view, err := v.Store.View()
	v.open++
	return countedView{view, v}, err
}

func (v countedView) Close() {
	v.of.open--
	v.StoreView.Close()
}

// TestCheckImageLeavesNothingOpen: a view of an image keeps its pages, so each check
// gives its own back; an image that gives none is refused.
func TestCheckImageLeavesNothingOpen(t *testing.T) {
	image := &viewed{Store: backend.NewMem()}
	for _, index := range []uint64{0, 9} {
		if err := CheckImage(image, index); (err == nil) != (index == 0) || image.open != 0 {
			t.Errorf("at index %d: %v, %d views are open", index, err, image.open)
		}
	}
	image.err = errors.New("no view")
	if err := CheckImage(image, 0); !errors.Is(err, image.err) {
		t.Errorf("of an image without views: %v", err)
	}
}
