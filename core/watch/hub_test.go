package watch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/core/limits"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

func TestDefaults(t *testing.T) {
	want := Config{
		StreamPushes: limits.WatchStreamPushes, StreamBytes: limits.WatchStreamBytes,
		TotalBytes: limits.WatchTotalBytes, LeastBytes: limits.WatchStreamLeastBytes,
		ResponseBytes: limits.WatchResponseBytes, FragmentBytes: limits.MaxRequestBytes + limits.RequestOverheadBytes,
		Scans: limits.WatchScans, ScanRevisions: limits.WatchScanRevisions, ScanBytes: limits.WatchScanBytes,
		RecentRevisions: limits.WatchRecentRevisions, RecentBytes: limits.WatchRecentBytes,
		ProgressInterval: limits.WatchProgressInterval,
	}
	if got := (Config{}).withDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	own := Config{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, time.Second, true}
	if got := own.withDefaults(); got != own {
		t.Errorf("%+v, want %+v", got, own)
	}
	if got := (Config{ProgressInterval: 1}).withDefaults().ProgressInterval; got != limits.WatchProgressIntervalMin {
		t.Errorf("progress every %v", got)
	}
}

// TestStrangers: what is said of a stream that is not there, or not any more, changes nothing.
func TestStrangers(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k")})
	w.drain()
	w.hub.Close(9)
	w.hub.Sent(9, 1)
	w.askProgress(9)
	w.hub.Open(1) // it is open
	w.hub.Sent(1, 100)
	for _, r := range []*pb.WatchRequest{
		nil, {}, {RequestUnion: &pb.WatchRequest_CreateRequest{}}, {RequestUnion: &pb.WatchRequest_CancelRequest{}},
		{RequestUnion: &pb.WatchRequest_ProgressRequest{}},
	} {
		w.hub.Request(w.now, 1, r)
	}
	w.cancel(1, 77)
	if pushes, _ := w.hub.Drain(nil, nil); len(pushes) != 0 {
		t.Errorf("%d pushes, the first %s", len(pushes), describe(pushes[0].Response))
	}
	if c := w.hub.Counts(); c != (Counts{Streams: 1, Watchers: 1}) || audit(w.hub) != nil {
		t.Errorf("%+v, %v", c, audit(w.hub))
	}
}

// TestTooManyWatchers of one stream are refused, in words that clients know.
func TestTooManyWatchers(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	for range limits.MaxWatchersPerStream + 1 {
		w.create(1, &pb.WatchCreateRequest{Key: []byte("k")})
	}
	var last *Response
	w.onPush = func(_ uint64, r *Response) { last = r }
	w.drain()
	if !last.Created || !last.Canceled || last.WatchID != noWatcher || last.Reason != reasonTooMany {
		t.Errorf("one too many: %s", describe(last))
	}
	if n := w.hub.Counts().Watchers; n != limits.MaxWatchersPerStream {
		t.Errorf("%d watchers", n)
	}
}

// TestBothFilters, in either order: nothing is left.
func TestBothFilters(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	put, del := pb.WatchCreateRequest_NOPUT, pb.WatchCreateRequest_NODELETE
	for _, fs := range [][]pb.WatchCreateRequest_FilterType{{put, del}, {del, put}} {
		w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), Filters: fs})
	}
	w.settle()
	w.onPush = func(_ uint64, r *Response) { t.Errorf("%s", describe(r)) }
	w.write(false, op{"k", "1"})
	w.write(false, op{"k", ""})
	w.publish(2)
	w.settle()
}

// TestProgressBegins with the first request on a stream, not with its opening, and comes between one and one and a
// tenth of an interval later.
func TestProgressBegins(t *testing.T) {
	for id := range uint64(50) {
		w := newWorld(Config{ProgressInterval: time.Second})
		w.open(id)
		w.hub.Tick(w.now) // nothing is due
		w.now += trace.Instant(900 * time.Millisecond)
		w.hub.Tick(w.now)
		w.create(id, &pb.WatchCreateRequest{Key: []byte("k"), ProgressNotify: true})
		w.drain()
		w.sent(id, 1)
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{time.Second - 1, 0}, {100*time.Millisecond + 1, 1}, {1, 1}} {
			w.now += trace.Instant(c.after)
			w.hub.Tick(w.now)
			w.drain()
			if got := len(w.pushes[id]); got != c.want {
				t.Errorf("stream %d, %v later: %d notifications, want %d", id, c.after, got, c.want)
			}
		}
		if err := audit(w.hub); err != nil {
			t.Error(err)
		}
	}
}

