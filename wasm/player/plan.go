package player

import (
	"math"
	"slices"
)

// Span is a part of what is shown, and how long it takes on the screen at the
// show's own speed. A quick one holds nothing of the story.
type Span struct {
	From, To int64   // ns of simulated time
	Seconds  float64 // of the visitor
	Quick    bool
}

// What a visitor sees of a story: every deed long enough to follow a message, all of
// it before patience ends.
const (
	flight   = 1.2 // seconds that a message between members takes at most
	watching = 9.0 // seconds for all deeds together at most
	least    = 4.0 // seconds for all of it at least
	passing  = 0.6 // seconds for what lies between two deeds at most
	allGaps  = 6.0 // seconds for all that lies between deeds at most
	around   = 5e6 // ns before and after a deed, if messages are quicker
)

// Direct plans how a replay is shown: from before the first of its deeds to its end,
// slow around each and quick between them. latency is what a message takes between
// members; the answer is the speed. Without deeds all of it is shown at one speed.
func (s *Show) Direct(deeds []int64, end, latency int64) (speed float64) {
	slowest := float64(latency) / (flight * 1e9)
	s.Plan = s.Plan[:0]
	if len(deeds) == 0 {
		speed = 4 * slowest
		s.Plan = append(s.Plan, Span{s.Start, end, float64(end-s.Start) / 1e9 / speed, false})
		return speed
	}
	slices.Sort(deeds)
	room := int64(math.Max(float64(latency), around))
	for _, at := range deeds {
		from, to := max(0, at-room), min(at+room, end)
		if last := len(s.Plan) - 1; last >= 0 && from <= s.Plan[last].To+room {
			s.Plan[last].To = max(to, s.Plan[last].To)
		} else if from < to {
			s.Plan = append(s.Plan, Span{From: from, To: to})
		}
	}
	shown := int64(0)
	for _, span := range s.Plan {
		shown += span.To - span.From
	}
	speed = math.Max(slowest, float64(shown)/1e9/watching)
	// A short story begins earlier, so that one sees what was before.
	if lack := least - float64(shown)/1e9/speed; lack > 0 {
		s.Plan[0].From = max(0, s.Plan[0].From-int64(lack*1e9*speed))
	}
	s.Start = s.Plan[0].From
	s.between(speed)
	return speed
}

// between fills the gaps of the plan and counts seconds.
func (s *Show) between(speed float64) {
	var all []Span
	most := math.Min(passing, allGaps/float64(max(1, len(s.Plan)-1)))
	for i, span := range s.Plan {
		if i > 0 {
			gap := Span{From: s.Plan[i-1].To, To: span.From, Quick: true}
			gap.Seconds = math.Min(most, float64(gap.To-gap.From)/1e9/speed)
			all = append(all, gap)
		}
		span.Seconds = float64(span.To-span.From) / 1e9 / speed
		all = append(all, span)
	}
	s.Plan = all
}

// Seconds is how long all of it takes to watch.
func (s *Show) Seconds() (sum float64) {
	for _, span := range s.Plan {
		sum += span.Seconds
	}
	return sum
}

// at is how many seconds of watching lead to a moment.
func (s *Show) at(now float64) (sum float64) {
	for _, span := range s.Plan {
		if now < float64(span.To) {
			return sum + span.Seconds*math.Max(0, now-float64(span.From))/float64(span.To-span.From)
		}
		sum += span.Seconds
	}
	return sum
}

// moment is where so many seconds of watching lead to.
func (s *Show) moment(seconds float64) int64 {
	for _, span := range s.Plan {
		if seconds < span.Seconds {
			return span.From + int64(seconds/span.Seconds*float64(span.To-span.From))
		}
		seconds -= span.Seconds
	}
	return s.Plan[len(s.Plan)-1].To
}

// quick is the span without a deed at a moment, if it is in one.
func (s *Show) quick(now float64) (Span, bool) {
	for _, span := range s.Plan {
		if now >= float64(span.From) && now < float64(span.To) {
			return span, span.Quick
		}
	}
	return Span{}, false
}
