package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/trace"
)

// play emits events with plausible defaults.
type play struct {
	t       testing.TB
	stream  *trace.Stream
	checker *Checker
}

func newPlay(t testing.TB) *play {
	c := New(Options{})
	s := trace.NewStream(c)
	return &play{t, s, c}
}

func (p *play) emit(events ...trace.Event) *play {
	for i := range events {
		p.stream.Emit(&events[i])
	}
	return p
}

func started(m, term, vote, applied uint64, last end) trace.Event {
	return trace.Event{Kind: trace.MemberStarted, Member: m, Term: term, Peer: vote, Index: applied, C: last.index,
		A: last.term, Rev: 1}
}

func appended(m, index, term uint64) trace.Event {
	return trace.Event{Kind: trace.EntryAppended, Member: m, Index: index, Term: term, A: hashOf(index, term)}
}

func hashOf(index, term uint64) uint64 { return trace.HashData([]byte(fmt.Sprint(index, "/", term))) }

func synced(m, index, term, vote, hardTerm uint64) trace.Event {
	return trace.Event{Kind: trace.LogSynced, Member: m, Index: index, Term: term, B: vote, C: hardTerm}
}

func commits(m, index, term uint64) trace.Event {
	return trace.Event{Kind: trace.CommitAdvanced, Member: m, Index: index, Term: term}
}

func applies(m, index, term uint64, rev int64) trace.Event {
	return trace.Event{Kind: trace.EntryApplied, Member: m, Index: index, Term: term, A: hashOf(index, term), Rev: rev}
}

func leads(m, term uint64) trace.Event {
	return trace.Event{Kind: trace.RoleChanged, Member: m, Term: term, A: 2, Peer: m}
}

func follows(m, term, lead uint64) trace.Event {
	return trace.Event{Kind: trace.RoleChanged, Member: m, Term: term, Peer: lead}
}

func votes(m, term, candidate uint64) trace.Event {
	return trace.Event{Kind: trace.VoteCast, Member: m, Term: term, Peer: candidate}
}

func acks(m, index uint64) trace.Event {
	return trace.Event{Kind: trace.RequestDone, Member: m, Index: index, Request: 1}
}

func sends(from, to, term, index uint64, msg uint8) trace.Event {
	return trace.Event{Kind: trace.MessageSent, Member: from, Peer: to, Term: term, Index: index, Msg: msg}
}

// answers is an answer to client at revision rev, over a connection to member,
// to what was asked at a moment; it comes one later.
func answers(client, member, connection uint64, rev int64, asked uint64) trace.Event {
	return trace.Event{Kind: trace.RequestDone, Peer: member, A: client, B: connection, Rev: rev, C: asked,
		Now: trace.Instant(asked + 1)}
}

func stands(m, term uint64) trace.Event {
	return trace.Event{Kind: trace.RoleChanged, Member: m, Term: term, A: 1}
}

func refuses(from, to, term uint64) trace.Event {
	e := sends(from, to, term, 0, msgPreVoteResp)
	e.C = trace.Rejected
	return e
}

// cluster starts members 1 to 3 with the bootstrap log (3 entries of term 1),
// elects 1 in term 2, replicates its first entry and one write, and
// acknowledges the write.
func cluster(t testing.TB) *play {
	p := newPlay(t)
	for m := uint64(1); m <= 3; m++ {
		p.emit(started(m, 1, 0, 0, end{3, 1}))
		for i := uint64(1); i <= 3; i++ {
			p.emit(applies(m, i, 1, 1), trace.Event{Kind: trace.ConfChanged, Member: m, Index: i, Peer: i})
		}
	}
	p.emit(
		trace.Event{Kind: trace.TermChanged, Member: 1, Term: 2}, votes(1, 2, 1), synced(1, 3, 1, 1, 2),
		trace.Event{Kind: trace.TermChanged, Member: 2, Term: 2}, votes(2, 2, 1), synced(2, 3, 1, 1, 2),
		sends(2, 1, 2, 0, msgVoteResp),
		leads(1, 2), appended(1, 4, 2), appended(1, 5, 2), synced(1, 5, 2, 1, 2),
		follows(2, 2, 1), appended(2, 4, 2), appended(2, 5, 2), synced(2, 5, 2, 1, 2), sends(2, 1, 2, 5, msgAppResp),
		trace.Event{Kind: trace.TermChanged, Member: 3, Term: 2}, appended(3, 4, 2),
		commits(1, 5, 2), applies(1, 4, 2, 1), applies(1, 5, 2, 2), acks(1, 5),
		commits(2, 5, 2), applies(2, 4, 2, 1), applies(2, 5, 2, 2),
		trace.Event{Kind: trace.BackendCommitted, Member: 1, Index: 5},
	)
	return p
}

