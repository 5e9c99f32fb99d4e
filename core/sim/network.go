package sim

import (
	"time"

	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// link is one direction between two members.
type link struct {
	dice *dice.Dice
	cut  bool
}

// Reasons why a message is lost, as MessageDropped names them.
type loss uint8

const (
	notLost loss = iota
	lostToDice
	lostToCut
	lostToDown
	lostToHand
	lostToRemoved // who is no member any more is not heard
)

var lossNames = [...]string{"", "loss", "cut", "down", "hand", "removed"}

// flight is a message on its way. A lost one keeps its place until it would
// have arrived, so that it can be seen to disappear.
type flight struct {
	msg           *raftpb.Message
	image         *image // of a MsgSnap
	receipt       *driver.Receipt
	life          uint32 // of the process that receives it
	data          []byte // of the image, still to be written
	synced        bool   // the receipt is
	sent, arrives int64
	cause         uint64 // the MessageSent event
	id            uint64 // that, or of a second copy the MessageDoubled event
	from, to      uint64
	lost          loss
	on            bool // the slot is in use

	held int64  // since when somebody holds it, 0 = nobody does
	turn uint64 // of the event that ends it; others are void
}

// network carries messages between members.
type network struct {
	w       *World
	flights clock.Slab[flight]
	turns   uint64 // events that end flights, so far

	sendingAt int64 // the second in which
	sending   int   // so many messages were sent
}

func newNetwork(w *World) *network { return &network{w: w} }

// link is one direction between two machines. It is there when it is first asked for.
func (x *network) link(from, to *node) *link {
	for uint64(len(from.links)) <= to.id {
		from.links = append(from.links, nil)
	}
	l := from.links[to.id]
	if l == nil {
		l = &link{dice: dice.New(x.w.cfg.Seed, dice.Network, from.id<<8|to.id).At(&x.w.clock.Now)}
		from.links[to.id] = l
	}
	return l
}

// send puts a message of n on the wire. Whatever becomes of it, it draws five
// numbers from the dice of its link.
func (x *network) send(n *node, s *consensus.Send) {
	to := x.w.byID(s.To)
	if to == nil || to == n {
		return
	}
	if s.NeedImage {
		n.wantImage(s)
		return
	}
	x.convey(n, to, s, nil)
}

// convey launches a message and what belongs to it.
func (x *network) convey(n, to *node, s *consensus.Send, img *image) {
	m := s.Message
	l := x.link(n, to)
	fate := l.dice.Uint64()
	latency, second := x.latency(l.dice), x.latency(l.dice)
	if img != nil {
		latency += 4 * latency // it is long
	}
	why := notLost
	switch {
	case l.cut:
		why = lostToCut
	case below(fate>>32, x.w.net.Loss):
		why = lostToDice
		x.w.chaos.Count(chaos.Loss)
	}
	cause := driver.SentUntil(n.pen(s.Cause), m, x.w.clock.Now+latency, lossNames[why])
	x.countSent(n)
	x.launch(n, to, m, img, latency, cause, why).id = cause
	if t := m.GetType(); t == raftpb.MsgVote || t == raftpb.MsgVoteResp && !m.GetReject() {
		x.w.chaos.VoteLeft(n.id)
	}
	// TCP never doubles a proposal, and nothing above it could tell.
	if why == notLost && img == nil && m.GetType() != raftpb.MsgProp && below(fate&0xffffffff, x.w.net.Duplicate) {
		x.w.chaos.Count(chaos.Duplicate)
		x.double(n, to, m, latency+second, cause)
	}
}

// double launches a second copy of a message.
func (x *network) double(n, to *node, m *raftpb.Message, latency int64, cause uint64) {
	id := x.w.emit(trace.Event{Kind: trace.MessageDoubled, Member: n.id, Peer: to.id, Rev: x.w.clock.Now + latency,
		Cause: cause})
	x.launch(n, to, proto.Clone(m).(*raftpb.Message), nil, latency, cause, notLost).id = id
}

// countSent counts the messages of each simulated second. A few for each operation
// are right; replies to replies would livelock at one instant.
func (x *network) countSent(n *node) {
	if at := x.w.clock.Now / second; at != x.sendingAt {
		x.sendingAt, x.sending = at, 0
	}
	if x.sending++; x.sending > calmMessages+calmPerOperation*int(x.w.clients.Rate()) {
		x.w.judge.Broken(invariant.Bounded, "%d messages between members within a second; the last is from member %d",
			x.sending, n.id)
	}
}

// What is sent in a second when nothing is wrong, at most, with room to spare.
const (
	calmMessages     = 20_000
	calmPerOperation = 100
)

// below compares 32 drawn bits with a probability.
func below(bits uint64, p float64) bool { return float64(bits) < p*(1<<32) }

func (x *network) launch(from, to *node, m *raftpb.Message, img *image, latency int64, cause uint64, why loss) *flight {
	slot := x.flights.Take()
	*x.flights.At(slot) = flight{
		msg: m, image: img, sent: x.w.clock.Now, arrives: x.w.clock.Now + latency, cause: cause,
		from: from.id, to: to.id, lost: why, on: true,
	}
	return x.ends(slot, x.w.clock.Now+latency)
}

// ends arranges when a flight does.
func (x *network) ends(slot int32, at int64) *flight {
	f := x.flights.At(slot)
	x.turns++
	f.turn = x.turns
	x.w.clock.Push(clock.Event{At: at, Kind: evDeliver, Slot: slot, Member: uint32(f.to), A: f.turn})
	return f
}

// latency draws the way of one message: two numbers.
func (x *network) latency(d *dice.Dice) int64 {
	u := x.w.net.Uniform
	return int64(d.Between(x.w.net.Base-u, x.w.net.Base+u) + d.Exp(x.w.net.Jitter))
}

// deliver ends a flight. Of a paused member the message waits in its sockets.
func (x *network) deliver(e *clock.Event) {
	f := x.flights.At(e.Slot)
	to := x.w.byID(f.to)
	if f.turn != e.A {
		return // it was held
	}
	if to.process == paused && f.lost == notLost {
		to.hold(*e)
		return
	}
	from := x.w.byID(f.from)
	switch {
	case f.lost != notLost:
	case x.link(from, to).cut:
		f.lost = lostToCut
	case to.process != running:
		f.lost = lostToDown
	case to.store.Members.IsRemoved(from.id):
		f.lost = lostToRemoved
	}
	m, img, cause, why := f.msg, f.image, f.cause, f.lost
	*f = flight{}
	x.flights.Give(e.Slot)
	if why != notLost {
		x.dropped(from, to, m, cause, why)
		return
	}
	got := driver.Delivered(to.pen(cause), from.id, m)
	to.heardFrom(from, m, x.w.clock.Now)
	if img == nil {
		to.step(&member.Input{Kind: member.Receive, Message: m, Cause: got})
		return
	}
	to.receiveImage(from, m, img, got)
}

// land takes a flight off the air.
func (x *network) land(slot int32) (f flight) {
	f, *x.flights.At(slot) = *x.flights.At(slot), flight{}
	x.flights.Give(slot)
	return f
}

// lose ends the flight of a message whose receiver has died with it unread.
func (x *network) lose(e *clock.Event) {
	if e.Kind == evDeliver && x.flights.At(e.Slot).turn != e.A {
		return
	}
	f := x.land(e.Slot)
	x.dropped(x.w.byID(f.from), x.w.byID(f.to), f.msg, f.cause, lostToDown)
}

func (x *network) dropped(from, to *node, m *raftpb.Message, cause uint64, why loss) {
	seq := driver.Dropped(to.pen(cause), from.id, m, lossNames[why])
	switch {
	case m.GetType() == raftpb.MsgSnap:
		x.report(from, to, member.SnapshotStatus, false, seq)
	case why == lostToDown && !x.link(to, from).cut:
		// The connection is refused, which the sender's transport notices.
		x.report(from, to, member.PeerUnreachable, false, seq)
	}
}

// reportKind is where in an event a report has its kind; below it stand the id of the
// member that it is about, and whether all is well.
const reportKind = 40

// report tells a sender later what its transport learned about a message.
func (x *network) report(from, about *node, kind member.InputKind, ok bool, cause uint64) {
	if !from.alive() {
		return
	}
	a := uint64(kind)<<reportKind | about.id<<1
	if ok {
		a |= 1
	}
	x.w.clock.Push(clock.Event{At: x.w.clock.Now + int64(x.w.net.Base), Kind: evReport, Member: uint32(from.id),
		Life: from.life, A: a, Cause: cause})
}

func (n *node) hearReport(e *clock.Event) {
	n.step(&member.Input{
		Kind: member.InputKind(e.A >> reportKind), Peer: e.A & (1<<reportKind - 1) >> 1, OK: e.A&1 != 0, Cause: e.Cause,
	})
}

// setCut cuts or heals one direction.
func (x *network) setCut(from, to *node, cut bool, cause uint64) {
	l := x.link(from, to)
	if l.cut == cut {
		return
	}
	l.cut = cut
	kind := trace.LinkHealed
	if cut {
		kind = trace.LinkCut
	}
	x.w.emit(trace.Event{Kind: kind, Member: from.id, Peer: to.id, Cause: cause})
}

const second = int64(time.Second)
