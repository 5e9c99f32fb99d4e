package oracle

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/cmd/server/internal/authority"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// TestLeaderKilledBesideLocks kills leaders of three members that talk over TLS, under a load of puts, leases that are
// kept alive, leases that nobody keeps alive, and a lock that several want. Nothing that was acknowledged is lost, no
// lease is gone early, and what is written under the lock is fenced: nobody writes after a later owner has.
func TestLeaderKilledBesideLocks(t *testing.T) {
	processes(t)
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Name: "m", Hosts: []string{"127.0.0.1", "localhost"}})
	members := secured(t, []kind{vitrine, vitrine, vitrine}, ca, own, "--client-cert-auth", "--trusted-ca-file", ca.File,
		"--peer-cert-file", own.Cert, "--peer-key-file", own.Key, "--peer-client-cert-auth", "--peer-trusted-ca-file",
		ca.File, "--snapshot-count", "2000", "--snapshot-catchup-entries", "500")
	for _, m := range members {
		m.start()
	}
	for _, m := range members {
		m.ready()
	}
	load := startWriters(t, members, 4)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wait sync.WaitGroup
	kept := keepSessions(t, ctx, &wait, members)
	left := &leftLeases{t: t, c: dial(t, members...)}
	wait.Go(func() { left.run(ctx) })
	owners := &owners{t: t}
	for range 4 {
		c := dial(t, members...)
		wait.Go(func() { owners.contend(ctx, c) })
	}
	took := killLeaders(t, members)
	for i, s := range kept {
		select {
		case <-s.Done():
			t.Errorf("session %d has ended although it was kept alive", i)
		default:
		}
	}
	stop()
	wait.Wait()
	load.allThere(t, members, took)
	t.Logf("leases that nobody kept alive were found %d times before their time; %d writes under the lock", left.looked,
		owners.had.Load())
	if left.looked == 0 || owners.had.Load() < int64(len(took)) {
		t.Error("that is too little to prove anything")
	}
	owners.fenced(dial(t, members...))
}

// keepSessions are leases that must outlive every change of leader.
func keepSessions(t *testing.T, ctx context.Context, wait *sync.WaitGroup, members []*member) []*concurrency.Session {
	t.Helper()
	kept := make([]*concurrency.Session, 8)
	for i := range kept {
		s, err := concurrency.NewSession(dial(t, members...), concurrency.WithTTL(15))
		ok(t, err)
		kept[i] = s
		wait.Go(func() {
			<-ctx.Done()
			s.Orphan()
		})
	}
	return kept
}

// leftLeases are granted and left alone; each is there for as long as its grant has promised.
type leftLeases struct {
	t      *testing.T
	c      *clientv3.Client
	looked int
}

func (l *leftLeases) run(ctx context.Context) {
	const ttl = 4
	for ctx.Err() == nil {
		asked := time.Now()
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		r, err := l.c.Grant(one, ttl)
		cancel()
		for err == nil && ctx.Err() == nil && time.Since(asked) < ttl*time.Second {
			one, cancel := context.WithTimeout(ctx, time.Second)
			was, askErr := l.c.TimeToLive(one, r.ID)
			cancel()
			// That it is gone says something only if its time was not over when the answer came.
			if askErr == nil && was.TTL < 0 && time.Since(asked) < ttl*time.Second {
				l.t.Errorf("lease %x is gone %v after it was asked for with %d s", r.ID, time.Since(asked), ttl)
				return
			}
			if askErr == nil {
				l.looked++
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// owners take a lock in turn and write, as its owner, which token the lock has given them.
type owners struct {
	t   *testing.T
	had atomic.Int64
}

const fencedKey = "fenced/token"

func (o *owners) contend(ctx context.Context, c *clientv3.Client) {
	for ctx.Err() == nil {
		if session, err := concurrency.NewSession(c, concurrency.WithTTL(5), concurrency.WithContext(ctx)); err == nil {
			o.own(ctx, c, concurrency.NewMutex(session, "fenced/lock"))
			session.Close()
		}
	}
}

func (o *owners) own(ctx context.Context, c *clientv3.Client, lock *concurrency.Mutex) {
	one, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if lock.Lock(one) != nil {
		return
	}
	defer lock.Unlock(one)
	key, err := c.Get(one, lock.Key())
	if err != nil || len(key.Kvs) == 0 {
		return
	}
	token := strconv.FormatInt(key.Kvs[0].CreateRevision, 10)
	for range 3 {
		r, err := c.Txn(one).If(lock.IsOwner()).Then(clientv3.OpPut(fencedKey, token)).Commit()
		if err == nil && r.Succeeded {
			o.had.Add(1)
		}
	}
}

// fenced looks at all that was written under the lock, in its order: tokens never go back.
func (o *owners) fenced(c *clientv3.Client) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	now, err := c.Get(ctx, fencedKey)
	ok(o.t, err)
	if len(now.Kvs) == 0 {
		o.t.Fatal("nobody ever wrote as the owner of the lock")
	}
	last, seen := int64(0), int64(0)
	for r := range c.Watch(ctx, fencedKey, clientv3.WithRev(1)) {
		ok(o.t, r.Err())
		for _, e := range r.Events {
			token, err := strconv.ParseInt(string(e.Kv.Value), 10, 64)
			ok(o.t, err)
			if token < last {
				o.t.Errorf("at revision %d the owner of token %d writes after that of %d", e.Kv.ModRevision, token, last)
			}
			last, seen = max(last, token), seen+1
			if e.Kv.ModRevision == now.Kvs[0].ModRevision {
				o.t.Logf("%d writes under the lock, the last with token %d", seen, last)
				return
			}
		}
	}
	o.t.Error(fmt.Errorf("the watch has ended: %w", ctx.Err()))
}
