package watch

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"pgregory.net/rapid"
)

// client is what one watcher has promised to its client, and how far it got.
type client struct {
	req     *pb.WatchCreateRequest
	from    int64 // first revision promised
	done    int64 // everything up to here was delivered
	created bool
	ended   bool
	got     []*pb.Event
}

// promises checks each response of every stream against etcd's promises about watches, I19 to I25.
type promises struct {
	*world
	t       *rapid.T
	clients map[uint64]map[int64]*client
	asked   map[uint64][]*pb.WatchCreateRequest // creates that were not answered yet
}

func (p *promises) check(stream uint64, r *Response) {
	if r.Rev > p.hub.Revision() && !(r.Created && r.Rev <= p.rev()) {
		p.t.Fatalf("stream %d: header is ahead of the hub: %s", stream, describe(r))
	}
	cs := p.clients[stream]
	switch {
	case r.Created:
		req := p.asked[stream][0]
		p.asked[stream] = p.asked[stream][1:]
		if r.Canceled {
			if r.WatchID != noWatcher || r.Reason == "" {
				p.t.Fatalf("refusal without a reason: %s", describe(r))
			}
			return
		}
		if c := cs[r.WatchID]; c != nil && !c.ended {
			p.t.Fatalf("stream %d: id %d is taken", stream, r.WatchID)
		}
		c := &client{req: req, created: true, from: req.StartRevision}
		if c.from == 0 {
			c.from = r.Rev + 1
		}
		c.done = c.from - 1
		cs[r.WatchID] = c
	case r.Progress && r.WatchID == noWatcher:
		for _, id := range sortedIDs(cs) {
			if !cs[id].ended {
				p.checkProgress(stream, id, cs[id], r.Rev)
			}
		}
	default:
		c := cs[r.WatchID]
		if c == nil || c.ended {
			p.t.Fatalf("stream %d: response to a watcher that is not there: %s", stream, describe(r))
		}
		p.checkWatcher(stream, c, r)
	}
}

func (p *promises) checkWatcher(stream uint64, c *client, r *Response) {
	switch {
	case r.Canceled:
		if r.CompactRev != 0 {
			if c.done+1 >= r.CompactRev || r.CompactRev > p.compactRev || r.Rev != 0 {
				p.t.Fatalf("stream %d: %s, though all up to %d was delivered", stream, describe(r), c.done)
			}
		}
		c.ended = true
	case r.Progress:
		if !c.req.ProgressNotify {
			p.t.Fatalf("stream %d: progress that nobody asked for", stream)
		}
		p.checkProgress(stream, r.WatchID, c, r.Rev)
	default:
		p.checkEvents(stream, c, r)
	}
}

// checkProgress: bookmarkable. What is promised must have been delivered.
func (p *promises) checkProgress(stream uint64, id int64, c *client, rev int64) {
	if rev < c.from-1 || rev < c.req.StartRevision {
		p.t.Fatalf("stream %d watch %d: progress at %d before the first revision %d", stream, id, rev, c.req.StartRevision)
	}
	if next := p.next(c); next != nil && next.Rev <= rev {
		p.t.Fatalf("stream %d watch %d: progress at %d, but revision %d was not delivered", stream, id, rev, next.Rev)
	}
}

// next is the first change after what c got that has events for it, reduced to these.
func (p *promises) next(c *client) *mvcc.Change {
	for _, ch := range p.history[min(max(c.done-1, 0), int64(len(p.history))):] {
		if ch.Rev <= c.done {
			continue
		}
		out := mvcc.Change{Rev: ch.Rev}
		for _, ev := range ch.Events {
			if wants(c.req, ev.Event) {
				out.Events = append(out.Events, ev)
			}
		}
		if len(out.Events) > 0 {
			return &out
		}
	}
	return nil
}

func wants(r *pb.WatchCreateRequest, ev *pb.Event) bool {
	for _, f := range r.Filters {
		if f == pb.WatchCreateRequest_NOPUT && ev.Type == pb.Event_PUT || f == pb.WatchCreateRequest_NODELETE &&
			ev.Type == pb.Event_DELETE {
			return false
		}
	}
	key, end := r.Key, r.RangeEnd
	if len(end) == 0 {
		return bytes.Equal(key, ev.Kv.Key)
	}
	return bytes.Compare(key, ev.Kv.Key) <= 0 && (bytes.Equal(end, []byte{0}) || bytes.Compare(ev.Kv.Key, end) < 0)
}

