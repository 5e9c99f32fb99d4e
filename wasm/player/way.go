package player

import (
	"cmp"
	"slices"

	"vitrine/core/sim"
	"vitrine/core/trace"
)

// Stations that a request passes besides those which the simulator names. They
// follow from causes: a request leads to a proposal, the proposal to a message,
// the message to an entry, and from then on its index tells.
const (
	stationForwarded = "forwarded to the leader"
	stationReadAsked = "read index asked"
	stationConfirm   = "leader asks a majority"
	stationAppended  = "appended to the log"
	stationSynced    = "synced to disk"
	stationMajority  = "synced on a majority"
	stationCommitted = "committed"
	stationApplied   = "applied"
)

// way is what is known of one request on its way through the cluster.
type way struct {
	request  uint64
	server   uint64 // the member that the client spoke to
	proposal uint64 // the id under which it was proposed, 0 = not yet
	leader   uint64 // the member that appended it first
	index    uint64 // of its entry, 0 = not known yet
	term     uint64
	synced   []uint64 // members that have it on disk
	sent     []uint64 // events that sent a message on its behalf
	stations []sim.StationState
	done     bool
}

// Bounds: ways that are remembered, and causes that may still lead somewhere.
const (
	waysBound   = 96
	causesBound = 1024
	sentBound   = 64
)

// ways follows requests by the causes of events.
type ways struct {
	quorum int
	all    []*way // oldest first
	chain  map[uint64]*way
	order  []uint64 // keys of chain, oldest first
}

func newWays(members int) ways { return ways{quorum: members/2 + 1, chain: map[uint64]*way{}} }

func (w *ways) find(request uint64) *way {
	for i := len(w.all) - 1; i >= 0; i-- {
		if w.all[i].request == request {
			return w.all[i]
		}
	}
	return nil
}

// link notes that the event seq belongs to a way.
func (w *ways) link(seq uint64, to *way) {
	if len(w.order) >= causesBound {
		delete(w.chain, w.order[0])
		w.order = append(w.order[:0], w.order[1:]...)
	}
	w.chain[seq] = to
	w.order = append(w.order, seq)
}

func (r *way) add(name string, e *trace.Event, note string) {
	r.stations = append(r.stations, sim.StationState{Name: name, At: int64(e.Now), Member: e.Member, Note: note})
}

// take follows an event.
func (w *ways) take(e *trace.Event) {
	switch e.Kind {
	case trace.RequestIssued:
		w.begin(e)
	case trace.RequestDone:
		if r := w.find(e.Request); r != nil && e.Member == 0 {
			r.done = true
		}
	case trace.RequestProposed:
		if r := w.find(e.Request); r != nil {
			r.proposal = e.A
		}
	case trace.MessageSent, trace.MessageDelivered:
		w.message(e)
	case trace.ReadIndexAsked:
		if r := w.chain[e.Cause]; r != nil {
			r.add(stationReadAsked, e, "")
		}
	case trace.EntryAppended:
		w.appended(e)
	case trace.LogSynced:
		w.synced(e)
	case trace.CommitAdvanced:
		w.committed(e)
	case trace.EntryApplied:
		w.applied(e)
	}
}

// begin starts a way, or a further attempt on it.
func (w *ways) begin(e *trace.Event) {
	r := w.find(e.Request)
	if r == nil {
		if len(w.all) >= waysBound {
			w.all = append(w.all[:0], w.all[1:]...)
		}
		r = &way{request: e.Request}
		w.all = append(w.all, r)
	}
	r.server, r.proposal, r.index, r.leader, r.synced = e.Peer, 0, 0, 0, nil
	w.link(e.Seq, r)
}

// message follows a proposal or a read that a follower passes on, the heartbeats
// by which a leader asks a majority whether it leads, and what they answer.
func (w *ways) message(e *trace.Event) {
	if e.Msg != msgProp && e.Msg != msgReadIndex && e.Msg != msgReadIndexResp && !heartbeat(e.Msg) {
		return
	}
	r := w.chain[e.Cause]
	if r == nil {
		return
	}
	w.link(e.Seq, r)
	if e.Kind == trace.MessageSent && len(r.sent) < sentBound {
		r.sent = append(r.sent, e.Seq)
	}
	switch {
	case e.Kind == trace.MessageSent && e.Msg == msgProp:
		r.add(stationForwarded, e, "")
	case e.Kind == trace.MessageDelivered && e.Msg == msgReadIndex:
		r.add(stationConfirm, e, "")
	}
}

