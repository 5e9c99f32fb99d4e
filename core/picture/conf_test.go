package picture

import (
	"fmt"
	"testing"

	"vitrine/core/trace"
)

// founded are three voters, of which 1 leads.
func founded() (events []trace.Event) {
	for id := range uint64(3) {
		m := id + 1
		events = append(events, trace.Event{Kind: trace.MemberStarted, Member: m})
		for peer := range uint64(3) {
			events = append(events,
				trace.Event{Kind: trace.ConfChanged, Member: m, Peer: peer + 1, Index: peer + 1},
				trace.Event{Kind: trace.MemberChanged, Member: m, Peer: peer + 1, Index: peer + 1})
		}
		events = append(events, trace.Event{Kind: trace.EntryApplied, Member: m, Index: 3, Term: 1})
	}
	return append(events, trace.Event{Kind: trace.RoleChanged, Member: 1, Peer: 1, Term: 2, A: 2})
}

// change is what a member tells that applies one.
func change(member, peer, index, kind uint64) []trace.Event {
	raft := kind
	if kind == 4 {
		raft = 0
	}
	return []trace.Event{
		{Kind: trace.MemberChanged, Member: member, Peer: peer, Index: index, A: kind},
		{Kind: trace.EntryApplied, Member: member, Index: index, Term: 2},
		{Kind: trace.ConfChanged, Member: member, Peer: peer, Index: index, A: raft},
	}
}

// inLog is the entry of a change in the leader's log, proposed by it.
func inLog(peer, index, kind uint64) []trace.Event {
	return []trace.Event{
		{Kind: trace.RequestProposed, Member: 1, Peer: peer, A: 7, B: 100 + index, C: kind + 1},
		{Kind: trace.EntryAppended, Member: 1, Index: index, Term: 2, A: 100 + index, B: 1},
	}
}

func (c *Conf) String() string {
	s := fmt.Sprintf("by %d: %d of %v, learners %v", c.By, c.Quorum, c.Voters, c.Learners)
	if c.Pending != nil {
		s += fmt.Sprintf(", %s %d at %d: %d of %d", c.Pending.Kind, c.Pending.Member, c.Pending.Index, c.Pending.Quorum,
			c.Pending.Voters)
	}
	return s
}

// Who decides is what the leader has applied, entry by entry, and what it has not yet applied is told as such.
func TestTheLeadersViewCounts(t *testing.T) {
	events := founded()
	for _, x := range []struct {
		add  []trace.Event
		want string
	}{
		{nil, "by 1: 2 of [1 2 3], learners []"},
		{inLog(4, 4, 3), "by 1: 2 of [1 2 3], learners [], learner 4 at 4: 2 of 3"},
		{change(2, 4, 4, 3), "by 1: 2 of [1 2 3], learners [], learner 4 at 4: 2 of 3"}, // a follower is quicker
		{change(1, 4, 4, 3), "by 1: 2 of [1 2 3], learners [4]"},
		{inLog(4, 5, 4), "by 1: 2 of [1 2 3], learners [4], promote 4 at 5: 3 of 4"},
		{change(1, 4, 5, 4), "by 1: 3 of [1 2 3 4], learners []"},
		{inLog(1, 6, 1), "by 1: 3 of [1 2 3 4], learners [], remove 1 at 6: 2 of 3"},
		{change(1, 1, 6, 1), "by 1: 2 of [2 3 4], learners []"},
		{append(change(2, 4, 5, 4), trace.Event{Kind: trace.RoleChanged, Member: 2, Peer: 2, Term: 3, A: 2}),
			"by 2: 3 of [1 2 3 4], learners []"}, // the new leader has yet to apply the removal
		{change(2, 1, 6, 1), "by 2: 2 of [2 3 4], learners []"},
	} {
		events = append(events, x.add...)
		if c := fold(Options{}, events...).Conf; c.String() != x.want {
			t.Errorf("%v, want %s", &c, x.want)
		}
	}
}

