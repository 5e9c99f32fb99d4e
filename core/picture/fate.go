package picture

import (
	"slices"
	"strings"

	"vitrine/core/trace"
)

// What became of a request of which its client does not know.
const (
	FateHappened = "happened" // at FateRev
	FateNever    = "never"    // and it never will
)

// acked is a write that a client was told of.
type acked struct {
	rev  int64
	at   int64
	text string
}

// knownAcks is how many of them are remembered, to say what an old answer missed.
const knownAcks = 256

// doubt remembers a request that ended without a word, until the run knows.
func (p *Picture) doubt(r *request) {
	if len(p.doubts) == keptRequests {
		p.doubts = append(p.doubts[:0], p.doubts[1:]...)
	}
	p.doubts = append(p.doubts, r)
}

// settle finds out what became of doubtful requests: their entry is applied
// somewhere, another one is in its place, or it has died before it was in any log.
func (p *Picture) settle(e *trace.Event) {
	if len(p.doubts) == 0 {
		return
	}
	for _, r := range p.doubts {
		switch e.Kind {
		case trace.EntryApplied:
			if r.hash != 0 && e.A == r.hash {
				r.Fate, r.FateRev = FateHappened, e.Rev
			} else if r.index != 0 && e.Index == r.index {
				r.Fate = FateNever
			}
		case trace.MemberCrashed, trace.MemberStopped:
			if e.Member == r.server && r.Wire.Arrived != 0 && r.index == 0 && !p.flying(r) {
				r.Fate = FateNever
			}
		case trace.MessageDropped:
			if e.Msg == msgProp && r.index == 0 && slices.Contains(r.sent, e.Cause) && !p.flying(r) {
				r.Fate = FateNever
			}
		}
	}
	p.doubts = slices.DeleteFunc(p.doubts, func(r *request) bool { return r.Fate != "" })
}

// flying tells whether a message on behalf of the request is on its way.
func (p *Picture) flying(r *request) bool {
	return slices.ContainsFunc(p.flights, func(m Message) bool { return m.Lost == "" && slices.Contains(r.sent, m.Seq) })
}

// answeredAt notes what a client was told: a write as something that nobody may
// miss from now on; a read that asked no leader is held to what was known before it
// was asked.
func (p *Picture) answeredAt(r *request) {
	if r.hash != 0 {
		if len(p.acks) == knownAcks {
			p.acks = append(p.acks[:0], p.acks[1:]...)
		}
		p.acks = append(p.acks, acked{r.Revision, r.Done, p.texts.by[r.hash]})
		return
	}
	if r.Op != "get" || r.asked {
		return
	}
	key := keyOf(r.Text)
	for i := len(p.acks) - 1; i >= 0; i-- {
		a := &p.acks[i]
		if a.at < r.Issued && a.rev > r.Revision && a.about(key) && (r.Missed == nil || a.rev > r.Missed.Rev) {
			r.Missed = &Missed{Rev: a.rev, Text: a.text, At: a.at}
		}
	}
}

// about tells whether a write is one of that key, as far as its words tell.
func (a *acked) about(key string) bool {
	return key != "" && (strings.HasPrefix(a.text, key+"=") || a.text == "del "+key)
}

// keyOf is the key that a request is about, by its words: those of a command, or of
// a simulated client.
func keyOf(text string) string {
	for i, word := range strings.Fields(text) {
		if key, ok := strings.CutPrefix(word, "key="); ok {
			return key
		}
		if i == 1 && !strings.Contains(word, "=") {
			return word
		}
	}
	return ""
}
