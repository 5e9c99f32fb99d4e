package judge

import (
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
