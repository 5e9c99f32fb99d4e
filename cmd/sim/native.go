//go:build !js

package main

import (
	"os"
	"runtime/pprof"
	"sync"
)

// parallel has several processes run the seeds, one each at a time, and prints their results in the order of seeds.
func (p *program) parallel(jobs int) int {
	seeds := &sequence{next: p.first, last: p.last}
	results := make(chan *result, jobs)
	var failed error
	var pool sync.WaitGroup
	pool.Go(func() {
		defer close(results)
		failed = p.runSeeds(jobs, seeds.take, func(r *result) error { results <- r; return nil }, seeds.stop)
	})
	status := p.collect(results, seeds.stop)
	pool.Wait()
	if failed != nil {
		return p.fail(failed)
	}
	return status
}

// collect prints results in order; after a violation it lets what runs end.
func (p *program) collect(results <-chan *result, stop func()) int {
	t := p.newTally()
	waiting := map[uint64]*result{}
	status, want := 0, p.first
	for r := range results {
		waiting[r.Seed] = r
		for ; status == 0 && waiting[want] != nil; want++ {
			if !t.add(waiting[want]) {
				status = 1
				stop()
			}
			delete(waiting, want)
		}
	}
	if status == 0 {
		return t.end()
	}
	return status
}

// startProfile writes a CPU profile until stop is called.
func startProfile(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

func (s *sequence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
}
