package chaos

import (
	"slices"
	"time"

	"vitrine/core/script"
)

const (
	// changeEvery is the least time between two changes of the members.
	changeEvery = 5 * time.Second
	// mostMembers is how large a cluster may grow.
	mostMembers = 7
)

// changeMembers adds, promotes or removes a member, as the drawn bits say, by a question to another. The cluster may
// refuse it. What has just been added may be asked to vote at once, before it can, and a number that is used up may be
// tried again.
func (x *Chaos) changeMembers(victim, asked, how, long uint64) {
	learners, members := x.world.Learners(), x.world.Members()
	next := int64(x.world.Machines() + 1)
	c := script.Command{Cmd: script.AddLearner, Member: asked, ID: next}
	switch kind := how >> 8 % 8; {
	case kind < 2 && len(learners) > 0:
		c.Cmd, c.ID = script.Promote, int64(learners[0])
	case kind == 2 && len(learners) > 0, kind == 3, kind == 4 && len(members) > 3, len(members) >= mostMembers,
		next > script.MaxMachines:
		c.Cmd, c.ID = script.Remove, int64(victim)
		if kind == 2 && len(learners) > 0 {
			c.ID = int64(learners[0])
		}
	case kind == 5:
		c.Cmd = script.AddMember
	case kind == 6 && len(members) < x.world.Machines():
		c.Cmd, c.ID = script.AddMember, x.usedUp(how)
	}
	voters := len(members) - len(learners)
	if c.Cmd == script.Remove && (voters == 2 || voters == 1 && x.grows) && !slices.Contains(learners, uint64(c.ID)) {
		return // by raft the other voter may wait for ever for this one's vote, if it crashes before it hears of the end
	}
	x.grows = x.grows || c.Cmd != script.Remove
	if slices.Contains(learners, asked) || how>>24%4 == 0 {
		c.Member = 0 // whoever the visitor speaks to
	}
	if x.inflict(Roster, c) && c.Cmd == script.AddLearner && how>>32%2 == 0 {
		x.world.Later(spread(long, time.Millisecond, 2*time.Second), script.Command{Cmd: script.Promote, ID: c.ID})
	}
}

// usedUp is the number of a machine that is no member any more, or not yet.
func (x *Chaos) usedUp(how uint64) int64 {
	id, members := how>>40%uint64(x.world.Machines()), x.world.Members()
	for range x.world.Machines() {
		if !slices.Contains(members, id+1) {
			break
		}
		id = (id + 1) % uint64(x.world.Machines())
	}
	return int64(id + 1)
}
