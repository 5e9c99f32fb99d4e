package oracle

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// onBoth runs the same assertions on both servers: what fails on etcd is a
// mistake in the test.
func onBoth(t *testing.T, n int, f func(t *testing.T, members []*member)) {
	processes(t)
	for _, k := range []kind{etcd, vitrine} {
		t.Run(string(k), func(t *testing.T) {
			kinds := make([]kind, n)
			for i := range kinds {
				kinds[i] = k
			}
			f(t, run(t, kinds))
		})
	}
}

// next is the next response of a watch.
func next(t *testing.T, w clientv3.WatchChan) clientv3.WatchResponse {
	t.Helper()
	select {
	case resp, open := <-w:
		if !open {
			t.Fatal("the watch has ended")
		}
		return resp
	case <-time.After(callTimeout):
		t.Fatal("no response")
	}
	panic("unreachable")
}

// events collects n events as short strings.
func events(t *testing.T, w clientv3.WatchChan, n int) (out []string) {
	t.Helper()
	last := int64(0)
	for len(out) < n {
		resp := next(t, w)
		if resp.Err() != nil {
			t.Fatal(resp.Err())
		}
		for _, e := range resp.Events {
			s := fmt.Sprintf("%s %s=%.10s", e.Type, e.Kv.Key, e.Kv.Value)
			if e.PrevKv != nil {
				s += fmt.Sprintf(" was %.10s", e.PrevKv.Value)
			}
			out = append(out, s)
			if e.Kv.ModRevision < last {
				t.Fatalf("revision %d after %d", e.Kv.ModRevision, last)
			}
			last = e.Kv.ModRevision
		}
	}
	return out
}

func expect(t *testing.T, got any, want string) {
	t.Helper()
	if s := fmt.Sprint(got); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestClientWatches(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, members []*member) {
		c := dial(t, members...)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for i := range 3 {
			_, err := c.Put(call(t), fmt.Sprintf("k%d", i), fmt.Sprint("v", i))
			ok(t, err)
		}
		_, err := c.Delete(call(t), "k1")
		ok(t, err)
		resp, err := c.Put(call(t), "k0", "again")
		ok(t, err)
		rev := resp.Header.Revision

		all := c.Watch(ctx, "k", clientv3.WithPrefix(), clientv3.WithRev(1), clientv3.WithPrevKV())
		expect(t, events(t, all, 5), "[PUT k0=v0 PUT k1=v1 PUT k2=v2 DELETE k1= was v1 PUT k0=again was v0]")
		deletes := c.Watch(ctx, "k", clientv3.WithPrefix(), clientv3.WithRev(1), clientv3.WithFilterPut())
		expect(t, events(t, deletes, 1), "[DELETE k1=]")
		puts := c.Watch(ctx, "k1", clientv3.WithRange("k2"), clientv3.WithRev(1), clientv3.WithFilterDelete())
		expect(t, events(t, puts, 1), "[PUT k1=v1]")
		future := c.Watch(ctx, "k0", clientv3.WithRev(rev+2), clientv3.WithCreatedNotify())
		if created := next(t, future); !created.Created {
			t.Fatalf("not the created notification: %+v", created)
		}
		_, err = c.Put(call(t), "k0", "too early")
		ok(t, err)
		txn, err := c.Txn(call(t)).Then(clientv3.OpPut("k0", "on time"), clientv3.OpPut("k1", "together"),
			clientv3.OpDelete("k2")).Commit()
		ok(t, err)
		expect(t, events(t, future, 1), "[PUT k0=on time]")
		expect(t, events(t, all, 1), "[PUT k0=too early was again]")
		one := next(t, all) // one revision, one response
		if len(one.Events) != 3 || one.Header.Revision != txn.Header.Revision {
			t.Errorf("a transaction of 3 events arrived as %d, revision %d of %d", len(one.Events), one.Header.Revision,
				txn.Header.Revision)
		}
	})
}

