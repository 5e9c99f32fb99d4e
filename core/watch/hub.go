package watch

import (
	"cmp"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"github.com/google/btree"
)

// Why a watcher is refused: etcd's texts.
const (
	reasonCompacted   = "etcdserver: mvcc: required revision has been compacted"
	reasonEmptyRange  = "mvcc: watcher range is empty"
	reasonDuplicateID = "mvcc: duplicate watch ID provided on the WatchStream"
	reasonTooMany     = "etcdserver: too many requests" // our own bound, in words that clients know
)

// noWatcher is the watch id of refusals and of progress notifications for a whole stream.
const noWatcher = -1

// Config bounds a hub. A zero field means the default of package limits.
type Config struct {
	StreamPushes     int           // responses on their way to one stream
	StreamBytes      int           // bytes on their way to one stream
	TotalBytes       int           // bytes on their way to all streams, beyond the least that each has
	LeastBytes       int           // bytes on their way to one stream that TotalBytes does not hold back
	ResponseBytes    int           // a response that has reached this size takes no further revision
	FragmentBytes    int           // a response of this size is split for watchers that ask for fragments
	Scans            int           // scans in flight
	ScanRevisions    int64         // revisions of one scan
	ScanBytes        int           // bytes of one scan
	RecentRevisions  int           // newest changes kept for catching up without a scan
	RecentBytes      int           // bytes of them
	ProgressInterval time.Duration // of progress notifications to watchers that want them
	NoEncoding       bool          // the driver needs messages, not bytes (the simulator)
}

func (c Config) withDefaults() Config {
	c.StreamPushes = cmp.Or(c.StreamPushes, limits.WatchStreamPushes)
	c.StreamBytes = cmp.Or(c.StreamBytes, limits.WatchStreamBytes)
	c.TotalBytes = cmp.Or(c.TotalBytes, limits.WatchTotalBytes)
	c.LeastBytes = cmp.Or(c.LeastBytes, limits.WatchStreamLeastBytes)
	c.ResponseBytes = cmp.Or(c.ResponseBytes, limits.WatchResponseBytes)
	c.FragmentBytes = cmp.Or(c.FragmentBytes, limits.MaxRequestBytes+limits.RequestOverheadBytes)
	c.Scans = cmp.Or(c.Scans, limits.WatchScans)
	c.ScanRevisions = cmp.Or(c.ScanRevisions, limits.WatchScanRevisions)
	c.ScanBytes = cmp.Or(c.ScanBytes, limits.WatchScanBytes)
	c.RecentRevisions = cmp.Or(c.RecentRevisions, limits.WatchRecentRevisions)
	c.RecentBytes = cmp.Or(c.RecentBytes, limits.WatchRecentBytes)
	c.ProgressInterval = max(cmp.Or(c.ProgressInterval, limits.WatchProgressInterval), limits.WatchProgressIntervalMin)
	return c
}

// Hub holds all watchers of a member.
type Hub struct {
	cfg   Config
	trace *trace.Tracer

	rev, compactRev int64 // up to here published; below here gone

	streams map[uint64]*stream
	order   []*stream // all streams, for visits in a fixed order
	bytes   int       // on their way to all of them
	prevs   int       // watchers that want previous pairs
	created uint64    // watchers ever created
	synced  *index
	behind  *btree.BTreeG[*watcher] // the admitted of all streams, by next revision
	recent  recent

	scans    []Scan // in flight
	scanID   uint64
	cursor   int64 // where the search for the next scan begins
	scanHold bool  // a scan failed: none before the next tick
	dirty    bool  // catching up may be possible

	match      matcher
	progressAt trace.Instant // the earliest of the streams'

	pushes  []Push
	wanted  []Scan
	encoder encoder
}

