package sim

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/setup"
)

// workload is what the simulated clients do: a small key set, so that they
// collide, and every kind of request that the API has.
type workload struct {
	setup.Workload
	keys  [][]byte // shared by all requests, never changed
	names []string
	end   []byte // after the last key
	words [script.Ops][]string
	gap   time.Duration // mean between two thoughts of one client
	off   bool
}

func newWorkload(c setup.Workload) workload {
	l := workload{Workload: c}
	for i := range c.Keys {
		l.names = append(l.names, keyName(i))
		l.keys = append(l.keys, []byte(keyName(i)))
		for op := range script.Ops {
			l.words[op] = append(l.words[op], op.String()+" "+keyName(i))
		}
	}
	l.end = []byte("l")
	l.setRate(c.Rate)
	return l
}

func keyName(i int) string { return "k" + strconv.Itoa(i) }

func (l *workload) setRate(rate float64) {
	l.Rate = rate
	l.gap = 0
	if rate > 0 && l.Clients > 0 {
		l.gap = time.Duration(float64(l.Clients) * float64(time.Second) / rate)
	}
}

// thoughtBefore marks, in an event's slot, an operation whose time had come
// while its client still waited for the last answer.
const thoughtBefore = 1

// thought is a client's alarm: it wants to do something. What clients decide
// comes before all else in its nanosecond, as commands do, so that it can be
// replaced by commands.
func (w *World) thought(e *clock.Event) {
	c := w.clients[e.A]
	if e.Slot == thoughtBefore {
		// It has waited for an answer with this one.
	} else if w.load.gap > 0 && !w.load.off {
		w.clock.PushFirst(clock.Event{At: w.clock.Now + int64(c.dice.Exp(w.load.gap)) + 1, Kind: evThink, A: e.A})
	} else {
		c.asleep = true
		return
	}
	if c.request >= 0 {
		c.due = true
		return
	}
	w.think(c)
}

// wake starts the clients that sleep because there was no load.
func (w *World) wake() {
	if w.load.gap == 0 || w.load.off || w.load.Explicit {
		return
	}
	for _, c := range w.clients[1:] {
		if c.asleep {
			c.asleep = false
			w.clock.PushFirst(clock.Event{At: w.clock.Now + int64(c.dice.Exp(w.load.gap)) + 1, Kind: evThink, A: uint64(c.id)})
		}
	}
}

// think issues one operation: five draws, whatever it becomes.
func (w *World) think(c *client) {
	if w.load.off {
		return
	}
	l := &w.load
	pick := int(c.dice.Uint64N(uint64(l.Mix.Sum())))
	k, k2 := c.dice.IntN(l.Keys), c.dice.IntN(l.Keys)
	how, how2 := c.dice.Uint64(), c.dice.Uint64()
	op, body := script.OpGet, any(nil)
	switch l.Mix.Kind(pick) {
	case 0:
		op, body = script.OpPut, w.makePut(k, how)
	case 1:
		body = &pb.RangeRequest{Key: l.keys[k]}
	case 2:
		body = &pb.RangeRequest{Key: l.keys[k], Serializable: true}
	case 3:
		op, body = script.OpDelete, w.makeDelete(k, k2, how)
	case 4:
		if op = script.OpTxn; how2%8 < 3 {
			body = (&grammar{w, c, how}).txn()
		} else {
			body = w.makeTxn(c, k, k2, how)
		}
	case 5:
		r := (&grammar{w, c, how}).read()
		k, body = slices.IndexFunc(l.keys, func(key []byte) bool { return string(key) == string(r.Key) }), r
	case 6:
		op, body = script.OpCompact, &pb.CompactionRequest{Revision: c.compactAt(how), Physical: how>>16%4 == 0}
	case 7:
		op, body = (&grammar{w, c, how}).call()
	}
	if (c.refused || len(c.alarms) > 0) && how2>>40%3 == 0 {
		op, body = c.repair()
	}
	words, key := l.words[op][k], l.names[k]
	switch t, ok := body.(*pb.TxnRequest); {
	case ok:
		key = script.FirstKeyOf(t)
		words = op.String() + " " + key
	case !op.Keyed():
		words, key = op.String(), ""
	}
	c.request = w.issue(c, op, body, words, key, -1, w.patience())
	w.decided(c, body, w.requests.At(c.request).node)
}

// compactAt is a revision to compact at: the newest one, one a little older, or
// that of a delete, where much has gone wrong in the past.
func (c *client) compactAt(how uint64) int64 {
	switch how >> 8 % 4 {
	case 0:
		return max(1, c.lastRev)
	case 1:
		return max(1, c.tombstone)
	}
	return max(1, c.lastRev-int64(how%64))
}

