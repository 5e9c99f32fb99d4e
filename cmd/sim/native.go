//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
)

// workers is how many processes run seeds. A world needs a process of its own,
// because raft draws from a variable of the process.
func (p *program) workers() int {
	n := p.jobs
	if n == 0 {
		n = runtime.NumCPU()
	}
	if seeds := p.last - p.first; seeds < uint64(n) {
		n = int(seeds) + 1
	}
	return n
}

// parallel deals the seeds to processes, one each at a time, and prints their
// results in the order of seeds.
func (p *program) parallel(jobs int) int {
	self, err := os.Executable()
	if err != nil {
		return p.fail(err)
	}
	var (
		mu   sync.Mutex
		next = p.first
		stop bool
		wg   sync.WaitGroup
	)
	results := make(chan *result, jobs)
	failed := make(chan error, jobs)
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if stop || next > p.last || next < p.first {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range jobs {
		wg.Go(func() {
			if err := p.worker(self, take, results); err != nil {
				failed <- err
			}
		})
	}
	go func() {
		wg.Wait()
		close(results)
	}()
	status := p.collect(results, func() {
		mu.Lock()
		stop = true
		mu.Unlock()
	})
	select {
	case err := <-failed:
		return p.fail(err)
	default:
		return status
	}
}

// collect prints results in order; after a violation it lets what runs end.
func (p *program) collect(results <-chan *result, stop func()) int {
	t := tally{program: p}
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

// worker runs seeds in a process of its own, fed line by line.
func (p *program) worker(self string, take func() (uint64, bool), results chan<- *result) error {
	for {
		seed, ok := take()
		if !ok {
			return nil
		}
		last := seed
		args := []string{
			"-seeds", fmt.Sprintf("%d:%d", seed, last), "-json", "-j", "1", "-for", p.length.String(), "-members", strconv.Itoa(p.members),
			"-mutant", p.mutant, "-rate", strconv.FormatFloat(p.rate, 'g', -1, 64), "-network", p.network, "-o", p.out,
			"-faults=" + strconv.FormatBool(p.faults), "-nochecks=" + strconv.FormatBool(p.noChecks),
		}
		cmd := exec.Command(self, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		got := false
		for lines.Scan() {
			r := new(result)
			if err := json.Unmarshal(lines.Bytes(), r); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
			got = true
			results <- r
		}
		if err := cmd.Wait(); err != nil && !got {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
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