// TestProgressKeepsTime: rounds are as many as the interval promises although ticks, no shorter than it, come late.
func TestProgressKeepsTime(t *testing.T) {
	const interval, ticks = 100 * time.Millisecond, 100
	for id := range uint64(50) {
		w := newWorld(Config{ProgressInterval: interval})
		w.open(id)
		w.create(id, &pb.WatchCreateRequest{Key: []byte("k"), ProgressNotify: true})
		w.drain()
		w.sent(id, 1)
		got := 0
		for range ticks {
			w.now += trace.Instant(interval)
			w.hub.Tick(w.now)
			w.drain()
			got += len(w.sent(id, 2))
		}
		if got < ticks*9/10 || got > ticks {
			t.Errorf("stream %d: %d notifications in %d intervals", id, got, ticks)
		}
	}
}

// TestCredit: a stream waits when it has as many pushes, or as many bytes, as it may have, and goes on when half of
// both is free.
func TestCredit(t *testing.T) {
	for _, c := range []struct {
		pushes, bytes int
		blocked       bool // once more
		credit, goes  bool
	}{
		{3, 99, false, true, true},
		{4, 99, false, false, true},
		{3, 100, false, false, true},
		{1, 1, true, false, true},
		{2, 50, true, false, true},
		{3, 50, true, false, false},
		{2, 51, true, false, false},
	} {
		h := NewHub(Config{StreamPushes: 4, StreamBytes: 100}, nil)
		h.Open(1)
		s := h.streams[1]
		s.blocked = c.blocked
		s.onTheWay = make([]parcel, c.pushes+1)
		s.onTheWay[0].size, s.onTheWay[c.pushes].size, s.bytes = 7, c.bytes, c.bytes+7
		s.sent = 1
		s.bytes -= 7
		if got := h.hasCredit(s); got != c.credit {
			t.Errorf("%d pushes, %d bytes, blocked %v: credit %v", c.pushes, c.bytes, c.blocked, got)
		}
		if h.Sent(1, 0); c.blocked && s.blocked == c.goes {
			t.Errorf("%d pushes, %d bytes: blocked %v", c.pushes, c.bytes, s.blocked)
		}
	}
}

// TestLongBatch: the bookkeeping of a thousand pushes, and of a batch of a hundred events.
func TestLongBatch(t *testing.T) {
	w := newWorld(Config{StreamPushes: 2000})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k")})
	for i := range 300 {
		w.write(false, op{"k", fmt.Sprint(i)})
		w.publish(1)
	}
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2}) // all of it at once
	w.drain()
	if err := audit(w.hub); err != nil {
		t.Error(err)
	}
	for n := 1; len(w.pushes[1]) > 0; n = n%7 + 1 {
		w.sent(1, n)
		if err := audit(w.hub); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResponseEnd: a response that has reached ResponseBytes takes no further revision, and none takes more revisions
// than a scan.
func TestResponseEnd(t *testing.T) {
	h := NewHub(Config{}, nil)
	w := &watcher{}
	c := newChange(&mvcc.Change{Rev: 2, Events: []mvcc.Event{{Event: &pb.Event{Kv: &pb.KeyValue{Key: []byte("k")}}}}})
	size := h.encoder.variant(c.item(0), false).size
	for rev := range int64(5) {
		it := *c.item(0)
		it.rev = rev
		w.batch = append(w.batch, &it)
	}
	for _, tc := range []struct{ bytes, revisions, want int }{
		{1, 9, 1}, {size, 9, 1}, {size + 1, 9, 2}, {2 * size, 9, 2}, {100 * size, 9, 5}, {100 * size, 3, 3},
	} {
		h.cfg.ResponseBytes, h.cfg.ScanRevisions = tc.bytes, int64(tc.revisions)
		if got := h.responseEnd(w, 0); got != tc.want {
			t.Errorf("%d bytes, %d revisions: ends at %d, want %d", tc.bytes, tc.revisions, got, tc.want)
		}
	}
}

// TestFragments: one is full when the next event would bring it to FragmentBytes, none is empty, and all but the first
// go whatever the credit.
func TestFragments(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, Fragment: true})
	w.drain()
	w.sent(1, 1)
	var ops []op
	for i := range 6 {
		ops = append(ops, op{fmt.Sprint("k", i), "v"})
	}
	w.write(false, ops...)
	one := NewHub(Config{}, nil).encoder.variant(newChange(&w.history[0]).item(0), false).size
	empty := (&Response{Rev: 2}).SizeWire()
	for _, c := range []struct {
		bytes int
		want  []int
	}{
		{1, []int{1, 1, 1, 1, 1, 1}},
		{empty + 2*one, []int{1, 1, 1, 1, 1, 1}},
		{empty + 2*one + 1, []int{2, 2, 2}},
		{empty + 4*one + 1, []int{4, 2}},
		{1 << 20, []int{6}},
	} {
		w.hub.cfg.FragmentBytes = c.bytes
		w.publish(1)
		w.write(false, ops...)
		w.drain()
		var got []int
		for i, r := range w.pushes[1] {
			got = append(got, len(r.Events.Events))
			if r.Fragment != (i < len(w.pushes[1])-1) {
				t.Errorf("%d bytes: response %d of %d: fragment %v", c.bytes, i, len(w.pushes[1]), r.Fragment)
			}
		}
		if !slices.Equal(got, c.want) || w.hub.streams[1].free != len(c.want)-1 {
			t.Errorf("%d bytes: %v, %d of them free", c.bytes, got, w.hub.streams[1].free)
		}
		w.sent(1, len(got))
	}
}

