package picture

import (
	"cmp"
	"slices"

	"vitrine/core/trace"
)

// Conf is who decides in a cluster, as one member sees it: each follows the log at its own pace, and what counts is
// what the leader has applied. While nobody leads it is the view of the running member that has applied the most.
type Conf struct {
	By       uint64   `json:"by"`    // whose view, 0 = nobody tells
	Index    uint64   `json:"index"` // of the last change that it has applied, 0 = it began with this
	Voters   []uint64 `json:"voters"`
	Learners []uint64 `json:"learners"`
	Quorum   int      `json:"quorum"` // how many voters decide
	Pending  *Change  `json:"pending,omitempty"`
}

// Change is a change of the members that is in the log and not applied.
type Change struct {
	Kind   string `json:"kind"` // ChangeAdd, ...; "" = nobody tells
	Member uint64 `json:"member"`
	Index  uint64 `json:"index"`
	Quorum int    `json:"quorum"` // when it is applied
	Voters int    `json:"voters"` // the same
}

// What a change does.
const (
	ChangeAdd     = "add"
	ChangeRemove  = "remove"
	ChangeUpdate  = "update"
	ChangeLearner = "learner"
	ChangePromote = "promote"
)

// changeKinds are those by the number that MemberChanged has in A.
var changeKinds = [...]string{ChangeAdd, ChangeRemove, ChangeUpdate, ChangeLearner, ChangePromote}

// Standings of a member in its cluster, as Conf has it.
const (
	StandingVoter   = "voter"
	StandingLearner = "learner"
	StandingRemoved = "removed"
)

// confs are what is known of changes of the members.
type confs struct {
	index uint64              // of the newest that was applied anywhere
	known map[uint64]Change   // by the hash of the entry; for look-ups only
	told  map[uint64]standing // by member; for look-ups only
	led   bool                // there was a leader: a change is none that founds the cluster
}

// standing is what the newest change that was applied anywhere has made of a member.
type standing struct {
	what   string
	joined uint64 // the entry that made it one, 0 = it founded the cluster
}

func newConfs() confs { return confs{known: map[uint64]Change{}, told: map[uint64]standing{}} }

// knownChanges bounds the changes that are remembered.
const knownChanges = 256

// proposedChange notes what the entry of a proposal does.
func (p *Picture) proposedChange(e *trace.Event) {
	if e.C == 0 || e.C > uint64(len(changeKinds)) {
		return
	}
	if len(p.confs.known) >= knownChanges {
		clear(p.confs.known)
	}
	p.confs.known[e.B] = Change{Kind: changeKinds[e.C-1], Member: e.Peer}
}

// changed follows what is applied of the members, at whoever is the first.
func (p *Picture) changed(e *trace.Event) {
	if e.Text != "" || e.Index <= p.confs.index || e.A >= uint64(len(changeKinds)) {
		return
	}
	p.confs.index = e.Index
	now := p.confs.told[e.Peer]
	switch changeKinds[e.A] {
	case ChangeUpdate:
		return
	case ChangeRemove:
		now.what = StandingRemoved
	case ChangeLearner:
		now.what = StandingLearner
	default:
		now.what = StandingVoter
	}
	if now.joined == 0 && p.confs.led && (e.A == 0 || changeKinds[e.A] == ChangeLearner) {
		now.joined = e.Index
	}
	p.confs.told[e.Peer] = now
}

// viewer is whose view of the members counts, nil if nobody tells.
func (p *Picture) viewer() (v *member) {
	better := func(m *member) bool {
		if v == nil {
			return true
		}
		leads, led := m.Alive && m.Role == RoleLeader, v.Alive && v.Role == RoleLeader
		switch {
		case leads != led:
			return leads
		case leads:
			return m.Term > v.Term
		case m.Alive != v.Alive:
			return m.Alive
		}
		return m.Applied > v.Applied
	}
	for _, m := range p.members {
		if len(m.voters) > 0 && better(m) {
			v = m
		}
	}
	return v
}

// drawConf shows who decides, and what each is in the cluster.
func (p *Picture) drawConf(s *State) {
	c := &s.Conf
	*c = Conf{Voters: c.Voters[:0], Learners: c.Learners[:0]}
	if c.Voters == nil {
		c.Voters, c.Learners = []uint64{}, []uint64{} // lists, and not null
	}
	v := p.viewer()
	if v != nil {
		c.By, c.Index, c.Quorum = v.ID, v.confIndex, len(v.voters)/2+1
		c.Voters, c.Learners = append(c.Voters, v.voters...), append(c.Learners, v.learners...)
		slices.Sort(c.Voters)
		slices.Sort(c.Learners)
		c.Pending = p.pending(v)
	}
	for i, m := range p.members {
		o, told := &s.Members[i], p.confs.told[m.ID]
		switch {
		case v == nil:
		case slices.Contains(v.voters, m.ID):
			o.Standing = StandingVoter
		case slices.Contains(v.learners, m.ID):
			o.Standing = StandingLearner
		default:
			o.Standing = told.what
		}
		o.Joining = told.joined > m.Applied && o.Standing != StandingRemoved
	}
}

// Present tells whether a member has a place in the picture: it is one of the cluster, or its process runs still.
// One that was removed goes when its process does.
func (s *State) Present(m *Member) bool {
	return s.Conf.By == 0 || m.Standing != "" && m.Standing != StandingRemoved || m.Alive || m.Process == Starting
}

// pending is the oldest change in the log of a member that it has not applied; raft takes no other before.
func (p *Picture) pending(v *member) (next *Change) {
	for c := v.log.memory; c != nil && c.index > v.Applied; c = c.below {
		if c.typ == 0 || c.snapshot {
			continue
		}
		known := p.confs.known[c.hash]
		known.Index = c.index
		next = &known
	}
	if next != nil {
		is := slices.Contains(v.voters, next.Member)
		next.Voters = len(v.voters)
		switch next.Kind {
		case ChangeAdd, ChangePromote:
			if !is {
				next.Voters++
			}
		case ChangeRemove:
			if is {
				next.Voters--
			}
		}
		next.Quorum = next.Voters/2 + 1
	}
	return next
}

// words are what the entry of a change does.
func (p *Picture) changeWords(c *cell) string {
	known, ok := p.confs.known[c.hash]
	if !ok {
		return "conf"
	}
	name := p.names[known.Member]
	if m := p.find(known.Member); m != nil {
		name = m.Name
	}
	return known.Kind + " " + cmp.Or(name, nameOf(known.Member))
}

// behind is how far the leader knows the learner of a promotion to be that it refuses, nil if nobody tells.
func (p *Picture) behind(r *request, leader uint64) *Behind {
	m := p.find(leader)
	if m == nil {
		return nil
	}
	for _, g := range m.progress {
		if g.ID == r.about {
			return &Behind{Member: g.ID, Match: g.Match, Own: m.Synced}
		}
	}
	return nil
}
