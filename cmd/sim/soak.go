//go:build !js

package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// soak is a search without end.
type soak struct {
	*program
	mu      sync.Mutex
	seeds   *sequence
	running map[uint64]bool
	tally   tally
	failed  int
}

// soakForever runs one seed after another until it is interrupted. A failure is
// kept as DIR/SEED.replay, with the short DIR/SEED.small.replay beside it.
// DIR/next is the seed from which a later search goes on.
func (p *program) soakForever() int {
	if err := os.MkdirAll(p.soak, 0o755); err != nil {
		return p.fail(err)
	}
	p.faults, p.quiet, p.out = true, true, filepath.Join(p.soak, "%d.replay")
	s := &soak{program: p, seeds: &sequence{next: p.seed, last: math.MaxUint64}, running: map[uint64]bool{},
		tally: p.newTally()}
	if text, err := os.ReadFile(s.file("next")); err == nil {
		if s.seeds.next, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return p.fail(fmt.Errorf("%s: %w", s.file("next"), err))
		}
	}
	interrupted, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	context.AfterFunc(interrupted, s.seeds.stop)
	fmt.Fprintf(p.stderr, "sim: seeds from %d on, failures go to %s; interrupt to stop\n", s.seeds.next, p.soak)
	err := s.search()
	fmt.Fprintf(p.stderr, "%d seeds, %.1f simulated hours, %d faults, %d failures\n", s.tally.runs,
		s.tally.simulated/3600, s.tally.faults, s.failed)
	switch {
	case err != nil:
		return p.fail(err)
	case s.failed > 0:
		return 1
	}
	return 0
}

func (s *soak) file(name string) string { return filepath.Join(s.soak, name) }

// search lets several workers take seeds until there is a reason to stop.
func (s *soak) search() error {
	return s.runSeeds(s.jobsFor(math.MaxUint64), s.take, func(r *result) error {
		if r.Violation != nil {
			s.keep(r)
		}
		return s.finished(r)
	}, s.seeds.stop)
}

func (s *soak) take() (seed uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seed, ok = s.seeds.take(); ok {
		s.running[seed] = true
	}
	return seed, ok
}

// finished counts a run and notes the lowest seed that has not been searched.
func (s *soak) finished(r *result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.add(r)
	delete(s.running, r.Seed)
	low := s.seeds.next
	for other := range s.running {
		low = min(low, other)
	}
	return os.WriteFile(s.file("next"), fmt.Appendf(nil, "%d\n", low), 0o644)
}

// keep shrinks a failure, in a process of its own, and tells about it.
func (s *soak) keep(r *result) {
	small := s.file(fmt.Sprintf("%d.small.replay", r.Seed))
	told, err := s.shrunk(r.Replay, small)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	fmt.Fprintf(s.stdout, "seed %d: %s\n", r.Seed, bytes.TrimSpace(told))
	if err != nil {
		fmt.Fprintf(s.stdout, "seed %d could not be shrunk: %v\n", r.Seed, err)
	}
}

func (s *soak) shrunk(from, to string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-shrink", from, "-o", to, "-within", s.within.String(), "-json")
	cmd.SysProcAttr = apart()
	return cmd.Output()
}
