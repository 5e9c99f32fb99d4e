package peer

import (
	"math"
	"testing"
	"time"
)

func TestRoundTripsAreSummedUp(t *testing.T) {
	var s trips
	for _, ms := range []int{4, 2, 6, 4} {
		s.add(time.Duration(ms) * time.Millisecond)
	}
	s.fail()
	got := s.read()
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	if got.Answered != 4 || got.Failed != 1 || !near(got.Last, 4e-3) || !near(got.Mean, 4e-3) || !near(got.Least, 2e-3) ||
		!near(got.Most, 6e-3) || !near(got.Sigma, math.Sqrt2*1e-3) {
		t.Errorf("%+v", got)
	}
	var none *Transport
	if all := none.Traffic(); all.AppendsSent != 0 || len(all.Peers) != 0 {
		t.Errorf("%+v", all)
	}
}
