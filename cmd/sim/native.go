//go:build !js

package main

import (
	"errors"
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
	errs := make([]error, jobs)
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() {
			if errs[i] = p.work(d, results); errs[i] != nil {
				d.stop()
			}
		})
	}
	go func() {
		wg.Wait()
		close(results)
	}()
	status := p.collect(results, d.stop)
	if err := errors.Join(errs...); err != nil {
		return p.fail(err)
	}
	return status
}

// work runs seeds in a process of its own for as long as there are any.
func (p *program) work(d *dealer, results chan<- *result) error {
	h, err := p.hire()
	if err != nil {
		return err
	}
	for seed, ok := d.take(); ok; seed, ok = d.take() {
		r, err := h.run(seed)
		if err != nil {
			return err
		}
		results <- r
	}
	return h.dismiss()
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
		t.end()
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
