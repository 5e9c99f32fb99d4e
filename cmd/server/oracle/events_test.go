package oracle

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// eventsUntil collects what a watch from a revision on delivers, up to the revision until.
func eventsUntil(t *testing.T, w clientv3.WatchChan, until int64) string {
	t.Helper()
	var out []string
	for {
		select {
		case resp, open := <-w:
			if !open || resp.Err() != nil {
				t.Fatalf("the watch ended: %v", resp.Err())
			}
			for _, e := range resp.Events {
				if e.Kv.ModRevision >= until {
					return strings.Join(out, "\n")
				}
				out = append(out, fmt.Sprintf("%v %v was %v", e.Type, e.Kv, e.PrevKv))
			}
		case <-time.After(callTimeout):
			t.Fatalf("no event of revision %d", until)
		}
	}
}

// TestEventsOfOneRevision changes keys several times in one transaction, as far as etcd lets clients do that: its check
// for duplicate keys overlooks branches that exclude each other and deletions of everything from a key on. Both servers
// tell those who watched all the time and those who come later the same.
func TestEventsOfOneRevision(t *testing.T) {
	processes(t)
	all := clientv3.WithFromKey()
	del := clientv3.OpDelete
	put := clientv3.OpPut
	txn := func(ops ...clientv3.Op) clientv3.Op { return clientv3.OpTxn(nil, ops, nil) }
	steps := [][]clientv3.Op{
		{put("a", "1"), put("b", "1"), put("c", "1")},
		{put("b", "2"), put("c", "2")},
		{del("b", all), put("b", "3")},
		{del("b", all), put("c", "3"), put("d", "1")},
		{put("e", "1"), del("a", all)},
		{txn(put("a", "4")), txn(del("a", all)), put("b", "4")},
		{txn(put("f", "1")), txn(del("f", all))},
		{del("a", all), txn(put("a", "5")), txn(put("b", "5"), txn(del("b", all)))},
	}
	var seen []map[string]string
	for _, k := range []kind{etcd, vitrine} {
		m := run(t, []kind{k})[0]
		c := dial(t, m)
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		options := map[string][]clientv3.OpOption{
			"pairs":   {all, clientv3.WithPrevKV()},
			"bare":    {all},
			"deletes": {all, clientv3.WithPrevKV(), clientv3.WithFilterPut()},
			"one":     {clientv3.WithPrevKV()},
		}
		watches := map[string]clientv3.WatchChan{}
		for name, o := range options {
			watches["live "+name] = c.Watch(ctx, "a", append(o, clientv3.WithCreatedNotify())...)
			<-watches["live "+name]
		}
		for i, ops := range steps {
			if _, err := c.Txn(call(t)).Then(ops...).Commit(); err != nil {
				t.Fatalf("%s, step %d: %v", k, i, err)
			}
		}
		_, err := c.Put(call(t), "a", "the end")
		ok(t, err)
		resp, err := c.Delete(call(t), "a")
		ok(t, err)
		for name, o := range options {
			watches["late "+name] = c.Watch(ctx, "a", append(o, clientv3.WithRev(2))...)
		}
		got := map[string]string{}
		for name, w := range watches {
			got[name] = eventsUntil(t, w, resp.Header.Revision)
		}
		for name := range options {
			if got["live "+name] != got["late "+name] || got["live "+name] == "" {
				t.Errorf("%s, %s: live\n%s\nlate\n%s", k, name, got["live "+name], got["late "+name])
			}
		}
		seen = append(seen, got)
	}
	for name, want := range seen[0] {
		if got := seen[1][name]; got != want {
			t.Errorf("%s:\n%s\netcd:\n%s", name, got, want)
		}
	}
}
