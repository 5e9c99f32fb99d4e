package recording

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"vitrine/core/trace"
)

// merger makes one stream of several.
type merger struct {
	lives   []*life
	ids     map[uint64]uint64 // of members: in the cluster, on the page; ranged over in order only
	events  []trace.Event
	flights []int64 // how long messages took that are known to have come
	end     int64
}

// lead is how long before the first event the stream begins.
const lead = 1e6

func merge(lives []*life) *merger {
	m := &merger{lives: lives, ids: map[uint64]uint64{}}
	m.align()
	m.number()
	m.interleave()
	m.messages()
	m.syncs()
	m.order()
	return m
}

// align puts all clocks on one.
func (m *merger) align() {
	first := int64(math.MaxInt64)
	for _, l := range m.lives {
		first = min(first, l.header.Began+int64(l.full()[0].Now))
	}
	for _, l := range m.lives {
		l.offset = l.header.Began - first + lead
		l.begin = l.offset + int64(l.full()[0].Now)
		for i := range l.events { // lanes of one process may be a little out of order
			l.end = max(l.end, l.at(&l.events[i]))
		}
		m.end = max(m.end, l.end)
	}
}

// full are the events of a life that are there without a gap, or the last one.
func (l *life) full() []trace.Event {
	i, _ := slices.BinarySearchFunc(l.events, l.header.First, func(e trace.Event,
		seq uint64) int {
		return cmp.Compare(e.Seq, seq)
	})
	return l.events[min(i, len(l.events)-1):]
}

// names calls visit with all ids of members that an event has.
func names(e *trace.Event, visit func(id *uint64)) {
	visit(&e.Member)
	switch e.Kind {
	case trace.LogWritten, trace.LogSynced:
		visit(&e.B) // whom it voted for
	case trace.RequestProposed:
		if e.C != 0 {
			visit(&e.Peer)
		}
	case trace.RequestArrived, trace.RequestDone, trace.Station:
	default:
		visit(&e.Peer)
	}
}

// number gives members the ids that the page shows: by name those that have
// recorded something, then the others.
func (m *merger) number() {
	order := slices.Clone(m.lives)
	slices.SortStableFunc(order, func(a, b *life) int {
		return cmp.Or(cmp.Compare(a.header.Name, b.header.Name), cmp.Compare(a.header.Member, b.header.Member))
	})
	for _, l := range order {
		m.known(l.header.Member)
	}
	others := map[uint64]bool{}
	for _, l := range m.lives {
		for i := range l.events {
			names(&l.events[i], func(id *uint64) { others[*id] = true })
		}
	}
	for _, id := range slices.Sorted(maps.Keys(others)) {
		m.known(id)
	}
	for _, l := range m.lives {
		l.id = m.ids[l.header.Member]
	}
}

func (m *merger) known(id uint64) {
	if id != 0 && m.ids[id] == 0 {
		m.ids[id] = uint64(len(m.ids) + 1)
	}
}

// together is how far apart files may end that were fetched at one time.
const together = 500e6

// interleave lays all events on one time, each under a new number.
func (m *merger) interleave() {
	for id := range uint64(len(m.ids)) {
		m.events = append(m.events, trace.Event{Kind: trace.RecordingEnded, Member: id + 1})
	}
	slices.SortStableFunc(m.lives, func(a, b *life) int { return cmp.Compare(a.begin, b.begin) })
	for _, l := range m.lives {
		m.events = append(m.events, trace.Event{Kind: trace.RecordingBegan, Member: l.id, Now: trace.Instant(l.begin)})
		base, now := uint64(len(m.events))+1, int64(0)
		index := func(seq uint64) uint64 {
			i, ok := slices.BinarySearchFunc(l.events, seq, func(e trace.Event, s uint64) int { return cmp.Compare(e.Seq, s) })
			if !ok {
				return 0
			}
			return base + uint64(i)
		}
		for _, e := range l.events {
			now = max(now, l.at(&e))
			e.Now, e.Cause = trace.Instant(now), index(e.Cause)
			names(&e, func(id *uint64) { *id = m.ids[*id] })
			if e.Request != 0 && e.Kind != trace.EntryApplied { // each member counts its own; there it is a proposal
				e.Request = e.Request*uint64(len(m.ids)+1) + l.id
			}
			m.events = append(m.events, e)
		}
		if l.last().Kind != trace.MemberStopped && l.end < m.end-together {
			m.events = append(m.events, trace.Event{Kind: trace.RecordingEnded, Member: l.id, Now: trace.Instant(l.end)})
		}
	}
	for i := range m.events {
		m.events[i].Seq = uint64(i + 1)
	}
}

