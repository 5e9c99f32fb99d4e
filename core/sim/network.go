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
)

var lossNames = [...]string{"", "loss", "cut", "down"}

// flight is a message on its way. A lost one keeps its place until it would
// have arrived, so that it can be seen to disappear.
type flight struct {
	msg           *raftpb.Message
	image         *image // of a MsgSnap
	receipt       *driver.Receipt
	data          []byte // of the image, still to be written
	synced        bool   // the receipt is
	sent, arrives int64
	cause         uint64 // the MessageSent event
	from, to      uint8
	lost          loss
	on            bool // the slot is in use
}

func (w *World) link(from, to int) *link { return &w.links[from*len(w.nodes)+to] }

// send puts a message of n on the wire. Whatever becomes of it, it draws five
// numbers from the dice of its link.
func (w *World) send(n *node, s *consensus.Send) {
	to := w.byID(s.To)
	if to == nil || to == n {
		return
	}
	if s.NeedImage {
		w.wantImage(n, s)
		return
	}
	w.convey(n, to, s, nil)
}

// convey launches a message and what belongs to it.
func (w *World) convey(n, to *node, s *consensus.Send, img *image) {
	m := s.Message
	l := w.link(n.ix, to.ix)
	fate := l.dice.Uint64()
	latency, second := w.latency(l.dice), w.latency(l.dice)
	if img != nil {
		latency += 4 * latency // it is long
	}
	why := notLost
	switch {
	case l.cut:
		why = lostToCut
	case below(fate>>32, w.net.Loss):
		why = lostToDice
		w.chaos.Count(chaos.Loss)
	}
	cause := driver.SentUntil(w.pen(n, s.Cause), m, w.clock.Now+latency, lossNames[why])
	w.weather(n)
	w.launch(n, to, m, img, latency, cause, why)
	if t := m.GetType(); t == raftpb.MsgVote || t == raftpb.MsgVoteResp && !m.GetReject() {
		w.chaos.VoteLeft(n.id)
	}
	// TCP never doubles a proposal, and nothing above it could tell.
	if why == notLost && img == nil && m.GetType() != raftpb.MsgProp && below(fate&0xffffffff, w.net.Duplicate) {
		w.chaos.Count(chaos.Duplicate)
		w.emit(trace.Event{Kind: trace.MessageDoubled, Member: n.id, Peer: to.id, Rev: w.clock.Now + latency + second, Cause: cause})
		w.launch(n, to, proto.Clone(m).(*raftpb.Message), nil, latency+second, cause, notLost)
	}
}

// weather counts the messages of each simulated second. A few for each operation
// are right; replies to replies would livelock at one instant.
func (w *World) weather(n *node) {
	if at := w.clock.Now / second; at != w.sendingAt {
		w.sendingAt, w.sending = at, 0
	}
	if w.sending++; w.sending > calmMessages+calmPerOperation*int(w.clients.Rate()) {
		w.judge.Broken(invariant.Bounded, "%d messages between members within a second; the last is from member %d", w.sending, n.id)
	}
}

// What is sent in a second when nothing is wrong, at most, with room to spare.
const (
	calmMessages     = 20_000
	calmPerOperation = 100
)

// below compares 32 drawn bits with a probability.
func below(bits uint64, p float64) bool { return float64(bits) < p*(1<<32) }

func (w *World) launch(from, to *node, m *raftpb.Message, img *image, latency int64, cause uint64, why loss) {
	slot := w.flights.Take()
	*w.flights.At(slot) = flight{
		msg: m, image: img, sent: w.clock.Now, arrives: w.clock.Now + latency, cause: cause,
		from: uint8(from.ix), to: uint8(to.ix), lost: why, on: true,
	}
	w.clock.Push(clock.Event{At: w.clock.Now + latency, Kind: evDeliver, Slot: slot, Member: uint32(to.id)})
}

// latency draws the way of one message: two numbers.
func (w *World) latency(d *dice.Dice) int64 {
	u := w.net.Uniform
	return int64(d.Between(w.net.Base-u, w.net.Base+u) + d.Exp(w.net.Jitter))
}

// deliver ends a flight. Of a paused member the message waits in its sockets.
func (w *World) deliver(e *clock.Event) {
	f := w.flights.At(e.Slot)
	to := w.nodes[f.to]
	if to.process == paused && f.lost == notLost {
		to.hold(*e)
		return
	}
	from := w.nodes[f.from]
	switch {
	case f.lost != notLost:
	case w.link(from.ix, to.ix).cut:
		f.lost = lostToCut
	case to.process != running:
		f.lost = lostToDown
	}
	m, img, cause, why := f.msg, f.image, f.cause, f.lost
	*f = flight{}
	w.flights.Give(e.Slot)
	if why != notLost {
		w.dropped(from, to, m, cause, why)
		return
	}
	got := driver.Delivered(w.pen(to, cause), from.id, m)
	to.heardFrom(from, m, w.clock.Now)
	if img == nil {
		w.step(to, &member.Input{Kind: member.Receive, Message: m, Cause: got})
		return
	}
	w.receiveImage(to, from, m, img, got)
}

// lose ends the flight of a message whose receiver has died with it unread.
func (w *World) lose(e *clock.Event) {
	f := *w.flights.At(e.Slot)
	*w.flights.At(e.Slot) = flight{}
	w.flights.Give(e.Slot)
	w.dropped(w.nodes[f.from], w.nodes[f.to], f.msg, f.cause, lostToDown)
}

func (w *World) dropped(from, to *node, m *raftpb.Message, cause uint64, why loss) {
	seq := driver.Dropped(w.pen(to, cause), from.id, m, lossNames[why])
	switch {
	case m.GetType() == raftpb.MsgSnap:
		w.report(from, to, member.SnapshotStatus, false, seq)
	case why == lostToDown && !w.link(to.ix, from.ix).cut:
		// The connection is refused, which the sender's transport notices.
		w.report(from, to, member.PeerUnreachable, false, seq)
	}
}

// report tells a sender later what its transport learned about a message.
func (w *World) report(from, about *node, kind member.InputKind, ok bool, cause uint64) {
	if !from.alive() {
		return
	}
	a := uint64(kind)<<16 | uint64(about.ix)<<1
	if ok {
		a |= 1
	}
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.net.Base), Kind: evReport, Member: uint32(from.id), Life: from.life, A: a, Cause: cause})
}

func (w *World) reported(n *node, e *clock.Event) {
	w.step(n, &member.Input{
		Kind: member.InputKind(e.A >> 16), Peer: w.nodes[e.A>>1&0x7fff].id, OK: e.A&1 != 0, Cause: e.Cause,
	})
}

// setCut cuts or heals one direction.
func (w *World) setCut(from, to *node, cut bool, cause uint64) {
	l := w.link(from.ix, to.ix)
	if l.cut == cut {
		return
	}
	l.cut = cut
	kind := trace.LinkHealed
	if cut {
		kind = trace.LinkCut
	}
	w.emit(trace.Event{Kind: kind, Member: from.id, Peer: to.id, Cause: cause})
}

func (w *World) newLinks(seed uint64) []link {
	n := len(w.nodes)
	links := make([]link, n*n)
	for from := range n {
		for to := range n {
			links[from*n+to].dice = dice.New(seed, dice.Network, uint64(from+1)<<8|uint64(to+1)).At(&w.clock.Now)
		}
	}
	return links
}

const second = int64(time.Second)
