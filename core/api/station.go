package api

import (
	"slices"
	"time"

	"vitrine/core/trace"
)

// A Station is a stop on the way of a request through a member, in the words of etcd's own traces. Each is an event
// (trace.Station, with the request's id and, once there is one, the index of its entry), and events are the only record
// of a way. A request that took long carries its stations in the reply, too, because a server that records no events
// still writes a line about it.
type Station struct {
	Name string
	At   trace.Instant
}

// maxStations bounds the way of one request: that of a put has four.
const maxStations = 6

// way is how far a request has come.
type way struct {
	start    trace.Instant
	n        int
	stations [maxStations]Station
}

// A SlowRequest is what a reply says of a request that took longer than Config.SlowRequest.
type SlowRequest struct {
	Operation Operation
	Start     trace.Instant
	Stations  []Station // in the order in which they were reached
}

// Elapsed is the time from the request's arrival to at.
func (s *SlowRequest) Elapsed(at trace.Instant) time.Duration { return time.Duration(at - s.Start) }

// slow is the record of a request that has taken too long by now, nil if it has not.
func (b *Book) slow(p *pending) *SlowRequest {
	if b.cfg.SlowRequest < 0 || time.Duration(b.now-p.way.start) < b.cfg.SlowRequest {
		return nil
	}
	return &SlowRequest{Operation: p.op, Start: p.way.start, Stations: slices.Clone(p.way.stations[:p.way.n])}
}

// station notes that a request has reached a stop on its way. The member's own requests have none.
func (b *Book) station(p *pending, name string) {
	if p.id == 0 {
		return
	}
	if w := &p.way; w.n < maxStations {
		w.stations[w.n] = Station{name, b.now}
		w.n++
	}
	if b.t.On() {
		b.t.Emit(trace.Event{Kind: trace.Station, Request: p.id, Index: p.index, Text: name})
	}
}

const (
	stationProcessed = "process raft request"
	stationStored    = "store kv pair into bolt db"
	stationCompacted = "physically toApply compaction"
	stationIndex     = "read index received"
	stationCaughtUp  = "applied index is now lower than readState.Index"
	stationAgreed    = "agreement among raft nodes before linearized reading"
)

// Stations lists the names of all stations.
func Stations() []string {
	names := []string{stationProcessed, stationStored, stationCompacted, stationIndex, stationCaughtUp, stationAgreed}
	for o := range operations {
		names = append(append(names, operations[o].applied...), operations[o].wrote...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// passed notes the stations of a write whose entry is applied: those of its operation inside the state machine, and
// where it has changed pairs those of the change.
func (b *Book) passed(p *pending, refused, wrote bool) {
	b.station(p, stationProcessed)
	if refused {
		return
	}
	row := p.op.row()
	for _, name := range row.applied {
		b.station(p, name)
	}
	if wrote {
		for _, name := range row.wrote {
			b.station(p, name)
		}
	}
}