func TestClientWatchProgressAndCompaction(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, members []*member) {
		c := dial(t, members...)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := c.Watch(ctx, "nothing/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		next(t, w)
		var rev int64
		for i := range 20 {
			resp, err := c.Put(call(t), "elsewhere", fmt.Sprint(i))
			ok(t, err)
			rev = resp.Header.Revision
		}
		deadline := time.Now().Add(callTimeout)
		for progress := int64(0); progress < rev; { // an answer may be skipped, or be of a moment before
			ok(t, c.RequestProgress(ctx))
			select {
			case resp := <-w:
				if !resp.IsProgressNotify() {
					t.Fatalf("not a progress notification: %+v", resp)
				}
				progress = resp.Header.Revision
			case <-time.After(time.Second):
			}
			if time.Now().After(deadline) {
				t.Fatalf("progress is at %d, want %d", progress, rev)
			}
		}
		_, err := c.Compact(call(t), rev-5)
		ok(t, err)
		late := next(t, c.Watch(ctx, "elsewhere", clientv3.WithRev(rev-10)))
		if late.Err() != rpctypes.ErrCompacted || late.CompactRevision != rev-5 || !late.Canceled {
			t.Errorf("start before the compaction: %+v, %v", late, late.Err())
		}
		expect(t, events(t, c.Watch(ctx, "elsewhere", clientv3.WithRev(rev-5)), 6),
			"[PUT elsewhere=14 PUT elsewhere=15 PUT elsewhere=16 PUT elsewhere=17 PUT elsewhere=18 PUT elsewhere=19]")
	})
}

func TestClientWatchFragments(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, members []*member) {
		c := dial(t, members...)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var want []string
		for i := range 8 {
			value := strings.Repeat(fmt.Sprint(i), 1_000_000)
			_, err := c.Put(call(t), fmt.Sprint("big", i), value)
			ok(t, err)
			want = append(want, fmt.Sprintf("PUT big%d=%.10s", i, value))
		}
		for _, opts := range [][]clientv3.OpOption{{clientv3.WithFragment()}, {}} {
			w := c.Watch(ctx, "big", append(opts, clientv3.WithPrefix(), clientv3.WithRev(1))...)
			expect(t, events(t, w, 8), fmt.Sprint(want))
		}
	})
}

func TestClientTransactions(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, members []*member) {
		c := dial(t, members...)
		_, err := c.Put(call(t), "n", "0")
		ok(t, err)
		done := make(chan error)
		for range 4 { // a counter, increased optimistically by four clients at once
			go func() {
				done <- increase(c, "n", 25)
			}()
		}
		for range 4 {
			ok(t, <-done)
		}
		resp, err := c.Get(call(t), "n")
		ok(t, err)
		expect(t, string(resp.Kvs[0].Value), "100")
		expect(t, resp.Kvs[0].Version, "101")

		nested, err := c.Txn(call(t)).If(clientv3.Compare(clientv3.Value("n"), "=", "100")).Then(
			clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision("new"), "=", 0)},
				[]clientv3.Op{clientv3.OpPut("new", "1"), clientv3.OpGet("new")}, []clientv3.Op{clientv3.OpDelete("n")}),
			clientv3.OpGet("n", clientv3.WithPrefix(), clientv3.WithCountOnly())).Commit()
		ok(t, err)
		inner := nested.Responses[0].GetResponseTxn()
		if !nested.Succeeded || !inner.Succeeded || string(inner.Responses[1].GetResponseRange().Kvs[0].Value) != "1" ||
			nested.Responses[1].GetResponseRange().Count != 2 {
			t.Errorf("nested: %+v", nested)
		}
		_, err = c.Txn(call(t)).Then(clientv3.OpPut("x", "1"), clientv3.OpPut("x", "2")).Commit()
		expect(t, err, rpctypes.ErrDuplicateKey.Error())
		_, err = c.Get(call(t), "n", clientv3.WithRev(1<<40))
		expect(t, err, rpctypes.ErrFutureRev.Error())
		_, err = c.Put(call(t), "big", strings.Repeat("x", 1_600_000))
		expect(t, err, rpctypes.ErrRequestTooLarge.Error())
	})
}

func increase(c *clientv3.Client, key string, times int) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for times > 0 {
		resp, err := c.Get(ctx, key)
		if err != nil {
			return err
		}
		var n int
		fmt.Sscan(string(resp.Kvs[0].Value), &n)
		txn, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", resp.Kvs[0].ModRevision)).
			Then(clientv3.OpPut(key, fmt.Sprint(n+1))).Commit()
		if err != nil {
			return err
		}
		if txn.Succeeded {
			times--
		}
	}
	return nil
}

