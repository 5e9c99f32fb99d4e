package replay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitrine/core/script"
	"vitrine/core/trace"
)

// A Shrinker makes a failing run small: fewer decisions, members, keys, and
// less chance, so that what is left is the story of the failure. It accepts a
// step only if the same invariant still breaks. All it does follows from the
// file; only Stop, which is asked between trials, can end it early.
type Shrinker struct {
	Stop     func() bool       // nil = never
	Progress func(ShrinkState) // called after each step that helped
	AtLeast  int               // members that must stay; 0 = 1
	Slow     bool              // the network and the disks become those of Teaching: for the eye
	commit   string            // of the file, kept
	best     *Replay           // so far
	trials   int
	pass     string
	stopped  bool
}

// ShrinkState is how far a Shrinker has come.
type ShrinkState struct {
	Pass    string
	Trials  int
	Ops     int // client operations that are left
	Faults  int // everything else that is done to the world
	Members int
	Length  time.Duration
}

// ErrNoFailure means that a run to be shrunk does not fail.
var ErrNoFailure = errors.New("replay: the run does not fail: there is nothing to shrink")

// Shrink returns the smallest failing run that it finds.
func (s *Shrinker) Shrink(r *Replay) (*Replay, error) {
	s.commit = r.Commit
	whole, err := Explicit(r)
	if err != nil {
		return nil, err
	}
	s.best, s.pass = whole, "repeat"
	if !s.try(whole) {
		return nil, fmt.Errorf("replay: the run fails, but not from its decisions alone: %w", ErrNoFailure)
	}
	s.cutTime()
	for before := ""; !s.stopped; {
		text, err := s.best.Format()
		if err != nil {
			return nil, err
		}
		if string(text) == before {
			break
		}
		before = string(text)
		s.round()
	}
	return s.best, nil
}

// round tries everything once, the cheapest first.
func (s *Shrinker) round() {
	for _, pass := range []struct {
		name string
		run  func()
	}{
		{"time", s.cutTime}, {"classes", s.dropClasses}, {"faults", s.dropFaults}, {"operations", s.dropOperations},
		{"members", s.fewerMembers}, {"clients", s.fewerClients}, {"keys", s.fewerKeys}, {"chance", s.lessChance},
		{"operations", s.simplerOperations}, {"single decisions", s.dropSingles}, {"gaps", s.closeGaps}, {"round times",
			s.roundTimes}, {"names", s.rename},
	} {
		if s.stopped {
			return
		}
		s.pass = pass.name
		pass.run()
	}
}

// Explicit runs a failing replay and returns it with everything that its clients
// and its fault dice decided as commands.
func Explicit(r *Replay) (*Replay, error) {
	cfg := r.Config
	cfg.Record = true
	w, err := (&Replay{Config: cfg, Commands: r.Commands}).World()
	if err != nil {
		return nil, err
	}
	w.Run(r.For)
	if w.Violation() == nil {
		return nil, ErrNoFailure
	}
	return Of(w, r.For), nil
}

// try runs a candidate. If the same invariant breaks, the candidate, without
// what was not possible or came too late, becomes the best.
func (s *Shrinker) try(c *Replay) bool {
	if s.stopped || s.Stop != nil && s.Stop() {
		s.stopped = true
		return false
	}
	s.trials++
	w, err := c.World()
	if err != nil {
		return false
	}
	if online := s.best.At < int64(s.best.For); !online || !w.RunUntil(trace.Instant(c.For), 0) {
		w.Run(c.For)
	}
	v := w.Violation()
	if v == nil || !alike(v.Number, v.Text, s.best.Violated, s.best.Text) {
		return false
	}
	next := *c
	next.Commit, next.Hash, next.Violated, next.Text, next.At, next.Since = s.commit, w.HashText(), v.Number, v.Text,
		v.At, v.Since
	next.Commands = nil
	for i, t := range c.Commands {
		if t.At <= v.At && !slices.Contains(w.Skipped(), i) {
			next.Commands = append(next.Commands, t)
		}
	}
	s.best = &next
	if s.Progress != nil {
		s.Progress(s.state())
	}
	return true
}

// Stopped reports whether Stop ended the search before its time; Trials is how
// many runs it took.
func (s *Shrinker) Stopped() bool { return s.stopped }
func (s *Shrinker) Trials() int   { return s.trials }

func (s *Shrinker) state() ShrinkState {
	ops, faults := s.best.Count()
	return ShrinkState{Pass: s.pass, Trials: s.trials, Ops: ops, Faults: faults, Members: s.best.Config.Members,
		Length: time.Duration(s.best.At)}
}

// alike reports whether two violations are one: of the same invariant, and for
// panics the same words.
func alike(n int, text string, m int, other string) bool {
	return n == m && (n != 30 || letters(text) == letters(other))
}

