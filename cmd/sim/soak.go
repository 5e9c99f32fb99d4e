//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// soak is a search without end.
type soak struct {
	*program
	self    string
	mu      sync.Mutex
	next    uint64
	running map[uint64]bool
	tally   tally
	failed  int
	told    time.Time
}

// soakForever runs one seed after another, three members and five in turn,
// until it is interrupted. A failure is kept as DIR/SEED.replay, with the short
// DIR/SEED.small.replay beside it. DIR/next is the seed from which a later
// search goes on.
func (p *program) soakForever() int {
	self, err := os.Executable()
	if err != nil {
		return p.fail(err)
	}
	if err := os.MkdirAll(p.soak, 0o755); err != nil {
		return p.fail(err)
	}
	s := &soak{program: p, self: self, next: p.seed, running: map[uint64]bool{}, tally: tally{program: p}, told: time.Now()}
	if text, err := os.ReadFile(s.file("next")); err == nil {
		if s.next, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return p.fail(fmt.Errorf("%s: %w", s.file("next"), err))
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	jobs := p.jobs
	if jobs == 0 {
		jobs = runtime.NumCPU()
	}
	fmt.Fprintf(p.stderr, "sim: seeds from %d on, failures go to %s; interrupt to stop\n", s.next, p.soak)
	var wg sync.WaitGroup
	errs := make(chan error, jobs)
	for range jobs {
		wg.Go(func() {
			if err := s.worker(done); err != nil {
				errs <- err
			}
		})
	}
	go func() { wg.Wait(); signal.Stop(stop); close(stop) }()
	<-stop
	close(done)
	wg.Wait()
	s.progress(true)
	select {
	case err := <-errs:
		return p.fail(err)
	default:
	}
	if s.failed > 0 {
		return 1
	}
	return 0
}

func (s *soak) file(name string) string { return filepath.Join(s.soak, name) }

// worker takes seeds until there is a reason to stop.
func (s *soak) worker(done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		seed := s.take()
		if err := s.search(seed); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		if err := s.finished(seed); err != nil {
			return err
		}
	}
}

func (s *soak) take() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := s.next
	s.next++
	s.running[seed] = true
	return seed
}

// finished notes the lowest seed that has not been searched.
func (s *soak) finished(seed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, seed)
	low := s.next
	for other := range s.running {
		low = min(low, other)
	}
	s.progress(false)
	return os.WriteFile(s.file("next"), fmt.Appendf(nil, "%d\n", low), 0o644)
}

// search runs a seed in a process of its own and shrinks what fails.
func (s *soak) search(seed uint64) error {
	name := s.file(fmt.Sprintf("%d.replay", seed))
	at := strconv.FormatUint(seed, 10)
	out, err := s.run("-seeds", at+":"+at, "-json", "-j", "1", "-faults", "-for", s.length.String(), "-members", strconv.FormatUint(3+2*(seed%2), 10),
		"-rate", strconv.FormatFloat(s.rate, 'g', -1, 64), "-network", s.network, "-mutant", s.mutant, "-o", name)
	var r result
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		if err == nil {
			err = jsonErr
		}
		return err
	}
	s.mu.Lock()
	s.tally.runs++
	s.tally.simulated += r.Simulated
	s.tally.faults += r.FaultsSum
	s.mu.Unlock()
	if r.Violation == nil {
		return nil
	}
	small := s.file(fmt.Sprintf("%d.small.replay", seed))
	told, err := s.run("-shrink", name, "-o", small, "-within", s.within.String(), "-json")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	fmt.Fprintf(s.stdout, "seed %d violates I%d at %.3f s: %s\n  %s\n", seed, r.Violation.Number, float64(r.Violation.At)/1e9, r.Violation.Text, bytes.TrimSpace(told))
	if err != nil {
		fmt.Fprintf(s.stdout, "  it could not be shrunk: %v\n", err)
	}
	return nil
}

func (s *soak) run(args ...string) ([]byte, error) {
	cmd := exec.Command(s.self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for us, and what runs may end
	return cmd.Output()
}

// progress tells once in ten seconds how far the search is.
func (s *soak) progress(end bool) {
	if now := time.Now(); end || now.Sub(s.told) > 10*time.Second {
		s.told = now
		fmt.Fprintf(s.stderr, "%d seeds, %.1f simulated hours, %d faults, %d failures\n", s.tally.runs, s.tally.simulated/3600, s.tally.faults, s.failed)
	}
}