// NewHub returns a hub without streams, at revision 0. Reset tells it where the store is.
func NewHub(cfg Config, t *trace.Tracer) *Hub {
	h := &Hub{
		cfg:     cfg.withDefaults(),
		trace:   t,
		streams: make(map[uint64]*stream),
		synced:  newIndex(),
		behind: btree.NewG(16, func(a, b *watcher) bool {
			return a.next < b.next || a.next == b.next && a.seq < b.seq
		}),
	}
	h.encoder.skip = h.cfg.NoEncoding
	h.recent = recent{maxRevisions: h.cfg.RecentRevisions, maxBytes: h.cfg.RecentBytes, first: 1, prevFrom: 1}
	h.match.init(h)
	return h
}

// Revision is the revision up to which changes were published.
func (h *Hub) Revision() int64 { return h.rev }

// WantsPrev tells whether some watcher wants previous pairs, so that it pays to look them up when changes are applied.
func (h *Hub) WantsPrev() bool { return h.prevs > 0 }

// Counts are for metrics and pictures.
type Counts struct{ Streams, Watchers, Behind, Scans int }

// Counts returns how many streams and watchers there are, how many watchers are behind, and scans in flight.
func (h *Hub) Counts() Counts {
	c := Counts{Streams: len(h.order), Scans: len(h.scans)}
	for _, s := range h.order {
		c.Watchers += len(s.watchers)
		c.Behind += s.behind.length
	}
	return c
}

// Open makes a stream without watchers. Stream numbers are the driver's and are not used twice.
func (h *Hub) Open(id uint64) {
	if h.streams[id] != nil {
		return
	}
	s := &stream{id: id, slot: len(h.order), byID: make(map[int64]*watcher)}
	h.streams[id] = s
	h.order = append(h.order, s)
}

// Close forgets a stream and all its watchers. Nothing more is pushed to it.
func (h *Hub) Close(id uint64) {
	s := h.streams[id]
	if s == nil {
		return
	}
	h.trace.Emit(trace.Event{Kind: trace.WatchStreamClosed, B: id, C: uint64(len(s.watchers))})
	for len(s.watchers) > 0 {
		h.removeWatcher(s.watchers[len(s.watchers)-1])
	}
	h.bytes -= s.bytes
	invariant.Assert(h.bytes >= 0, "watch: less than nothing is on its way")
	invariant.Assert(s.behind.length == 0, "watch: a closed stream has watchers in line")
	invariant.Assert(h.order[s.slot] == s, "watch: a stream is not where it says")
	delete(h.streams, id)
	last := len(h.order) - 1
	h.order[s.slot] = h.order[last]
	h.order[s.slot].slot = s.slot
	h.order[last] = nil
	h.order = h.order[:last]
}

// Request performs what the client of a stream asked for.
func (h *Hub) Request(now trace.Instant, id uint64, req *pb.WatchRequest) {
	h.RequestSeen(now, id, req, 0)
}

// RequestSeen is Request for a driver whose store may be ahead of the hub: seen is the store's revision when the
// request came. A watcher from now on begins after it, so that a client never gets an event that it has read before it
// asked.
func (h *Hub) RequestSeen(now trace.Instant, id uint64, req *pb.WatchRequest, seen int64) {
	s := h.streams[id]
	if s == nil {
		return
	}
	if s.progressAt == 0 {
		s.progressAt = now + trace.Instant(h.progressInterval(s))
		if h.progressAt == 0 || s.progressAt < h.progressAt {
			h.progressAt = s.progressAt
		}
	}
	switch r := req.GetRequestUnion().(type) {
	case *pb.WatchRequest_CreateRequest:
		if r.CreateRequest != nil {
			h.create(s, r.CreateRequest, max(seen, h.rev))
		}
	case *pb.WatchRequest_CancelRequest:
		if w := s.byID[r.CancelRequest.GetWatchId()]; r.CancelRequest != nil && w != nil && !mutant.On(mutant.CancelIgnored) {
			if mutant.On(mutant.EventAfterCancel) && !w.behind {
				s.remove(w)
			} else {
				h.removeWatcher(w)
			}
			h.answer(s, &Response{WatchID: w.id, Canceled: true, Rev: h.rev})
			h.emit(trace.WatchCanceled, w, 0, h.rev, "")
		}
	case *pb.WatchRequest_ProgressRequest:
		if r.ProgressRequest != nil {
			h.progressAll(s)
		}
	}
}