func TestSilentOnAGoodRun(t *testing.T) {
	p := cluster(t)
	p.emit(
		// 3 catches up; 1 crashes and comes back as a follower of 2.
		synced(3, 4, 2, 0, 2), appended(3, 5, 2), synced(3, 5, 2, 0, 2), sends(3, 1, 2, 5, msgAppResp),
		appended(1, 6, 2), synced(1, 6, 2, 1, 2),
		trace.Event{Kind: trace.MemberCrashed, Member: 1, A: 1},
		trace.Event{Kind: trace.TermChanged, Member: 2, Term: 3}, votes(2, 3, 2), synced(2, 5, 2, 2, 3),
		trace.Event{Kind: trace.TermChanged, Member: 3, Term: 3}, votes(3, 3, 2), synced(3, 5, 2, 2, 3),
		sends(3, 2, 3, 0, msgVoteResp),
		leads(2, 3), appended(2, 6, 3), synced(2, 6, 3, 2, 3), appended(3, 6, 3), synced(3, 6, 3, 2, 3),
		commits(2, 6, 3), applies(2, 6, 3, 2),
		// 1 has an entry of term 2 at index 6 that was never committed: it goes.
		trace.Event{Kind: trace.MemberStarted, Member: 1, Term: 2, Peer: 1, Index: 5, C: 6, A: 2, Rev: 2},
		trace.Event{Kind: trace.TermChanged, Member: 1, Term: 3},
		trace.Event{Kind: trace.LogTruncated, Member: 1, Index: 6}, appended(1, 6, 3), synced(1, 6, 3, 0, 3),
		sends(1, 2, 3, 6, msgAppResp),
		commits(1, 6, 3), applies(1, 6, 3, 2),
		// 3 is sent a snapshot and goes on from there.
		trace.Event{Kind: trace.MessageDelivered, Member: 3, Peer: 2, Msg: msgSnap},
		appended(2, 7, 3), appended(2, 8, 3), synced(2, 8, 3, 2, 3), appended(1, 7, 3), appended(1, 8, 3),
		synced(1, 8, 3, 0, 3),
		commits(2, 8, 3), applies(2, 7, 3, 3), applies(2, 8, 3, 4), acks(2, 8),
		commits(3, 8, 3), synced(3, 8, 3, 2, 3), appended(3, 9, 3), sends(3, 2, 3, 8, msgAppResp),
		trace.Event{Kind: trace.SnapshotInstalled, Member: 3, Index: 8, Term: 3, Rev: 4},
		appended(2, 9, 3), synced(3, 9, 3, 2, 3), synced(2, 9, 3, 2, 3), commits(2, 9, 3), commits(3, 9, 3),
		applies(3, 9, 3, 4),
	)
	p.emit(
		// 1 is sent a snapshot that it does not need, and the sync of what it appended as a leader ends when another
		// leader has replaced that.
		trace.Event{Kind: trace.MessageDelivered, Member: 1, Peer: 2, Msg: msgSnap},
		appended(1, 9, 3), appended(1, 10, 3), appended(1, 11, 3), trace.Event{Kind: trace.TermChanged, Member: 2, Term: 4},
		leads(2, 4),
		appended(2, 10, 4), appended(2, 11, 4), synced(2, 11, 4, 2, 4), appended(3, 10, 4), appended(3, 11, 4),
		synced(3, 11, 4, 2, 4), commits(2, 11, 4),
		trace.Event{Kind: trace.TermChanged, Member: 1, Term: 4}, trace.Event{Kind: trace.LogTruncated, Member: 1, Index: 10},
		appended(1, 10, 4),
		synced(1, 11, 3, 0, 3), appended(1, 11, 4),
	)
	p.emit(
		// Pre-votes make a candidate, and so does the word of the leader.
		sends(1, 3, 5, 0, msgPreVoteResp), trace.Event{Kind: trace.TermChanged, Member: 3, Term: 5}, stands(3, 5),
		trace.Event{Kind: trace.MessageDelivered, Member: 1, Peer: 2, Msg: msgTimeoutNow, Term: 4},
		trace.Event{Kind: trace.TermChanged, Member: 1, Term: 6}, stands(1, 6),
		// A grant that an earlier life of 3 asked for, in a term that it forgot, is late.
		sends(1, 3, 9, 0, msgPreVoteResp), trace.Event{Kind: trace.TermChanged, Member: 3, Term: 8}, stands(3, 8),
		// Answers under way together may come in any order, and another life of the member may know less.
		answers(7, 2, 1, 9, 20), answers(7, 2, 1, 8, 20), answers(7, 2, 2, 3, 30), answers(7, 1, 1, 2, 40),
		answers(8, 2, 1, 4, 50),
	)
	p.checker.Hash(0, 2, 4, -1, 0xabc)
	p.checker.Hash(0, 3, 4, -1, 0xabc)
	p.checker.Hash(0, 1, 2, -1, 0xdef)
	for _, v := range p.checker.Violations() {
		t.Error(v)
	}
}

