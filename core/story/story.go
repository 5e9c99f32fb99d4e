// Package story tells a run in sentences that a person would say. A Teller puts
// one event into a line of a feed; a Recorder keeps all events of a run, walks
// from its violation back along the causes, and tells what led to it.
//
//	events := new(story.Recorder)
//	w, err := sim.New(cfg, events)
//	w.Run(time.Minute)
//	for _, line := range events.Story(w.Violation()).Lines { ... }
package story

import (
	"slices"
	"strings"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/sim"
	"vitrine/core/sim/settle"
	"vitrine/core/trace"
)

// Recorder is a sink that keeps every event of a run, for its story.
type Recorder struct{ events []trace.Event }

// Emit implements trace.Sink.
func (r *Recorder) Emit(e *trace.Event) {
	if len(r.events) < recordedEvents {
		r.events = append(r.events, *e)
	}
}

// Story is what led to a violation.
type Story struct {
	Lines   []Line   `json:"lines"`   // in order
	Events  []uint64 `json:"events"`  // the ancestors of the violation, ascending
	Members []uint64 `json:"members"` // where they happened
}

// Bounds of a story: nobody reads more.
const (
	recordedEvents = 400_000 // later ones are not kept

	storyEvents = 600
	storyLines  = 60
	afterwards  = int64(50 * time.Millisecond) // what still belongs to a violation
)

// Story walks from the violation back along the causes and keeps the ancestors.
// To the one cause that an event names it adds what the event relies on: a start
// on the crash before it, a leader on its votes, an answer on the entry that it
// acknowledges. Of the ancestors and of what was done to the world it tells what
// a person would mention. Without a violation it tells the whole run.
func (r *Recorder) Story(v *sim.Violation) Story {
	marked := map[uint64]bool{}
	if v != nil {
		r.ancestors(r.roots(v), marked)
	}
	s := Story{Events: []uint64{}, Members: []uint64{}}
	for i := range r.events {
		if e := &r.events[i]; marked[e.Seq] {
			s.Events = append(s.Events, e.Seq)
			if e.Member != 0 && !slices.Contains(s.Members, e.Member) {
				s.Members = append(s.Members, e.Member)
			}
		}
	}
	slices.Sort(s.Members)
	s.Lines = r.lines(marked, v)
	return s
}

// at is the event with that number, nil if there is none.
func (r *Recorder) at(seq uint64) *trace.Event {
	if seq == 0 || seq > uint64(len(r.events)) {
		return nil
	}
	return &r.events[seq-1]
}

// before finds the last event before seq that fits.
func (r *Recorder) before(seq uint64, fits func(e *trace.Event) bool) uint64 {
	for i := min(seq, uint64(len(r.events)+1)); i > 1; i-- {
		if e := &r.events[i-2]; fits(e) {
			return e.Seq
		}
	}
	return 0
}

// roots are the events that together are the violation: the one that broke the
// rule and the one that it disagrees with.
func (r *Recorder) roots(v *sim.Violation) []uint64 {
	last := uint64(len(r.events))
	told := r.before(last+1, func(e *trace.Event) bool { return e.Kind == trace.Violated })
	roots := []uint64{told}
	if v.Since < v.At { // judged at the end: the answer or the push that was wrong
		done := r.before(last+1, func(e *trace.Event) bool {
			return int64(e.Now) <= v.Since+afterwards && (e.Kind == trace.RequestDone && e.Member == 0 && e.Text == "" &&
				v.Number == invariant.Linearizable || e.Kind == trace.WatchPushed && v.Number != invariant.Linearizable)
		})
		return append(roots, done)
	}
	e := r.at(v.Seq)
	if e == nil {
		return roots
	}
	same := func(kinds ...trace.Kind) uint64 {
		return r.before(e.Seq, func(o *trace.Event) bool {
			return slices.Contains(kinds, o.Kind) && o.Index == e.Index && o.Member != e.Member && (o.A != e.A ||
				o.Term != e.Term)
		})
	}
	roots = append(roots, e.Seq)
	switch e.Kind {
	case trace.RoleChanged:
		roots = append(roots, r.before(e.Seq, func(o *trace.Event) bool {
			return o.Kind == trace.RoleChanged && o.A == 2 && o.Term == e.Term && o.Member != e.Member
		}))
	case trace.VoteCast:
		roots = append(roots, r.before(e.Seq, func(o *trace.Event) bool {
			return o.Kind == trace.VoteCast && o.Member == e.Member && o.Term == e.Term && o.Peer != e.Peer
		}))
	case trace.EntryAppended, trace.EntryApplied, trace.CommitAdvanced:
		roots = append(roots, same(trace.EntryApplied), same(trace.EntryAppended))
	case trace.MessageSent, trace.RequestDone:
		roots = append(roots, r.before(e.Seq, func(o *trace.Event) bool {
			return o.Member == e.Member && (o.Kind == trace.LogSynced || o.Kind == trace.LogWritten)
		}))
	}
	return append(roots, r.before(e.Seq, func(o *trace.Event) bool {
		return o.Kind == trace.MemberStarted &&
			o.Member == e.Member
	}))
}