// TestServes: recent changes do for who needs nothing older, and no previous pair from before they were looked up.
func TestServes(t *testing.T) {
	r := recent{first: 5, prevFrom: 8}
	for _, c := range []struct {
		next int64
		prev bool
		want bool
	}{{4, false, false}, {5, false, true}, {7, true, false}, {8, true, true}} {
		if got := r.serves(&watcher{next: c.next, prev: c.prev}); got != c.want {
			t.Errorf("from %d, prev %v: %v", c.next, c.prev, got)
		}
	}
}

// behind is a world at revision 100 whose recent changes are of no use, with a watcher of k from each revision, on a
// stream of its own.
func behind(cfg Config, revs ...int64) *world {
	cfg.RecentRevisions = 1
	w := newWorld(cfg)
	for i := range 99 {
		w.write(false, op{"k", fmt.Sprint(i)})
	}
	w.publish(99)
	for i, rev := range revs {
		w.open(uint64(i + 1))
		w.create(uint64(i+1), &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: rev})
	}
	w.drain()
	return w
}

// TestScansGoRound: a watcher that comes from far back does not hold up those that wait already.
func TestScansGoRound(t *testing.T) {
	w := behind(Config{Scans: 1, ScanRevisions: 10}, 2, 50)
	var from []int64
	for i := range 8 {
		if len(w.scans) != 1 {
			t.Fatalf("%d scans", len(w.scans))
		}
		from = append(from, w.scans[0].From)
		w.hub.Scanned(w.now, w.scan(0))
		id := uint64(10 + i)
		w.open(id)
		w.create(id, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2})
		w.drain()
	}
	// One that has come after its revisions were scanned waits until the scans have gone round.
	if want := []int64{2, 12, 22, 32, 42, 52, 62, 72}; !slices.Equal(from, want) {
		t.Errorf("scans from %v, want %v", from, want)
	}
}

