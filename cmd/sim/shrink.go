package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"vitrine/core/replay"
)

// shrinkFile makes the failing run in a file small.
func (p *program) shrinkFile() int {
	file, err := read(p.shrink)
	if err != nil {
		return p.fail(err)
	}
	out := p.out
	if out == "" {
		out = strings.TrimSuffix(p.shrink, ".replay") + ".small.replay"
	}
	start := time.Now()
	last := time.Time{}
	s := replay.Shrinker{AtLeast: p.atLeast, Stop: func() bool { return time.Since(start) > p.within }}
	s.Progress = func(state replay.ShrinkState) {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond && !p.json {
			last = now
			fmt.Fprintf(p.stderr, "\r%-16s %6d trials  %5d operations  %4d faults  %d members  %8v ", state.Pass, state.Trials,
				state.Ops, state.Faults, state.Members, state.Length.Round(time.Millisecond))
		}
	}
	small, err := s.Shrink(file)
	if !last.IsZero() {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	if err != nil {
		return p.fail(err)
	}
	if err := write(out, small); err != nil {
		return p.fail(err)
	}
	before, after := size(p.shrink), size(out)
	ops, faults := small.Count()
	end := "nothing more can be left out"
	if s.Stopped() {
		end = "stopped by the clock; -within gives it more time"
	}
	fmt.Fprintf(p.stdout,
		"%s: I%d with %d operations, %d faults, %d members, %v; %d bytes, before %d; %d trials in %.1f s: %s\n",
		out, small.Violated, ops, faults, small.Config.Members, time.Duration(small.At).Round(time.Millisecond), after,
		before, s.Trials(), time.Since(start).Seconds(), end)
	return 0
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
