package recording

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"vitrine/core/picture"
	"vitrine/core/trace"
	"vitrine/wasm/player"
)

// What a page opens at most.
const (
	maxFiles = 64
	maxBytes = 256 << 20
)

// window is how many entries of each log the page shows.
const window = 24

// ErrMixed: the files are of several clusters.
var ErrMixed = errors.New("the recordings are of different clusters")

// Open plays the recordings of one cluster.
func Open(files [][]byte) player.Open {
	return func(sink func(player.Facts) trace.Sink) (player.Source, error) {
		lives, err := read(files)
		if err != nil {
			return nil, err
		}
		m := merge(lives)
		s := &source{events: m.events, facts: m.facts()}
		s.sink = sink(s.facts)
		s.RunUntil(0, 0) // who there is
		return s, nil
	}
}

// life is what one process of a member has recorded.
type life struct {
	header trace.Header
	events []trace.Event
	lost   bool   // a file was cut off
	id     uint64 // of the member, as the page has it
	offset int64  // of its clock to that of the merged stream
	begin  int64  // when the first event happened that is not only a state, on the merged clock
	end    int64
}

// read takes what the files hold. Several of one process become one.
func read(files [][]byte) ([]*life, error) {
	if len(files) == 0 || len(files) > maxFiles {
		return nil, fmt.Errorf("recording: %d files: a page opens 1 to %d", len(files), maxFiles)
	}
	total := 0
	var lives []*life
	for i, file := range files {
		if total += len(file); total > maxBytes {
			return nil, fmt.Errorf("recording: the files have more than %d MiB", maxBytes>>20)
		}
		r, err := trace.ReadRecording(file)
		lost := errors.Is(err, trace.ErrCutOff)
		if err != nil && !lost {
			return nil, fmt.Errorf("recording: file %d: %w", i+1, err)
		}
		if len(r.Events) == 0 {
			return nil, fmt.Errorf("recording: file %d has no events", i+1)
		}
		if r.Header.Cluster != lives0(lives, r).Cluster {
			return nil, fmt.Errorf("recording: %w", ErrMixed)
		}
		l := &life{header: r.Header, events: r.Events, lost: lost}
		if same := sameProcess(lives, l); same != nil {
			same.join(l)
		} else {
			lives = append(lives, l)
		}
	}
	return lives, nil
}

func lives0(lives []*life, r *trace.Recording) *trace.Header {
	if len(lives) == 0 {
		return &r.Header
	}
	return &lives[0].header
}

// sameStart is how far two readings of the moment at which a process began may
// differ: the clock of the machine is adjusted meanwhile. No process starts again
// that soon.
const sameStart = 500e6

func sameProcess(lives []*life, l *life) *life {
	for _, o := range lives {
		if d := o.header.Began - l.header.Began; o.header.Member == l.header.Member && d < sameStart && -d < sameStart {
			return o
		}
	}
	return nil
}

// join adds a recording of the same process: what the newer one has lost.
func (l *life) join(o *life) {
	if o.header.First < l.header.First || o.last().Seq > l.last().Seq && o.header.First == l.header.First {
		*l, *o = *o, *l
	}
	// l reaches further back; o may go on where l ends.
	if o.header.First > l.last().Seq+1 {
		l.events, l.header.First = o.events, o.header.First // there is a gap: the newer part stays
		return
	}
	for _, e := range o.events {
		if e.Seq > l.last().Seq {
			l.events = append(l.events, e)
		}
	}
	l.lost = l.lost || o.lost
}

func (l *life) last() *trace.Event { return &l.events[len(l.events)-1] }

// at is when an event of a life happened, on the merged clock. Events that tell
// only how things stood count from the first one that does more.
func (l *life) at(e *trace.Event) int64 {
	if e.Seq < l.header.First {
		return l.begin
	}
	return l.offset + int64(e.Now)
}

// source plays a merged stream.
type source struct {
	events []trace.Event
	next   int
	now    trace.Instant
	facts  player.Facts
	sink   trace.Sink
}

// Now implements player.Source.
func (s *source) Now() trace.Instant { return s.now }

// NextAt implements player.Source.
func (s *source) NextAt() trace.Instant {
	if s.next == len(s.events) {
		return s.now
	}
	return s.events[s.next].Now
}

// RunUntil implements player.Source.
func (s *source) RunUntil(t trace.Instant, maxEvents int) bool {
	for n := 0; s.next < len(s.events) && s.events[s.next].Now <= t; n++ {
		if maxEvents > 0 && n >= maxEvents {
			return false
		}
		s.StepEvent()
	}
	s.now = max(s.now, min(t, s.facts.End))
	return true
}

// StepEvent implements player.Source.
func (s *source) StepEvent() bool {
	if s.next == len(s.events) {
		return false
	}
	e := &s.events[s.next]
	s.next++
	s.now = e.Now
	s.sink.Emit(e)
	return s.next < len(s.events)
}

// Facts implements player.Source.
func (s *source) Facts() player.Facts { return s.facts }

// facts are what the page is told of a merged stream.
func (m *merger) facts() player.Facts {
	f := player.Facts{
		Kind: player.Recording, End: trace.Instant(m.end), Picture: picture.Options{Window: window,
			Names: map[uint64]string{}},
		Speed: m.speed(),
	}
	for real, id := range m.ids {
		f.Picture.Names[id] = strconv.FormatUint(real, 16)
	}
	for _, l := range m.lives {
		if l.header.Name != "" {
			f.Picture.Names[l.id] = l.header.Name
		}
		f.Files = append(f.Files, player.FileState{
			Member: l.id, Name: l.header.Name, ID: strconv.FormatUint(l.header.Member, 16), From: l.begin, To: l.end,
			Events: len(l.events), Lost: l.lost,
		})
	}
	slices.SortStableFunc(f.Files, func(a, b player.FileState) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.From, b.From))
	})
	return f
}

// slowest is the lowest speed that a recording starts with.
const slowest = 0.002

// speed is one at which a message can be followed by eye.
func (m *merger) speed() float64 {
	if len(m.flights) == 0 {
		return 0.1
	}
	slices.Sort(m.flights)
	return min(1, max(slowest, float64(m.flights[len(m.flights)/2])/3e8))
}