// value is unlike every other value of the run. A large one spans several blocks
// of a disk, so that a crash can tear it.
func (w *World) value() []byte {
	w.values++
	v := strconv.AppendUint(append(make([]byte, 0, 12), 'v'), w.values, 10)
	if large := w.cfg.Workload.Large; large > 0 && w.values%16 == 0 {
		v = append(v, bytes.Repeat([]byte{'x'}, int(dice.Mix(w.values)%uint64(large)))...)
	}
	return v
}

func (w *World) makePut(k int, how uint64) any {
	r := &pb.PutRequest{Key: w.load.keys[k], PrevKv: how%4 == 0, IgnoreValue: how>>8%16 == 0}
	if !r.IgnoreValue {
		r.Value = w.value()
	}
	return r
}

func (w *World) makeDelete(k, k2 int, how uint64) any {
	r := &pb.DeleteRangeRequest{Key: w.load.keys[k], PrevKv: how%4 == 0}
	if how>>8%8 == 0 && k < k2 {
		r.RangeEnd = w.load.keys[k2]
	}
	return r
}

// makeTxn makes one of the shapes that programs are built from. Its first key is
// k.
func (w *World) makeTxn(c *client, k, k2 int, how uint64) any {
	key, other := w.load.keys[k], w.load.keys[k2]
	switch how % 10 {
	case 7: // all keys from one on, or none of them, and what they were before
		wipe := deleteOp(key)
		wipe.GetRequestDeleteRange().RangeEnd, wipe.GetRequestDeleteRange().PrevKv = w.load.end, true
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_LESS, Target: pb.Compare_VERSION, Key: key, RangeEnd: w.load.end, TargetUnion: &pb.Compare_Version{Version: int64(1 + how>>8%8)}}},
			Success: []*pb.RequestOp{wipe, getOp(key)},
			Failure: []*pb.RequestOp{putOp(other, w.value())},
		}
	case 8: // a page of a sorted list, read beside a write
		page := getOp(key)
		r := page.GetRequestRange()
		r.RangeEnd, r.Limit, r.SortOrder, r.SortTarget = w.load.end, int64(1+how>>8%3), pb.RangeRequest_DESCEND, pb.RangeRequest_SortTarget(how>>16%5)
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_NOT_EQUAL, Target: pb.Compare_MOD, Key: key, TargetUnion: &pb.Compare_ModRevision{ModRevision: c.seen[k].mod}}},
			Success: []*pb.RequestOp{page, putOp(other, w.value()), page},
			Failure: []*pb.RequestOp{page},
		}
	case 9: // a read of two keys that asks no quorum
		first, second := getOp(key), getOp(other)
		first.GetRequestRange().Serializable, second.GetRequestRange().Serializable = true, true
		return &pb.TxnRequest{Success: []*pb.RequestOp{first, second}}
	case 6: // a write, and a read of the past, which may be gone
		past := getOp(other)
		past.GetRequestRange().Revision = max(1, c.lastRev-int64(how>>8%32))
		return &pb.TxnRequest{Success: []*pb.RequestOp{putOp(key, w.value()), past}}
	case 0: // create if absent
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_CREATE, Key: key, TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}},
			Success: []*pb.RequestOp{putOp(key, w.value())},
			Failure: []*pb.RequestOp{getOp(key)},
		}
	case 1: // compare and swap by revision
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_MOD, Key: key, TargetUnion: &pb.Compare_ModRevision{ModRevision: c.seen[k].mod}}},
			Success: []*pb.RequestOp{putOp(key, w.value()), getOp(key)},
			Failure: []*pb.RequestOp{getOp(key)},
		}
	case 2: // compare and swap by value
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_VALUE, Key: key, TargetUnion: &pb.Compare_Value{Value: []byte(c.seen[k].value)}}},
			Success: []*pb.RequestOp{putOp(key, w.value())},
			Failure: []*pb.RequestOp{getOp(key), getOp(other)},
		}
	case 3: // two keys at once
		ops := []*pb.RequestOp{putOp(key, w.value())}
		if k != k2 {
			ops = append(ops, putOp(other, w.value()))
		}
		return &pb.TxnRequest{Success: ops}
	case 4: // one inside another, and a delete
		inner := &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_GREATER, Target: pb.Compare_VERSION, Key: other, TargetUnion: &pb.Compare_Version{Version: 1}}},
			Success: []*pb.RequestOp{deleteOp(other)},
			Failure: []*pb.RequestOp{putOp(other, w.value())},
		}
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_GREATER, Target: pb.Compare_CREATE, Key: key, TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}},
			Success: []*pb.RequestOp{getOp(key), {Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}},
			Failure: []*pb.RequestOp{getOp(other)},
		}
	default: // a read of two keys
		return &pb.TxnRequest{Success: []*pb.RequestOp{getOp(key), getOp(other)}}
	}
}

