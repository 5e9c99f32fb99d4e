package sim

import (
	"fmt"
	"slices"

	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/disk"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// Members come and go. What changes them is asked of the cluster, as everything else is; the world follows what is
// applied. A member that is added has a machine at once, with an empty disk and the number that its URL names. One that
// was removed is told so by others, if it does not know it, and its machine stays what it was: its number is used up.

// roster is who is in the cluster, as of the newest change that anybody has applied.
type roster struct {
	index            uint64
	voters, learners []uint64 // sorted
}

func (r *roster) add(id uint64, learner bool) {
	r.remove(id)
	list := &r.voters
	if learner {
		list = &r.learners
	}
	at, _ := slices.BinarySearch(*list, id)
	*list = slices.Insert(*list, at, id)
}

func (r *roster) remove(id uint64) {
	is := func(o uint64) bool { return o == id }
	r.voters, r.learners = slices.DeleteFunc(r.voters, is), slices.DeleteFunc(r.learners, is)
}

func (r *roster) has(id uint64) bool {
	return slices.Contains(r.voters, id) || slices.Contains(r.learners, id)
}

// all are the members, in order.
func (r *roster) all() []uint64 {
	all := slices.Concat(r.voters, r.learners)
	slices.Sort(all)
	return all
}

// What MemberChanged says of a member, in A.
const (
	changeAdd = iota
	changeRemove
	changeUpdate
	changeLearner
	changePromote
)

// memberChanged follows a change that was applied somewhere.
func (w *World) memberChanged(e *trace.Event) {
	if e.Text != "" || e.Index <= w.roster.index {
		return
	}
	w.roster.index = e.Index
	switch e.A {
	case changeRemove:
		w.roster.remove(e.Peer)
		return
	case changeUpdate:
		return
	}
	w.roster.add(e.Peer, e.A == changeLearner)
	if w.byID(e.Peer) == nil {
		w.clock.Push(clock.Event{At: w.clock.Now + 1, Kind: evJoin, A: e.Peer})
	}
	if e.A != changeLearner && !slices.Contains(w.ids, e.Peer) {
		w.ids = append(w.ids, e.Peer)
	}
}

// addNode makes a machine.
func (w *World) addNode(id uint64) *node {
	cfg := &w.cfg
	n := &node{
		id: id, world: w, name: nodeName(id), tracer: trace.NewTracer(w.stream, id), process: starting,
		dial: cfg.Disk, apply: int64(cfg.Process.Apply), tickEvery: int64(cfg.TickEvery), electionTicks: cfg.ElectionTicks,
		raft: dice.New(cfg.Seed, dice.Raft, id), disk: dice.New(cfg.Seed, dice.Disk, id).At(&w.clock.Now),
		heard: map[uint64]int64{}, votes: map[uint64]bool{}, connections: map[uint64]uint32{},
	}
	n.logLane.of, n.storeLane.of, n.readLane.of, n.transfers.of, n.gauges.of = n, n, n, n, n
	n.wear = disk.New(n, w.clock, n.disk)
	n.proposed = func(request uint64) bool { return consensus.Ours(id, request) }
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
	started, err := d.Start(func() (b driver.Birth, err error) {
		b.Metadata, err = (&pb.WALMetadata{NodeID: new(id), ClusterID: new(uint64(clusterID))}).MarshalVT()
		return b, err
	})
	if err == nil {
		err = started.Close()
	}
	if err != nil {
		w.judge.Broken(invariant.Boot, "the disk of member %d cannot be made: %v", id, err)
		return
	}
	n.start()
}

// connect tells a member to whom it has a connection now, and to whom it has none any more.
func (n *node) connect() {
	w := n.world
	for _, o := range w.nodes {
		if o == n {
			continue
		}
		life, had := n.connections[o.id]
		up := o.alive() && !w.network.link(n, o).cut && !w.network.link(o, n).cut
		if had && (!up || life != o.life) {
			delete(n.connections, o.id)
			had = false
			n.step(&member.Input{Kind: member.PeerConnected, Peer: o.id})
		}
		if up && !had && n.member != nil {
			n.connections[o.id] = o.life
			n.step(&member.Input{Kind: member.PeerConnected, Peer: o.id, OK: true})
		}
		if n.member == nil { // that was its end
			return
		}
	}
}

// Learner implements settle.Member.
func (n *node) Learner() bool { return slices.Contains(n.world.roster.learners, n.id) }

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
