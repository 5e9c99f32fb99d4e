package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// diskFailed handles LogFailed: from here on the member is as good as dead (I12).
func (c *Checker) diskFailed(m *member, e *trace.Event) {
	if m.failed == 0 {
		m.failed = e.Seq
		c.failing++
	}
}

// afterFailure sees the events that follow while somebody's disk has refused.
func (c *Checker) afterFailure(e *trace.Event) {
	if e.Member == 0 {
		return
	}
	m := c.member(e.Member)
	if m.failed == 0 {
		return
	}
	what := ""
	switch e.Kind {
	case trace.MemberStarted:
		m.failed = 0
		c.failing--
	case trace.LogWritten:
		what = "writes to its log"
	case trace.LogSynced:
		what = "syncs its log"
	case trace.BackendCommitted:
		what = "commits to its database"
	case trace.MessageSent:
		what = "sends a message"
	case trace.VoteCast:
		what = "votes"
	case trace.RequestDone:
		if e.Text == "" {
			what = "confirms a request"
		}
	}
	if what != "" {
		c.violate(invariant.FailedDisk, e, "member %d %s after its disk refused at event %d", m.id, what, m.failed)
	}
}