// TestScanWithoutUse: one that fails, or brings nothing new, is not repeated before the next tick; one that shows that
// history is gone ends its watchers.
func TestScanWithoutUse(t *testing.T) {
	for _, c := range []struct {
		name         string
		r            ScanResult
		again, ended bool
	}{
		{"an error", ScanResult{Err: errors.New("disk")}, false, false},
		{"nothing new", ScanResult{Next: 2}, false, false},
		{"compacted, but not there", ScanResult{Err: mvcc.ErrCompacted, CompactRev: 2}, false, false},
		{"compacted", ScanResult{Err: mvcc.ErrCompacted, CompactRev: 3}, false, true},
		{"an error in the middle", ScanResult{Err: errors.New("disk"), Next: 3}, false, false},
		{"an error with a revision", ScanResult{Err: errors.New("disk"), CompactRev: 3}, false, false},
		{"a bit", ScanResult{Next: 3}, true, false},
		{"of another", ScanResult{ID: 77, Next: 3}, false, false},
	} {
		w := behind(Config{}, 2)
		q := w.scans[0]
		w.scans, w.pushes = nil, map[uint64][]*Response{}
		if c.r.ID == 0 {
			c.r.ID = q.ID
		}
		w.hub.Scanned(w.now, &c.r)
		w.drain()
		if got := len(w.scans) > 0; got != c.again {
			t.Errorf("%s: asked again %v", c.name, got)
		}
		if got := len(w.pushes[1]) > 0 && w.pushes[1][0].CompactRev == 3; got != c.ended {
			t.Errorf("%s: ended %v", c.name, got)
		}
		w.hub.Tick(w.now)
		w.drain()
		if held := !c.again && !c.ended && c.r.ID == q.ID; held && len(w.scans) != 1 {
			t.Errorf("%s: %d scans after a tick", c.name, len(w.scans))
		}
		if err := audit(w.hub); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestScansBesideOneAnother: each revision is read by one of them only, and no more than Scans are in flight.
func TestScansBesideOneAnother(t *testing.T) {
	w := behind(Config{Scans: 3, ScanRevisions: 10}, 2, 5, 11, 12, 40, 60)
	var got [][2]int64
	ids := map[uint64]bool{}
	for _, s := range w.scans {
		got = append(got, [2]int64{s.From, s.To})
		ids[s.ID] = true
	}
	if want := [][2]int64{{2, 11}, {12, 21}, {40, 49}}; !slices.Equal(got, want) || len(ids) != 3 {
		t.Errorf("scans %v, want %v; %d ids", got, want, len(ids))
	}
	w.settle()
	if c := w.hub.Counts(); c.Behind != 0 || c.Scans != 0 {
		t.Errorf("%+v", c)
	}
}

// TestServedMakesRoom: of nine watchers behind on one stream eight may catch up; seven of them wait for a scan. The
// one that recent changes serve makes room for the ninth, which they serve, too, at once.
func TestServedMakesRoom(t *testing.T) {
	w := newWorld(Config{StreamPushes: 1, RecentRevisions: 3})
	for i := range 9 {
		w.write(false, op{"k", fmt.Sprint(i)})
	}
	w.publish(9)
	w.open(1)
	for i := range admittedPerPush + 1 {
		rev, key := int64(9), "x"
		if i < admittedPerPush-1 {
			rev = 2
		}
		w.create(1, &pb.WatchCreateRequest{Key: []byte(key), StartRevision: rev})
	}
	w.drain()
	if c := w.hub.Counts(); c.Behind != admittedPerPush-1 {
		t.Errorf("%d are behind, want %d", c.Behind, admittedPerPush-1)
	}
	if err := audit(w.hub); err != nil {
		t.Error(err)
	}
}

// TestStreamsAreNotifiedApart: those opened together are spread over a tenth of the interval.
func TestStreamsAreNotifiedApart(t *testing.T) {
	h := NewHub(Config{ProgressInterval: time.Minute}, nil)
	least, most := time.Hour, time.Duration(0)
	for id := range uint64(100) {
		every := h.progressInterval(&stream{id: id})
		least, most = min(least, every), max(most, every)
	}
	if least < time.Minute || most > 66*time.Second || most-least < 5*time.Second {
		t.Errorf("from %v to %v", least, most)
	}
}

// TestWatchersOfAStreamTakeTurns: each that gets a response goes behind those that wait.
func TestWatchersOfAStreamTakeTurns(t *testing.T) {
	w := newWorld(Config{StreamPushes: 1, ResponseBytes: 1})
	w.open(1)
	for i := range 6 {
		w.write(false, op{"k", fmt.Sprint(i)})
	}
	w.publish(6)
	const watchers = admittedPerPush + 4
	for range watchers {
		w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2})
	}
	w.drain()
	w.sent(1, watchers)
	var turns []int64
	for w.drain(); len(w.pushes[1]) > 0; w.drain() {
		for _, r := range w.sent(1, 1) {
			if !r.Created {
				turns = append(turns, r.WatchID)
			}
		}
	}
	if len(turns) != 6*watchers {
		t.Fatalf("%d responses", len(turns))
	}
	first := slices.Sorted(slices.Values(turns[:watchers]))
	if len(slices.Compact(first)) != watchers {
		t.Errorf("of %d watchers these came first: %v", watchers, turns[:watchers])
	}
}

