package duty

import (
	"time"

	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Retention says how much history a cluster keeps, and that its leader compacts the rest by itself. The zero value
// keeps all of it.
type Retention struct {
	// Period keeps what the members' keys were for so long, at least.
	Period time.Duration
	// Revisions keeps so many revisions before the newest one. It is looked at each Every.
	Revisions int64
	Every     time.Duration // 5 min
}

// samplesPerPeriod is how often the revision is noted within a period, and how often a compaction that did not come
// about is tried again.
const samplesPerPeriod = 10

// longestPause is how long a leader that keeps a longer period waits between two compactions.
const longestPause = time.Hour

// compaction drops history that is older than it has to be kept. Every member notes the revisions, because any may lead
// next; the leader alone proposes.
type compaction struct {
	keep    Retention
	began   bool
	next    trace.Instant // the next look
	success trace.Instant // when one was proposed last that came about; at first the start
	pause   time.Duration // from one to the next
	noted   []int64       // revisions, the oldest first
	last    int64         // the revision of the last one that came about
	asked   int64         // of the one under way
	askedAt trace.Instant
}

func (c *compaction) due(s *State) *pb.InternalRaftRequest {
	if c.keep.Period <= 0 && c.keep.Revisions <= 0 {
		return nil
	}
	if !c.began {
		c.began, c.success, c.pause = true, s.Now, c.keep.Period
		c.note(s)
		return nil
	}
	if s.Now < c.next {
		return nil
	}
	rev := c.oldest(s)
	c.note(s)
	if !s.Leading || rev <= 0 || rev == c.last {
		return nil
	}
	c.asked, c.askedAt = rev, s.Now
	return &pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: rev}}
}

// oldest is the revision up to which history may go now, 0 = it is not the time.
func (c *compaction) oldest(s *State) int64 {
	if c.keep.Period <= 0 {
		return s.Revision - c.keep.Revisions
	}
	if s.Now-c.success < trace.Instant(c.pause) {
		return 0
	}
	if mutant.On(mutant.RetentionIgnored) {
		return c.noted[len(c.noted)-1]
	}
	return c.noted[0]
}

// note notes the revision of now, and when to look next.
func (c *compaction) note(s *State) {
	if c.keep.Period <= 0 {
		c.next = s.Now + trace.Instant(c.keep.Every)
		return
	}
	every := min(c.keep.Period, longestPause) / samplesPerPeriod
	c.next = s.Now + trace.Instant(every)
	c.noted = append(c.noted, s.Revision)
	if most := int(c.keep.Period/every) + 1; len(c.noted) > most {
		c.noted = c.noted[1:] // what is now the first was the revision a period ago
	}
}

// ended: one that was lost is made again at the next look. So is one that was refused, with the revision of then:
// somebody else has compacted more, or the cluster is corrupt.
func (c *compaction) ended(e End) {
	if !e.Applied {
		return
	}
	c.last = c.asked
	if !e.Refused {
		c.success, c.pause = c.askedAt, min(c.keep.Period, longestPause)
	}
}
