package sim

import (
	"bytes"
	"fmt"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// ProbeKey is written and read to see that a settling cluster serves.
const ProbeKey = "settled"

const probePatience = 5 * time.Second

// SettleLimit is how long a healed cluster may take to converge.
const SettleLimit = 30 * time.Second

// Run is a whole run: so long, and then until the cluster has settled. It
// returns the violation, if there was one.
func (w *World) Run(length time.Duration) *Violation {
	if w.RunUntil(trace.Instant(length), 0) {
		w.Settle(SettleLimit)
	}
	return w.judge.Violation()
}

// Settle ends the faults and the load, and runs on until the cluster has
// converged: everyone up but those whose disk is damaged for good, everything
// applied everywhere, equal data, a write and a linearizable read answered,
// every watcher up to date (I27). If so many are damaged that no quorum is
// left, the cluster must be safe instead: see Unrecoverable. Then the histories
// are judged. It reports whether all is well; if not, there is a violation.
func (w *World) Settle(limit time.Duration) bool {
	if w.judge.Violation() != nil {
		return false
	}
	w.Heal()
	deadline := max(w.clients.Unread(), w.copied()) + int64(limit)
	probe, roll := probe{w: w}, rollcall{w: w}
	for w.judge.Violation() == nil {
		if w.Unrecoverable() != "" {
			w.halted()
			break
		}
		missing := w.missing()
		if missing == "" {
			missing = probe.missing()
		}
		if missing == "" && w.clients.Unread() > w.clock.Now {
			missing = "a client has not read what was sent to it"
		}
		if missing == "" {
			w.enter()
			missing = roll.missing()
			w.leave()
		}
		if missing == "" {
			break
		}
		if w.clock.Now >= deadline {
			w.enter()
			w.judge.Broken(invariant.Liveness, "%v after everything was healed: %s", limit, missing)
			w.leave()
			break
		}
		w.RunUntil(trace.Instant(min(deadline, w.clock.Now+int64(50*time.Millisecond))), 0)
	}
	if w.judge.Violation() == nil {
		w.enter()
		w.judge.Final(w.judged())
		w.leave()
	}
	return w.judge.Violation() == nil
}

// Heal ends the faults and the load, as Settle does, and returns at once: a
// player goes on from there at its own pace.
func (w *World) Heal() {
	w.enter()
	defer w.leave()
	w.clients.Rest()
	w.endFaults()
}

// endFaults heals everything: it ends cuts, pauses and stalls, puts back all
// settings, and restarts who can run.
func (w *World) endFaults() {
	w.chaos.End()
	cause := w.emit(trace.Event{Kind: trace.Fault, Text: "the faults end"})
	w.net = w.cfg.Network
	w.healAll(cause)
	for _, n := range w.nodes {
		n.dial = w.cfg.Disk
		n.tickEvery, n.wear.armed = int64(w.cfg.TickEvery), [script.DiskErrors]int{}
		n.strikes.disarm()
		n.garbled = nil
		if !n.alive() && n.process != starting && (n.process != stopped || n.wear.hit != nil) {
			w.start(n)
		}
	}
	// What was to be taken back later has been taken back.
	for i := range w.scheduled {
		if t := &w.scheduled[i]; t.Fault && t.At >= w.clock.Now {
			t.Cmd = ""
		}
	}
}

// copied is when the slowest defragmentation under way will have made its copy:
// that it has begun on a slow disk is no fault of the cluster.
func (w *World) copied() int64 {
	last := w.clock.Now
	for _, n := range w.nodes {
		if n.defrag != nil {
			last = max(last, n.copied)
		}
	}
	return last
}

// missing says what keeps the cluster from being settled, "" if nothing does.
func (w *World) missing() string {
	if n := w.clients.Open(); n > 0 {
		return fmt.Sprintf("%d requests are not answered", n)
	}
	for _, n := range w.nodes {
		if n.process != running && !n.permanent() {
			return fmt.Sprintf("member %d is %s %s", n.id, processNames[n.process], n.reason)
		}
	}
	if w.leader() == nil {
		return "there is no leader"
	}
	core := w.core()
	first := core[0]
	for _, n := range core {
		a, b := first.store.Applied().Index, n.store.Applied().Index
		if a != b {
			return fmt.Sprintf("member %d has applied %d, member %d %d", first.id, a, n.id, b)
		}
		if n.store.Compacting() {
			return fmt.Sprintf("member %d is compacting", n.id)
		}
	}
	return ""
}

// probe is the write and the read of a settling cluster.
type probe struct {
	w        *World
	put, get int32
	state    int
}

func (p *probe) missing() string {
	w := p.w
	w.enter()
	defer w.leave()
	switch p.state {
	case -1: // an alarm is up
		if c := w.clients.Number(0); c.Refused || len(c.Alarms) > 0 {
			op, body := c.Repair()
			w.clients.Issue(c, op, body, op.String(), "", 0, probePatience)
			return "alarms are taken down"
		}
		p.state = 0
		fallthrough
	case 0:
		p.put = w.clients.Issue(w.clients.Number(0), script.OpPut, &pb.PutRequest{Key: []byte(ProbeKey), Value: w.clients.Probe()}, "put "+ProbeKey, ProbeKey, 0, probePatience)
		p.state = 1
		return "the last write is on its way"
	case 1:
		if w.clients.Request(p.put).Status != client.OK {
			p.state = 0
			if w.clients.Number(0).Refused {
				p.state = -1
			}
			return "a write fails: " + w.clients.Request(p.put).Err.Error()
		}
		p.get = w.clients.Issue(w.clients.Number(0), script.OpGet, &pb.RangeRequest{Key: []byte(ProbeKey)}, "get "+ProbeKey, ProbeKey, 0, probePatience)
		p.state = 2
		return "the last read is on its way"
	case 2:
		if w.clients.Request(p.get).Status != client.OK {
			p.state = 1
			return "a linearizable read fails: " + w.clients.Request(p.get).Err.Error()
		}
		p.state = 3
	}
	return w.different()
}

// different says how the settled members or their watchers differ.
func (w *World) different() string {
	core := w.core()
	rev := core[0].store.KV.Revision()
	sum, _, _, err := core[0].store.HashKV(0)
	if err != nil {
		return err.Error()
	}
	for _, n := range core[1:] {
		other, _, _, err := n.store.HashKV(0)
		if err != nil {
			return err.Error()
		}
		if r := n.store.KV.Revision(); r != rev || other != sum {
			return fmt.Sprintf("member %d is at revision %d with hash %08x, member %d at %d with %08x", core[0].id, rev, sum, n.id, r, other)
		}
	}
	for _, wt := range w.clients.Watchers() {
		rest, err := missed(wt, core[0].store, rev)
		if err != nil {
			return err.Error()
		}
		if rest != 0 {
			return fmt.Sprintf("the watcher of client %d waits for revision %d, the cluster is at %d", wt.Client, rest, rev)
		}
	}
	return ""
}

// missed is the first revision up to rev with a change that the watcher is
// still to be told of, 0 if there is none. What its filters leave out is not
// looked for, nor what has been compacted.
func missed(wt *client.Watcher, s *store.Store, rev int64) (int64, error) {
	if wt.Closed || len(wt.Create.Filters) > 0 || wt.Next == 0 || wt.Next > rev {
		return 0, nil
	}
	changes, _, err := s.KV.Scan(max(wt.Next, s.KV.CompactRevision()), rev, 0, false)
	if err != nil {
		return 0, err
	}
	for _, c := range changes {
		for _, e := range c.Events {
			if covers(wt, e.Kv.Key) {
				return c.Rev, nil
			}
		}
	}
	return 0, nil
}

// covers reports whether key is in the range that the watcher asked for.
func covers(wt *client.Watcher, key []byte) bool {
	from, end := wt.Create.Key, wt.Create.RangeEnd
	switch {
	case len(end) == 0:
		return bytes.Equal(key, from)
	case string(end) == "\x00":
		return bytes.Compare(key, from) >= 0
	default:
		return bytes.Compare(key, from) >= 0 && bytes.Compare(key, end) < 0
	}
}