// What a member had synced, another leader's entries take the place of, and a later leader commits: after a crash
// the disk has the old entries or the new ones, and both are right.
func TestReplacedEntriesAreCommittedLater(t *testing.T) {
	for name, left := range map[string]end{"the new one": {6, 3}, "the old one": {6, 2}, "none": {5, 2}} {
		t.Run(name, func(t *testing.T) {
			p := cluster(t).emit(
				appended(1, 6, 2), synced(1, 6, 2, 1, 2), appended(2, 6, 2), synced(2, 6, 2, 1, 2),
				appended(3, 5, 2), synced(3, 5, 2, 0, 2),
				trace.Event{Kind: trace.TermChanged, Member: 3, Term: 3}, votes(3, 3, 3), leads(3, 3), appended(3, 6, 3),
				trace.Event{Kind: trace.TermChanged, Member: 2, Term: 3}, follows(2, 3, 3),
				trace.Event{Kind: trace.LogTruncated, Member: 2, Index: 6}, appended(2, 6, 3),
				trace.Event{Kind: trace.MemberCrashed, Member: 3, A: 1}, started(3, 3, 3, 3, end{5, 2}),
				trace.Event{Kind: trace.TermChanged, Member: 1, Term: 4}, votes(1, 4, 1), leads(1, 4), appended(1, 7, 4),
				trace.Event{Kind: trace.TermChanged, Member: 3, Term: 4}, follows(3, 4, 1),
				appended(3, 6, 2), appended(3, 7, 4), synced(3, 7, 4, 0, 4), synced(1, 7, 4, 1, 4), commits(1, 7, 4),
				trace.Event{Kind: trace.MemberCrashed, Member: 2, A: 1}, started(2, 3, 0, 5, left),
			)
			for _, v := range p.checker.Violations() {
				t.Error(v)
			}
		})
	}
}