// ancestors marks all causes of the given events.
func (r *Recorder) ancestors(seqs []uint64, marked map[uint64]bool) {
	for len(seqs) > 0 && len(marked) < storyEvents {
		seq := seqs[0]
		seqs = seqs[1:]
		e := r.at(seq)
		if e == nil || marked[seq] {
			continue
		}
		marked[seq] = true
		seqs = append(seqs, e.Cause)
		seqs = append(seqs, r.relies(e)...)
	}
}

// relies lists what an event builds on besides its cause.
func (r *Recorder) relies(e *trace.Event) []uint64 {
	here := func(kinds ...trace.Kind) uint64 {
		return r.before(e.Seq, func(o *trace.Event) bool { return o.Member == e.Member && slices.Contains(kinds, o.Kind) })
	}
	switch e.Kind {
	case trace.MemberStarted:
		return []uint64{here(trace.MemberCrashed, trace.MemberStopped)}
	case trace.RoleChanged:
		if e.A != 2 {
			return nil
		}
		var votes []uint64
		for i := range e.Seq - 1 {
			if o := &r.events[i]; o.Kind == trace.VoteCast && o.Peer == e.Member && o.Term == e.Term {
				votes = append(votes, o.Seq)
			}
		}
		return votes
	case trace.RequestDone:
		if e.Member == 0 {
			return []uint64{r.before(e.Seq, func(o *trace.Event) bool {
				return o.Kind == trace.RequestDone && o.Request == e.Request && o.Member != 0
			})}
		}
		if e.Index != 0 {
			return []uint64{r.before(e.Seq, func(o *trace.Event) bool {
				return o.Kind == trace.EntryApplied && o.Index == e.Index && o.Member == e.Member
			})}
		}
		return []uint64{here(trace.ReadIndexReady), here(trace.EntryApplied)}
	case trace.EntryApplied:
		return []uint64{r.before(e.Seq, func(o *trace.Event) bool {
			return o.Kind == trace.EntryAppended && o.Index == e.Index && o.Member == e.Member
		})}
	case trace.WatchPushed:
		return []uint64{here(trace.RevisionAdvanced), here(trace.WatchCreated)}
	}
	return nil
}

// lines tells the marked events and all that was decided.
func (r *Recorder) lines(marked map[uint64]bool, v *sim.Violation) []Line {
	t := NewTeller()
	lines := []Line{}
	probes := map[uint64]bool{} // of the settling cluster: no part of any story
	for i := range r.events {
		e := &r.events[i]
		if v != nil && int64(e.Now) > v.Since+afterwards && e.Kind != trace.Violated {
			continue
		}
		if e.Kind == trace.RequestIssued && strings.HasSuffix(e.Text, " "+settle.ProbeKey) {
			probes[e.Request] = true
		}
		line, ok := t.Tell(e)
		if e.Request != 0 && probes[e.Request] {
			continue
		}
		if !ok && (marked[e.Seq] || decision(e)) {
			line, ok = detail(e, line)
		}
		if ok && (v == nil || marked[e.Seq] || decision(e) || landmark(e)) {
			lines = append(lines, line)
		}
	}
	if over := len(lines) - storyLines; over > 0 && v != nil {
		lines = slices.DeleteFunc(lines, func(l Line) bool {
			e := r.at(l.Seq)
			if over > 0 && !decision(e) && !landmark(e) {
				over--
				return true
			}
			return false
		})
	}
	return violatedLast(lines)
}

