package store

import (
	"fmt"
	"slices"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/watch"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// follower is a watch hub with one stream, on which each watcher has its own id.
type follower struct {
	hub    *watch.Hub
	events map[int64][]*pb.Event // by watcher
	ended  map[int64]int64       // watchers that were told of a compaction, and where it is
}

func newFollower(m *machine, requests []*pb.WatchCreateRequest, from int64) *follower {
	f := &follower{
		hub:    watch.NewHub(watch.Config{NoEncoding: true, ScanRevisions: 3, RecentRevisions: 2}, nil),
		events: map[int64][]*pb.Event{}, ended: map[int64]int64{},
	}
	f.hub.Reset(0, m.KV.Revision(), m.KV.CompactRevision())
	f.hub.Open(1)
	for i, r := range requests {
		r = proto.CloneOf(r)
		r.WatchId, r.StartRevision = int64(i+1), from
		create := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
		f.hub.Request(0, 1, create)
	}
	f.settle(m)
	return f
}

// settle takes all that the hub has, and answers its questions from the store.
func (f *follower) settle(m *machine) {
	for {
		pushes, scans := f.hub.Drain(nil, nil)
		for _, p := range pushes {
			if p.Response.CompactRev != 0 {
				f.ended[p.Response.WatchID] = p.Response.CompactRev
			}
			f.events[p.Response.WatchID] = append(f.events[p.Response.WatchID], p.Response.Message(nil).Events...)
			f.hub.Sent(1, 1)
		}
		for _, s := range scans {
			f.hub.Scanned(0, m.Scan(s))
		}
		if len(pushes)+len(scans) == 0 {
			return
		}
	}
}

// since is what a watcher has seen from a revision on.
func (f *follower) since(id, rev int64) (out []string) {
	for _, e := range f.events[id] {
		if e.Kv.ModRevision >= rev {
			out = append(out, fmt.Sprintf("%v %v was %v", e.Type, e.Kv, e.PrevKv))
		}
	}
	return out
}

// randomTxn changes keys several times in one revision: nested, deleted and put again, with reads of what was written.
func randomTxn(t *rapid.T, depth int) *pb.TxnRequest {
	key := func() []byte { return []byte{byte('a' + rapid.IntRange(0, 2).Draw(t, "key"))} }
	branch := func() (ops []*pb.RequestOp) {
		for range rapid.IntRange(0, 3).Draw(t, "ops") {
			op := &pb.RequestOp{}
			switch rapid.IntRange(0, 3+depth).Draw(t, "op") {
			case 0, 1:
				op.Request = &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
					Key: key(), Value: []byte(rapid.StringN(0, 2, -1).Draw(t, "value")),
					IgnoreValue: rapid.IntRange(0, 9).Draw(t, "ignore value") == 0,
				}}
			case 2, 3:
				op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{
					Key: key(), RangeEnd: rapid.SampledFrom([][]byte{nil, nil, {0}, []byte("c")}).Draw(t, "end"),
				}}
			default:
				op.Request = &pb.RequestOp_RequestTxn{RequestTxn: randomTxn(t, depth-1)}
			}
			ops = append(ops, op)
		}
		return ops
	}
	exists := &pb.Compare{Key: key(), Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}
	return &pb.TxnRequest{Compare: []*pb.Compare{exists}, Success: branch(), Failure: branch()}
}

// TestLiveEventsAreThoseOfHistory: whoever watched all the time, whoever comes later and starts anywhere in the past,
// and whoever does so after a restart, see the same events, with the same previous pairs, filters or not.
func TestLiveEventsAreThoseOfHistory(t *testing.T) {
	deletes := []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}
	puts := []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}
	requests := []*pb.WatchCreateRequest{
		{Key: []byte("a"), RangeEnd: []byte{0}},
		{Key: []byte("a"), RangeEnd: []byte{0}, PrevKv: true},
		{Key: []byte("a"), PrevKv: true, Filters: deletes},
		{Key: []byte("b"), RangeEnd: []byte("d"), PrevKv: true, Filters: puts},
	}
	rapid.Check(t, func(t *rapid.T) {
		m, j := newMachine(t, backend.NewMem()), &journal{}
		live := newFollower(m, requests, 0)
		for range rapid.IntRange(1, 25).Draw(t, "log") {
			if rapid.IntRange(0, 5).Draw(t, "entry") == 0 {
				rev := rapid.Int64Range(0, m.KV.Revision()).Draw(t, "compact")
				j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: rev}})
			} else {
				j.request(&pb.InternalRaftRequest{Txn: randomTxn(t, 2)})
			}
			r := m.Apply(ApplyContext{WithPrev: live.hub.WantsPrev()}, j.entries)
			live.hub.Publish(0, r.Changes, r.Revision, r.CompactRevision)
			live.settle(m)
			for range rapid.IntRange(0, 2).Draw(t, "housekeeping") {
				m.Housekeep(2)
			}
		}
		m.commit(t)
		from := rapid.Int64Range(1, m.KV.Revision()).Draw(t, "from")
		for name, store := range map[string]*machine{"later": m, "after a restart": m.reboot(t)} {
			late := newFollower(store, requests, from)
			for id := int64(1); id <= int64(len(requests)); id++ {
				if compacted := m.KV.CompactRevision(); from < compacted {
					if late.ended[id] != compacted || len(late.events[id]) > 0 {
						t.Fatalf("%s, watcher %d from %d is told of a compaction at %d (%d), and %d events", name, id, from,
							late.ended[id], compacted, len(late.events[id]))
					}
					continue
				}
				// What a compaction took out of its own revision is gone from history.
				rev := max(from, m.KV.CompactRevision()+1)
				if got, want := late.since(id, rev), live.since(id, rev); !slices.Equal(got, want) {
					t.Fatalf("%s, watcher %d from %d: %q, live %q", name, id, from, got, want)
				}
			}
		}
	})
}
