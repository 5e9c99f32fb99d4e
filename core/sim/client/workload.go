package client

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
	"vitrine/core/trace"
)

// workload is what the simulated clients do: a small key set, so that they
// collide, and every kind of request that the API has.
type workload struct {
	p *Pool
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
func (l *workload) thought(e *clock.Event) {
	p := l.p
	c := p.clients[e.A]
	if e.Slot == thoughtBefore {
		// It has waited for an answer with this one.
	} else if p.load.gap > 0 && !p.load.off {
		p.clock.PushFirst(clock.Event{At: p.clock.Now + int64(c.dice.Exp(p.load.gap)) + 1, Kind: Think, A: e.A})
	} else {
		c.asleep = true
		return
	}
	if c.Request >= 0 {
		c.due = true
		return
	}
	p.load.think(c)
}

// wake starts the clients that sleep because there was no load.
func (l *workload) wake() {
	p := l.p
	if p.load.gap == 0 || p.load.off || p.load.Explicit {
		return
	}
	for _, c := range p.clients[1:] {
		if c.asleep {
			c.asleep = false
			p.clock.PushFirst(clock.Event{At: p.clock.Now + int64(c.dice.Exp(p.load.gap)) + 1, Kind: Think, A: uint64(c.ID)})
		}
	}
}

// think issues one operation: five draws, whatever it becomes.
func (l *workload) think(c *Client) {
	p := l.p
	if p.load.off {
		return
	}
	pick := int(c.dice.Uint64N(uint64(l.Mix.Sum())))
	k, k2 := c.dice.IntN(l.Keys), c.dice.IntN(l.Keys)
	how, how2 := c.dice.Uint64(), c.dice.Uint64()
	op, body := script.OpGet, any(nil)
	switch l.Mix.Kind(pick) {
	case 0:
		op, body = script.OpPut, p.load.makePut(k, how)
	case 1:
		body = &pb.RangeRequest{Key: l.keys[k]}
	case 2:
		body = &pb.RangeRequest{Key: l.keys[k], Serializable: true}
	case 3:
		op, body = script.OpDelete, p.load.makeDelete(k, k2, how)
	case 4:
		if op = script.OpTxn; how2%8 < 3 {
			body = (&grammar{p, c, how}).txn()
		} else {
			body = p.load.makeTxn(c, k, k2, how)
		}
	case 5:
		r := (&grammar{p, c, how}).read()
		k, body = slices.IndexFunc(l.keys, func(key []byte) bool { return string(key) == string(r.Key) }), r
	case 6:
		op, body = script.OpCompact, &pb.CompactionRequest{Revision: c.compactAt(how), Physical: how>>16%4 == 0}
	case 7:
		op, body = (&grammar{p, c, how}).call()
	case 8:
		op, body = (&grammar{p, c, how}).lease()
	}
	if put, ok := body.(*pb.PutRequest); ok && !put.IgnoreValue && l.Mix.Lease > 0 && how2>>32%2 == 0 {
		put.Lease = int64(1 + how2>>48%leases)
	}
	if l.Users {
		if manage := p.manage(c, how, how2); manage != nil {
			op, body = opOf(manage), manage
		}
	}
	login, token := p.logs(c, how, how2)
	if login != nil {
		op, body = script.OpLogin, login
	}
	if (c.Refused || len(c.Alarms) > 0) && how2>>40%3 == 0 && login == nil {
		op, body = p.Repair(c)
	}
	words, key := l.words[op][k], l.names[k]
	switch t, ok := body.(*pb.TxnRequest); {
	case ok:
		key = script.FirstKeyOf(t)
		words = op.String() + " " + key
	case !op.Keyed():
		words, key = op.String(), ""
	}
	c.Request = p.Issue(c, op, body, words, key, 0, p.load.patience())
	p.Show(p.requests.At(c.Request), token)
	p.decided(c, body, p.requests.At(c.Request).Member, token)
}

// compactAt is a revision to compact at: the newest one, one a little older, or
// that of a delete, where much has gone wrong in the past.
func (c *Client) compactAt(how uint64) int64 {
	switch how >> 8 % 4 {
	case 0:
		return max(1, c.LastRev)
	case 1:
		return max(1, c.tombstone)
	}
	return max(1, c.LastRev-int64(how%64))
}

// value is unlike every other value of the run. A large one spans several blocks
// of a disk, so that a crash can tear it.
func (l *workload) value() []byte {
	p := l.p
	p.values++
	v := strconv.AppendUint(append(make([]byte, 0, 12), 'v'), p.values, 10)
	if large := p.cfg.Workload.Large; large > 0 && p.values%16 == 0 {
		v = append(v, bytes.Repeat([]byte{'x'}, int(dice.Mix(p.values)%uint64(large)))...)
	}
	return v
}

func (l *workload) makePut(k int, how uint64) any {
	p := l.p
	r := &pb.PutRequest{Key: p.load.keys[k], PrevKv: how%4 == 0, IgnoreValue: how>>8%16 == 0}
	if !r.IgnoreValue {
		r.Value = p.load.value()
	}
	return r
}

func (l *workload) makeDelete(k, k2 int, how uint64) any {
	p := l.p
	r := &pb.DeleteRangeRequest{Key: p.load.keys[k], PrevKv: how%4 == 0}
	if how>>8%8 == 0 && k < k2 {
		r.RangeEnd = p.load.keys[k2]
	}
	return r
}

// makeTxn makes one of the shapes that programs are built from. Its first key is
// k.
func (l *workload) makeTxn(c *Client, k, k2 int, how uint64) any {
	p := l.p
	key, other := p.load.keys[k], p.load.keys[k2]
	switch how % 10 {
	case 6, 7, 8, 9:
		return p.load.makeScan(c, k, k2, how)
	case 0: // create if absent
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_CREATE, Key: key,
				TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}},
			Success: []*pb.RequestOp{Put(key, p.load.value())},
			Failure: []*pb.RequestOp{Get(key)},
		}
	case 1: // compare and swap by revision
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_MOD, Key: key,
				TargetUnion: &pb.Compare_ModRevision{ModRevision: c.seen[k].mod}}},
			Success: []*pb.RequestOp{Put(key, p.load.value()), Get(key)},
			Failure: []*pb.RequestOp{Get(key)},
		}
	case 2: // compare and swap by value
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_EQUAL, Target: pb.Compare_VALUE, Key: key,
				TargetUnion: &pb.Compare_Value{Value: []byte(c.seen[k].value)}}},
			Success: []*pb.RequestOp{Put(key, p.load.value())},
			Failure: []*pb.RequestOp{Get(key), Get(other)},
		}
	case 3: // two keys at once
		ops := []*pb.RequestOp{Put(key, p.load.value())}
		if k != k2 {
			ops = append(ops, Put(other, p.load.value()))
		}
		return &pb.TxnRequest{Success: ops}
	case 4: // one inside another, and a delete
		inner := &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_GREATER, Target: pb.Compare_VERSION, Key: other,
				TargetUnion: &pb.Compare_Version{Version: 1}}},
			Success: []*pb.RequestOp{deleteOp(other)},
			Failure: []*pb.RequestOp{Put(other, p.load.value())},
		}
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_GREATER, Target: pb.Compare_CREATE, Key: key,
				TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}},
			Success: []*pb.RequestOp{Get(key), {Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}},
			Failure: []*pb.RequestOp{Get(other)},
		}
	default: // a read of two keys
		return &pb.TxnRequest{Success: []*pb.RequestOp{Get(key), Get(other)}}
	}
}