// checkEvents: ordered, unique, reliable and atomic. The events must be the next ones, of whole revisions.
func (p *promises) checkEvents(stream uint64, c *client, r *Response) {
	if r.Fragment && !c.req.Fragment {
		p.t.Fatalf("stream %d: fragment that nobody asked for", stream)
	}
	c.got = append(c.got, r.Events.Events...)
	if r.Fragment {
		return
	}
	for len(c.got) > 0 {
		ch := p.next(c)
		if ch == nil || len(c.got) < len(ch.Events) {
			p.t.Fatalf("stream %d: unexpected or torn: %s", stream, describe(r))
		}
		for i := range ch.Events {
			p.checkEvent(stream, c, ch, &ch.Events[i], c.got[i])
		}
		c.got = c.got[len(ch.Events):]
		c.done = ch.Rev
	}
	if r.Rev < c.done {
		p.t.Fatalf("stream %d: header %d is behind its events", stream, r.Rev)
	}
}

func (p *promises) checkEvent(stream uint64, c *client, ch *mvcc.Change, want *mvcc.Event, got *pb.Event) {
	if got.Type != want.Type || !bytes.Equal(got.Kv.Key, want.Kv.Key) || got.Kv.ModRevision != ch.Rev ||
		!bytes.Equal(got.Kv.Value, want.Kv.Value) {
		p.t.Fatalf("stream %d: got %v, want %v", stream, got, want.Event)
	}
	prev := p.at(want.Kv.Key, ch.Rev-1)
	switch {
	case !c.req.PrevKv:
		if got.PrevKv != nil {
			p.t.Fatalf("stream %d: previous pair that nobody asked for", stream)
		}
	case got.PrevKv == nil:
		if prev != nil && ch.Rev-1 >= p.compactRev {
			p.t.Fatalf("stream %d: %s@%d lacks its previous pair", stream, want.Kv.Key, ch.Rev)
		}
	case prev == nil || got.PrevKv.ModRevision != prev.ModRevision:
		p.t.Fatalf("stream %d: %s@%d has a wrong previous pair", stream, want.Kv.Key, ch.Rev)
	}
}

func sortedIDs(cs map[int64]*client) []int64 {
	var ids []int64
	for id := int64(-1); len(ids) < len(cs) && id < 10_000; id++ {
		if cs[id] != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestMain makes rapid look harder than by default: some promises break only when four rare things meet.
func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set {
		if err := flag.Set("rapid.checks", "2000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestPromises runs random writes, compactions, streams, credits, scans and snapshots against the promises, and at the
// end demands that every watcher that was not canceled got everything.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &promises{
			world: newWorld(Config{
				StreamPushes:     rapid.IntRange(1, 6).Draw(t, "pushes"),
				StreamBytes:      rapid.SampledFrom([]int{0, 300, 1500}).Draw(t, "bytes"),
				ResponseBytes:    rapid.SampledFrom([]int{0, 60, 200}).Draw(t, "response"),
				FragmentBytes:    150,
				Scans:            rapid.IntRange(1, 3).Draw(t, "scans"),
				ScanRevisions:    int64(rapid.IntRange(1, 20).Draw(t, "revisions")),
				ScanBytes:        rapid.SampledFrom([]int{0, 10}).Draw(t, "scan bytes"),
				RecentRevisions:  rapid.SampledFrom([]int{1, 4, 1000}).Draw(t, "recent"),
				NoEncoding:       rapid.Bool().Draw(t, "no encoding"),
				ProgressInterval: time.Second,
			}),
			t: t, clients: map[uint64]map[int64]*client{}, asked: map[uint64][]*pb.WatchCreateRequest{},
		}
		p.onPush = p.check
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			p.step(t)
		}
		p.publish(len(p.history))
		p.settle()
		for _, id := range p.order {
			for _, watch := range sortedIDs(p.clients[id]) {
				c := p.clients[id][watch]
				if next := p.next(c); !c.ended && next != nil {
					t.Fatalf("stream %d watch %d: revision %d was never delivered", id, watch, next.Rev)
				}
			}
		}
		if n := p.hub.Counts(); n.Behind != 0 || n.Scans != 0 {
			t.Fatalf("not at rest: %+v", n)
		}
	})
}

