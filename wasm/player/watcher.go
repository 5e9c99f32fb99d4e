package player

import (
	"slices"

	"vitrine/core/trace"
	"vitrine/wasm/scene"
)

type unit uint8

const (
	unitEvent unit = iota
	unitMessage
	unitCommit
	unitTerm
	unitCount
)

var units = map[string]unit{"event": unitEvent, "message": unitMessage, "commit": unitCommit, "term": unitTerm}

// watcher is the player's ear on the event stream. It must be quick: at high
// speed it hears a hundred thousand events a second.
type watcher struct {
	feed     feed
	terms    terms
	past     past
	tally    tally
	traffic  scene.Heat // since the last frame
	woke     bool       // something worth slowing down for began
	violated bool
	seen     [unitCount]bool
	fallen   []uint64 // members whose processes ended and have not begun again, in that order
}

func newWatcher() *watcher {
	return &watcher{traffic: scene.Heat{}, feed: newFeed(), tally: newTally()}
}

// Emit takes one event.
func (w *watcher) Emit(e *trace.Event) {
	switch e.Kind {
	case trace.MessageSent:
		if !heartbeat(e.Msg) {
			w.woke = true
		}
	case trace.MessageDelivered:
		w.delivered(e)
	case trace.CommitAdvanced:
		w.seen[unitCommit] = true
	case trace.TermChanged:
		w.seen[unitTerm] = true
	case trace.RequestIssued:
		w.woke = true
	case trace.RequestDone:
		w.woke = w.woke || e.Member != 0
	case trace.MemberCrashed, trace.MemberStopped:
		w.rose(e.Member)
		w.fallen = append(w.fallen, e.Member)
	case trace.MemberStarting, trace.MemberStarted:
		w.rose(e.Member)
	case trace.Violated:
		w.violated = true
	}
	w.terms.take(e)
	w.tally.take(e)
	w.past.take(e)
	w.feed.take(e)
}

func (w *watcher) rose(member uint64) {
	w.fallen = slices.DeleteFunc(w.fallen, func(id uint64) bool { return id == member })
}

// Message types as events carry them.
var (
	msgHeartbeat     = message("MsgHeartbeat")
	msgHeartbeatResp = message("MsgHeartbeatResp")
)

func message(name string) uint8 {
	msg, ok := trace.MessageOf(name)
	if !ok {
		panic("no raft message is called " + name)
	}
	return msg
}

func heartbeat(msg uint8) bool { return msg == msgHeartbeat || msg == msgHeartbeatResp }

func (w *watcher) delivered(e *trace.Event) {
	amount := float32(0.5)
	if heartbeat(e.Msg) {
		amount = 0.15
	} else {
		w.seen[unitMessage] = true
	}
	w.traffic[[2]uint64{e.Peer, e.Member}] += amount
}