// letters drops the numbers of a text, which differ between runs.
func letters(text string) string {
	b := []rune{}
	for _, r := range text {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			b = append(b, r)
		}
		if len(b) == 40 {
			break
		}
	}
	return string(b)
}

// Count returns how many client operations a replay decides, and how much else.
func (r *Replay) Count() (ops, faults int) {
	for i := range r.Commands {
		if r.Commands[i].Operation() {
			ops++
		} else {
			faults++
		}
	}
	return ops, faults
}

// edit returns a copy of the best run for a change; its commands may be changed
// in place.
func (s *Shrinker) edit() *Replay {
	c := *s.best
	c.Commands = slices.Clone(c.Commands)
	return &c
}

// without tries the best run without some of its commands.
func (s *Shrinker) without(drop func(i int, t *script.Timed) bool) bool {
	c := s.edit()
	c.Commands = c.Commands[:0]
	for i := range s.best.Commands {
		if t := s.best.Commands[i]; !drop(i, &t) {
			c.Commands = append(c.Commands, t)
		}
	}
	return len(c.Commands) < len(s.best.Commands) && s.try(c)
}

// cutTime ends the run where the failure is. One that only the judgement at the
// end sees needs its end.
func (s *Shrinker) cutTime() {
	c := s.edit()
	if s.best.At < int64(s.best.For) {
		c.For = time.Duration(s.best.At + int64(time.Second))
	} else {
		c.For = time.Duration(s.best.Since + int64(10*time.Millisecond))
	}
	if c.For < s.best.For {
		s.try(c)
	}
	for part := int64(2); part < 64 && s.best.At >= int64(s.best.For); part *= 2 {
		c := s.edit()
		if c.For -= time.Duration(int64(c.For) / part); c.For > 0 {
			s.try(c)
		}
	}
	if s.best.Config.FaultsFor > 0 {
		c := s.edit()
		c.Config.FaultsFor = 0
		s.try(c)
	}
}

// dropClasses leaves out all decisions of one kind at once.
func (s *Shrinker) dropClasses() {
	class := func(t *script.Timed) string { return t.Cmd + " " + t.Name }
	var classes []string
	for i := range s.best.Commands {
		if name := class(&s.best.Commands[i]); !slices.Contains(classes, name) {
			classes = append(classes, name)
		}
	}
	for _, name := range classes {
		s.without(func(_ int, t *script.Timed) bool { return class(t) == name })
	}
	for client := range s.best.Config.Workload.Clients {
		s.without(func(_ int, t *script.Timed) bool { return t.Client == client+1 })
	}
}

// unit is a set of commands that are left out together.
type unit []int

// dropFaults is delta debugging over faults, each with what takes it back.
func (s *Shrinker) dropFaults() {
	s.reduce(func() []unit {
		var units []unit
		taken := map[int]bool{}
		for i := range s.best.Commands {
			t := &s.best.Commands[i]
			if t.Operation() || taken[i] {
				continue
			}
			u := unit{i}
			for k := i + 1; k < len(s.best.Commands); k++ {
				if o := &s.best.Commands[k]; !taken[k] && o.Undoes(&t.Command) {
					u = append(u, k)
					taken[k] = true
					break
				}
			}
			units = append(units, u)
		}
		return units
	})
}

// dropOperations is delta debugging over what clients do.
func (s *Shrinker) dropOperations() {
	s.reduce(func() []unit {
		var units []unit
		for i := range s.best.Commands {
			if s.best.Commands[i].Operation() {
				units = append(units, unit{i})
			}
		}
		return units
	})
}

// dropSingles tries to leave out each command alone, the last first.
func (s *Shrinker) dropSingles() {
	for i := len(s.best.Commands) - 1; i >= 0; i-- {
		if i < len(s.best.Commands) {
			s.without(func(k int, _ *script.Timed) bool { return k == i })
		}
	}
}

// reduce leaves out ever smaller parts of what units lists until no single unit
// can be missed (Zeller's ddmin, complements only).
func (s *Shrinker) reduce(list func() []unit) {
	units := list()
	for size := len(units); size > 0 && !s.stopped; {
		helped := false
		for from := max(0, (len(units)-1)/size*size); from >= 0 && len(units) > 0; from -= size {
			if from >= len(units) {
				continue
			}
			drop := map[int]bool{}
			for _, u := range units[from:min(len(units), from+size)] {
				for _, i := range u {
					drop[i] = true
				}
			}
			if s.without(func(i int, _ *script.Timed) bool { return drop[i] }) {
				helped = true
				units = list()
			}
		}
		switch {
		case size > 1:
			size = (min(size, len(units)) + 1) / 2
		case !helped:
			return
		}
		if len(units) == 0 {
			return
		}
		size = cmp.Or(size, 1)
	}
}
