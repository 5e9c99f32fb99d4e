package lease

import (
	"time"

	"vitrine/core/trace"
)

// spread is how many leases expire in each second after an election. All of them begin anew at one moment, so those
// with one TTL would all end at one moment, too. A second that is full passes the next lease on to the first later one
// that is not.
type spread struct {
	perSecond int
	taken     map[int64]int   // of a second
	next      map[int64]int64 // from a full second to one that may have room
}

func newSpread(perSecond int) spread {
	return spread{perSecond: max(perSecond, 1), taken: map[int64]int{}, next: map[int64]int64{}}
}

// take is when a lease expires that should do so at the given moment: then, or so many whole seconds later.
func (s *spread) take(at trace.Instant) trace.Instant {
	if s.perSecond == 0 {
		return at
	}
	const second = int64(time.Second)
	want := int64(at) / second
	room := s.room(want)
	if s.taken[room]++; s.taken[room] >= s.perSecond {
		s.next[room] = room + 1
	}
	if room == want { // also at the end of time
		return at
	}
	return after(at, room-want, 0)
}

// room is the first second from sec on that has room. What it passes on the way is shortened for the next.
func (s *spread) room(sec int64) int64 {
	end := sec
	for {
		next, full := s.next[end]
		if !full {
			break
		}
		end = next
	}
	for sec != end {
		next := s.next[sec]
		s.next[sec] = end
		sec = next
	}
	return end
}
