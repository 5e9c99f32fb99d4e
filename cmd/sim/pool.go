package main

import (
	"errors"
	"runtime"
	"sync"
)

// sequence hands out numbers in order until it is stopped. Its methods may be called from any goroutine.
type sequence struct {
	mu         sync.Mutex
	next, last uint64
	done       bool
}

func (s *sequence) take() (n uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return 0, false
	}
	n = s.next
	s.done = n == s.last
	s.next++
	return n, true
}

// jobsFor is how many processes share that many runs.
func (p *program) jobsFor(runs uint64) int {
	n := p.jobs
	if n == 0 {
		n = runtime.NumCPU()
	}
	return int(min(runs, uint64(n)))
}

// sideBySide calls work on n goroutines and returns when all have ended. After an error of one stop is called, which
// lets the others come to their end.
func sideBySide(n int, work func() error, stop func()) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if errs[i] = work(); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