// TestClientOfThreeMembers writes to every member, reads linearizably from
// another, and loses one member on the way.
func TestClientOfThreeMembers(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, members []*member) {
		lead := leader(t, members)
		var single []*clientv3.Client
		for _, m := range members {
			single = append(single, dial(t, m))
		}
		for i := range 30 {
			value := fmt.Sprint("v", i)
			put, err := single[i%3].Put(call(t), "key", value)
			ok(t, err)
			get, err := single[(i+1)%3].Get(call(t), "key")
			ok(t, err)
			if string(get.Kvs[0].Value) != value || get.Kvs[0].ModRevision != put.Header.Revision {
				t.Fatalf("member %d does not see the write %s: %v", (i+1)%3, value, get.Kvs)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		all := dial(t, members...)
		w := all.Watch(ctx, "w", clientv3.WithPrefix())
		seen := map[uint64]bool{}
		for i := range 12 {
			resp, err := all.Put(call(t), fmt.Sprint("w", i), "")
			ok(t, err)
			seen[resp.Header.MemberId] = true
		}
		if len(seen) < 2 {
			t.Errorf("12 writes went to %d members", len(seen))
		}
		lead.kill()
		var rest []*member
		for _, m := range members {
			if m != lead {
				rest = append(rest, m)
			}
		}
		newLeader(t, rest, lead) // a write under way now may be lost or not
		var want []string
		for i := range 24 {
			if i >= 12 {
				_, err := all.Put(call(t), fmt.Sprint("w", i), "")
				ok(t, err)
			}
			want = append(want, fmt.Sprintf("PUT w%d=", i))
		}
		expect(t, events(t, w, 24), fmt.Sprint(want)) // the watch moves to another member
		lead.start()
		lead.ready()
		agree(t, members)
	})
}

// TestQuota fills a database up to its quota: the write that would go over is
// refused, not half done, and the way out is that of the books.
func TestQuota(t *testing.T) {
	processes(t)
	for _, k := range []kind{etcd, vitrine} {
		t.Run(string(k), func(t *testing.T) {
			m := run(t, []kind{k}, "--quota-backend-bytes", "1000000", "--backend-batch-interval", "5ms")[0]
			c := dial(t, m)
			value := strings.Repeat("v", 100_000)
			last, err := int64(0), error(nil)
			for i := 0; err == nil; i++ {
				var resp *clientv3.PutResponse
				if resp, err = c.Put(call(t), "big", fmt.Sprint(i, value)); err == nil {
					last = resp.Header.Revision
				}
				if i > 20 {
					t.Fatal("two megabytes fit into one")
				}
				time.Sleep(20 * time.Millisecond) // the backend commits
			}
			expect(t, err, rpctypes.ErrNoSpace.Error())
			get, err := c.Get(call(t), "big")
			ok(t, err)
			if get.Kvs[0].ModRevision != last || get.Header.Revision != last {
				t.Errorf("a refused write has changed something: %d, the last revision was %d", get.Kvs[0].ModRevision, last)
			}
			alarms, err := c.AlarmList(call(t))
			ok(t, err)
			if len(alarms.Alarms) != 1 || alarms.Alarms[0].MemberID != get.Header.MemberId ||
				alarms.Alarms[0].Alarm != etcdpb.AlarmType_NOSPACE {
				t.Errorf("alarms: %v", alarms.Alarms)
			}
			_, err = c.Put(call(t), "small", "")
			expect(t, err, rpctypes.ErrNoSpace.Error())
			_, err = c.Txn(call(t)).Then(clientv3.OpPut("small", "")).Commit()
			expect(t, err, rpctypes.ErrNoSpace.Error())
			_, err = c.Txn(call(t)).Then(clientv3.OpDelete("none"), clientv3.OpGet("big")).Commit()
			ok(t, err)
			code, _, body := request(t, m, "GET", "/health")
			expect(t, fmt.Sprint(code, body), "503"+`{"health":"false","reason":"ALARM NOSPACE"}`+"\n")
			code, _, body = request(t, m, "GET", "/health?exclude=NOSPACE")
			expect(t, fmt.Sprint(code, body), "200"+`{"health":"true","reason":""}`)
			status, err := m.status()
			ok(t, err)
			for i := range status.Errors {
				status.Errors[i] = strings.ReplaceAll(status.Errors[i], "  ", " ") // protobuf's text is made to vary
			}
			expect(t, status.Errors, fmt.Sprintf("[memberID:%d alarm:NOSPACE]", get.Header.MemberId))

			_, err = c.Compact(call(t), last, clientv3.WithCompactPhysical())
			ok(t, err)
			_, err = c.Put(call(t), "small", "") // as long as the alarm stands
			expect(t, err, rpctypes.ErrNoSpace.Error())
			_, err = c.Defragment(call(t), m.client)
			ok(t, err)
			_, err = c.AlarmDisarm(call(t), &clientv3.AlarmMember{})
			ok(t, err)
			_, err = c.Put(call(t), "small", "")
			ok(t, err)
			alarms, err = c.AlarmList(call(t))
			ok(t, err)
			expect(t, len(alarms.Alarms), "0")
		})
	}
}