// Carries tells whether a message is on its way on behalf of this request: it
// passes it on, carries its entry, or says that the entry has arrived.
func (r *way) Carries(m *sim.MessageState) bool {
	switch {
	case slices.Contains(r.sent, m.Seq):
		return true
	case r.index == 0 || m.Term != r.term:
		return false
	case m.Type == "MsgApp":
		return m.From == r.leader && m.Index < r.index && r.index <= m.Index+uint64(m.Entries)
	case m.Type == "MsgAppResp":
		return m.To == r.leader && m.Index >= r.index && !m.Reject
	}
	return false
}

// appended finds the entry of a request: the first one that its cause led to.
func (w *ways) appended(e *trace.Event) {
	if r := w.chain[e.Cause]; r != nil && r.index == 0 {
		r.index, r.term, r.leader = e.Index, e.Term, e.Member
		r.add(stationAppended, e, "")
	}
}

// synced tells when an entry has become durable at a member, and when at a
// majority.
func (w *ways) synced(e *trace.Event) {
	for _, r := range w.open() {
		if r.index == 0 || e.Index < r.index || e.Term < r.term || slices.Contains(r.synced, e.Member) {
			continue
		}
		r.synced = append(r.synced, e.Member)
		switch {
		case len(r.synced) < w.quorum:
			r.add(stationSynced, e, "")
		case len(r.synced) == w.quorum:
			r.add(stationMajority, e, "")
		}
	}
}

func (w *ways) committed(e *trace.Event) {
	for _, r := range w.open() {
		if r.index != 0 && e.Index >= r.index && (e.Member == r.leader || e.Member == r.server) && !r.passed(stationCommitted, e.Member) {
			r.add(stationCommitted, e, "")
		}
	}
}

func (w *ways) applied(e *trace.Event) {
	for _, r := range w.open() {
		if r.server == e.Member && (r.index == e.Index || r.proposal != 0 && r.proposal == e.Request) && !r.passed(stationApplied, e.Member) {
			r.add(stationApplied, e, "")
		}
	}
}

// open are the ways that are not done. Requests end roughly in the order in
// which they began, so the search starts at the newest.
func (w *ways) open() []*way {
	first := len(w.all)
	for i := len(w.all) - 1; i >= 0 && len(w.all)-i <= 32; i-- {
		if !w.all[i].done {
			first = i
		}
	}
	return w.all[first:]
}

func (r *way) passed(name string, member uint64) bool {
	return slices.ContainsFunc(r.stations, func(s sim.StationState) bool { return s.Name == name && s.Member == member })
}

// merge adds the stations of a way to those that the simulator knows, in the
// order of time; where both have one, the simulator's stays.
func (w *ways) merge(r *sim.RequestState) []sim.StationState {
	known := w.find(r.ID)
	if known == nil || len(known.stations) == 0 {
		return r.Stations
	}
	out := make([]sim.StationState, 0, len(r.Stations)+len(known.stations))
	out = append(out, r.Stations...)
	for _, s := range known.stations {
		same := func(k sim.StationState) bool { return k.Name == s.Name && k.Member == s.Member }
		if (r.Done == 0 || s.At <= r.Done) && !slices.ContainsFunc(r.Stations, same) {
			out = append(out, s)
		}
	}
	// Of what happens in one moment, the question comes first and the answer last.
	slices.SortStableFunc(out, func(a, b sim.StationState) int {
		if c := cmp.Compare(a.At, b.At); c != 0 {
			return c
		}
		return cmp.Compare(rank(a.Name), rank(b.Name))
	})
	return out
}

func rank(name string) int {
	switch name {
	case "client":
		return -3
	case "arrived":
		return -2
	case stationReadAsked:
		return -1
	case "answered":
		return 1
	}
	return 0
}
