package oracle

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// told writes an answer without ids that differ from run to run.
func told(resp any, err error) string {
	if err != nil {
		s := status.Convert(err)
		return fmt.Sprintf("%v %q", s.Code(), s.Message())
	}
	return idOf.ReplaceAllString(spaced.ReplaceAllString(fmt.Sprint(resp), " "), "")
}

// TestLocksSayTheSame: locks with leases and without, waiting, given up, lost with their leases.
func TestLocksSayTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		l := v3lockpb.NewLockClient(wire(t, members[0]))
		c := dial(t, members...)
		add := func(resp headed, err error) {
			if err == nil {
				resp.GetHeader().ClusterId, resp.GetHeader().MemberId, resp.GetHeader().RaftTerm = 0, 0, 0
			}
			said = append(said, told(resp, err))
		}
		ids := grantAll(t, members[0], 11, 12, 13)
		add(l.Lock(call(t), &v3lockpb.LockRequest{Name: []byte("a"), Lease: ids[0]}))
		add(l.Lock(call(t), &v3lockpb.LockRequest{Name: []byte("a"), Lease: ids[0]})) // again is as good as once
		add(l.Lock(call(t), &v3lockpb.LockRequest{Name: []byte("a"), Lease: 99}))
		add(l.Lock(call(t), &v3lockpb.LockRequest{Lease: ids[0]}))
		// One waits too long; its key is gone.
		short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := l.Lock(short, &v3lockpb.LockRequest{Name: []byte("a"), Lease: ids[1]})
		said = append(said, fmt.Sprint(status.Code(err)))
		waitGone(t, c, fmt.Sprintf("a/%x", ids[1]))
		// Two wait in turn.
		got := make(chan string, 2)
		for _, id := range ids[1:] {
			go func() {
				resp, err := l.Lock(call(t), &v3lockpb.LockRequest{Name: []byte("a"), Lease: id})
				got <- fmt.Sprintf("%s %v", resp.GetKey(), err)
			}()
			waitKey(t, c, fmt.Sprintf("a/%x", id))
		}
		add(l.Unlock(call(t), &v3lockpb.UnlockRequest{Key: []byte("a/b")}))
		said = append(said, <-got)
		_, err = c.Revoke(call(t), clientv3.LeaseID(ids[1]))
		ok(t, err)
		said = append(said, <-got)
		add(l.Unlock(call(t), &v3lockpb.UnlockRequest{Key: []byte("a/d")}))
		add(l.Unlock(call(t), &v3lockpb.UnlockRequest{Key: []byte("nothing")}))
		add(l.Unlock(call(t), &v3lockpb.UnlockRequest{}))
		// A lease of the server's own.
		own, err := l.Lock(call(t), &v3lockpb.LockRequest{Name: []byte("own")})
		ok(t, err)
		kvs, err := c.Get(call(t), string(own.Key))
		ok(t, err)
		ttl, err := c.TimeToLive(call(t), clientv3.LeaseID(kvs.Kvs[0].Lease))
		ok(t, err)
		return append(said, fmt.Sprint(strings.HasPrefix(string(own.Key), "own/"), ttl.GrantedTTL))
	})
}

func grantAll(t *testing.T, m *member, ids ...int64) []int64 {
	t.Helper()
	for _, id := range ids {
		post(m, "/v3/lease/grant", fmt.Sprintf(`{"TTL":"100","ID":"%d"}`, id))
	}
	return ids
}

func waitKey(t *testing.T, c *clientv3.Client, key string) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if resp, err := c.Get(call(t), key); err == nil && len(resp.Kvs) == 1 {
			return
		}
	}
	t.Fatal(key + " does not appear")
}

func waitGone(t *testing.T, c *clientv3.Client, key string) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if resp, err := c.Get(call(t), key); err == nil && len(resp.Kvs) == 0 {
			return
		}
	}
	t.Fatal(key + " does not go")
}