// Refuse answers a create request that must not be performed, with the reason; seen is as for RequestSeen.
func (h *Hub) Refuse(id uint64, seen int64, reason string) {
	if s := h.streams[id]; s != nil {
		h.answer(s, &Response{WatchID: noWatcher, Created: true, Canceled: true, Rev: max(seen, h.rev), Reason: reason})
	}
}

// create answers a create request; rev is the current revision.
func (h *Hub) create(s *stream, r *pb.WatchCreateRequest, rev int64) {
	refuse := func(reason string) {
		h.answer(s, &Response{WatchID: noWatcher, Created: true, Canceled: true, Rev: rev, Reason: reason})
	}
	span, ok := spanOf(r.GetKey(), r.GetRangeEnd())
	switch {
	case r.GetStartRevision() < 0:
		refuse(reasonCompacted)
		return
	case !ok:
		refuse(reasonEmptyRange)
		return
	case r.GetWatchId() != 0 && s.byID[r.GetWatchId()] != nil:
		refuse(reasonDuplicateID)
		return
	case len(s.watchers) >= limits.MaxWatchersPerStream:
		refuse(reasonTooMany)
		return
	}
	h.created++
	w := &watcher{
		id: r.GetWatchId(), stream: s, seq: h.created, span: span,
		start: r.GetStartRevision(), next: r.GetStartRevision(),
		prev: r.GetPrevKv(), fragment: r.GetFragment(), progress: r.GetProgressNotify(), quiet: true,
	}
	for _, f := range r.GetFilters() {
		w.noPut = w.noPut || f == pb.WatchCreateRequest_NOPUT
		w.noDelete = w.noDelete || f == pb.WatchCreateRequest_NODELETE
	}
	if w.id == 0 || mutant.On(mutant.WatchIDIgnored) {
		w.id = s.freeID()
	}
	if w.next == 0 || mutant.On(mutant.FutureWatchEarly) && w.next > rev {
		w.next = rev + 1
	}
	if mutant.On(mutant.CursorOffByOne) && w.next <= h.rev {
		w.next++
	}
	invariant.Assert(w.next > 0, "watch: a watcher begins before the first revision")
	s.add(w)
	if w.prev {
		h.prevs++
	}
	h.answer(s, &Response{WatchID: w.id, Created: true, Rev: rev})
	h.emit(trace.WatchCreated, w, 0, w.next, span.key)
	if w.next < h.compactRev {
		h.cancelCompacted(w)
		return
	}
	h.settle(w)
}

// progressAll tells a stream that all its watchers are at the current revision, if they are. If not, the client asks
// again; and a watcher that waits for a future revision must not be told of one before it.
func (h *Hub) progressAll(s *stream) {
	if behind := s.behind.length > 0 || !h.hasCredit(s); len(s.watchers) == 0 ||
		behind && !mutant.On(mutant.ProgressUnsynced) {
		return
	}
	for _, w := range s.watchers {
		if (h.rev < w.start || h.rev+1 < w.next) && !mutant.On(mutant.ProgressBeforeStart) {
			return
		}
	}
	if mutant.On(mutant.ProgressUnanswered) {
		return
	}
	h.push(s, &Response{WatchID: noWatcher, Rev: h.rev, Progress: true})
}