// route is what two tellings of one message have in common.
type route struct {
	from, to, term, index, entries uint64
	msg                            uint8
}

// patience is how long a message may have been under way.
const patience = 10e9

// messages finds for each message that came the sending of it, and says of each
// that left when it came, or that nobody tells.
func (m *merger) messages() {
	byTime := make([]int, len(m.events))
	for i := range byTime {
		byTime[i] = i
	}
	slices.SortStableFunc(byTime, func(a, b int) int { return cmp.Compare(m.events[a].Now, m.events[b].Now) })
	waiting := map[route][]int{}
	latest := map[route]int{} // by sender, receiver and type
	for _, i := range byTime {
		e := &m.events[i]
		switch e.Kind {
		case trace.MessageSent:
			key := route{e.Member, e.Peer, e.Term, e.Index, e.C, e.Msg}
			waiting[key] = append(waiting[key], i)
			latest[route{from: e.Member, to: e.Peer, msg: e.Msg}] = i
		case trace.MessageDropped: // the sender's own word: it has not got away
			if i, ok := latest[route{from: e.Peer, to: e.Member, msg: e.Msg}]; ok && m.events[i].Rev == 0 {
				m.events[i].Text = e.Text
			}
		case trace.MessageDelivered:
			key := route{e.Peer, e.Member, e.Term, e.Index, e.C, e.Msg}
			sent := waiting[key]
			e.Cause = 0
			if n := len(sent) - 1; n >= 0 && e.Now-m.events[sent[n]].Now < patience {
				s := &m.events[sent[n]]
				s.Rev, e.Cause = int64(e.Now), s.Seq
				m.flights = append(m.flights, int64(e.Now-s.Now))
				waiting[key] = sent[:n]
			}
		}
	}
	m.unseen()
}

// unseen ends the way of messages whose arrival nobody tells of: after the time
// that others take.
func (m *merger) unseen() {
	usual := int64(1e6)
	if n := len(m.flights); n > 0 {
		sorted := slices.Sorted(slices.Values(m.flights))
		usual = max(1, sorted[n/2])
	}
	for i := range m.events {
		e := &m.events[i]
		if e.Kind != trace.MessageSent || e.Rev != 0 {
			continue
		}
		e.Rev, e.Text = int64(e.Now)+usual, cmp.Or(e.Text, "unseen")
		m.events = append(m.events, trace.Event{
			Kind: trace.MessageDropped, Member: e.Peer, Peer: e.Member, Msg: e.Msg, Cause: e.Seq, Now: trace.Instant(e.Rev),
			Text: e.Text,
		})
	}
}

// syncs tells of each write that is synced when that was done.
func (m *merger) syncs() {
	done := map[uint64]trace.Instant{} // by member
	for i := len(m.events) - 1; i >= 0; i-- {
		e := &m.events[i]
		switch {
		case e.Kind == trace.LogSynced:
			done[e.Member] = e.Now
		case e.Kind == trace.LogWritten && e.Rev < 0 && done[e.Member] != 0:
			e.Rev = int64(done[e.Member])
		}
	}
}

// order brings events into the order of time, and numbers them in it. A cause
// comes before what it led to, or is none: clocks differ.
func (m *merger) order() {
	slices.SortStableFunc(m.events, func(a, b trace.Event) int { return cmp.Compare(a.Now, b.Now) })
	number := make([]uint64, len(m.events)+1)
	for i := range m.events {
		e := &m.events[i]
		if e.Seq != 0 {
			number[e.Seq] = uint64(i + 1)
		}
	}
	for i := range m.events {
		e := &m.events[i]
		e.Seq = uint64(i + 1)
		if e.Cause = number[e.Cause]; e.Cause >= e.Seq {
			e.Cause = 0
		}
	}
	if n := len(m.events); n > 0 {
		m.end = max(m.end, int64(m.events[n-1].Now))
	}
}