// Each case goes on from cluster with events of which the last breaks the
// invariant.
func TestFires(t *testing.T) {
	elect := func(m, term uint64) []trace.Event {
		return []trace.Event{{Kind: trace.TermChanged, Member: m, Term: term}, votes(m, term, m), leads(m, term)}
	}
	restart := func(term, vote, applied, index, logTerm uint64) []trace.Event {
		return []trace.Event{{Kind: trace.MemberCrashed, Member: 1, A: 1},
			started(1, term, vote, applied, end{index, logTerm})}
	}
	other := appended(3, 5, 2)
	other.A++
	otherApplied := applies(3, 5, 2, 2)
	otherApplied.A++
	cases := map[string]struct {
		number int
		events []trace.Event
	}{
		"two leaders of a term": {invariant.ElectionSafety,
			[]trace.Event{{Kind: trace.TermChanged, Member: 3, Term: 2}, leads(3, 2)}},
		"a leader overwrites": {invariant.LeaderAppendOnly,
			[]trace.Event{appended(1, 6, 2), appended(1, 7, 2), {Kind: trace.LogTruncated, Member: 1, Index: 6},
				appended(1, 6, 2)}},
		"equal index and term, other data": {invariant.LogMatching, []trace.Event{other}},
		"equal index and term, other past": {invariant.LogMatching,
			append(append([]trace.Event{appended(3, 5, 2)}, elect(3, 3)...), appended(3, 6, 3), appended(3, 7, 3),
				appended(2, 6, 2), appended(2, 7, 3))},
		"an entry after a gap":               {invariant.LogMatching, []trace.Event{appended(3, 6, 2)}},
		"a leader without a committed entry": {invariant.LeaderCompleteness, append(elect(3, 3), appended(3, 5, 3))},
		"a commit that a later leader lacks": {invariant.LeaderCompleteness,
			append(append([]trace.Event{appended(1, 6, 2), synced(1, 6, 2, 1, 2), appended(2, 6, 2), synced(2, 6, 2, 1, 2),
				appended(3, 5, 2)}, elect(3, 3)...), appended(3, 6, 3), commits(1, 6, 2))},
		"two entries applied at an index": {invariant.StateMachineSafety,
			[]trace.Event{appended(3, 5, 2), commits(3, 5, 2), applies(3, 4, 2, 1), otherApplied}},
		"two entries committed at an index": {invariant.StateMachineSafety,
			append(append([]trace.Event{appended(3, 5, 2)}, elect(3, 3)...), appended(3, 6, 3), appended(1, 6, 2),
				trace.Event{Kind: trace.TermChanged, Member: 1, Term: 4}, commits(1, 6, 4), commits(3, 6, 3))},
		"two votes in a term": {invariant.VoteDurability, []trace.Event{votes(2, 2, 3)}},
		"a vote in an old term": {invariant.VoteDurability,
			[]trace.Event{votes(2, 3, 2), votes(2, 2, 1)}},
		"a term that falls": {invariant.VoteDurability,
			[]trace.Event{{Kind: trace.TermChanged, Member: 1, Term: 1}}},
		"a vote sent before it is on disk": {invariant.VoteDurability,
			[]trace.Event{{Kind: trace.TermChanged, Member: 3, Term: 3}, votes(3, 3, 2), sends(3, 2, 3, 0, msgVoteResp)}},
		"votes asked for before the term is on disk": {invariant.VoteDurability,
			[]trace.Event{{Kind: trace.TermChanged, Member: 3, Term: 3}, votes(3, 3, 3), sends(3, 2, 3, 5, msgVote)}},
		"a vote forgotten": {invariant.VoteDurability, restart(2, 0, 5, 5, 2)},
		"a term forgotten": {invariant.VoteDurability, restart(1, 0, 5, 5, 2)},
		"what was synced lost, and what was to take its place": {invariant.AckedDurable,
			append([]trace.Event{appended(2, 6, 2), synced(2, 6, 2, 1, 2), appended(1, 6, 2), synced(1, 6, 2, 1, 2),
				{Kind: trace.TermChanged, Member: 1, Term: 3}, follows(1, 3, 2),
				{Kind: trace.LogTruncated, Member: 1, Index: 6}, appended(1, 6, 3)},
				restart(2, 1, 5, 4, 2)...)},
		"a vote replaced on disk": {invariant.VoteDurability, []trace.Event{synced(1, 5, 2, 3, 2)}},
		"an append acknowledged in a term to be": {invariant.VoteDurability,
			[]trace.Event{sends(3, 1, 2, 3, msgAppResp)}},
		"a commit that falls":     {invariant.Monotonic, []trace.Event{commits(1, 4, 2)}},
		"a commit beyond the log": {invariant.Monotonic, []trace.Event{commits(3, 5, 2)}},
		"an index skipped": {invariant.Monotonic, []trace.Event{appended(3, 5, 2), commits(3, 5, 2),
			applies(3, 5, 2, 2)}},
		"applied twice": {invariant.Monotonic, []trace.Event{applies(1, 5, 2, 2)}},
		"applied before committed": {invariant.Monotonic,
			[]trace.Event{appended(1, 6, 2), applies(1, 6, 2, 3)}},
		"a committed entry removed": {invariant.Monotonic,
			[]trace.Event{{Kind: trace.LogTruncated, Member: 2, Index: 5}}},
		"a snapshot of the future": {invariant.Monotonic,
			[]trace.Event{{Kind: trace.SnapshotInstalled, Member: 3, Index: 9, Term: 2, Rev: 2}}},
		"an answer without a commit": {invariant.AckedDurable,
			[]trace.Event{appended(1, 6, 2), synced(1, 6, 2, 1, 2), acks(1, 6)}},
		"an answer from one disk": {invariant.AckedDurable,
			[]trace.Event{appended(1, 6, 2), synced(1, 6, 2, 1, 2), appended(2, 6, 2), commits(1, 6, 2), acks(1, 6)}},
		"an append acknowledged before it synced": {invariant.AckedDurable,
			[]trace.Event{appended(2, 6, 2), sends(2, 1, 2, 6, msgAppResp)}},
		"a committed entry lost on a disk": {invariant.AckedDurable, restart(2, 1, 4, 4, 2)},
		"durable beyond applied": {invariant.AtomicApply,
			[]trace.Event{{Kind: trace.BackendCommitted, Member: 2, Index: 6}}},
		"durable state lost": {invariant.AtomicApply, restart(2, 1, 4, 5, 2)},
		"a revision skipped": {invariant.RevisionOrder,
			[]trace.Event{appended(1, 6, 2), commits(1, 6, 2), applies(1, 6, 2, 4)}},
		"a revision that falls": {invariant.RevisionOrder,
			[]trace.Event{appended(1, 6, 2), commits(1, 6, 2), applies(1, 6, 2, 1)}},
		"a session that goes back": {invariant.Serializable,
			[]trace.Event{answers(7, 2, 1, 5, 8), answers(7, 2, 2, 4, 9), answers(7, 2, 1, 4, 9)}},
		"an election without pre-votes": {invariant.Liveness,
			[]trace.Event{{Kind: trace.TermChanged, Member: 3, Term: 3}, stands(3, 3)}},
		"an election by the pre-votes of the past": {invariant.Liveness,
			[]trace.Event{sends(2, 3, 3, 0, msgPreVoteResp), {Kind: trace.TermChanged, Member: 3, Term: 5}, stands(3, 5)}},
		"an election by pre-votes refused": {invariant.Liveness,
			[]trace.Event{refuses(2, 3, 3), {Kind: trace.TermChanged, Member: 3, Term: 3}, stands(3, 3)}},
		"one index, two revisions": {invariant.RevisionOrder,
			[]trace.Event{appended(3, 5, 2), commits(3, 5, 2), applies(3, 4, 2, 1), applies(3, 5, 2, 1)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := cluster(t)
			if v := p.checker.Violations(); len(v) != 0 {
				t.Fatalf("before: %v", v)
			}
			var reported []Violation
			p.checker.OnViolation = func(v Violation) { reported = append(reported, v) }
			p.emit(c.events...)
			if len(reported) == 0 {
				t.Fatal("nothing fired")
			}
			v := reported[0]
			if v.Number != c.number || p.checker.Holds(c.number) {
				t.Errorf("got %v, want I%d", v, c.number)
			}
			if v.Seq != p.stream.Seq() {
				t.Errorf("fired at event %d of %d: %v", v.Seq, p.stream.Seq(), v)
			}
		})
	}
}

