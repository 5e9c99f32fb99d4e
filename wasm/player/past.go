package player

import (
	"encoding/json"
	"fmt"
	"slices"

	"vitrine/core/story"
	"vitrine/core/trace"
)

// pastEvents is how many events are kept, to tell where something came from.
const pastEvents = 8192

// past are the newest events, by their numbers.
type past struct {
	ring []trace.Event // Seq % pastEvents
	last uint64
}

func (p *past) take(e *trace.Event) {
	if p.ring == nil {
		p.ring = make([]trace.Event, pastEvents)
	}
	p.ring[e.Seq%pastEvents] = *e
	p.last = e.Seq
}

// at is the event of that number, nil if it was too long ago.
func (p *past) at(seq uint64) *trace.Event {
	if p.ring == nil || seq == 0 {
		return nil
	}
	if e := &p.ring[seq%pastEvents]; e.Seq == seq {
		return e
	}
	return nil
}

// first is the oldest of the kept events that fits, nil if there is none.
func (p *past) first(fits func(e *trace.Event) bool) *trace.Event {
	for seq := max(p.last, pastEvents) - pastEvents + 1; seq <= p.last; seq++ {
		if e := p.at(seq); e != nil && fits(e) {
			return e
		}
	}
	return nil
}

// Origin is where something came from.
type Origin struct {
	Lines []story.Line `json:"lines"` // from the first cause on
	// Lost: the beginning was too long ago, or nobody recorded it.
	Lost bool `json:"lost"`
}

// mostCauses bounds the way back.
const mostCauses = 24

// why tells where an event, an entry, or a revision came from.
func (p *past) why(query []byte) (json.RawMessage, error) {
	var q struct{ Seq, Index, Term, Rev uint64 }
	if err := json.Unmarshal(query, &q); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	var o Origin
	e := p.at(q.Seq)
	if q.Rev != 0 {
		if e = p.revision(int64(q.Rev)); e != nil {
			o.say(e)
			q.Index, q.Term = e.Index, e.Term
		}
	}
	if q.Index != 0 {
		e = p.first(func(e *trace.Event) bool {
			return e.Kind == trace.EntryAppended && e.Index == q.Index && e.Term == q.Term
		})
	}
	if e == nil {
		o.Lost = true
	}
	for n := 0; e != nil && n < mostCauses; n++ {
		o.say(e)
		o.Lost = e.Cause != 0 && p.at(e.Cause) == nil
		e = p.at(e.Cause)
	}
	slices.Reverse(o.Lines)
	if o.Lines == nil {
		o.Lines = []story.Line{}
	}
	return marshal(o), nil
}

// revision is the first application of the entry that made one.
func (p *past) revision(rev int64) *trace.Event {
	made := p.first(func(e *trace.Event) bool { return e.Kind == trace.EntryApplied && e.Rev >= rev })
	if made == nil || made.Rev != rev {
		return nil
	}
	// The kept events may begin behind the one that made it: then the one before must be there.
	before := p.first(func(e *trace.Event) bool { return e.Kind == trace.EntryApplied && e.Rev == rev-1 })
	if before == nil {
		return nil
	}
	return made
}

// say adds the line of an event, if there are words for it.
func (o *Origin) say(e *trace.Event) {
	if line, ok := story.Say(e); ok {
		o.Lines = append(o.Lines, line)
	}
}
