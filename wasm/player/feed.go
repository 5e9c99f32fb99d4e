package player

import (
	"vitrine/core/story"
	"vitrine/core/trace"
)

// Item is one line of the feed. The page puts it into words.
type Item struct {
	story.Line
	Lit bool `json:"lit,omitempty"` // it belongs to the story of a violation
}

// feedBound is how many lines wait for the page at most; at high speed the
// oldest are of no use to a reader.
const feedBound = 60

// feed turns events into lines: what a person would tell, nothing that repeats
// a hundred times a second, and of a replay everything that led to its end.
type feed struct {
	items  []Item
	teller *story.Teller
	story  map[uint64]story.Line // by event; for look-ups only
}

func newFeed() feed { return feed{teller: story.NewTeller()} }

func (f *feed) add(item Item) {
	if len(f.items) >= feedBound {
		f.items = append(f.items[:0], f.items[1:]...)
	}
	f.items = append(f.items, item)
}

// show has the story of a replay told.
func (f *feed) show(s *Show) {
	if s != nil {
		f.story = s.Lines
	}
}

// take turns an event into a line, if it is worth one.
func (f *feed) take(e *trace.Event) {
	line, ok := f.teller.Tell(e)
	if told, lit := f.story[e.Seq]; lit {
		f.add(Item{told, true})
	} else if ok && e.Kind != trace.Fault {
		f.add(Item{line, false})
	}
}
