//go:build !js

package main

import (
	"os"
	"runtime/pprof"
	"sync"
)

// dealer hands out seeds in order until it is stopped.
type dealer struct {
	mu         sync.Mutex
	next, last uint64
	done       bool
}

func (d *dealer) take() (seed uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return 0, false
	}
	seed = d.next
	d.done = seed == d.last
	d.next++
	return seed, true
}

func (d *dealer) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
}

// parallel deals the seeds to processes, one each at a time, and prints their
// results in the order of seeds.
func (p *program) parallel(jobs int) int {
	d := &dealer{next: p.first, last: p.last}
	results := make(chan *result, jobs)
	var failed error
	go func() {
		defer close(results)
		failed = p.crew(jobs, d.take, func(r *result) error { results <- r; return nil }, d.stop)
	}()
	status := p.collect(results, d.stop)
	if failed != nil { // no result comes after it
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