// Tick sends the periodic progress notifications and lets scans resume after one has failed.
func (h *Hub) Tick(now trace.Instant) {
	if h.scanHold {
		h.scanHold, h.dirty = false, true
	}
	if h.progressAt == 0 || now < h.progressAt || mutant.On(mutant.ProgressNever) {
		return
	}
	h.progressAt = 0
	for _, s := range h.order {
		if s.progressAt == 0 {
			continue
		}
		if now >= s.progressAt {
			h.progressEach(s)
			s.progressAt = h.progressNext(s, now)
		}
		if h.progressAt == 0 || s.progressAt < h.progressAt {
			h.progressAt = s.progressAt
		}
	}
}

// progressEach begins a round of notifications to the watchers of s that want them, are synced and had no event since
// the last round.
func (h *Hub) progressEach(s *stream) {
	s.due = len(s.watchers)
	h.progressRest(s)
}

// progressRest goes on with the round as far as the stream has credit; the rest of it follows when there is more.
func (h *Hub) progressRest(s *stream) {
	for s.due = min(s.due, len(s.watchers)); s.due > 0; s.due-- {
		w := s.watchers[s.visit%len(s.watchers)]
		if w.progress {
			if w.quiet && !w.behind && h.rev >= w.start && h.rev+1 >= w.next {
				if !h.hasCredit(s) {
					if mutant.On(mutant.ProgressStarved) {
						s.due, s.visit = 0, 0
					}
					return
				}
				h.push(s, &Response{WatchID: w.id, Rev: h.rev, Progress: true})
			}
			w.quiet = true
		}
		s.visit++
	}
}

// progressInterval is up to a tenth longer than configured, different by stream, so that streams opened together are
// not notified together.
func (h *Hub) progressInterval(s *stream) time.Duration {
	spread := (s.id + 1) * 0x9e3779b97f4a7c15 >> 44 // 20 bits
	return h.cfg.ProgressInterval + time.Duration(spread)*(h.cfg.ProgressInterval/10)>>20
}

// progressNext is when the round after one that was due at s.progressAt is due. Ticks come later than that, and an
// interval that began at the tick would be up to a tick longer: with one of the tick's length only every other tick
// would notify anybody. A round that was missed altogether is not made up for.
func (h *Hub) progressNext(s *stream, now trace.Instant) trace.Instant {
	interval := trace.Instant(h.progressInterval(s))
	if next := s.progressAt + interval; next > now {
		return next
	}
	return now + interval
}

// Publish gives the hub new changes, in order, and the revision and compact revision after them.
func (h *Hub) Publish(_ trace.Instant, changes []mvcc.Change, rev, compactRev int64) {
	first := len(h.recent.changes)
	for i := range changes {
		invariant.Assert(changes[i].Rev > h.rev && changes[i].Rev <= rev, "watch: changes are published once, in order")
		invariant.Assert(len(changes[i].Events) > 0, "watch: a change without events is published")
		h.rev = changes[i].Rev
		h.recent.add(&changes[i])
	}
	h.rev = max(h.rev, rev)
	h.compactRev = max(h.compactRev, compactRev)
	if h.synced.size > 0 {
		h.match.run(h.synced, h.recent.changes[first:], h.rev+1, true)
	}
	h.recent.trim()
}

// Reset tells the hub that the store was replaced by one at rev (a snapshot was installed), or where it is at the
// start. Synced watchers have seen everything up to the revision published before, and nothing of what lies between.
func (h *Hub) Reset(_ trace.Instant, rev, compactRev int64) {
	invariant.Assert(compactRev <= rev || mutant.On(mutant.CompactRevisionLost),
		"watch: the store is compacted beyond its revision")
	before := h.rev
	h.rev, h.compactRev = max(rev, before), max(compactRev, h.compactRev)
	h.recent.clear(h.rev + 1)
	h.scans, h.wanted = nil, nil
	h.dirty = true
	for _, s := range h.order {
		for _, w := range s.watchers {
			if !w.behind {
				w.next = max(w.next, before+1)
				if mutant.On(mutant.WatchBackInTime) && w.start > 0 {
					w.next = w.start
				}
				if w.next <= h.rev {
					h.synced.remove(w)
					h.settle(w)
				}
			}
		}
	}
}

