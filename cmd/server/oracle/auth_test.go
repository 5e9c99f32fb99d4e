package oracle

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// lines reads a file of commands, one a line; what stands behind <<< is typed in.
func lines(t *testing.T, name string) (out []step) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	ok(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		args, typed, _ := strings.Cut(line, " <<< ")
		out = append(out, step{args: args, stdin: typed + "\n"})
	}
	return out
}

// askers log in, rightly and wrongly; the first does not.
var askers = []string{
	"", " --user root:rootpw", " --user alice:alicepw", " --user bob:bobpw", " --user carol:x", " --user alice:wrong",
	" --user nobody:x", " --user alice:",
}

// authScript is what both servers are told about users and roles, and what users of many kinds then may do.
func authScript(t *testing.T) []step {
	s, asks := lines(t, "users-setup"), lines(t, "users-asks")
	for _, who := range askers {
		for _, ask := range asks {
			s = append(s, step{args: ask.args + who, stdin: "newpw\n"})
		}
		for _, in := range []string{
			"value(\"a\") = \"1\"\n\nget a\n\nget d\n\n", "value(\"z\") = \"1\"\n\nget a\n\nget d\n\n",
			"\nput w 1\nput pre/2 2\n\n\n", "\nput w 1\n\nput z 1\n\n", "\n\n\n", "\nget w\ndel pre/1 --prev-kv\n\n\n",
			"\nget a e\nget c\n\n\n",
		} {
			s = append(s, step{args: "txn" + who, stdin: in})
		}
	}
	return append(s, lines(t, "users-end")...)
}

func TestCtlSaysTheSameOfUsers(t *testing.T) {
	processes(t)
	all := authScript(t)
	var said [][]output
	both(t, 1, func(t *testing.T, members []*member) { said = append(said, perform(t, members, all)) })
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	differ := 0
	for i, s := range all {
		if a, b := said[0][i], said[1][i]; a != b {
			differ++
			t.Errorf("etcdctl %s <<<%.80q\netcd:    %d %s%s\nvitrine: %d %s%s", s.args, s.stdin,
				a.Code, brief(a.Stdout), brief(a.Stderr), b.Code, brief(b.Stdout), brief(b.Stderr))
		}
	}
	t.Logf("%d of %d commands answered alike", len(all)-differ, len(all))
}