// A member that was added joins until it has applied that; one that was removed has its place until its process ends.
func TestMembersComeAndGo(t *testing.T) {
	events := founded()
	s := fold(Options{}, events...)
	for i := range s.Members {
		if m := &s.Members[i]; m.Joining || m.Standing != StandingVoter || !s.Present(m) {
			t.Errorf("a founder: %+v", m)
		}
	}
	events = append(append(append(events, inLog(4, 4, 3)...), change(1, 4, 4, 3)...),
		trace.Event{Kind: trace.MemberStarting, Member: 4})
	s = fold(Options{}, events...)
	if m := &s.Members[3]; !m.Joining || m.Standing != StandingLearner || m.Process != Starting || !s.Present(m) {
		t.Errorf("just added: %+v", m)
	}
	if e := s.Members[0].Log; e[len(e)-1].Text != "learner s4" {
		t.Errorf("the entry is told as %+v", e)
	}
	events = append(append(events, trace.Event{Kind: trace.MemberStarted, Member: 4}), change(4, 4, 4, 3)...)
	if s = fold(Options{}, events...); s.Members[3].Joining || !s.Members[3].Learner {
		t.Errorf("caught up: %+v", s.Members[3])
	}
	events = append(events, change(1, 3, 5, 1)...)
	s = fold(Options{}, events...)
	if m := &s.Members[2]; m.Standing != StandingRemoved || !s.Present(m) {
		t.Errorf("removed, and running: %+v", m)
	}
	s = fold(Options{}, append(events, trace.Event{Kind: trace.MemberStopped, Member: 3})...)
	if s.Present(&s.Members[2]) {
		t.Errorf("removed, and stopped: %+v", s.Members[2])
	}
	s = fold(Options{}, append(events, trace.Event{Kind: trace.MemberCrashed, Member: 4, A: 1})...)
	if s.Members[3].Standing != StandingLearner || !s.Present(&s.Members[3]) {
		t.Errorf("a learner that crashed: %+v", s.Members[3])
	}
}

// A write is durable on a majority when voters have it: a learner's disk counts for nothing.
func TestALearnerIsNoMajority(t *testing.T) {
	events := append(founded(), change(1, 4, 4, 3)...)
	events = append(events,
		trace.Event{Kind: trace.RequestIssued, Request: 9, Peer: 1, A: 2, Text: "put x 1"},
		trace.Event{Kind: trace.RequestArrived, Request: 9, Member: 1, A: 2},
		trace.Event{Kind: trace.RequestProposed, Request: 9, Member: 1, A: 8, B: 55, Text: "x=1"},
		trace.Event{Kind: trace.EntryAppended, Member: 1, Index: 5, Term: 2, A: 55},
		trace.Event{Kind: trace.LogSynced, Member: 1, Index: 5, Term: 2},
		trace.Event{Kind: trace.LogSynced, Member: 4, Index: 5, Term: 2})
	l := fold(Options{}, events...).Requests[0].Lack
	if l.Kind != LackSync || l.Need != 1 || fmt.Sprint(l.Of) != "[2 3]" {
		t.Errorf("lacks %+v", l)
	}
	events = append(events, trace.Event{Kind: trace.LogSynced, Member: 2, Index: 5, Term: 2})
	if r := fold(Options{}, events...).Requests[0]; r.Stations[len(r.Stations)-1].Name != stationMajority {
		t.Errorf("stations %+v", r.Stations)
	}
}

// How far a learner is that its leader does not promote is told, whatever words the request has: its event names it.
func TestALearnerIsFarBehind(t *testing.T) {
	events := append(founded(), change(1, 4, 4, 3)...)
	events = append(events,
		trace.Event{Kind: trace.LogSynced, Member: 1, Index: 90, Term: 2},
		trace.Event{Kind: trace.ProgressChanged, Member: 1, Peer: 4, Index: 20, A: 21},
		trace.Event{Kind: trace.RequestArrived, Request: 9, Member: 1, A: 34, Peer: 4},
		trace.Event{Kind: trace.RequestDone, Request: 9, Member: 1, Text: "no"})
	b := fold(Options{}, events...).Requests[0].Behind
	if b == nil || *b != (Behind{Member: 4, Match: 20, Own: 90}) {
		t.Errorf("behind: %+v", b)
	}
}

// In a recording a member that is added later is named from the beginning, and has no place before it is one.
func TestARecordedMemberComesLater(t *testing.T) {
	events := append([]trace.Event{{Kind: trace.RecordingEnded, Member: 4}}, founded()...)
	s := fold(Options{}, events...)
	if m := &s.Members[3]; m.ID != 4 || s.Present(m) {
		t.Errorf("before it is added: %+v", m)
	}
	s = fold(Options{}, append(events, change(1, 4, 4, 3)...)...)
	if m := &s.Members[3]; !s.Present(m) || m.Standing != StandingLearner || !m.Joining || m.Process != Unknown {
		t.Errorf("added, and not recorded: %+v", m)
	}
}