// A record of a snapshot that was never committed must not be what a member starts from, unless it was written again:
// because the member was sent that snapshot once more, or because its own database stands there.
func TestStartsFromWhatWasCommitted(t *testing.T) {
	from := func(m, index uint64) trace.Event {
		return trace.Event{Kind: trace.MemberStarted, Member: m, B: index}
	}
	for name, between := range map[string][]trace.Event{
		"":         nil,
		"sent":     {{Kind: trace.SnapshotRestored, Member: 1, Index: 180}},
		"its own":  {{Kind: trace.BackendCommitted, Member: 1, Index: 180}},
		"at boot":  {{Kind: trace.MemberStarted, Member: 1, Index: 180}},
		"another":  {{Kind: trace.SnapshotRestored, Member: 1, Index: 181}},
		"a second": {{Kind: trace.SnapshotRestored, Member: 2, Index: 180}},
	} {
		p := newPlay(t).emit(trace.Event{Kind: trace.MemberCrashed, Member: 1, Rev: 180},
			trace.Event{Kind: trace.MemberStopped, Member: 2, Rev: 190})
		p.emit(between...).emit(from(1, 180), from(2, 180), from(1, 190))
		void := name == "" || name == "another" || name == "a second"
		if p.checker.Holds(invariant.Boot) == void {
			t.Errorf("%q: void %v, and the checker says %v", name, void, p.checker.Violations())
		}
		if p.emit(from(2, 190)); p.checker.Holds(invariant.Boot) {
			t.Errorf("%q: a member starts from the snapshot that it had no time to commit when it stopped", name)
		}
	}
}

