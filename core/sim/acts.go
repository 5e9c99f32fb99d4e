package sim

import (
	"fmt"

	"vitrine/core/api"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/trace"
)

// act is what a world adds to a verb of package script: when it is possible and
// what it does.
type act struct {
	valid    func(w *World, c *script.Command) error // refuses what makes sense at no time; nil = nothing
	possible func(w *World, c *script.Command) error // refuses what makes none now, and leaves no trace; nil = nothing
	// perform does it. The trace event that told of it is the cause of what follows.
	perform func(w *World, c *script.Command, cause uint64) (request uint64, err error)
}

// newActs is the table, by verb. All requests share a row: what they ask is told
// by package script. Verbs of simulated clients alone have none: see package client.
func newActs() map[string]*act {
	acts := map[string]*act{
		script.Crash:      {possible: wants((*node).alive), perform: onMember((*node).crash)},
		script.Restart:    {possible: wants((*node).down), perform: onMember(restart)},
		script.Pause:      {possible: wants((*node).Runs), perform: onMember((*node).pause)},
		script.Resume:     {possible: wants((*node).Paused), perform: onMember((*node).resume)},
		script.Campaign:   {possible: wants((*node).Runs), perform: onMember(campaign)},
		script.Transfer:   {possible: mayTransfer, perform: onMember(transfer)},
		script.Stall:      {perform: onMember(stall)},
		script.Fail:       {possible: mayFail, perform: onMember(fail)},
		script.Clock:      {perform: onMember(turnClock)},
		script.Strike:     {valid: validStrike, perform: onMember(armStrike)},
		script.Defragment: {possible: mayDefragment, perform: onMember(defragment)},
		script.Garble:     {perform: onMember(garbleNext)},
		script.Rot:        {perform: rot},

		script.Hold:      {possible: mayHandle, perform: handle},
		script.Release:   {possible: mayHandle, perform: handle},
		script.Drop:      {possible: mayHandle, perform: handle},
		script.Duplicate: {possible: mayHandle, perform: handle},

		script.Isolate: {perform: isolate},
		script.Cut:     {perform: cut},
		script.Heal:    {perform: heal},
		script.HealAll: {perform: undoAll},
		script.Set:     {valid: validSetting, perform: set},

		script.CancelWatch: {possible: mayCancelWatch, perform: cancelWatch},
	}
	for _, v := range script.Verbs() {
		if v.Op != 0 && acts[v.Name] == nil {
			acts[v.Name] = &act{perform: visit}
		}
	}
	return acts
}

// perform executes a command at the present moment.
func (w *World) perform(c *script.Command, fault bool) (request uint64, err error) {
	if err := w.valid(c); err != nil {
		return 0, err
	}
	if err := w.unknownMachine(c); err != nil {
		return 0, err
	}
	if c.Client != 0 {
		return 0, w.clients.Decide(c)
	}
	a := w.acts[c.Cmd]
	if a.possible != nil {
		if err := a.possible(w, c); err != nil {
			return 0, err
		}
	}
	kind := trace.Command
	if fault {
		kind = trace.Fault
	}
	return a.perform(w, c, w.emit(trace.Event{Kind: kind, Member: c.Member, Text: c.String()}))
}

// valid refuses a command that makes no sense in any world of this size.
func (w *World) valid(c *script.Command) error {
	if w.clients.Number(c.Client) == nil {
		return fmt.Errorf("sim: %s: there is no client %d", c.Cmd, c.Client)
	}
	for _, ids := range [][]uint64{{c.Member}, c.From, c.To} {
		for _, id := range ids { // some are still to come
			if id > script.MaxMachines {
				return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, id)
			}
		}
	}
	if err := c.Check(); err != nil {
		return err
	}
	if a := w.acts[c.Cmd]; a != nil && a.valid != nil {
		return a.valid(w, c)
	}
	return nil
}

// onMember performs what is done to the member of a command.
func onMember(do func(n *node, c *script.Command, cause uint64)) func(*World, *script.Command, uint64) (uint64, error) {
	return func(w *World, c *script.Command, cause uint64) (uint64, error) {
		do(w.byID(c.Member), c, cause)
		return 0, nil
	}
}

// wants refuses a command unless the process of its member is as it says.
func wants(fits func(n *node) bool) func(*World, *script.Command) error {
	return func(w *World, c *script.Command) error {
		if n := w.byID(c.Member); !fits(n) {
			return fmt.Errorf("sim: %s: member %d is %s", c.Cmd, n.id, processNames[n.process])
		}
		return nil
	}
}

func (n *node) down() bool { return !n.alive() && n.process != starting && !n.gone }

func mayTransfer(w *World, _ *script.Command) error {
	if leader := w.leader(); leader == nil || leader.process != running {
		return fmt.Errorf("sim: transfer: there is no leader")
	}
	return nil
}

func mayFail(w *World, c *script.Command) error {
	kind, _ := script.DiskErrorNamed(c.Name) // it was valid
	if n := w.byID(c.Member); n.wear.Armed(kind) {
		return fmt.Errorf("sim: fail: the disk of member %d waits to fail already", n.id)
	}
	return nil
}

func mayDefragment(w *World, c *script.Command) error {
	n := w.byID(c.Member)
	if n.Runs() && n.Defragments() {
		return fmt.Errorf("sim: defragment: member %d does already", n.id)
	}
	return wants((*node).Runs)(w, c)
}

func mayCancelWatch(w *World, c *script.Command) error {
	if w.clients.WatchToCancel(c) == nil {
		return fmt.Errorf("sim: cancel-watch: there is no such watch")
	}
	return nil
}

func cancelWatch(w *World, c *script.Command, _ uint64) (uint64, error) {
	w.clients.CloseStream(w.clients.WatchToCancel(c).On)
	return 0, nil
}

// visit makes the visitor ask something.
func visit(w *World, c *script.Command, _ uint64) (uint64, error) {
	return w.clients.Visit(c, api.Clip(c.String(), client.Words))
}
