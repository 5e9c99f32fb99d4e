package picture

import (
	"slices"
	"strings"

	"vitrine/core/trace"
)

// What a request waits for that is not over.
const (
	LackConnection = "connection" // its client knows no member that could be asked
	LackWay        = "way"        // it is on its way to Member
	LackLeader     = "leader"     // Member knows no leader
	LackForward    = "forward"    // Member has passed it on, and the leader For has not got it
	LackChange     = "change"     // Member has not applied the change of members before it, at Index
	LackTurn       = "turn"       // Member will ask for it when its last question is answered
	LackMajority   = "majority"   // Need more of Of must say that Member still leads
	LackSync       = "sync"       // Need more of Of must have entry Index, which the leader For has, on their disks
	LackLost       = "lost"       // Member leads a later term, and has another entry at Index
	LackCommit     = "commit"     // Member has to hear that Index is committed
	LackApply      = "apply"      // Member has applied Have, and it takes Index
	LackReturn     = "return"     // the answer is on its way from Member
)

// question is what a member asks on behalf of reads: whether its leader leads.
type question struct {
	open bool
	at   int64
}

// asked folds the questions of members.
func (p *Picture) asked(e *trace.Event) {
	m := p.member(e.Member)
	switch e.Kind {
	case trace.ReadIndexAsked, trace.ReadIndexRetried:
		if !m.question.open {
			m.question = question{true, int64(e.Now)}
		}
	case trace.ReadIndexReady:
		m.question.open = false
	}
}

// lack says what a request waits for, and of whom.
func (p *Picture) lack(r *request) Lack {
	server := p.find(r.server)
	switch {
	case r.Attempts == 0 || server == nil:
		return Lack{Kind: LackConnection}
	case r.Wire.Answered != 0:
		return Lack{Kind: LackReturn, Member: r.server}
	case r.Wire.Arrived == 0 || !server.Alive:
		return Lack{Kind: LackWay, Member: r.server}
	case r.index != 0:
		return p.lackOfEntry(r, server)
	case r.reads != 0:
		return Lack{Kind: LackApply, Member: r.server, Index: r.reads, Have: server.Applied}
	case server.Lead == 0:
		return Lack{Kind: LackLeader, Member: r.server}
	case r.hash == 0 && strings.HasPrefix(r.Op, "member-"):
		if c := p.pending(server); c != nil {
			return Lack{Kind: LackChange, Member: r.server, Index: c.Index}
		}
		return Lack{Kind: LackTurn, Member: r.server}
	case r.hash != 0:
		return Lack{Kind: LackForward, Member: r.server, For: server.Lead}
	case !server.question.open:
		return Lack{Kind: LackTurn, Member: r.server}
	}
	return p.lackOfMajority(server)
}

// lackOfEntry follows a write from its leader's log to its server's store.
func (p *Picture) lackOfEntry(r *request, server *member) Lack {
	if l := p.successor(r); l != nil {
		return Lack{Kind: LackLost, Member: l.ID, Index: r.index}
	}
	of := []uint64{}
	voters := p.voters()
	for _, id := range voters {
		if !slices.Contains(r.synced, id) {
			of = append(of, id)
		}
	}
	need := len(voters)/2 + 1 - len(r.synced)
	switch {
	case need > 0:
		return Lack{Kind: LackSync, For: r.leader, Index: r.index, Need: need, Of: of}
	case r.leader != 0 && r.leader != r.server && !r.passed(stationCommitted, r.leader):
		return Lack{Kind: LackCommit, Member: r.leader, Index: r.index}
	case server.Commit < r.index:
		return Lack{Kind: LackCommit, Member: r.server, Index: r.index}
	}
	return Lack{Kind: LackApply, Member: r.server, Index: r.index, Have: server.Applied}
}

// successor is a leader of a later term whose log has another entry in the place of
// the request's.
func (p *Picture) successor(r *request) *member {
	for _, m := range p.members {
		if m.Alive && m.Role == RoleLeader && m.Term > r.term {
			if c := m.log.memory.back(r.index); c != nil && c.index == r.index && c.term != r.term {
				return m
			}
		}
	}
	return nil
}

// lackOfMajority tells who has not answered the leader since a member asked.
func (p *Picture) lackOfMajority(server *member) Lack {
	leader := p.find(server.Lead)
	if leader == nil {
		return Lack{Kind: LackLeader, Member: server.ID}
	}
	voters := p.voters()
	l := Lack{Kind: LackMajority, Member: leader.ID, Need: len(voters)/2 + 1}
	for _, id := range voters {
		if id == leader.ID || leader.beatAt(id) >= server.question.at {
			l.Need--
		} else {
			l.Of = append(l.Of, id)
		}
	}
	l.Need = max(l.Need, 0)
	return l
}

// voters are those who decide, in order; where nobody tells, all members.
func (p *Picture) voters() (ids []uint64) {
	if v := p.viewer(); v != nil {
		return slices.Sorted(slices.Values(v.voters))
	}
	for _, m := range p.members {
		ids = append(ids, m.ID)
	}
	return ids
}

func (m *member) beatAt(id uint64) int64 {
	for _, h := range m.heard {
		if h.id == id {
			return h.beat
		}
	}
	return 0
}
