package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// row counts the mutants of a package.
type row struct {
	name                     string
	all, tried               int
	unit, sim, either        int // killed
	explained, unexplained   int // of those that nobody killed
	simReached, simUnchanged int // of those that the simulator did not kill
	waiting                  int
}

func (r *row) add(o row) {
	r.all, r.tried, r.waiting = r.all+o.all, r.tried+o.tried, r.waiting+o.waiting
	r.unit, r.sim, r.either = r.unit+o.unit, r.sim+o.sim, r.either+o.either
	r.explained, r.unexplained = r.explained+o.explained, r.unexplained+o.unexplained
	r.simReached, r.simUnchanged = r.simReached+o.simReached, r.simUnchanged+o.simUnchanged
}

// seen is how many change what somebody can observe, as far as is known.
func (r *row) seen() int { return r.tried - r.explained }

// report is the table and what stands below it.
type report struct {
	judges    []string // whose verdicts count
	rows      []row
	sum       row
	survivors []survivor
	stale     []string // explanations that fit no mutant
	wrong     []string // explanations of mutants that were killed
	notes     explained
	missed    []survivor // killed by unit tests and not by the simulator
}

// survivor is a mutant that somebody did not kill.
type survivor struct {
	m    *mutant
	unit verdict
	sim  verdict
}

func newReport(b *instrumented, sample []*mutant, known *results, notes explained) *report {
	r := &report{judges: strings.Split(b.judges, ","), notes: notes, sum: row{name: "all"}}
	names := map[string]bool{}
	for _, m := range b.mutants {
		names[m.key()] = true
	}
	for _, name := range b.names() {
		line := row{name: name}
		for _, m := range b.mutants {
			if m.Package == name {
				line.all++
			}
		}
		for _, m := range sample {
			if m.Package == name {
				r.count(&line, b, m, known)
			}
		}
		r.rows = append(r.rows, line)
		r.sum.add(line)
	}
	for name := range notes {
		if !names[name] && slices.Contains(b.names(), firstWord(name)) {
			r.stale = append(r.stale, name)
		}
	}
	slices.Sort(r.stale)
	return r
}

func firstWord(s string) string {
	for i, c := range s {
		if c == ' ' {
			return s[:i]
		}
	}
	return s
}

func (r *report) count(line *row, b *instrumented, m *mutant, known *results) {
	unit, ok1 := r.verdict(b, m, judgeUnit, known)
	sim, ok2 := r.verdict(b, m, judgeSim, known)
	if !ok1 || !ok2 {
		line.waiting++
		return
	}
	line.tried++
	s := survivor{m, unit, sim}
	_, explained := r.notes[m.key()]
	if unit.Killed {
		line.unit++
	}
	if sim.Killed {
		line.sim++
	} else if sim.Reached {
		line.simReached++
		if sim.SameStory {
			line.simUnchanged++
		}
	}
	switch {
	case unit.Killed || sim.Killed:
		line.either++
		if explained {
			r.wrong = append(r.wrong, m.key())
		}
		if !sim.Killed && slices.Contains(r.judges, judgeSim) {
			r.missed = append(r.missed, s)
		}
	case explained:
		line.explained++
	default:
		line.unexplained++
		r.survivors = append(r.survivors, s)
	}
}

// verdict is what a judge has said, nothing if nobody asked it; false if it has not said it yet.
func (r *report) verdict(b *instrumented, m *mutant, judge string, known *results) (verdict, bool) {
	if !slices.Contains(r.judges, judge) {
		return verdict{}, true
	}
	return known.get(b, m, judge)
}

// of is how many mutants a judge was asked about, of so many.
func (r *report) of(judge string, tried int) int {
	if !slices.Contains(r.judges, judge) {
		return 0
	}
	return tried
}

func (r *report) unexplainedShare() float64 {
	if r.sum.tried == 0 {
		return 0
	}
	return 100 * float64(r.sum.unexplained) / float64(r.sum.tried)
}

func (r *report) print(out io.Writer, markdown bool) {
	for _, s := range r.missed {
		fmt.Fprintf(out, "not by the simulator (%s): %s:%d %s\n", s.sim.state(), filepath.Base(s.m.File), s.m.Line, s.m.key())
	}
	for _, s := range r.survivors {
		fmt.Fprintf(out, "survives (tests: %s, simulator: %s): %s:%d %s\n", s.unit.state(), s.sim.state(),
			filepath.Base(s.m.File), s.m.Line, s.m.key())
	}
	for _, name := range r.stale {
		fmt.Fprintf(out, "explains no mutant: %s\n", name)
	}
	for _, name := range r.wrong {
		fmt.Fprintf(out, "explained, but killed: %s\n", name)
	}
	head, line := "%-12s %6s %6s %6s %6s %6s %10s %12s\n", "%-12s %6d %6d %6s %6s %6s %10d %12d\n"
	if markdown {
		head = "| %s | %s | %s | %s | %s | %s | %s | %s |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
		line = "| %s | %d | %d | %s | %s | %s | %d | %d |\n"
	}
	fmt.Fprintf(out, head, "package", "all", "tried", "tests", "sim", "either", "explained", "unexplained")
	for _, w := range append(slices.Clone(r.rows), r.sum) {
		fmt.Fprintf(out, line, w.name, w.all, w.tried, share(w.unit, r.of(judgeUnit, w.tried)),
			share(w.sim, r.of(judgeSim, w.tried)), share(w.either, w.tried), w.explained, w.unexplained)
	}
	s := r.sum
	fmt.Fprintf(out, "killed or explained: %s of %d tried\n", share(s.either+s.explained, s.tried), s.tried)
	if slices.Contains(r.judges, judgeSim) {
		fmt.Fprintf(out, "killed by the simulator: %s of the %d that somebody can observe\n", share(s.sim, s.seen()),
			s.seen())
		fmt.Fprintf(out, "not killed by the simulator: %d not reached, %d reached without a changed event, %d with\n",
			s.tried-s.sim-s.simReached, s.simUnchanged, s.simReached-s.simUnchanged)
	}
	if s.waiting > 0 {
		fmt.Fprintf(out, "%d of the sample are not judged yet; run again\n", s.waiting)
	}
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}
