package check

import (
	"fmt"
	"slices"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// Members are the fold of the changes that were applied (I13). The first member to apply an entry says what has become
// of it; every other must say the same, its raft must have the configuration that follows, and who is no voter of that
// never makes a quorum.

// What MemberChanged says of a member, in A. ConfChanged has the first four.
const (
	addsVoter   = 0
	removes     = 1
	updates     = 2
	addsLearner = 3
	letsVote    = 4
)

// conf is a configuration.
type conf struct{ voters, learners []uint64 }

func (f *conf) apply(what, id uint64) {
	is := func(o uint64) bool { return o == id }
	switch what {
	case addsVoter, letsVote, removes:
		f.voters, f.learners = slices.DeleteFunc(f.voters, is), slices.DeleteFunc(f.learners, is)
		if what != removes {
			f.voters = append(f.voters, id)
		}
	case addsLearner:
		f.voters, f.learners = slices.DeleteFunc(f.voters, is), append(slices.DeleteFunc(f.learners, is), id)
	}
}

func (f *conf) clone() conf { return conf{slices.Clone(f.voters), slices.Clone(f.learners)} }

func (f *conf) has(id uint64) bool {
	return slices.Contains(f.voters, id) || slices.Contains(f.learners, id)
}

func (f *conf) equal(o *conf) bool {
	same := func(a, b []uint64) bool {
		return len(a) == len(b) && !slices.ContainsFunc(a, func(id uint64) bool { return !slices.Contains(b, id) })
	}
	return same(f.voters, o.voters) && same(f.learners, o.learners)
}

// roster is the configuration from an index on.
type roster struct {
	index uint64
	conf
}

// change is what an entry does to the members, as the first to apply it has said.
type change struct {
	index, member, what uint64
	refused             string
}

// rosters are those of one cluster, by index; the oldest of both lists go first.
type rosters struct {
	confs   []roster
	changes []change
	removed []uint64
}

// maxChanges bounds the changes that are remembered: whoever is that far behind gets a snapshot.
const maxChanges = 256

// at is the configuration as of an index; nil if it is not known any more, or nobody tells of changes.
func (r *rosters) at(index uint64) *conf {
	if len(r.changes) == 0 {
		return nil
	}
	for i := len(r.confs) - 1; i >= 0; i-- {
		if r.confs[i].index <= index {
			return &r.confs[i].conf
		}
	}
	if len(r.confs) < maxChanges {
		return &conf{}
	}
	return nil
}

// view is what a member's raft takes for the configuration.
type view struct {
	conf
	known   bool
	listing bool   // it is being told, member by member
	since   uint64 // index as of which it was told so
	owed    uint64 // a change that the store has applied and raft has not; 0 = none
	owedAt  trace.Instant
	left    trace.Instant // when it learned that it was removed; 0 = it was not
	votes   []grant       // that have come
}

// roster handles what else tells of members that come and go.
func (c *Checker) roster(m *member, e *trace.Event) {
	switch v := &m.view; e.Kind {
	case trace.MemberChanged:
		c.memberChanged(m, e)
	case trace.SnapshotRestored:
		c.restored(m, e)
	case trace.MemberLeft:
		v.left = e.Now
	default: // it was paused
		if v.left != 0 {
			v.left = e.Now
		}
	}
}

// memberChanged handles MemberChanged.
func (c *Checker) memberChanged(m *member, e *trace.Event) {
	r := &c.rosters
	now := change{e.Index, e.Peer, e.A, e.Text}
	if i := slices.IndexFunc(r.changes, func(x change) bool { return x.index == e.Index }); i >= 0 {
		if r.changes[i] != now {
			c.violate(invariant.Membership, e, "member %d makes of the change at index %d %s, another has made %s", m.id,
				e.Index, now.told(), r.changes[i].told())
		}
	} else if n := len(r.changes); n == 0 || e.Index > r.changes[n-1].index {
		c.changed(e, now)
	}
	if e.Text != "" {
		return
	}
	if e.Index > m.view.since {
		m.view.owed, m.view.owedAt = e.Index, e.Now
	}
	if e.A == removes && e.Peer == m.id {
		m.view.left = e.Now
	}
}

func (x change) told() string {
	what := [...]string{"a new voter, ", "the removal of ", "an update of ", "a new learner, ", "the promotion of "}
	text := what[x.what%uint64(len(what))] + fmt.Sprintf("member %d", x.member)
	if x.refused != "" {
		text += ", refused: " + x.refused
	}
	return text
}

// changed follows the first report of a change.
func (c *Checker) changed(e *trace.Event, x change) {
	r := &c.rosters
	r.changes = append(r.changes, x)
	if x.refused != "" {
		return
	}
	next := roster{index: x.index}
	if n := len(r.confs); n > 0 {
		next.conf = r.confs[n-1].clone()
	}
	wrong := ""
	switch is := next.has(x.member); {
	case (x.what == addsVoter || x.what == addsLearner) && slices.Contains(r.removed, x.member):
		wrong = "its id belonged to a member that was removed"
	case (x.what == addsVoter || x.what == addsLearner) && is:
		wrong = "it is one already"
	case (x.what == removes || x.what == updates) && !is:
		wrong = "it is none"
	case x.what == letsVote && !slices.Contains(next.learners, x.member):
		wrong = "it is no learner"
	case x.what == letsVote && c.farBehind(x.member, x.index):
		wrong = "its disk has less than half of the log"
	}
	if wrong != "" {
		c.violate(invariant.Membership, e, "the entry at index %d is %s, but %s", x.index, x.told(), wrong)
	}
	next.apply(x.what, x.member)
	if r.confs = append(r.confs, next); len(r.confs) > maxChanges {
		r.confs = append(r.confs[:0], r.confs[1:]...)
	}
	if len(r.changes) > maxChanges {
		r.changes = append(r.changes[:0], r.changes[1:]...)
	}
	if x.what == removes {
		r.removed = append(r.removed, x.member)
	}
}

// farBehind tells whether a learner could not have been let vote: it must have had nine tenths of the leader's log when
// that was proposed, and a disk loses nothing.
func (c *Checker) farBehind(id, index uint64) bool { return c.member(id).durable.index*2 < index-1 }

// viewChanged handles ConfChanged: raft has, or is told, a configuration.
func (c *Checker) viewChanged(m *member, e *trace.Event) {
	v := &m.view
	if e.Index == 0 {
		if !v.listing {
			v.listing, v.known, v.conf = true, true, conf{}
			c.listing++
		}
		v.apply(e.A, e.Peer)
		return
	}
	v.apply(e.A, e.Peer)
	if v.owed != 0 && e.Index >= v.owed {
		v.owed = 0
	}
	c.compareView(m, e, e.Index)
}

// compareView holds what raft takes for the configuration to the changes up to an index.
func (c *Checker) compareView(m *member, e *trace.Event, index uint64) {
	want := c.rosters.at(index)
	if v := &m.view; v.known && want != nil && !v.equal(want) {
		c.violate(invariant.Membership, e, "as of index %d member %d has the voters %v and learners %v, by the changes "+
			"applied they are %v and %v", index, m.id, v.voters, v.learners, want.voters, want.learners)
	}
}

// listed ends the list of a configuration that a member was told.
func (c *Checker) listed(e *trace.Event) {
	if e.Member == 0 || e.Kind == trace.ConfChanged {
		return
	}
	if m := c.member(e.Member); m.view.listing {
		m.view.listing = false
		c.listing--
		c.compareView(m, e, m.view.since)
	}
}

// restored: raft has taken a snapshot, whose configuration it will be told.
func (c *Checker) restored(m *member, e *trace.Event) {
	m.view.since, m.view.owed = e.Index, 0
	c.marks(e)
	c.taken(m, e)
}

// owes handles EntryApplied: what the store has applied before, raft must know by now.
func (c *Checker) owes(m *member, e *trace.Event) {
	if v := &m.view; v.owed != 0 && v.owed < e.Index && e.Now > v.owedAt {
		c.violate(invariant.Membership, e, "member %d applies index %d, and its raft has not changed the members at %d", m.id,
			e.Index, v.owed)
		v.owed = 0
	}
}

// votedFor handles a MsgVoteResp that has come to m.
func (c *Checker) votedFor(m *member, e *trace.Event) {
	if g := (grant{e.Term, e.Peer}); e.C&trace.Rejected == 0 && !slices.Contains(m.view.votes, g) {
		if len(m.view.votes) == maxGrants {
			m.view.votes = append(m.view.votes[:0], m.view.votes[maxGrants/4:]...)
		}
		m.view.votes = append(m.view.votes, g)
	}
}

// wins handles a member that leads: it must have the votes of voters. Too few votes of anybody are not told here (I1).
func (c *Checker) wins(m *member, e *trace.Event) {
	if !m.view.known {
		return
	}
	by := []uint64{m.id}
	for _, g := range m.view.votes {
		if g.term == e.Term && g.by != m.id {
			by = append(by, g.by)
		}
	}
	have := 0
	for _, id := range by {
		if slices.Contains(m.view.voters, id) {
			have++
		}
	}
	if need := len(m.view.voters)/2 + 1; have < need && len(by) >= need {
		c.violate(invariant.Membership, e, "member %d leads term %d with the votes of %v, but the voters are %v", m.id,
			e.Term, by, m.view.voters)
	}
}

// quorumHas handles CommitAdvanced of a leader: voters must have the entry. Where it is on too few disks of anybody,
// others tell (I8).
func (c *Checker) quorumHas(m *member, e *trace.Event) {
	if !m.leading || !m.view.known || len(m.view.voters) == 0 {
		return
	}
	x := end{e.Index, c.termAt(e.Index, m.log)}
	have, need := c.holders(m.view.voters, x)
	if have >= need {
		return
	}
	anybody := 0
	for _, o := range c.members {
		if c.has(o.durable, x) {
			anybody++
		}
	}
	if anybody >= need {
		c.violate(invariant.Membership, e,
			"member %d commits (%d, term %d), which %d disks have, but only %d of the voters %v", m.id, x.index, x.term,
			anybody, have, m.view.voters)
	}
}

// lingers is how long a removed member may go on: a second, and until its clock ticks.
const lingers = trace.Instant(5 * time.Second)

// speaks handles what a member sends: one that knows that it was removed is silent soon.
func (c *Checker) speaks(m *member, e *trace.Event) {
	if v := &m.view; v.left != 0 && e.Now > v.left+lingers {
		c.violate(invariant.Membership, e, "member %d was removed %v ago, knows it, and goes on", m.id,
			time.Duration(e.Now-v.left))
		v.left = 0
	}
}
