package sim

import (
	"fmt"
	"slices"

	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/disk"
	"vitrine/core/sim/roster"
	"vitrine/core/sim/secret"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// Members come and go. What changes them is asked of the cluster, as everything else is; the world follows what is
// applied. A member that is added has a machine at once, with an empty disk and the number that its URL names. One that
// was removed is told so by others, if it does not know it, and its machine stays what it was: its number is used up.

// memberChanged follows a change that was applied somewhere.
func (w *World) memberChanged(e *trace.Event) {
	id := w.roster.Changed(e)
	if id == 0 {
		return
	}
	if w.byID(id) == nil {
		w.clock.Push(clock.Event{At: w.clock.Now + 1, Kind: evJoin, A: id})
	}
	if !w.roster.Learns(id) && !slices.Contains(w.ids, id) {
		w.ids = append(w.ids, id)
	}
}

// addNode makes a machine.
func (w *World) addNode(id uint64) *node {
	cfg := &w.cfg
	n := &node{
		id: id, world: w, name: nodeName(id), tracer: trace.NewTracer(w.stream, id), process: starting,
		dial: cfg.Disk, apply: int64(cfg.Process.Apply), tickEvery: int64(cfg.TickEvery), electionTicks: cfg.ElectionTicks,
		raft: dice.New(cfg.Seed, dice.Raft, id), disk: dice.New(cfg.Seed, dice.Disk, id).At(&w.clock.Now),
		heard: map[uint64]int64{}, votes: map[uint64]bool{}, connections: roster.Connections{},
	}
	n.logLane.of, n.storeLane.of, n.readLane.of, n.transfers.of, n.gauges.of = n, n, n, n, n
	n.Lane = secret.NewLane(n, evWork, w.clock, cfg)
	n.wear = disk.New(n, w.clock, n.disk)
	n.proposed = func(request uint64) bool { return n.member.Proposed(request) }
	w.nodes = append(w.nodes, n)
	if len(w.nodes) <= cfg.Members {
		w.ids = append(w.ids, id)
	}
	return n
}

// join sets up the machine of a member that was added: it has an empty log, and all to learn.
func (w *World) join(id uint64) {
	if w.byID(id) != nil || id > script.MaxMachines {
		return
	}
	n := w.addNode(id)
	n.fs = vfs.NewMem()
	d := filesOf(n)
	d.Tracer = nil
	started, err := d.Start(func() (driver.Birth, error) { return birth(n, nil) })
	if err == nil {
		err = started.Close()
	}
	if err != nil {
		w.judge.Broken(invariant.Boot, "the disk of member %d cannot be made: %v", id, err)
		return
	}
	n.start()
}

// connect tells a member to whom it has a connection now, to whom none any more, and who refuses one: it was removed.
func (n *node) connect() {
	w := n.world
	for _, o := range w.nodes {
		if o == n {
			continue
		}
		up := o.alive() && !w.network.link(n, o).cut && !w.network.link(o, n).cut
		broken, made := n.connections.Update(o.id, o.life, up)
		for _, c := range [...]struct{ now, ok bool }{{broken, false}, {made, true}} {
			if c.now && n.member != nil {
				n.step(&member.Input{Kind: member.PeerConnected, Peer: o.id, OK: c.ok})
			}
		}
		if up && n.member != nil && o.process == running && o.store.Members.IsRemoved(n.id) {
			n.step(&member.Input{Kind: member.Expelled, Peer: o.id})
		}
	}
}

// Learner implements settle.Member.
func (n *node) Learner() bool { return n.world.roster.Learns(n.id) }

// newID is the number of the machine at a URL.
func newID(urls []string, _ int64) uint64 { return script.MachineAt(urls[0]) }

// unknownMachine refuses a command about a machine that is not there, or not yet.
func (w *World) unknownMachine(c *script.Command) error {
	for _, ids := range [][]uint64{{c.Member}, c.From, c.To} {
		for _, id := range ids {
			if id != 0 && w.byID(id) == nil {
				return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, id)
			}
		}
	}
	return nil
}