// TestWhoGotNothingKeepsItsPlace: only a watcher that got a response goes behind those that wait.
func TestWhoGotNothingKeepsItsPlace(t *testing.T) {
	w := newWorld(Config{Scans: 1, ScanRevisions: 1, RecentRevisions: 1})
	w.open(1)
	for i := range 9 {
		w.write(false, op{string("abc"[i%3]), fmt.Sprint(i)})
	}
	w.publish(9)
	for _, key := range []string{"a", "b", "c"} {
		w.create(1, &pb.WatchCreateRequest{Key: []byte(key), StartRevision: 2})
	}
	for _, want := range []string{"b c a", "c a b", "a b c", "b c a"} {
		w.drain()
		w.hub.Scanned(w.now, w.scan(0))
		var line []string
		for x := w.hub.streams[1].behind.head; x != nil; x = x.after {
			line = append(line, x.key)
		}
		if got := strings.Join(line, " "); got != want {
			t.Errorf("in line: %s, want %s", got, want)
		}
	}
}

// TestCanceledMakesRoom: when a watcher that catches up is canceled, the next one of its stream may.
func TestCanceledMakesRoom(t *testing.T) {
	w := behind(Config{StreamPushes: 1}, 2)
	for range 2 * admittedPerPush {
		w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2})
	}
	w.cancel(1, 0)
	if err := audit(w.hub); err != nil {
		t.Error(err)
	}
}

// TestSyncedIsNotCompacted: a watcher that has passed everything is not ended by a compaction behind it when the store
// is replaced, though nothing has come for it for long.
func TestSyncedIsNotCompacted(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("quiet")})
	for i := range 10 {
		w.write(false, op{"k", fmt.Sprint(i)})
	}
	w.compact(11)
	w.publish(10)
	w.write(false, op{"quiet", "1"})
	w.snapshot()
	var got []string
	w.onPush = func(_ uint64, r *Response) { got = append(got, describe(r)) }
	w.settle()
	if want := []string{"watch 0 rev 1 created", "watch 0 rev 12 quiet@12=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRevisionWithoutChanges: the hub is where the store is, also if that has come there without an event.
func TestRevisionWithoutChanges(t *testing.T) {
	h := NewHub(Config{NoEncoding: true}, nil)
	h.Publish(0, nil, 5, 0)
	if h.Revision() != 5 {
		t.Errorf("revision %d", h.Revision())
	}
	if !h.encoder.skip {
		t.Error("encodes though nobody needs it")
	}
}

// TestFree: answers to requests, and only they, are not held back by credit, and are counted apart.
func TestFree(t *testing.T) {
	w := newWorld(Config{})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k")})
	w.write(false, op{"k", "1"})
	w.publish(1)
	if s := w.hub.streams[1]; s.free != 1 || s.pushes() != 2 {
		t.Errorf("%d of %d are free", s.free, s.pushes())
	}
}

// TestScansInFlight: what one of them reads is not asked for again, and nothing beside it is taken for read.
func TestScansInFlight(t *testing.T) {
	w := behind(Config{Scans: 5, ScanRevisions: 10}, 50)
	for i, rev := range []int64{2, 70, 5, 12} {
		id := uint64(10 + i)
		w.open(id)
		w.create(id, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: rev})
		w.drain()
	}
	var got []int64
	for _, s := range w.scans {
		got = append(got, s.From)
	}
	if want := []int64{50, 2, 70, 12}; !slices.Equal(got, want) {
		t.Errorf("scans from %v, want %v", got, want)
	}
}

// TestProgressNeedsCredit, also on request: the client asks again.
func TestProgressNeedsCredit(t *testing.T) {
	w := newWorld(Config{StreamPushes: 2})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k")})
	w.write(false, op{"k", "1"})
	w.publish(1)
	w.askProgress(1)
	w.drain()
	if n := len(w.pushes[1]); n != 2 {
		t.Errorf("%d responses", n)
	}
	w.sent(1, 2)
	w.askProgress(1)
	w.drain()
	if n := len(w.pushes[1]); n != 1 || !w.pushes[1][0].Progress {
		t.Errorf("%d responses", n)
	}
}

// TestFits: beside all others a stream may have more on its way while all have less than TotalBytes, or while it has
// less than LeastBytes itself.
func TestFits(t *testing.T) {
	h := NewHub(Config{TotalBytes: 100, LeastBytes: 10}, nil)
	for _, c := range []struct {
		all, own int
		want     bool
	}{{99, 99, true}, {100, 10, false}, {100, 9, true}, {1000, 9, true}, {0, 0, true}} {
		h.bytes = c.all
		if got := h.fits(&stream{bytes: c.own}); got != c.want {
			t.Errorf("%d of all, %d its own: %v", c.all, c.own, got)
		}
	}
}

