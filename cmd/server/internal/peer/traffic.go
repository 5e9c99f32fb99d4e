package peer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Traffic is what a member has told others, and they it, in its present life.
type Traffic struct {
	AppendsSent, AppendsReceived uint64
	Peers                        map[uint64]RoundTrips
}

// RoundTrips are how long probes of a peer took, in seconds.
type RoundTrips struct {
	Answered, Failed               uint64
	Last, Mean, Least, Most, Sigma float64
}

// appendCount counts messages that carry entries, or would.
type appendCount struct{ sent, received atomic.Uint64 }

// trips sums up round trips.
type trips struct {
	mu      sync.Mutex
	so      RoundTrips
	squares float64 // the sum of squared distances from the mean
}

// add takes the time of one that was answered.
func (t *trips) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := d.Seconds()
	if t.so.Answered == 0 {
		t.so.Least = s
	}
	t.so.Answered++
	t.so.Last, t.so.Least, t.so.Most = s, min(t.so.Least, s), max(t.so.Most, s)
	before := s - t.so.Mean
	t.so.Mean += before / float64(t.so.Answered)
	t.squares += before * (s - t.so.Mean)
	t.so.Sigma = math.Sqrt(t.squares / float64(t.so.Answered))
}

func (t *trips) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.so.Failed++
}

func (t *trips) read() RoundTrips {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.so
}

// Traffic is what there was so far. A transport that is not there has carried nothing.
func (t *Transport) Traffic() Traffic {
	all := Traffic{Peers: map[uint64]RoundTrips{}}
	if t == nil {
		return all
	}
	all.AppendsSent, all.AppendsReceived = t.appends.sent.Load(), t.appends.received.Load()
	t.mu.RLock()
	defer t.mu.RUnlock()
	for id, p := range t.peers {
		all.Peers[id] = p.trips.read()
	}
	return all
}
