package judge

import (
	"errors"

	"vitrine/core/audit"
	"vitrine/core/invariant"
)

// Spoiled tells that a member has a pair from now on that the others do not have, and nobody is to know.
func (j *Judge) Spoiled(id uint64) { j.spoiled[id] = true }

// Accused holds the alarm CORRUPT that a leader is about to raise to who has been spoiled (I38). A leader that compares
// others with itself takes them for spoiled if it is that itself, and where too few remember a compaction nobody can
// tell who is wrong.
func (j *Judge) Accused(leader uint64, c audit.Culprit, byOwn bool) {
	switch {
	case len(j.spoiled) == 0:
		j.Broken(invariant.Corrupt, "member %d raises the alarm about member %d, and nobody is corrupt: %s", leader, c.Member,
			c.Why)
	case !j.spoiled[c.Member] && c.Member != 0 && !(byOwn && j.spoiled[leader]):
		j.Broken(invariant.Corrupt, "member %d raises the alarm about member %d, which is not the one that is corrupt: %s",
			leader, c.Member, c.Why)
	}
}

// Compared holds what a member concludes before it starts to who has been spoiled (I38): a sound one must not refuse,
// unless it has met one that is not, and a spoiled one must, if it has met a sound one with the same history.
// Where nothing lives nothing can be compared.
func (j *Judge) Compared(id uint64, own audit.Hash, answers []audit.Answer, verdict error) {
	var wrong *audit.Inconsistent
	switch {
	case errors.As(verdict, &wrong) && !j.spoiled[id]:
		for _, peer := range wrong.Peers {
			if !j.spoiled[peer] {
				j.Broken(invariant.Corrupt, "member %d refuses to start, and is not corrupt: %v", id, verdict)
				return
			}
		}
	case verdict == nil && j.spoiled[id]:
		for _, a := range answers {
			if a.Err == nil && a.Hash.Compact == own.Compact && !j.spoiled[a.Member] {
				j.Broken(invariant.Corrupt, "member %d starts, though member %d does not have a pair that it has", id, a.Member)
				return
			}
		}
	}
}