// violatedLast tells the violation at the end. A checker that looks at an answer
// before its event is emitted would have it told before the answer.
func violatedLast(lines []Line) []Line {
	at := slices.IndexFunc(lines, func(l Line) bool { return l.Kind == "violated" })
	if at < 0 {
		return lines
	}
	violated := lines[at]
	return append(slices.Delete(lines, at, at+1), violated)
}

// decision: somebody outside the members did it.
func decision(e *trace.Event) bool {
	return e.Kind == trace.Command || e.Kind == trace.Fault || e.Kind == trace.RequestIssued ||
		e.Kind == trace.RequestDone && e.Member == 0
}

// landmark: without it nobody could follow.
func landmark(e *trace.Event) bool {
	switch e.Kind {
	case trace.MemberCrashed, trace.MemberStopped, trace.MemberPaused, trace.MemberResumed, trace.SnapshotInstalled,
		trace.LogTruncated, trace.Violated:
		return true
	case trace.MemberStarted:
		return e.Now > 0
	case trace.RoleChanged:
		return e.A == 2
	}
	return false
}

// Say tells any event by itself, false if there are no words for its kind.
func Say(e *trace.Event) (Line, bool) {
	line, ok := NewTeller().Tell(e)
	if !ok {
		line, ok = detail(e, line)
	}
	return line, ok
}

// detail tells what a Teller finds too small to mention, and has put into line as
// far as it went.
func detail(e *trace.Event, line Line) (Line, bool) {
	line.Text = e.Text
	switch e.Kind {
	case trace.MessageDelivered:
		return delivered(e, line)
	case trace.MemberStarted:
		if e.Now == 0 {
			return line, false
		}
	case trace.WatchPushed:
		line.N = e.C
	case trace.RequestDone:
		if e.Member == 0 {
			line.Kind = "clientAnswered"
			return line, true
		}
	}
	line.Kind = details[e.Kind]
	return line, line.Kind != ""
}

var details = [256]string{
	trace.MemberStarted: "restarted",
	trace.RequestIssued: "asked", trace.RequestProposed: "proposed", trace.RequestDone: "answered",
	trace.EntryAppended: "appended", trace.LogWritten: "logWritten", trace.LogSynced: "logSynced",
	trace.CommitAdvanced: "committed", trace.EntryApplied: "applied", trace.BackendCommitted: "durable",
	trace.ReadIndexAsked: "readAsked", trace.ReadIndexReady: "readReady", trace.ReadIndexRetried: "readRetried",
	trace.LeaseRenewed: "leaseRenewed", trace.LeaseCheckpointed: "leaseCheckpointed", trace.LessorDemoted: "leasesLeft",
	trace.WatchCreated: "watchOpened", trace.WatchPushed: "watchPushed", trace.WatchCanceled: "watchEnded",
}

// delivered tells of a message; heartbeats go without saying.
func delivered(e *trace.Event, line Line) (Line, bool) {
	line.N, line.Text = e.C&^trace.Rejected, trace.MessageName(e.Msg)
	switch line.Text {
	case "MsgApp":
		line.Kind = "gotEntries"
		if line.N == 0 {
			line.Kind = ""
		}
	case "MsgAppResp":
		if line.Kind = "gotAck"; line.Index == 0 {
			line.Kind = ""
		}
	case "MsgVote":
		line.Kind = "gotVoteRequest"
	case "MsgVoteResp":
		line.Kind = "gotVote"
	case "MsgProp":
		line.Kind = "gotProposal"
	case "MsgSnap":
		line.Kind = "gotSnapshot"
	case "MsgReadIndex", "MsgReadIndexResp", "MsgTimeoutNow":
		line.Kind = "gotMessage"
	}
	if e.C&trace.Rejected != 0 && line.Kind != "" {
		line.Kind = "gotRefusal"
	}
	return line, line.Kind != ""
}
