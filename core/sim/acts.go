package sim

import (
	"fmt"

	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// act is what a world adds to a verb of package script: when it is possible and
// what it does.
type act struct {
	valid    func(w *World, c *script.Command) error // refuses what makes sense at no time; nil = nothing
	possible func(w *World, c *script.Command) error // refuses what makes none now, and leaves no trace; nil = nothing
	// perform does it. The trace event that told of it is the cause of what follows.
	perform func(w *World, c *script.Command, cause uint64) (request uint64, err error)
	// free and decide are possible and perform of a simulated client (Command.Client);
	// nil = it is not for clients.
	free   func(x *client, c *script.Command) error
	decide func(w *World, x *client, c *script.Command) error
}

// newActs is the table, by verb. All requests but one share a row: what they ask is
// told by package script.
func newActs() map[string]*act {
	acts := map[string]*act{
		script.Crash:      {possible: wants((*node).alive), perform: onMember((*World).crash)},
		script.Restart:    {possible: wants((*node).down), perform: onMember((*World).restart)},
		script.Pause:      {possible: wants((*node).Runs), perform: onMember((*World).pause)},
		script.Resume:     {possible: wants((*node).isPaused), perform: onMember((*World).resume)},
		script.Campaign:   {possible: wants((*node).Runs), perform: onMember((*World).campaign)},
		script.Transfer:   {possible: (*World).mayTransfer, perform: onMember((*World).transfer)},
		script.Stall:      {perform: onMember((*World).stall)},
		script.Fail:       {possible: (*World).mayFail, perform: onMember((*World).fail)},
		script.Clock:      {perform: onMember((*World).turnClock)},
		script.Strike:     {valid: validStrike, perform: onMember((*World).strike)},
		script.Defragment: {possible: (*World).mayDefragment, perform: onMember((*World).defragment)},
		script.Garble:     {perform: onMember((*World).garbleNext)},
		script.Rot:        {perform: (*World).rot},

		script.Isolate: {perform: (*World).isolate},
		script.Cut:     {perform: (*World).cut},
		script.Heal:    {perform: (*World).heal},
		script.HealAll: {perform: (*World).undoAll},
		script.Set:     {valid: (*World).validSetting, perform: (*World).set},

		script.CancelWatch: {possible: (*World).mayCancelWatch, perform: (*World).cancelWatch, free: hasStream, decide: decideCancel},
		script.EndStream:   {free: hasStream, decide: onStream((*World).closeStream)},
		script.AskProgress: {free: hasStream, decide: onStream((*World).askProgress)},
		script.HangUp:      {free: hasStream, decide: onStream((*World).hangUpStream)},
		script.Vanish:      {free: hasStream, decide: onStream((*World).loseStream)},
		script.Watch:       {perform: (*World).request, free: hasRoom, decide: decideRequest},
	}
	for _, v := range script.Verbs() {
		if v.Op != 0 && acts[v.Name] == nil {
			acts[v.Name] = &act{perform: (*World).request, free: isIdle, decide: decideRequest}
		}
	}
	return acts
}

// perform executes a command at the present moment.
func (w *World) perform(c *script.Command, fault bool) (request uint64, err error) {
	if err := w.valid(c); err != nil {
		return 0, err
	}
	a := w.acts[c.Cmd]
	if c.Client != 0 {
		return 0, w.decideAs(w.clients[c.Client], a, c)
	}
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
	a := w.acts[c.Cmd]
	if a == nil {
		return c.Check()
	}
	if c.Client < 0 || c.Client >= len(w.clients) {
		return fmt.Errorf("sim: %s: there is no client %d", c.Cmd, c.Client)
	}
	if c.Member != 0 && w.byID(c.Member) == nil {
		return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, c.Member)
	}
	for _, ids := range [][]uint64{c.From, c.To} {
		for _, id := range ids {
			if w.byID(id) == nil {
				return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, id)
			}
		}
	}
	if err := c.Check(); err != nil || a.valid == nil {
		return err
	}
	return a.valid(w, c)
}

// onMember performs what is done to the member of a command.
func onMember(do func(w *World, n *node, c *script.Command, cause uint64)) func(*World, *script.Command, uint64) (uint64, error) {
	return func(w *World, c *script.Command, cause uint64) (uint64, error) {
		do(w, w.byID(c.Member), c, cause)
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

func (n *node) isPaused() bool { return n.process == paused }
func (n *node) down() bool     { return !n.alive() && n.process != starting }

func (w *World) mayTransfer(*script.Command) error {
	if leader := w.leader(); leader == nil || leader.process != running {
		return fmt.Errorf("sim: transfer: there is no leader")
	}
	return nil
}

func (w *World) mayFail(c *script.Command) error {
	kind, _ := script.DiskErrorNamed(c.Name) // it was valid
	if n := w.byID(c.Member); n.wear.armed[kind] > 0 {
		return fmt.Errorf("sim: fail: the disk of member %d waits to fail already", n.id)
	}
	return nil
}

func (w *World) mayDefragment(c *script.Command) error {
	n := w.byID(c.Member)
	if n.Runs() && (n.defrag != nil || n.defragDue) {
		return fmt.Errorf("sim: defragment: member %d does already", n.id)
	}
	return wants((*node).Runs)(w, c)
}

func (w *World) mayCancelWatch(c *script.Command) error {
	if w.watchToCancel(c) == nil {
		return fmt.Errorf("sim: cancel-watch: there is no such watch")
	}
	return nil
}

func (w *World) cancelWatch(c *script.Command, _ uint64) (uint64, error) {
	w.closeStream(w.watchToCancel(c).on)
	return 0, nil
}

func (w *World) watchToCancel(c *script.Command) *watcher {
	for i := len(w.watchers) - 1; i >= 0; i-- {
		wt := w.watchers[i]
		if !wt.closed && wt.client == 0 && (c.Request == 0 || c.Request == wt.id) {
			return wt
		}
	}
	return nil
}

// request makes the visitor ask something.
func (w *World) request(c *script.Command, _ uint64) (uint64, error) {
	op, body, err := c.Body(w.clients[0].lastRev)
	if err != nil {
		return 0, err
	}
	endpoint := -1
	if c.Member != 0 {
		endpoint = w.byID(c.Member).ix
	}
	words := clip(c.String(), requestWords)
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		return w.watch(w.clients[0], create, c.Leader, words, endpoint).id, nil
	}
	slot := w.issue(w.clients[0], op, body, words, c.Key, endpoint, w.cfg.Workload.Timeout)
	return w.requests.At(slot).id, nil
}