// A member receives one database at a time.
func TestOneSnapshotAtATime(t *testing.T) {
	part := func(from, index, have uint64) trace.Event {
		return trace.Event{Kind: trace.SnapshotReceived, Member: 1, Peer: from, Index: index, A: have, B: 30}
	}
	p := newPlay(t)
	for _, d := range [][2]uint64{{2, 100}, {3, 110}, {2, 120}, {3, 130}, {2, 140}} {
		p.emit(trace.Event{Kind: trace.SnapshotSent, Member: d[0], Peer: 1, Index: d[1], A: 30})
	}
	p.emit(part(2, 100, 0), part(2, 100, 10), part(3, 110, 0), part(3, 110, 30), part(2, 100, 0))
	if p.emit(part(2, 100, 30), part(2, 120, 0), part(2, 120, 30)); !p.checker.Holds(invariant.Bounded) {
		t.Errorf("one after another: %v", p.checker.Violations())
	}
	if p.emit(part(3, 130, 0), part(2, 140, 0), part(3, 130, 10)); p.checker.Holds(invariant.Bounded) {
		t.Error("two at once")
	}
}

// What a member receives is what another has sent it, and raft takes it when all of it has come.
func TestSnapshotsAreWhatWasSent(t *testing.T) {
	part := func(from, index, have, all uint64) trace.Event {
		return trace.Event{Kind: trace.SnapshotReceived, Member: 1, Peer: from, Index: index, A: have, B: all}
	}
	takes := trace.Event{Kind: trace.SnapshotRestored, Member: 1, Index: 100}
	for name, c := range map[string]struct {
		events []trace.Event
		wrong  int
	}{
		"":              {[]trace.Event{part(2, 100, 0, 30), part(2, 100, 20, 30), part(2, 100, 30, 30), takes}, 0},
		"of a stream":   {[]trace.Event{part(2, 100, 0, 0)}, 0},
		"of another":    {[]trace.Event{part(3, 100, 0, 30)}, invariant.AtomicApply},
		"another place": {[]trace.Event{part(2, 101, 0, 30)}, invariant.AtomicApply},
		"another size":  {[]trace.Event{part(2, 100, 0, 31)}, invariant.AtomicApply},
		"not whole":     {[]trace.Event{part(2, 100, 0, 30), part(2, 100, 20, 30), takes}, invariant.AckedDurable},
		"not again": {[]trace.Event{part(2, 100, 0, 30), part(2, 100, 30, 30), part(2, 100, 0, 30),
			part(2, 100, 30, 30), takes}, 0},
	} {
		p := newPlay(t)
		for i := range uint64(2 * keptDispatches) {
			p.emit(trace.Event{Kind: trace.SnapshotSent, Member: 2, Peer: 4, Index: i, A: 30})
		}
		p.emit(trace.Event{Kind: trace.SnapshotSent, Member: 2, Peer: 1, Index: 100, A: 30})
		p.emit(c.events...)
		for _, number := range []int{invariant.AtomicApply, invariant.AckedDurable} {
			if p.checker.Holds(number) != (c.wrong != number) {
				t.Errorf("%q: want I%d broken, have %v", name, c.wrong, p.checker.Violations())
			}
		}
	}
}