// makeScan makes a transaction that reads or deletes a range, or reads the past or
// without a quorum.
func (l *workload) makeScan(c *Client, k, k2 int, how uint64) any {
	p := l.p
	key, other := p.load.keys[k], p.load.keys[k2]
	switch how % 10 {
	case 7: // all keys from one on, or none of them, and what they were before
		wipe := deleteOp(key)
		wipe.GetRequestDeleteRange().RangeEnd, wipe.GetRequestDeleteRange().PrevKv = p.load.end, true
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_LESS, Target: pb.Compare_VERSION, Key: key, RangeEnd: p.load.end,
				TargetUnion: &pb.Compare_Version{Version: int64(1 + how>>8%8)}}},
			Success: []*pb.RequestOp{wipe, Get(key)},
			Failure: []*pb.RequestOp{Put(other, p.load.value())},
		}
	case 8: // a page of a sorted list, read beside a write
		page := Get(key)
		r := page.GetRequestRange()
		r.RangeEnd, r.Limit, r.SortOrder, r.SortTarget = p.load.end, int64(1+how>>8%3), pb.RangeRequest_DESCEND,
			pb.RangeRequest_SortTarget(how>>16%5)
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Result: pb.Compare_NOT_EQUAL, Target: pb.Compare_MOD, Key: key,
				TargetUnion: &pb.Compare_ModRevision{ModRevision: c.seen[k].mod}}},
			Success: []*pb.RequestOp{page, Put(other, p.load.value()), page},
			Failure: []*pb.RequestOp{page},
		}
	case 9: // a read of two keys that asks no quorum
		first, second := Get(key), Get(other)
		first.GetRequestRange().Serializable, second.GetRequestRange().Serializable = true, true
		return &pb.TxnRequest{Success: []*pb.RequestOp{first, second}}
	default: // a write, and a read of the past, which may be gone
		past := Get(other)
		past.GetRequestRange().Revision = max(1, c.LastRev-int64(how>>8%32))
		return &pb.TxnRequest{Success: []*pb.RequestOp{Put(key, p.load.value()), past}}
	}
}