// Sent gives back the credit of the n oldest pushes of a stream.
func (h *Hub) Sent(id uint64, n int) {
	s := h.streams[id]
	if s == nil {
		return
	}
	for ; n > 0 && s.sent < len(s.onTheWay); n-- {
		p := s.onTheWay[s.sent]
		s.bytes -= p.size
		h.bytes -= p.size
		if p.free {
			s.free--
		}
		s.sent++
	}
	invariant.Assert(s.bytes >= 0 && h.bytes >= 0 && s.free >= 0, "watch: more credit comes back than was given")
	invariant.Assert(s.sent <= len(s.onTheWay), "watch: more pushes have left than were made")
	if s.sent > 64 && s.sent*2 >= len(s.onTheWay) {
		s.onTheWay = s.onTheWay[:copy(s.onTheWay, s.onTheWay[s.sent:])]
		s.sent = 0
	}
	// Resuming at half credit makes each catch-up worth its scan. Where all streams together have too much, a stream that
	// is blocked has more than its least on the way, so that it comes by here again.
	if s.blocked && s.pushes()*2 <= h.cfg.StreamPushes && s.bytes*2 <= h.cfg.StreamBytes && h.fits(s) {
		s.blocked = false
		h.admit(s)
	}
	if s.due > 0 {
		h.progressRest(s)
	}
}

// Drain catches up what can be caught up now and appends what is to be pushed and scanned.
func (h *Hub) Drain(pushes []Push, scans []Scan) ([]Push, []Scan) {
	if h.dirty {
		h.catchUp()
	}
	if mutant.On(mutant.MapOrder) {
		h.pushes = byMap(h.pushes)
	}
	for _, p := range h.pushes {
		if h.streams[p.Stream] != nil { // it may have been closed since
			pushes = append(pushes, p)
		}
	}
	scans = append(scans, h.wanted...)
	clear(h.pushes)
	h.pushes, h.wanted = h.pushes[:0], h.wanted[:0]
	return pushes, scans
}

// byMap is wrong on purpose: it puts pushes into the order in which a map gives
// their streams. Those of one stream stay in order, so only the trace can tell.
func byMap(pushes []Push) (mixed []Push) {
	of := map[uint64][]Push{}
	for _, p := range pushes {
		of[p.Stream] = append(of[p.Stream], p)
	}
	for _, list := range of {
		mixed = append(mixed, list...)
	}
	return mixed
}

// push sends a response on credit, answer one that no credit holds back.
func (h *Hub) push(s *stream, r *Response) { h.launch(s, r, false) }

func (h *Hub) answer(s *stream, r *Response) { h.launch(s, r, true) }

func (h *Hub) launch(s *stream, r *Response, free bool) {
	p := parcel{size: r.SizeWire(), free: free}
	invariant.Assert(p.size > 0, "watch: a response without bytes")
	s.onTheWay = append(s.onTheWay, p)
	s.bytes += p.size
	h.bytes += p.size
	if free {
		s.free++
	}
	h.pushes = append(h.pushes, Push{Stream: s.id, Response: r})
}

func (h *Hub) hasCredit(s *stream) bool {
	return !s.blocked && s.pushes() < h.cfg.StreamPushes && s.bytes < h.cfg.StreamBytes && h.fits(s) ||
		mutant.On(mutant.StreamUnbounded)
}

// fits tells whether a stream may have more on its way beside all others. What is shared by several counts for each.
func (h *Hub) fits(s *stream) bool { return h.bytes < h.cfg.TotalBytes || s.bytes < h.cfg.LeastBytes }

func (h *Hub) emit(kind trace.Kind, w *watcher, events int, rev int64, text string) {
	if h.trace == nil {
		return
	}
	h.trace.Emit(trace.Event{Kind: kind, Rev: rev, A: uint64(w.id), B: w.stream.id, C: uint64(events), Text: text})
}
