package api

import (
	"time"

	"vitrine/core/trace"
)

// Steps is the way of one request: what it was, and when it reached which station. The names of the stations are
// those of etcd's trace, so a picture of it maps to a line of the slow-request log. It is a record; whoever drives the
// member decides what to write of it and where.
type Steps struct {
	Operation string // "range", "put", "delete_range", "transaction", "compact" ...
	Request   uint64
	Start     trace.Instant
	n         int
	steps     [maxSteps]Step
}

// A Step is one station and the time at which it was reached.
type Step struct {
	Name string
	At   trace.Instant
}

// maxSteps bounds the record; the way of a request through a member has six stations at most, its driver may add six.
const maxSteps = 12

// Add notes that the request has reached a station. Beyond the bound, the last one is overwritten.
func (s *Steps) Add(name string, at trace.Instant) {
	if s == nil {
		return
	}
	if s.n == maxSteps {
		s.n--
	}
	s.steps[s.n] = Step{name, at}
	s.n++
}

// Steps are the stations in the order in which they were reached. The slice is valid until the next Add.
func (s *Steps) Steps() []Step { return s.steps[:s.n] }

// Elapsed is the time from the request's arrival to at.
func (s *Steps) Elapsed(at trace.Instant) time.Duration { return time.Duration(at - s.Start) }