// as is a client of the members that logs in.
func as(t testing.TB, user, password string, members ...*member) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints(members), DialTimeout: 10 * time.Second, Username: user, Password: password,
		Logger: zap.NewNop(),
	})
	ok(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// users makes root, and alice who may read and write [a, c).
func users(t testing.TB, c *clientv3.Client) {
	t.Helper()
	do := func(_ any, err error) { t.Helper(); ok(t, err) }
	do(c.UserAdd(call(t), "root", "rootpw"))
	do(c.UserGrantRole(call(t), "root", "root"))
	do(c.UserAdd(call(t), "alice", "alicepw"))
	do(c.UserAddWithOptions(call(t), "carol", "", &clientv3.UserAddOptions{NoPassword: true}))
	do(c.RoleAdd(call(t), "rw"))
	do(c.RoleGrantPermission(call(t), "rw", "a", "c", clientv3.PermissionType(clientv3.PermReadWrite)))
	do(c.UserGrantRole(call(t), "alice", "rw"))
	do(c.AuthEnable(call(t)))
}

// records are the buckets of users and roles, without the passwords, whose salts differ.
func (m *member) records() string {
	m.t.Helper()
	path := filepath.Join(m.dir, "member", "snap", "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	ok(m.t, err)
	defer db.Close()
	var out strings.Builder
	ok(m.t, db.View(func(tx *bbolt.Tx) error {
		for _, name := range []string{"auth", "authUsers", "authRoles"} {
			b := tx.Bucket([]byte(name))
			if b == nil {
				return fmt.Errorf("no bucket %s", name)
			}
			err := b.ForEach(func(k, v []byte) error {
				if name == "authUsers" {
					u := &authpb.User{}
					if err := proto.Unmarshal(v, u); err != nil {
						return err
					}
					v = bytes.ReplaceAll(v, u.Password, bytes.Repeat([]byte("*"), len(u.Password)))
				}
				fmt.Fprintf(&out, "%s/%s = %x\n", name, k, v)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return out.String()
}

// TestUsersAreWrittenAlike compares the buckets after the whole script of commands, half of which is refused.
func TestUsersAreWrittenAlike(t *testing.T) {
	processes(t)
	var wrote []string
	both(t, 1, func(t *testing.T, members []*member) {
		perform(t, members, lines(t, "users-setup"))
		members[0].stop()
		wrote = append(wrote, members[0].records())
		members[0].start()
		members[0].ready()
	})
	if len(wrote) != 2 || wrote[0] != wrote[1] || strings.Count(wrote[0], "authUsers/") < 4 {
		t.Errorf("%q", wrote)
	}
}

// TestDirectoriesWithUsers lets both servers take turns on one directory in which authentication is enabled.
func TestDirectoriesWithUsers(t *testing.T) {
	processes(t)
	for _, first := range []kind{etcd, vitrine} {
		for _, end := range []func(*member){(*member).stop, (*member).kill} {
			m := run(t, []kind{first}, "--snapshot-count", "20", "--bcrypt-cost", "4")[0]
			users(t, dial(t, m))
			for round := range 4 {
				alice, root := as(t, "alice", "alicepw", m), as(t, "root", "rootpw", m)
				for i := range 15 {
					_, err := alice.Put(call(t), fmt.Sprintf("a%d", i), fmt.Sprint(round))
					ok(t, err)
				}
				if _, err := alice.Put(call(t), "z", "1"); !isDenied(err) {
					t.Errorf("%s, round %d: alice writes z: %v", m.kind, round, err)
				}
				if _, err := dial(t, m).Get(call(t), "a1"); err == nil {
					t.Errorf("%s, round %d: nobody reads", m.kind, round)
				}
				read := clientv3.PermissionType(clientv3.PermRead)
				_, err := root.RoleGrantPermission(call(t), "rw", fmt.Sprintf("r%d", round), "", read)
				ok(t, err)
				resp, err := root.RoleGet(call(t), "rw")
				ok(t, err)
				if len(resp.Perm) != round+2 {
					t.Errorf("%s, round %d: %d permissions", m.kind, round, len(resp.Perm))
				}
				st, err := root.AuthStatus(call(t))
				ok(t, err)
				if !st.Enabled || st.AuthRevision != uint64(9+round) {
					t.Errorf("%s, round %d: %v", m.kind, round, st)
				}
				end(m)
				m.kind = map[kind]kind{etcd: vitrine, vitrine: etcd}[m.kind]
				m.start()
				m.ready()
			}
			m.stop()
		}
	}
}

func isDenied(err error) bool {
	return err != nil && strings.Contains(err.Error(), "permission denied")
}

// raw is a connection to one member, without a client's retries.
func raw(t testing.TB, m *member) *grpc.ClientConn {
	t.Helper()
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient(strings.TrimPrefix(m.client, "http://"), plain)
	ok(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// login returns a token of a member.
func login(t testing.TB, m *member, user, password string) string {
	t.Helper()
	r, err := pb.NewAuthClient(raw(t, m)).Authenticate(call(t), &pb.AuthenticateRequest{Name: user, Password: password})
	ok(t, err)
	return r.Token
}

// with is a context that shows metadata.
func with(t testing.TB, pairs ...string) context.Context {
	return metadata.NewOutgoingContext(call(t), metadata.Pairs(pairs...))
}

// asking is a connection to one member on which calls are made in turn, and what came of each.
type asking struct {
	t     *testing.T
	conn  *grpc.ClientConn
	lines []string
}

func (a *asking) note(what string, resp any, err error) {
	s := status.Convert(err)
	count := ""
	if r, isRange := resp.(*pb.RangeResponse); isRange && r != nil {
		count = fmt.Sprint(r.Count)
	}
	a.lines = append(a.lines, fmt.Sprintf("%s: %v %s %s", what, s.Code(), s.Message(), count))
}

func (a *asking) login(user, password string) string {
	resp, err := pb.NewAuthClient(a.conn).Authenticate(call(a.t), &pb.AuthenticateRequest{Name: user, Password: password})
	a.note("login "+user, resp, err)
	letters, index, isSimple := strings.Cut(resp.GetToken(), ".")
	a.lines = append(a.lines, fmt.Sprintf("%d letters %s %v", len(letters), index, isSimple))
	return resp.GetToken()
}

// everything makes one call of each kind, showing what pairs say.
func (a *asking) everything(name string, pairs []string) {
	kv, maintenance := pb.NewKVClient(a.conn), pb.NewMaintenanceClient(a.conn)
	shown := func() context.Context { return with(a.t, pairs...) }
	for _, r := range []*pb.RangeRequest{
		{Key: []byte("a"), RangeEnd: []byte("c")}, {Key: []byte("a"), RangeEnd: []byte("d"), Serializable: true},
	} {
		resp, err := kv.Range(shown(), r)
		a.note(name+" range to "+string(r.RangeEnd), resp, err)
	}
	_, err := kv.Put(shown(), &pb.PutRequest{Key: []byte("b"), PrevKv: true})
	a.note(name+" put", nil, err)
	_, err = kv.Txn(shown(), &pb.TxnRequest{})
	a.note(name+" empty txn", nil, err)
	_, err = kv.Compact(shown(), &pb.CompactionRequest{Revision: 1 << 40})
	a.note(name+" compact", nil, err)
	_, err = maintenance.Status(shown(), &pb.StatusRequest{})
	a.note(name+" status", nil, err)
	_, err = maintenance.Alarm(shown(), &pb.AlarmRequest{})
	a.note(name+" alarms", nil, err)
	_, err = maintenance.HashKV(shown(), &pb.HashKVRequest{})
	a.note(name+" hash", nil, err)
	_, err = pb.NewClusterClient(a.conn).MemberList(shown(), &pb.MemberListRequest{})
	a.note(name+" members", nil, err)
	_, err = pb.NewAuthClient(a.conn).AuthStatus(shown(), &pb.AuthStatusRequest{})
	a.note(name+" auth status", nil, err)
	for _, key := range [][2]string{{"a", ""}, {"a", "c"}, {"a", "d"}, {"a", "\x00"}, {"", "\x00"}, {"x", ""}} {
		a.watch(name, key, pairs)
	}
}

func (a *asking) watch(name string, key [2]string, pairs []string) {
	ctx, cancel := context.WithCancel(with(a.t, pairs...))
	defer cancel()
	w, err := pb.NewWatchClient(a.conn).Watch(ctx)
	ok(a.t, err)
	create := &pb.WatchCreateRequest{Key: []byte(key[0]), RangeEnd: []byte(key[1])}
	ok(a.t, w.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}))
	r, err := w.Recv()
	a.note(fmt.Sprintf("%s watch %q: %v %v %d %s", name, key, r.GetCreated(), r.GetCanceled(), r.GetWatchId(),
		r.GetCancelReason()), nil, err)
}

// TestTokensAnswerTheSame asks without clientv3: what is shown as a token, and in which metadata.
func TestTokensAnswerTheSame(t *testing.T) {
	processes(t)
	var said [][]string
	both(t, 1, func(t *testing.T, members []*member) {
		users(t, dial(t, members[0]))
		a := &asking{t: t, conn: raw(t, members[0])}
		alice, root := a.login("alice", "alicepw"), a.login("root", "rootpw")
		for _, wrong := range [][2]string{{"alice", "wrong"}, {"nobody", "x"}, {"carol", ""}, {"carol", "x"}, {"", ""}} {
			a.login(wrong[0], wrong[1])
		}
		for _, pairs := range [][]string{
			{}, {"token", alice}, {"authorization", alice}, {"authorization", "Bearer " + alice}, {"token", "Bearer " + alice},
			{"token", ""}, {"token", "nonsense"}, {"token", "non.sense"}, {"token", "abcdefghijklmnop.1"},
			{"authorization", "x", "token", alice}, {"token", "x", "token", alice}, {"token", root},
		} {
			a.everything(strings.NewReplacer(alice, "ALICE", root, "ROOT").Replace(fmt.Sprint(pairs)), pairs)
		}
		said = append(said, a.lines)
	})
	if len(said) != 2 || len(said[0]) != len(said[1]) {
		t.Fatal("one of the servers failed")
	}
	for i := range said[0] {
		if said[0][i] != said[1][i] {
			t.Errorf("etcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
	t.Logf("%d answers compared", len(said[0]))
}

// TestMixedClustersHaveTheSameUsers: members of both kinds decide alike while users change, a token of one is good at
// all, and in the end all have the same keys and the same users.
func TestMixedClustersHaveTheSameUsers(t *testing.T) {
	processes(t)
	for _, kinds := range [][]kind{{etcd, etcd, vitrine}, {vitrine, vitrine, etcd}} {
		members := run(t, kinds, "--bcrypt-cost", "4")
		users(t, dial(t, members...))
		token := login(t, members[0], "alice", "alicepw")
		for _, m := range members {
			_, err := pb.NewKVClient(raw(t, m)).Put(with(t, "token", token), &pb.PutRequest{Key: []byte("a")})
			if err != nil {
				t.Errorf("%s %s: a token of %s: %v", m.kind, m.name, members[0].kind, err)
			}
		}
		root := as(t, "root", "rootpw", members...)
		var clients sync.WaitGroup
		done := make(chan struct{})
		for i, m := range members {
			alice := as(t, "alice", "alicepw", m)
			clients.Go(func() { writeUntil(t, done, alice, i) })
		}
		for round := range 20 {
			changeRights(t, root, round)
		}
		close(done)
		clients.Wait()
		last, err := root.Put(call(t), "end", "x")
		ok(t, err)
		sameUsers(t, members, last.Header.Revision)
	}
}

// writeUntil writes what alice may and may not, whoever may just then.
func writeUntil(t *testing.T, done chan struct{}, alice *clientv3.Client, number int) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		key := fmt.Sprintf("%c%d", 'a'+byte(n%4), number)
		_, err := alice.Txn(context.Background()).Then(clientv3.OpPut(key, fmt.Sprint(n)), clientv3.OpDelete("b")).Commit()
		if err != nil && !isDenied(err) && !strings.Contains(err.Error(), "revision of auth store is old") {
			t.Errorf("client %d: %v", number, err)
			return
		}
	}
}

func changeRights(t *testing.T, root *clientv3.Client, round int) {
	t.Helper()
	types := []authpb.Permission_Type{clientv3.PermRead, clientv3.PermWrite, clientv3.PermReadWrite}
	_, err := root.RoleGrantPermission(call(t), "rw", "c", "e", clientv3.PermissionType(types[round%3]))
	ok(t, err)
	_, err = root.UserRevokeRole(call(t), "alice", "rw")
	ok(t, err)
	_, err = root.UserGrantRole(call(t), "alice", "rw")
	ok(t, err)
	_, err = root.RoleRevokePermission(call(t), "rw", "c", "e")
	ok(t, err)
}

// sameUsers compares hashes at a revision, and the buckets of users.
func sameUsers(t *testing.T, members []*member, revision int64) {
	t.Helper()
	var hashes []uint32
	for _, m := range members {
		c := as(t, "root", "rootpw", m)
		_, err := c.Get(call(t), "end") // it has applied it
		ok(t, err)
		h, err := c.HashKV(call(t), m.client, revision)
		ok(t, err)
		hashes = append(hashes, h.Hash)
		st, err := c.AuthStatus(call(t))
		ok(t, err)
		if st.AuthRevision != 88 {
			t.Errorf("%s %s: auth revision %d", m.kind, m.name, st.AuthRevision)
		}
	}
	if hashes[0] != hashes[1] || hashes[0] != hashes[2] {
		t.Errorf("hashes %v", hashes)
	}
	var records []string
	for _, m := range members {
		m.stop()
		records = append(records, m.records())
	}
	if records[0] != records[1] || records[0] != records[2] {
		t.Errorf("%q", records)
	}
}

// signed are the options of tokens that all members sign with one key, good for so long.
func signed(t *testing.T, ttl string) string {
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ok(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	ok(t, err)
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		ok(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	return "jwt,sign-method=RS256,ttl=" + ttl + ",priv-key=" + file("key", "PRIVATE KEY", private) +
		",pub-key=" + file("pub", "PUBLIC KEY", public)
}

// TestSignedTokens: tokens that etcd signs are good at vitrine, and the other way round.
func TestSignedTokens(t *testing.T) {
	processes(t)
	members := run(t, []kind{etcd, vitrine, vitrine}, "--bcrypt-cost", "4", "--auth-token", signed(t, "10m"))
	users(t, dial(t, members...))
	for _, from := range members {
		token := login(t, from, "alice", "alicepw")
		for _, at := range members {
			kv := pb.NewKVClient(raw(t, at))
			if _, err := kv.Put(with(t, "token", token), &pb.PutRequest{Key: []byte("a")}); err != nil {
				t.Errorf("a token of %s at %s: %v", from.kind, at.kind, err)
			}
			other := &pb.RangeRequest{Key: []byte("z"), Serializable: true}
			if _, err := kv.Range(with(t, "token", token), other); !isDenied(err) {
				t.Errorf("a token of %s at %s: %v", from.kind, at.kind, err)
			}
			_, err := kv.Range(with(t, "token", token+"x"), other)
			if status.Convert(err).Message() != "etcdserver: invalid auth token" {
				t.Errorf("a forged token at %s: %v", at.kind, err)
			}
		}
	}
}

// TestSignedTokenRunsOut on a stream of watchers: those that it has made go on, and it makes no more.
func TestSignedTokenRunsOut(t *testing.T) {
	processes(t)
	members := run(t, []kind{etcd, vitrine, vitrine}, "--bcrypt-cost", "4", "--auth-token", signed(t, "3s"))
	users(t, dial(t, members...))
	var answers []string
	for _, m := range members {
		stream, err := pb.NewWatchClient(raw(t, m)).Watch(with(t, "token", login(t, m, "alice", "alicepw")))
		ok(t, err)
		create := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: []byte("a")}}}
		answer := ""
		for range 2 {
			ok(t, stream.Send(create))
			r, err := stream.Recv()
			ok(t, err)
			answer += fmt.Sprintf("watch %d: created %v, canceled %v %q; ", r.WatchId, r.Created, r.Canceled, r.CancelReason)
			time.Sleep(5 * time.Second)
		}
		_, err = as(t, "root", "rootpw", m).Put(call(t), "a", "late")
		ok(t, err)
		r, err := stream.Recv()
		ok(t, err)
		answers = append(answers, answer+fmt.Sprintf("watch %d: %d events", r.WatchId, len(r.Events)))
	}
	if answers[0] != answers[1] || answers[0] != answers[2] || !strings.Contains(answers[0], "invalid auth token") {
		t.Errorf("etcd:\n%s\nvitrine:\n%s\n%s", answers[0], answers[1], answers[2])
	}
}

// TestNothingSecretIsWritten looks for a password and a token in the logs of the server and in its files.
func TestNothingSecretIsWritten(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine}, "--log-level", "debug",
		"--warning-unary-request-duration", "1us", "--warning-apply-duration", "1us")[0]
	users(t, dial(t, m))
	token := login(t, m, "alice", "alicepw")
	put := &pb.PutRequest{Key: []byte("a"), Value: []byte("v")}
	_, err := pb.NewKVClient(raw(t, m)).Put(with(t, "token", token), put)
	ok(t, err)
	_, err = as(t, "root", "rootpw", m).UserAdd(call(t), "dave", "davepw")
	ok(t, err)
	_, err = as(t, "root", "rootpw", m).UserChangePassword(call(t), "dave", "secondpw")
	ok(t, err)
	none := &clientv3.UserAddOptions{NoPassword: true}
	_, err = as(t, "root", "rootpw", m).UserAddWithOptions(call(t), "erin", "uselesspw", none)
	ok(t, err)
	wrong := &pb.AuthenticateRequest{Name: "alice", Password: "wrongpw"}
	if _, err := pb.NewAuthClient(raw(t, m)).Authenticate(call(t), wrong); err == nil {
		t.Error("a wrong password is right")
	}
	m.stop()
	secrets := []string{"rootpw", "alicepw", "davepw", "secondpw", "wrongpw", "uselesspw", "$2a$"}
	found := func(path string, words []string) {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		ok(t, err)
		for _, word := range words {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("%s has %q", path, word)
			}
		}
	}
	letters, _, _ := strings.Cut(token, ".")
	found(m.dir+".log", append(secrets, letters))
	ok(t, filepath.Walk(m.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			found(path, secrets[:6]) // hashes, and what tokens begin with, are there by design
		}
		return err
	}))
}
