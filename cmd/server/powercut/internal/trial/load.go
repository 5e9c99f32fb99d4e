package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	clients     = 4
	keysEach    = 12
	writesEach  = 200 // in one load: the history stays small
	callTimeout = 1500 * time.Millisecond
)

// load is several clients that write, and one that watches.
type load struct {
	history   *history
	endpoints []string
	stop      context.CancelFunc
	wait      sync.WaitGroup
	acked     atomic.Int64
	wrong     chan error
}

// startLoad lets clients write until they are stopped or have written enough.
func startLoad(h *history, endpoints []string, seed uint64) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{history: h, endpoints: endpoints, stop: stop, wrong: make(chan error, 1)}
	for i := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		l.wait.Go(func() { l.write(ctx, i, r) })
	}
	l.wait.Go(func() { l.watch(ctx) })
	return l
}

// end stops the clients and returns what the watcher found wrong.
func (l *load) end() error {
	l.stop()
	l.wait.Wait()
	select {
	case err := <-l.wrong:
		return err
	default:
		return nil
	}
}

func dial(endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: time.Second, Logger: zap.NewNop()})
}

// write is one client. It owns its keys, so that what is in them depends on it alone.
func (l *load) write(ctx context.Context, client int, r *rand.Rand) {
	for n, at := 0, client; n < writesEach && ctx.Err() == nil; at++ {
		c, err := dial(l.endpoints[at%len(l.endpoints)])
		if err != nil {
			continue
		}
		for ; n < writesEach && ctx.Err() == nil; n++ {
			if err := l.one(ctx, c, client, r); err != nil {
				if ctx.Err() == nil {
					pause(ctx, 10*time.Millisecond)
				}
				break // the next member
			}
		}
		c.Close()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// value begins with the token of its operation.
func value(r *rand.Rand) func(token string) string {
	sizes := []int{20, 20, 100, 100, 1000, 4000, 4000, 24_000}
	padding := strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(sizes[r.IntN(len(sizes))]))
	return func(token string) string { return token + "|" + padding }
}

// one sends one write and notes its outcome.
func (l *load) one(ctx context.Context, c *clientv3.Client, client int, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := func() string { return fmt.Sprintf("c%d/%02d", client, r.IntN(keysEach)) }
	one, two, v := key(), key(), value(r)
	switch r.IntN(8) {
	case 0:
		op := l.history.begin(func(string) [][]event { return [][]event{{{key: one, remove: true}}} })
		resp, err := c.Delete(ctx, one)
		if err == nil {
			l.ack(op, resp.Header.Revision, resp.Deleted > 0)
		}
		return err
	case 1, 2:
		if one == two {
			two += "+"
		}
		return l.txn(ctx, c, one, two, v)
	}
	var text string
	op := l.history.begin(func(token string) [][]event {
		text = v(token)
		return [][]event{{put(one, text)}}
	})
	resp, err := c.Put(ctx, one, text)
	if err == nil {
		l.ack(op, resp.Header.Revision, true)
	}
	return err
}

// txn makes two keys if the first is not there, else replaces it and deletes the second.
func (l *load) txn(ctx context.Context, c *clientv3.Client, one, two string, v func(string) string) error {
	var then, otherwise string
	op := l.history.begin(func(token string) [][]event {
		then, otherwise = v(token+"t"), v(token+"e")
		return [][]event{{put(one, then), put(two, then)}, {put(one, otherwise), {key: two, remove: true}}}
	})
	resp, err := c.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(one), "=", 0)).
		Then(clientv3.OpPut(one, then), clientv3.OpPut(two, then)).
		Else(clientv3.OpPut(one, otherwise), clientv3.OpDelete(two)).Commit()
	if err == nil {
		l.ack(op, resp.Header.Revision, true)
	}
	return err
}

func (l *load) ack(op *operation, rev int64, changed bool) {
	l.history.ack(op, rev, changed)
	l.acked.Add(1)
}

// watch follows all keys. What it is told is committed, so it must stay.
func (l *load) watch(ctx context.Context) {
	for at := 0; ctx.Err() == nil; at++ {
		c, err := dial(l.endpoints[at%len(l.endpoints)])
		if err != nil {
			continue
		}
		err = follow(ctx, c, l.history.lastSeen()+1, func(rev int64, events []event) error {
			return l.history.observe(rev, events, "a watcher")
		})
		c.Close()
		if contradiction := (*contradictionError)(nil); errors.As(err, &contradiction) {
			select {
			case l.wrong <- err:
			default:
			}
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// contradictionError is what a member says against what was known before.
type contradictionError struct{ error }

func (e *contradictionError) Unwrap() error { return e.error }

// follow watches all keys from a revision on and hands out whole revisions, until tell wants no
// more (errEnough), the member ends the watch or ctx ends.
func follow(ctx context.Context, c *clientv3.Client, from int64, tell func(rev int64, events []event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	responses := c.Watch(ctx, "", clientv3.WithFromKey(), clientv3.WithRev(from))
	for {
		select {
		case resp, ok := <-responses:
			if !ok {
				return ctx.Err()
			}
			if err := resp.Err(); err != nil {
				return err
			}
			if err := handOut(&resp, tell); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func handOut(resp *clientv3.WatchResponse, tell func(rev int64, events []event) error) error {
	var events []event
	for i, e := range resp.Events {
		one := event{key: string(e.Kv.Key), remove: true}
		if e.Type == mvccpb.PUT {
			one = put(string(e.Kv.Key), string(e.Kv.Value))
		}
		events = append(events, one)
		if i+1 < len(resp.Events) && resp.Events[i+1].Kv.ModRevision == e.Kv.ModRevision {
			continue
		}
		if err := tell(e.Kv.ModRevision, events); err != nil {
			if errors.Is(err, errEnough) {
				return err
			}
			return &contradictionError{err}
		}
		events = nil
	}
	return nil
}

var errEnough = errors.New("enough")
