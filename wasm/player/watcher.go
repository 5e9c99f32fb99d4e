package player

import (
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
	ways     ways
	wires    map[uint64]scene.Wire // requests that are not done, by id
	traffic  scene.Heat            // since the last frame
	woke     bool                  // something worth slowing down for began
	violated bool
	seen     [unitCount]bool
}

func newWatcher(members int) *watcher {
	return &watcher{wires: map[uint64]scene.Wire{}, feed: newFeed(), ways: newWays(members)}
}

// wiresBound limits the table against requests whose end nobody reports.
const wiresBound = 4096

// Emit takes one event.
func (w *watcher) Emit(e *trace.Event) {
	w.ways.take(e)
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
	case trace.RequestIssued, trace.RequestArrived, trace.RequestDone:
		w.request(e)
	case trace.Violated:
		w.violated = true
	}
	w.feed.take(e)
}

// Message types as events carry them.
var (
	msgHeartbeat     = message("MsgHeartbeat")
	msgHeartbeatResp = message("MsgHeartbeatResp")
	msgProp          = message("MsgProp")
	msgReadIndex     = message("MsgReadIndex")
	msgReadIndexResp = message("MsgReadIndexResp")
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
	if e.Peer < uint64(len(w.traffic)) && e.Member < uint64(len(w.traffic)) {
		w.traffic[e.Peer][e.Member] += amount
	}
}

// request notes where a request is. Each attempt begins anew.
func (w *watcher) request(e *trace.Event) {
	if w.wires == nil || len(w.wires) > wiresBound {
		w.wires = map[uint64]scene.Wire{}
	}
	now := float64(e.Now)
	switch {
	case e.Kind == trace.RequestIssued:
		w.woke = true
		w.wires[e.Request] = scene.Wire{Sent: now}
	case e.Kind == trace.RequestArrived:
		if wire, ok := w.wires[e.Request]; ok {
			wire.Arrived = now
			w.wires[e.Request] = wire
		}
	case e.Member != 0: // answered at the member
		w.woke = true
		if wire, ok := w.wires[e.Request]; ok {
			wire.Answered = now
			w.wires[e.Request] = wire
		}
	default:
		delete(w.wires, e.Request)
	}
}
