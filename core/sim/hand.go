package sim

import (
	"fmt"

	"vitrine/core/script"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// What hands do to a message on its way.

// flying finds a message by its number, nil if it is not on its way, or lost already.
func (x *network) flying(id uint64) (slot int32, f *flight) {
	for i := range x.flights.Items {
		if one := &x.flights.Items[i]; one.on && one.id == id && one.lost == notLost {
			return int32(i), one
		}
	}
	return 0, nil
}

// Flying is a message between members that is on its way, nil if there is none of that number.
func (w *World) Flying(id uint64) *raftpb.Message {
	if _, f := w.network.flying(id); f != nil {
		return f.msg
	}
	return nil
}

func mayHandle(w *World, c *script.Command) error {
	_, f := w.network.flying(uint64(c.ID))
	switch {
	case f == nil:
		return fmt.Errorf("sim: %s: message %d is not on its way", c.Cmd, c.ID)
	case c.Cmd == script.Hold && f.held != 0:
		return fmt.Errorf("sim: hold: message %d is held already", c.ID)
	case c.Cmd == script.Release && f.held == 0:
		return fmt.Errorf("sim: release: nobody holds message %d", c.ID)
	case c.Cmd == script.Duplicate && (f.image != nil || f.msg.GetType() == raftpb.MsgProp):
		return fmt.Errorf("sim: duplicate: no network doubles a %v", f.msg.GetType())
	}
	return nil
}

// handle does it.
func handle(w *World, c *script.Command, cause uint64) (uint64, error) {
	slot, f := w.network.flying(uint64(c.ID))
	switch c.Cmd {
	case script.Hold:
		f.held, f.turn = w.clock.Now, 0
		w.network.handled(f, trace.HandHeld, cause)
	case script.Release:
		w.network.letGo(slot, f, cause)
	case script.Drop:
		f.lost = lostToHand
		w.network.handled(f, trace.HandDropped, cause)
		if f.held != 0 { // it falls at once
			f.held = 0
			w.network.ends(slot, w.clock.Now)
		}
	case script.Duplicate:
		w.network.double(w.byID(f.from), w.byID(f.to), f.msg, max(1, f.arrives-f.sent), f.cause)
	}
	return 0, nil
}

// letGo has a held message go the rest of its way, in the time that the rest takes.
func (x *network) letGo(slot int32, f *flight, cause uint64) {
	at := x.w.clock.Now + max(1, f.arrives-f.held)
	f.sent, f.arrives, f.held = f.sent+at-f.arrives, at, 0
	x.ends(slot, at)
	x.handled(f, trace.HandLetGo, cause)
}

// handled tells of it.
func (x *network) handled(f *flight, what, cause uint64) {
	x.w.emit(trace.Event{Kind: trace.MessageHandled, Member: f.from, Peer: f.to, Request: f.id, A: what, Rev: f.arrives,
		Cause: cause})
}

// letAllGo has every held message go on.
func (x *network) letAllGo(cause uint64) {
	for i := range x.flights.Items {
		if f := &x.flights.Items[i]; f.on && f.held != 0 {
			x.letGo(int32(i), f, cause)
		}
	}
}
