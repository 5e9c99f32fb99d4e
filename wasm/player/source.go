package player

import (
	"encoding/json"

	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/story"
	"vitrine/core/trace"
)

// Source is a cluster that is played: a simulated one, or the recording of a real
// one. Its events are all that the page shows of it.
type Source interface {
	Now() trace.Instant    // all up to here has happened
	NextAt() trace.Instant // when the next event happens
	// RunUntil lets all events up to t happen, at most maxEvents (0 = any number). It
	// reports whether it came as far as t.
	RunUntil(t trace.Instant, maxEvents int) (reached bool)
	StepEvent() bool // lets the next event happen; false if there is none
	Facts() Facts
}

// Controls are of a source that can be acted on.
type Controls interface {
	// Do does a command, and returns the id of the request that it began, if it did.
	Do(m *script.Message) (request uint64, err error)
	Dials() any       // as they are turned, in JSON
	HashText() string // of all events so far
	// Save is the run so far as a replay file, or as a Go test of one.
	Save(test bool) ([]byte, error)
	// Memory is what makes the run again, with what was done before a moment: see Opener.
	Memory(until trace.Instant) (json.RawMessage, error)
}

// Facts are what there is to know of a source besides its events.
type Facts struct {
	Kind    string // Simulation or Recording
	Seed    uint64
	Members int   // that it was founded with; 0 = not known
	Tick    int64 // of raft's clock, ns; 0 = not known
	Client  int64 // one-way latency between clients and members, ns
	Speed   float64
	Raft    Raft
	Picture picture.Options
	End     trace.Instant // where it ends by itself, 0 = nowhere
	Show    *Show         // of a replay
	Files   []FileState   // of a recording
}

// Kinds of sources.
const (
	Simulation = "simulation"
	Recording  = "recording"
)

// FileState is what the page is told of a file of a recording.
type FileState struct {
	Member uint64 `json:"member"`
	Name   string `json:"name"`
	ID     string `json:"id"`   // of the member in its cluster, in hex
	From   int64  `json:"from"` // what it covers
	To     int64  `json:"to"`
	Events int    `json:"events"`
	Lost   bool   `json:"lost"` // the file was cut off
}

// Show is a replay: a run of which the end is known.
type Show struct {
	Name    string
	Mutant  string
	Correct bool              // without the planted bug
	Failure picture.Violation // Number 0 = none
	Start   int64             // where the page begins to show it
	Plan    []Span            // how it is shown, see Direct
	Lit     map[uint64]bool   // the events that led to the failure; for look-ups only
	Members []uint64          // where they are
	Lines   map[uint64]story.Line
}

// Open makes a source. It asks for the sink of its events when it knows the facts,
// and before there is any event.
type Open func(sink func(Facts) trace.Sink) (Source, error)

// Opener knows how simulated worlds are made.
type Opener interface {
	World(Settings) Open
	Replay(text, name string, correct bool) Open
	Again(memory json.RawMessage) Open // of Controls.Memory
}