func putOp(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

func getOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// learn keeps what a read told about its key, for later conditions.
func (c *client) learn(w *World, r *request) {
	resp, ok := r.answer.(*pb.RangeResponse)
	if !ok || r.client == 0 {
		return
	}
	req := r.body.(*pb.RangeRequest)
	if req.RangeEnd != nil || req.Revision != 0 || req.CountOnly || req.KeysOnly {
		return
	}
	for k := range w.load.keys {
		if string(w.load.keys[k]) != string(req.Key) {
			continue
		}
		c.seen[k] = sight{}
		if len(resp.Kvs) > 0 {
			c.seen[k] = sight{string(resp.Kvs[0].Value), resp.Kvs[0].ModRevision}
		}
	}
}

// newClients makes the visitor, number 0, and the simulated ones.
func (w *World) newClients() {
	for i := range w.cfg.Workload.Clients + 1 {
		c := &client{id: i, dice: dice.New(w.cfg.Seed, dice.Client, uint64(i)), request: -1, seen: make([]sight, w.cfg.Workload.Keys), down: make([]int64, len(w.nodes)), heard: make([]known, len(w.nodes))}
		c.next = c.dice.IntN(len(w.nodes))
		c.asleep = true
		w.clients = append(w.clients, c)
	}
	if w.cfg.Workload.Explicit {
		return
	}
	w.wake()
	for i := range min(w.cfg.Workload.Watches, w.cfg.Workload.Clients) {
		c := w.clients[i+1]
		create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, PrevKv: i%2 == 1, ProgressNotify: true}
		if i > 0 {
			create.StartRevision = 1
		}
		w.watchAnew(c, create, false)
		w.turnLater(c)
	}
}

// watchTurn is Watching.Turn by default.
const watchTurn = 4 * time.Second

func (w *World) turnLater(c *client) {
	w.clock.PushFirst(clock.Event{At: w.clock.Now + int64(c.dice.Exp(cmp.Or(w.cfg.Watch.Turn, watchTurn))) + 1, Kind: evTurn, A: uint64(c.id)})
}

// turn makes a watching client lose its connection, ask how far it is, end its
// stream, or watch more or less: three draws.
func (w *World) turn(e *clock.Event) {
	c := w.clients[e.A]
	w.turnLater(c)
	what, how, back := c.dice.IntN(8), c.dice.Uint64(), int64(c.dice.Uint64N(100))
	if w.load.off || w.load.gap == 0 {
		return
	}
	s := c.stream
	if s == nil || s.closed {
		w.watchMore(c, how, back)
		return
	}
	switch {
	case what < 3: // the connection breaks; the member hears of it, or not yet
		w.breakStream(s, what > 0)
		w.keep(script.Command{Cmd: brokenHow(what > 0), Client: c.id})
	case what == 3:
		w.askProgress(s)
		w.keep(script.Command{Cmd: script.AskProgress, Client: c.id})
	case what == 4:
		w.closeStream(s)
		w.keep(script.Command{Cmd: script.EndStream, Client: c.id})
		w.watchMore(c, how, back)
	case len(s.watchers) < maxWatchers && what < 7:
		w.watchMore(c, how, back)
	default:
		id := int64(how % (maxWatchers + 1)) // of one that is there, or of none
		if k := len(s.watchers); k > 0 && how>>8%4 > 0 {
			id = max(0, s.watchers[how>>16%uint64(k)].number)
		}
		w.cancelNumber(s, id)
		w.keep(script.Command{Cmd: script.CancelWatch, Client: c.id, ID: id})
	}
}

// watchMore opens a watch with options of all kinds.
func (w *World) watchMore(c *client, how uint64, back int64) {
	g := grammar{w, c, how}
	create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, PrevKv: g.one(2), ProgressNotify: g.one(2), Fragment: g.one(2)}
	if g.one(3) {
		create.Key, create.RangeEnd = g.span()
	}
	if g.one(4) {
		create.Filters = append(create.Filters, pb.WatchCreateRequest_FilterType(g.n(2)))
		if g.one(4) {
			create.Filters = []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT, pb.WatchCreateRequest_NODELETE}
		}
	}
	if !g.one(4) {
		create.StartRevision = max(1, c.lastRev-back)
	}
	if g.one(8) {
		create.StartRevision = c.lastRev + 1 + back%32 // in the future
	}
	if g.one(3) {
		create.WatchId = int64(1 + g.n(maxWatchers)) // or one that is taken
	}
	w.watchAnew(c, create, g.one(3))
}

// watchAnew opens a watch of a simulated client.
func (w *World) watchAnew(c *client, create *pb.WatchCreateRequest, fenced bool) {
	joins := c.stream != nil && !c.stream.closed
	fenced = fenced && !joins
	wt := w.watch(c, create, fenced, "watch "+string(create.Key), -1)
	if !w.cfg.Record {
		return
	}
	cmd := script.Of(create)
	cmd.Client, cmd.Leader = c.id, fenced
	if !joins {
		cmd.Member = uint64(wt.on.began + 1)
	}
	w.keep(cmd)
}