// TestElectionsSayTheSame: leaders that come, speak, resign and lose their leases, and who observes them.
func TestElectionsSayTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		e := v3electionpb.NewElectionClient(wire(t, members[0]))
		ids := grantAll(t, members[0], 21, 22)
		add := func(resp headed, err error) {
			if err == nil {
				resp.GetHeader().ClusterId, resp.GetHeader().MemberId, resp.GetHeader().RaftTerm = 0, 0, 0
			}
			said = append(said, told(resp, err))
		}
		name := []byte("e")
		add(e.Leader(call(t), &v3electionpb.LeaderRequest{Name: name}))
		add(e.Proclaim(call(t), &v3electionpb.ProclaimRequest{}))
		add(e.Resign(call(t), &v3electionpb.ResignRequest{}))
		watching, cancel := context.WithCancel(context.Background())
		defer cancel()
		seen, err := e.Observe(watching, &v3electionpb.LeaderRequest{Name: name})
		ok(t, err)
		observed := make(chan string, 9)
		go func() {
			for {
				resp, err := seen.Recv()
				if err != nil {
					return
				}
				observed <- fmt.Sprint(resp.Header.Revision, resp.Kv)
			}
		}()
		first, err := e.Campaign(call(t), &v3electionpb.CampaignRequest{Name: name, Lease: ids[0], Value: []byte("1")})
		add(first, err)
		said = append(said, <-observed)
		add(e.Campaign(call(t), &v3electionpb.CampaignRequest{Name: name, Lease: ids[0], Value: []byte("2")}))
		said = append(said, <-observed)
		add(e.Campaign(call(t), &v3electionpb.CampaignRequest{Name: name, Lease: 99, Value: []byte("2")}))
		add(e.Leader(call(t), &v3electionpb.LeaderRequest{Name: name}))
		add(e.Proclaim(call(t), &v3electionpb.ProclaimRequest{Leader: first.Leader, Value: []byte("3")}))
		said = append(said, <-observed)
		second := make(chan string, 1)
		go func() {
			resp, err := e.Campaign(call(t), &v3electionpb.CampaignRequest{Name: name, Lease: ids[1], Value: []byte("x")})
			second <- fmt.Sprintf("%v %v", resp.GetLeader(), err)
		}()
		waitKey(t, dial(t, members...), "e/16")
		wrong := &v3electionpb.LeaderKey{Name: name, Key: first.Leader.Key, Rev: 1, Lease: ids[0]}
		add(e.Proclaim(call(t), &v3electionpb.ProclaimRequest{Leader: wrong, Value: []byte("3")}))
		add(e.Resign(call(t), &v3electionpb.ResignRequest{Leader: wrong}))
		add(e.Resign(call(t), &v3electionpb.ResignRequest{Leader: first.Leader}))
		said = append(said, <-second, <-observed)
		add(e.Leader(call(t), &v3electionpb.LeaderRequest{Name: name}))
		late, err := e.Observe(watching, &v3electionpb.LeaderRequest{Name: name})
		ok(t, err)
		resp, err := late.Recv()
		add(resp, err)
		return said
	})
}

// headed is an answer with a header.
type headed interface {
	GetHeader() *etcdpb.ResponseHeader
}

// TestRecipesObeyUsers: a lock is made of requests of whoever asks for it.
func TestRecipesObeyUsers(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		m := members[0]
		for _, c := range [][2]string{{"user/add", `{"name":"root","password":"p"}`},
			{"user/grant", `{"user":"root","role":"root"}`}, {"user/add", `{"name":"alice","password":"a"}`},
			{"role/add", `{"name":"r"}`}, {"user/grant", `{"user":"alice","role":"r"}`},
			{"role/grant", `{"name":"r","perm":{"permType":"READWRITE","key":"bC8=","range_end":"bDA="}}`},
			{"enable", `{}`}} {
			post(m, "/v3/auth/"+c[0], c[1])
		}
		alice := authenticated(t, m, "alice", "a")
		conn := wire(t, m)
		l, e := v3lockpb.NewLockClient(conn), v3electionpb.NewElectionClient(conn)
		for _, md := range []metadata.MD{nil, metadata.Pairs("token", alice), metadata.Pairs("token", "x")} {
			for _, name := range []string{"l", "k"} {
				ctx := metadata.NewOutgoingContext(call(t), md)
				resp, err := l.Lock(ctx, &v3lockpb.LockRequest{Name: []byte(name)})
				said = append(said, fmt.Sprint(len(resp.GetKey()) > 0, " ", told("", err)))
				if err == nil {
					_, err = l.Unlock(ctx, &v3lockpb.UnlockRequest{Key: resp.Key})
					said = append(said, told("", err))
				}
				_, err = e.Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte(name)})
				said = append(said, told("", err))
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				seen, err := e.Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte(name)})
				ok(t, err)
				_, err = seen.Recv()
				end := fmt.Sprint(err == io.EOF, status.Code(err) == codes.DeadlineExceeded)
				said = append(said, end)
				cancel()
			}
		}
		return said
	})
}

func authenticated(t *testing.T, m *member, name, password string) string {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.client}, DialTimeout: callTimeout})
	ok(t, err)
	defer c.Close()
	resp, err := c.Authenticate(call(t), name, password)
	ok(t, err)
	return resp.Token
}
