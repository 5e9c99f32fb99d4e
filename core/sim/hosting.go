package sim

import (
	"vitrine/core/member"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/sim/clock"
	"vitrine/core/trace"
)

// clientHost is a world as package client sees it.
type clientHost struct{ w *World }

// Members implements client.Host.
func (h clientHost) Members() []uint64 { return h.w.ids }

// Server implements client.Host.
func (h clientHost) Server(id uint64) client.Server {
	if n := h.w.byID(id); n != nil {
		return n
	}
	return nil
}

// Emit implements client.Host.
func (h clientHost) Emit(e trace.Event) uint64 { return h.w.emit(e) }

// Decided implements client.Host: it records a decision of a client.
func (h clientHost) Decided(c script.Command) {
	if h.w.cfg.Record {
		h.w.commands = append(h.w.commands, script.Timed{At: h.w.clock.Now, Command: c})
	}
}

// A node as its clients see it.

// Life implements client.Server.
func (n *node) Life() uint32 { return n.life }

// Paused implements client.Server.
func (n *node) Paused() bool { return n.process == paused }

// Hold implements client.Server.
func (n *node) Hold(e clock.Event) { n.hold(e) }

// Step implements client.Server.
func (n *node) Step(in member.Input) { n.step(&in) }

// Led implements client.Server.
func (n *node) Led() int64 { return n.led }

// Resumed implements client.Server.
func (n *node) Resumed() int64 { return n.resumed }

// Tick implements client.Server.
func (n *node) Tick() int64 { return n.tickEvery }
