package sim

import (
	"fmt"
	"strings"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/trace"
)

// core are the members whose disks are not damaged for good.
func (w *World) core() (core []*node) {
	for _, n := range w.nodes {
		if !n.permanent() {
			core = append(core, n)
		}
	}
	return core
}

// Unrecoverable names the damage that leaves no quorum of good disks, "" if
// there is one. A cluster in that state must answer nothing that needs one: it
// is halted, and safe.
func (w *World) Unrecoverable() string {
	core := w.core()
	if len(core) > len(w.nodes)/2 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d disks are good", len(core), len(w.nodes))
	for _, n := range w.nodes {
		if n.permanent() {
			fmt.Fprintf(&b, "; member %d: %v", n.id, n.wear.beyond)
		}
	}
	return b.String()
}

// haltedFor is how long a halted cluster is given to betray itself.
const haltedFor = 10 * time.Second

// halted sees to it that a cluster without a quorum of good disks confirms
// neither a write nor a linearizable read.
func (w *World) halted() {
	// What was on its way when the last good disk went has its answer by then.
	w.RunUntil(trace.Instant(w.clock.Now+int64(time.Second)), 0)
	w.enter()
	put := w.clients.Issue(w.clients.Number(0), script.OpPut, &pb.PutRequest{Key: []byte(ProbeKey), Value: w.clients.Probe()}, "put "+ProbeKey, ProbeKey, 0, probePatience)
	w.leave()
	w.RunUntil(trace.Instant(w.clock.Now+int64(haltedFor)), 0)
	w.enter()
	wrote := w.clients.Request(put).Status
	get := w.clients.Issue(w.clients.Number(0), script.OpGet, &pb.RangeRequest{Key: []byte(ProbeKey)}, "get "+ProbeKey, ProbeKey, 0, probePatience)
	w.leave()
	w.RunUntil(trace.Instant(w.clock.Now+int64(haltedFor)), 0)
	w.enter()
	defer w.leave()
	if read := w.clients.Request(get).Status; wrote == client.OK || read == client.OK {
		w.judge.Broken(invariant.AckedDurable, "the cluster answers (write %s, read %s) though %s", wrote, read, w.Unrecoverable())
	}
}