// TestCreditOfAll: a stream that waits goes on only where there is room beside all others.
func TestCreditOfAll(t *testing.T) {
	for all, blocked := range map[int]bool{99: false, 100: true} {
		h := NewHub(Config{TotalBytes: 100, LeastBytes: 10}, nil)
		h.Open(1)
		s := h.streams[1]
		s.blocked, s.onTheWay, s.bytes, h.bytes = true, []parcel{{size: 20}}, 20, all
		if h.Sent(1, 0); s.blocked != blocked {
			t.Errorf("with %d bytes of all on their way it waits: %v", all, s.blocked)
		}
	}
}

// TestRecentBounds: of the newest changes as many are kept as the bounds allow, both of them, and no more.
func TestRecentBounds(t *testing.T) {
	for _, c := range []struct{ revisions, bytes, left int }{
		{9, 40, 4}, {9, 39, 3}, {9, 30, 3}, {9, 0, 0}, {4, 99, 4}, {3, 99, 3}, {3, 20, 2}, {0, 99, 0},
	} {
		r := recent{maxRevisions: c.revisions, maxBytes: c.bytes, first: 1, prevFrom: 1}
		for rev := int64(5); rev < 9; rev++ {
			r.changes = append(r.changes, &change{rev: rev, bytes: 10})
			r.bytes += 10
		}
		r.trim()
		if len(r.changes) != c.left || r.bytes != 10*c.left || c.left < 4 && r.first != 9-int64(c.left) {
			t.Errorf("%d revisions, %d bytes: %d are left of %d bytes, from %d", c.revisions, c.bytes, len(r.changes), r.bytes,
				r.first)
		}
	}
}

// TestProgressIsPunctual: a notification that is due now does not wait for the next tick.
func TestProgressIsPunctual(t *testing.T) {
	w := newWorld(Config{ProgressInterval: time.Second})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), ProgressNotify: true})
	w.drain()
	w.sent(1, 1)
	w.hub.Tick(w.now)
	due := w.hub.streams[1].progressAt
	if due == 0 {
		t.Fatal("no notification is due")
	}
	for _, c := range []struct {
		now  trace.Instant
		want int
	}{{due - 1, 0}, {due, 1}} {
		w.now = c.now
		w.hub.Tick(w.now)
		w.drain()
		if got := len(w.pushes[1]); got != c.want {
			t.Errorf("at %v of %v: %d notifications", c.now, due, got)
		}
	}
}

// TestMissedProgressIsLost: the round after one that came late is due where it would have been, or, if its time has
// come by then, a whole interval later.
func TestMissedProgressIsLost(t *testing.T) {
	w := newWorld(Config{ProgressInterval: time.Second})
	w.open(1)
	w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), ProgressNotify: true})
	w.drain()
	s := w.hub.streams[1]
	interval := trace.Instant(w.hub.progressInterval(s))
	for _, c := range []struct{ late, next trace.Instant }{
		{0, interval}, {interval - 1, interval}, {interval, 2 * interval}, {interval + 1, 2*interval + 1},
		{5 * interval, 6 * interval},
	} {
		due := s.progressAt
		w.hub.Tick(due + c.late)
		if next := s.progressAt - due; next != c.next {
			t.Errorf("%v late: the next is due %v after, want %v", c.late, next, c.next)
		}
	}
}

// TestRefused: a create request that must not be performed is answered as one that is created and canceled at once, at
// a revision that whoever asks has seen; of a stream that is gone nobody asks.
func TestRefused(t *testing.T) {
	w := newWorld(Config{})
	w.write(false, op{"k", "1"})
	w.publish(1)
	w.open(1)
	for seen, rev := range map[int64]int64{0: 2, 9: 9} {
		w.hub.Refuse(1, seen, "no")
		w.hub.Refuse(5, seen, "no")
		w.drain()
		got := w.sent(1, 1)
		if len(got) != 1 {
			t.Fatalf("%d answers", len(got))
		}
		if r := got[0]; !r.Created || !r.Canceled || r.WatchID != -1 || r.Reason != "no" || r.Rev != rev {
			t.Errorf("answer %+v, want one at %d", r, rev)
		}
	}
}