func TestHashesAgree(t *testing.T) {
	p := cluster(t)
	p.checker.Hash(5, 1, 2, -1, 1)
	p.checker.Hash(5, 2, 2, 1, 2) // another compaction, another hash
	if len(p.checker.Violations()) != 0 {
		t.Fatal(p.checker.Violations())
	}
	p.checker.Hash(6, 2, 2, -1, 3)
	if v := p.checker.Violations(); len(v) != 1 || v[0].Number != invariant.RevisionOrder || v[0].Now != 6 ||
		v[0].Member != 2 {
		t.Error(v)
	}
}

func TestThePast(t *testing.T) {
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		said  []Past
		fires bool
	}{
		"as it should be": {[]Past{{Rev: 4, Compact: 5, Err: gone, Refused: true},
			{Rev: 5, Compact: 5, Sum: 1}, {Rev: 5, Compact: 3, Sum: 1}, {Rev: 9, Compact: 5, Sum: 2}}, false},
		"a compacted revision is answered": {[]Past{{Rev: 4, Compact: 5, Sum: 1}}, true},
		"refused for another reason":       {[]Past{{Rev: 4, Compact: 5, Err: gone}}, true},
		"the compact revision is refused":  {[]Past{{Rev: 5, Compact: 5, Err: gone, Refused: true}}, true},
		"the past has changed":             {[]Past{{Rev: 7, Compact: 5, Sum: 1}, {Rev: 7, Compact: 6, Sum: 2}}, true},
	} {
		checker := New(Options{})
		for _, p := range c.said {
			checker.Past(3, 1, p)
		}
		if v := checker.Violations(); len(v) > 0 != c.fires || c.fires && (v[0].Number != invariant.Compaction ||
			v[0].Now != 3 || v[0].Member != 1) {
			t.Errorf("%s: %v", name, v)
		}
	}
	checker := New(Options{})
	for rev := range int64(10 * maxSeen) {
		checker.Past(0, 1, Past{Rev: rev + 1, Sum: 7})
	}
	if len(checker.past) > maxSeen {
		t.Errorf("%d answers are remembered", len(checker.past))
	}
}

func TestBounds(t *testing.T) {
	c := New(Options{})
	c.Bounds(1, 2, []limits.Use{{Name: "cups", Have: 3, Limit: 3}})
	if v := c.Violations(); len(v) != 0 {
		t.Fatal(v)
	}
	c.Bounds(2, 2, []limits.Use{{Name: "cups", Have: 3, Limit: 3}, {Name: "plates", Have: 4, Limit: 3}})
	if v := c.Violations(); len(v) != 1 || v[0].Number != invariant.Bounded || v[0].Now != 2 ||
		!strings.Contains(v[0].Text, "4 plates") {
		t.Error(v)
	}
}

func TestSameStory(t *testing.T) {
	if v := SameStory(1, 1); v != nil {
		t.Error(v)
	}
	if v := SameStory(1, 2); v == nil || v.Number != invariant.Deterministic {
		t.Error(v)
	}
}