func (p *promises) step(t *rapid.T) {
	key := func() string { return string(rune('a' + rapid.IntRange(0, 4).Draw(t, "key"))) }
	stream := func() uint64 {
		if len(p.order) == 0 {
			return 0
		}
		return p.order[rapid.IntRange(0, len(p.order)-1).Draw(t, "stream")]
	}
	switch rapid.SampledFrom([]string{
		"write", "publish", "create", "scan", "sent", "write", "open", "publish", "progress", "create", "tick", "scan",
		"compact", "cancel", "sent", "close", "snapshot",
	}).Draw(t, "step") {
	case "write":
		var ops []op
		used := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(t, "ops") {
			if k := key(); !used[k] {
				used[k] = true
				ops = append(ops,
					op{k, rapid.SampledFrom([]string{"", "1", "2", "long long long long long long long"}).Draw(t, "value")})
			}
		}
		p.write(p.hub.WantsPrev() && rapid.Bool().Draw(t, "with prev"), ops...)
	case "publish":
		p.publish(rapid.IntRange(0, 5).Draw(t, "publish"))
	case "compact":
		p.compact(int64(rapid.IntRange(1, int(p.rev())).Draw(t, "compact")))
	case "open":
		if len(p.order) < 4 {
			p.openStream()
		}
	case "close":
		if id := stream(); id != 0 && rapid.Bool().Draw(t, "really") {
			p.closeStream(id)
		}
	case "create":
		if id := stream(); id != 0 {
			p.createWatch(t, id, key)
		}
	case "cancel":
		if id := stream(); id != 0 {
			p.drain() // a cancel of a watcher that has just been created would overtake its check
			p.cancel(id, int64(rapid.IntRange(0, 5).Draw(t, "cancel")))
			p.drain()
		}
	case "progress":
		p.askProgress(stream())
	case "scan":
		if len(p.scans) > 0 {
			p.hub.Scanned(p.now, p.scan(rapid.IntRange(0, len(p.scans)-1).Draw(t, "scan")))
		}
	case "sent":
		if id := stream(); id != 0 {
			p.sent(id, rapid.IntRange(0, 5).Draw(t, "sent"))
		}
	case "tick":
		p.now += trace.Instant(rapid.SampledFrom([]time.Duration{time.Second / 2, 2 * time.Second}).Draw(t, "time"))
		p.hub.Tick(p.now)
	case "snapshot":
		p.snapshot()
	}
	if rapid.Bool().Draw(t, "drain") {
		p.drain()
	}
	if err := audit(p.hub); err != nil {
		t.Fatal(err)
	}
}

func (p *promises) openStream() {
	id := uint64(len(p.clients) + 1)
	p.open(id)
	p.clients[id] = map[int64]*client{}
}

func (p *promises) createWatch(t *rapid.T, id uint64, key func() string) {
	r := &pb.WatchCreateRequest{
		Key: []byte(key()), StartRevision: int64(rapid.IntRange(-1, int(p.rev())+4).Draw(t, "start")),
		WatchId: int64(rapid.SampledFrom([]int{0, 0, 0, 2, 5}).Draw(t, "id")),
		PrevKv:  rapid.Bool().Draw(t, "prev"), Fragment: rapid.Bool().Draw(t, "fragment"),
		ProgressNotify: rapid.Bool().Draw(t, "notify"),
	}
	switch rapid.IntRange(0, 3).Draw(t, "range") {
	case 0:
		r.RangeEnd = []byte{0}
	case 1:
		r.RangeEnd = []byte(key())
	}
	if rapid.IntRange(0, 3).Draw(t, "filtered") == 0 {
		r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(rapid.IntRange(0, 1).Draw(t, "filter")))
	}
	p.asked[id] = append(p.asked[id], r)
	seen := int64(0)
	if rapid.Bool().Draw(t, "seen") {
		seen = p.rev()
	}
	p.hub.RequestSeen(p.now, id, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}, seen)
}

// TestSameCallsSamePushes: the hub is deterministic.
func TestSameCallsSamePushes(t *testing.T) {
	run := func() string {
		w := newWorld(Config{StreamPushes: 3, RecentRevisions: 2})
		var log bytes.Buffer
		w.onPush = func(s uint64, r *Response) { fmt.Fprintf(&log, "%d: %s\n", s, describe(r)) }
		for i := range 40 {
			w.open(uint64(i + 1))
			w.create(uint64(i+1), &pb.WatchCreateRequest{Key: []byte{byte('a' + i%5)}, RangeEnd: []byte{byte('a' + i%7), 'x'},
				PrevKv: i%3 == 0})
			w.create(uint64(i+1), &pb.WatchCreateRequest{Key: []byte{byte('a' + i%5)}})
			w.write(i%2 == 0, op{string(rune('a' + i%5)), fmt.Sprint(i)}, op{string(rune('b' + i%6)), fmt.Sprint(i)})
			w.publish(1)
			if i%9 == 0 {
				w.settle()
			}
		}
		w.settle()
		return log.String()
	}
	if a, b := run(), run(); a != b || len(a) < 1000 {
		t.Fatalf("two runs differ:\n%s\n%s", a, b)
	}
}
