package watch

import (
	"bytes"
	"fmt"
	"slices"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// world is a hub with a store that it reads, and clients that note what they get. The store may be ahead of the hub,
// as it is when entries are applied beside the core.
type world struct {
	hub        *Hub
	now        trace.Instant
	history    []mvcc.Change // of all revisions from 2 on
	compactRev int64
	published  int // changes
	scans      []Scan
	pushes     map[uint64][]*Response // on the way to clients
	order      []uint64               // streams, in the order of their opening
	onPush     func(stream uint64, r *Response)
}

func newWorld(cfg Config) *world {
	w := &world{hub: NewHub(cfg, nil), pushes: map[uint64][]*Response{}}
	w.hub.Reset(0, 1, 0)
	return w
}

func (w *world) rev() int64 { return int64(len(w.history)) + 1 }

// at is the pair of a key at a revision, nil if it does not exist.
func (w *world) at(key []byte, rev int64) *pb.KeyValue {
	for i := len(w.history) - 1; i >= 0; i-- {
		if w.history[i].Rev > rev {
			continue
		}
		evs := w.history[i].Events
		for j := len(evs) - 1; j >= 0; j-- {
			if bytes.Equal(evs[j].Kv.Key, key) {
				if evs[j].Type == pb.Event_DELETE {
					return nil
				}
				return evs[j].Kv
			}
		}
	}
	return nil
}

// op is one operation of a write: a put, or a delete if value is nil.
type op struct{ key, value string }

// write applies one transaction to the store.
func (w *world) write(withPrev bool, ops ...op) {
	rev := w.rev() + 1
	c := mvcc.Change{Rev: rev}
	for _, o := range ops {
		prev := w.at([]byte(o.key), rev)
		ev := mvcc.Event{HasPrev: withPrev}
		if withPrev {
			ev.Prev = prev
		}
		if o.value == "" {
			if prev == nil {
				continue
			}
			ev.Event = &pb.Event{Type: pb.Event_DELETE, Kv: &pb.KeyValue{Key: []byte(o.key), ModRevision: rev}}
		} else {
			kv := &pb.KeyValue{Key: []byte(o.key), Value: []byte(o.value), CreateRevision: rev, ModRevision: rev, Version: 1}
			if prev != nil {
				kv.CreateRevision, kv.Version = prev.CreateRevision, prev.Version+1
			}
			ev.Event = &pb.Event{Type: pb.Event_PUT, Kv: kv}
		}
		c.Events = append(c.Events, ev)
	}
	if len(c.Events) > 0 {
		w.history = append(w.history, c)
	}
}

// publish gives the hub the next n changes of the store.
func (w *world) publish(n int) {
	n = min(n, len(w.history)-w.published)
	changes := w.history[w.published : w.published+n]
	w.published += n
	rev := int64(w.published) + 1
	w.hub.Publish(w.now, changes, rev, min(w.compactRev, rev))
}

func (w *world) compact(rev int64) { w.compactRev = max(w.compactRev, rev) }

// drain takes what the hub wants done.
func (w *world) drain() {
	pushes, scans := w.hub.Drain(nil, nil)
	for _, p := range pushes {
		w.pushes[p.Stream] = append(w.pushes[p.Stream], p.Response)
		if w.onPush != nil {
			w.onPush(p.Stream, p.Response)
		}
	}
	w.scans = append(w.scans, scans...)
}

// scan runs the i-th scan of those in flight on the store.
func (w *world) scan(i int) *ScanResult {
	q := w.scans[i]
	w.scans = slices.Delete(w.scans, i, i+1)
	r := &ScanResult{ID: q.ID, CompactRev: w.compactRev, Next: q.From}
	if q.From < w.compactRev {
		r.Err = mvcc.ErrCompacted
		return r
	}
	size := 0
	for _, c := range w.history {
		if c.Rev < q.From || c.Rev > q.To {
			continue
		}
		if size >= q.MaxBytes {
			return r
		}
		out := mvcc.Change{Rev: c.Rev}
		for _, ev := range c.Events {
			ev.Prev, ev.HasPrev = nil, q.WithPrev
			if q.WithPrev && c.Rev-1 >= w.compactRev {
				ev.Prev = w.at(ev.Kv.Key, c.Rev-1)
			}
			out.Events = append(out.Events, ev)
			size += len(ev.Kv.Key) + len(ev.Kv.Value)
		}
		r.Changes = append(r.Changes, out)
		r.Next = c.Rev + 1
	}
	r.Next = max(r.Next, q.To+1)
	return r
}

// settle runs scans and sends pushes until nothing is left to do.
func (w *world) settle() {
	for i := 0; i < 100_000; i++ {
		w.drain()
		if len(w.scans) > 0 {
			w.hub.Scanned(w.now, w.scan(0))
			continue
		}
		idle := true
		for _, id := range w.order {
			if n := len(w.pushes[id]); n > 0 {
				w.sent(id, n)
				idle = false
			}
		}
		if idle {
			return
		}
	}
	panic("the hub does not come to rest")
}

// sent takes n responses off the way.
func (w *world) sent(id uint64, n int) []*Response {
	n = min(n, len(w.pushes[id]))
	out := w.pushes[id][:n:n]
	w.pushes[id] = w.pushes[id][n:]
	w.hub.Sent(id, n)
	return out
}

func (w *world) open(id uint64) {
	w.hub.Open(id)
	w.order = append(w.order, id)
}

func (w *world) closeStream(id uint64) {
	w.hub.Close(id)
	delete(w.pushes, id)
	w.order = slices.DeleteFunc(w.order, func(x uint64) bool { return x == id })
}

// snapshot replaces the store by one that is ahead, with changes that are never published.
func (w *world) snapshot() {
	w.published = len(w.history)
	w.hub.Reset(w.now, w.rev(), w.compactRev)
}

func (w *world) create(id uint64, r *pb.WatchCreateRequest) {
	w.hub.Request(w.now, id, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}})
}

func (w *world) cancel(id uint64, watch int64) {
	w.hub.Request(w.now, id,
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: watch}}})
}

func (w *world) askProgress(id uint64) {
	w.hub.Request(w.now, id,
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

// describe writes a response on one line.
func describe(r *Response) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "watch %d rev %d", r.WatchID, r.Rev)
	for _, f := range []struct {
		on   bool
		name string
	}{{r.Created, "created"}, {r.Canceled, "canceled"}, {r.Progress, "progress"}, {r.Fragment, "fragment"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	if r.CompactRev != 0 {
		fmt.Fprintf(&b, " compact %d", r.CompactRev)
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, " (%s)", r.Reason)
	}
	if r.Events != nil {
		for _, ev := range r.Events.Events {
			fmt.Fprintf(&b, " %s@%d", ev.Kv.Key, ev.Kv.ModRevision)
			if ev.Type == pb.Event_PUT {
				fmt.Fprintf(&b, "=%s", short(ev.Kv.Value))
			} else {
				b.WriteString(" gone")
			}
			if ev.PrevKv != nil {
				fmt.Fprintf(&b, "(was %s)", short(ev.PrevKv.Value))
			}
		}
	}
	return b.String()
}

func short(v []byte) string {
	if len(v) > 12 {
		return fmt.Sprintf("%d bytes", len(v))
	}
	return string(v)
}