// Put is an operation of a transaction, as are the others.
func Put(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

// Get reads a key.
func Get(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// learn keeps what a read told about its key, for later conditions.
func (c *Client) learn(p *Pool, r *Request) {
	resp, ok := r.Answer.(*pb.RangeResponse)
	if !ok || r.Client == 0 {
		return
	}
	req := r.Body.(*pb.RangeRequest)
	if req.RangeEnd != nil || req.Revision != 0 || req.CountOnly || req.KeysOnly {
		return
	}
	for k := range p.load.keys {
		if string(p.load.keys[k]) != string(req.Key) {
			continue
		}
		c.seen[k] = sight{}
		if len(resp.Kvs) > 0 {
			c.seen[k] = sight{string(resp.Kvs[0].Value), resp.Kvs[0].ModRevision}
		}
	}
}

// Begin makes the visitor, number 0, and the simulated ones, who begin to work.
func (p *Pool) Begin() {
	for i := range p.cfg.Workload.Clients + 1 {
		p.host.Emit(trace.Event{Kind: trace.ClientJoined, B: uint64(i)})
		c := &Client{ID: i, dice: dice.New(p.cfg.Seed, dice.Client, uint64(i)), Request: -1, seen: make([]sight,
			p.cfg.Workload.Keys), down: map[uint64]int64{}, heard: map[uint64]known{}}
		c.next = c.dice.IntN(len(p.host.Members()))
		c.asleep = true
		p.clients = append(p.clients, c)
	}
	if p.cfg.Workload.Explicit {
		return
	}
	p.load.wake()
	for i := range min(p.cfg.Workload.Watches, p.cfg.Workload.Clients) {
		c := p.clients[i+1]
		create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, PrevKv: i%2 == 1, ProgressNotify: true}
		if i > 0 {
			create.StartRevision = 1
		}
		p.load.watchAnew(c, create, false)
		p.load.turnLater(c)
	}
}

// watchTurn is Watching.Turn by default.
const watchTurn = 4 * time.Second

func (l *workload) turnLater(c *Client) {
	p := l.p
	p.clock.PushFirst(clock.Event{At: p.clock.Now + int64(c.dice.Exp(cmp.Or(p.cfg.Watch.Turn, watchTurn))) + 1,
		Kind: Turn, A: uint64(c.ID)})
}

// turn makes a watching client lose its connection, ask how far it is, end its
// stream, or watch more or less: three draws.
func (l *workload) turn(e *clock.Event) {
	p := l.p
	c := p.clients[e.A]
	p.load.turnLater(c)
	what, how, back := c.dice.IntN(8), c.dice.Uint64(), int64(c.dice.Uint64N(100))
	if p.load.off || p.load.gap == 0 {
		return
	}
	s := c.Stream
	if s == nil || s.Closed {
		p.load.watchMore(c, how, back)
		return
	}
	switch {
	case what < 3: // the connection breaks; the member hears of it, or not yet
		p.breakStream(s, what > 0)
		p.host.Decided(script.Command{Cmd: brokenHow(what > 0), Client: c.ID})
	case what == 3:
		p.AskProgress(s)
		p.host.Decided(script.Command{Cmd: script.AskProgress, Client: c.ID})
	case what == 4:
		p.CloseStream(s)
		p.host.Decided(script.Command{Cmd: script.EndStream, Client: c.ID})
		p.load.watchMore(c, how, back)
	case len(s.Watchers) < maxWatchers && what < 7:
		p.load.watchMore(c, how, back)
	default:
		id := int64(how % (maxWatchers + 1)) // of one that is there, or of none
		if k := len(s.Watchers); k > 0 && how>>8%4 > 0 {
			id = max(0, s.Watchers[how>>16%uint64(k)].Number)
		}
		p.cancelNumber(s, id)
		p.host.Decided(script.Command{Cmd: script.CancelWatch, Client: c.ID, ID: id})
	}
}

// watchMore opens a watch with options of all kinds.
func (l *workload) watchMore(c *Client, how uint64, back int64) {
	p := l.p
	g := grammar{p, c, how}
	create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, PrevKv: g.one(2), ProgressNotify: g.one(2),
		Fragment: g.one(2)}
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
		create.StartRevision = max(1, c.LastRev-back)
	}
	if g.one(8) {
		create.StartRevision = c.LastRev + 1 + back%32 // in the future
	}
	if g.one(3) {
		create.WatchId = int64(1 + g.n(maxWatchers)) // or one that is taken
	}
	p.load.watchAnew(c, create, g.one(3))
}

// watchAnew opens a watch of a simulated client.
func (l *workload) watchAnew(c *Client, create *pb.WatchCreateRequest, fenced bool) {
	p := l.p
	joins := c.Stream != nil && !c.Stream.Closed
	fenced = fenced && !joins
	wt := p.Watch(c, create, fenced, "watch "+string(create.Key), 0)
	if !p.cfg.Record {
		return
	}
	cmd := script.Of(create)
	cmd.Client, cmd.Leader = c.ID, fenced
	if !joins {
		cmd.Member = wt.On.began
	}
	p.host.Decided(cmd)
}

// patience is how long a client waits for the answer to what it asks now.
func (l *workload) patience() time.Duration {
	p := l.p
	drawn := dice.Mix(p.cfg.Seed ^ dice.Mix(uint64(p.clock.Now)))
	if hasty := p.cfg.Workload.Hasty; hasty > 0 && drawn%8 == 0 {
		return hasty
	}
	return p.cfg.Workload.Timeout
}
