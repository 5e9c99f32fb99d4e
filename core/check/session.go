package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// session is one connection of a client to one life of a member, and the newest
// revision that came over it.
type session struct {
	client, member, life uint64
	rev                  int64
	at                   trace.Instant // when that came
}

// maxSessions bounds the connections that are remembered; those that were long not asked about go first.
const maxSessions = 256

// heard handles RequestDone at a client: over one connection time does not go
// back (I18). Only a request that was sent after an answer had come is held to
// it; those under way together may be answered in any order.
func (c *Checker) heard(e *trace.Event) {
	if e.Rev == 0 {
		return // the answer is not about data
	}
	s := c.session(e.A, e.Peer, e.B)
	if trace.Instant(e.C) >= s.at && e.Rev < s.rev {
		c.violate(invariant.Serializable, e,
			"client %d was at revision %d by the word of member %d, which then answered from revision %d", e.A, s.rev, e.Peer,
			e.Rev)
	}
	if e.Rev > s.rev {
		s.rev, s.at = e.Rev, e.Now
	}
}

func (c *Checker) session(client, member, life uint64) *session {
	for i := len(c.sessions) - 1; i >= 0; i-- {
		if s := &c.sessions[i]; s.client != client || s.member != member || s.life != life {
			continue
		}
		if i+1 < len(c.sessions) { // whoever is asked about is soon found among the last
			c.sessions[i], c.sessions[i+1] = c.sessions[i+1], c.sessions[i]
			i++
		}
		return &c.sessions[i]
	}
	if len(c.sessions) == maxSessions {
		c.sessions = append(c.sessions[:0], c.sessions[maxSessions/4:]...)
	}
	c.sessions = append(c.sessions, session{client: client, member: member, life: life})
	return &c.sessions[len(c.sessions)-1]
}