func TestQuorumFollowsTheConfiguration(t *testing.T) {
	p := cluster(t)
	grow := func(index, m uint64, kind uint64) trace.Event {
		return trace.Event{Kind: trace.ConfChanged, Member: 1, Index: index, Peer: m, A: kind}
	}
	p.emit(appended(1, 6, 2), appended(1, 7, 2), appended(1, 8, 2), synced(1, 8, 2, 1, 2), appended(2, 6, 2),
		appended(2, 7, 2), appended(2, 8, 2), synced(2, 8, 2, 1, 2))
	p.emit(commits(1, 8, 2), acks(1, 7))
	p.emit(grow(6, 4, 3), acks(1, 7)) // a learner does not count
	if v := p.checker.Violations(); len(v) != 0 {
		t.Fatal(v)
	}
	p.emit(grow(7, 4, 0), acks(1, 8)) // as a change counts where it is applied, the voters before may do
	if v := p.checker.Violations(); len(v) != 0 {
		t.Fatal(v)
	}
	p.emit(grow(8, 5, 0), acks(1, 8)) // two of four, or of five, are no quorum
	if v := p.checker.Violations(); len(v) != 1 || v[0].Number != invariant.AckedDurable {
		t.Fatal(v)
	}
	p.emit(grow(9, 5, 1), grow(10, 4, 1), acks(1, 8))
	if v := p.checker.Violations(); len(v) != 1 {
		t.Error(v)
	}
}

func TestReportWritesAnEvent(t *testing.T) {
	ring := trace.NewRing(4)
	c := New(Options{})
	s := trace.NewStream(c, ring)
	c.OnViolation = Report(s)
	s.Emit(&trace.Event{Kind: trace.TermChanged, Member: 1, Term: 3})
	s.Emit(&trace.Event{Kind: trace.TermChanged, Member: 1, Term: 2, Now: 8})
	e := ring.Find(3)
	if e == nil || e.Kind != trace.Violated || e.A != invariant.VoteDurability || e.Cause != 2 || e.Now != 8 ||
		e.Member != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestInvariantsHaveWords(t *testing.T) {
	last := 0
	for _, i := range invariant.Table() {
		if i.Number <= last || i.Name == "" || len(i.Sentence) < 20 || i.Sentence[len(i.Sentence)-1] != '.' {
			t.Errorf("%+v", i)
		}
		last = i.Number
	}
}

// A million entries and ten thousand terms must not make the checker grow.
func TestMemoryIsBounded(t *testing.T) {
	c := New(Options{Window: 1000})
	s := trace.NewStream(c)
	index, term := uint64(3), uint64(1)
	for m := uint64(1); m <= 3; m++ {
		e := started(m, 1, 0, 3, end{3, 1})
		s.Emit(&e)
	}
	for range 10000 {
		term++
		lead := leads(term%3+1, term)
		s.Emit(&lead)
		for range 20 {
			index++
			for m := uint64(1); m <= 3; m++ {
				for _, e := range []trace.Event{appended(m, index, term), synced(m, index, term, 0, term), commits(m, index, term),
					applies(m, index, term, 1)} {
					s.Emit(&e)
				}
			}
		}
		c.Hash(0, 1, int64(term), -1, 7)
	}
	for _, v := range c.Violations() {
		t.Fatal(v)
	}
	if len(c.window) != 1024 || len(c.runs) > maxTermRuns || len(c.leaders) > maxLeaders || len(c.commits) > maxCommits ||
		len(c.hashes) > maxHashes {
		t.Errorf("window %d, runs %d, leaders %d, commits %d, hashes %d", len(c.window), len(c.runs), len(c.leaders),
			len(c.commits), len(c.hashes))
	}
}

func BenchmarkChecker(b *testing.B) {
	p := cluster(b)
	index := uint64(5)
	round := make([]trace.Event, 0, 32)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%20 == 1 {
			index++
			round = round[:0]
			for m := uint64(1); m <= 3; m++ {
				round = append(round, trace.Event{Kind: trace.EntryAppended, Member: m, Index: index, Term: 2, A: index},
					synced(m, index, 2, 0, 0),
					sends(m, 1, 2, index, msgAppResp), sends(1, m, 2, index, 4), commits(m, index, 2),
					trace.Event{Kind: trace.EntryApplied, Member: m, Index: index, Term: 2, A: index, Rev: int64(index)})
			}
			round = append(round, acks(1, index), trace.Event{Kind: trace.Station, Member: 1, Text: "x"})
		}
		p.checker.Emit(&round[(n-1)%20])
	}
}
