package main

import (
	"encoding/json"
	"fmt"

	"vitrine/core/sim"
)

// many runs the seeds in order, in this process or in several, and stops at
// the first violation.
func (p *program) many() int {
	if jobs := p.workers(); jobs > 1 && !p.hashes {
		return p.parallel(jobs)
	}
	t := tally{program: p}
	for seed := p.first; ; seed++ {
		r, err := p.seedRun(seed)
		if err != nil {
			return p.fail(err)
		}
		if !t.add(r) {
			return 1
		}
		if seed == p.last {
			break
		}
	}
	t.end()
	return 0
}

// seedRun runs one of many seeds.
func (p *program) seedRun(seed uint64) (*result, error) {
	cfg, err := p.config(seed)
	if err != nil {
		return nil, err
	}
	w, err := sim.New(cfg)
	if err != nil {
		return nil, err
	}
	r := execute(w, func() { w.Run(p.length) })
	if r.Violation != nil {
		err = p.save(w, r)
	}
	return r, err
}

// tally adds up runs and prints them.
type tally struct {
	*program
	runs      int
	simulated float64
	cpu       float64
	events    uint64
	faults    int
	requests  int
	peak      int64
}

// add tells about one run; false ends the series.
func (t *tally) add(r *result) bool {
	t.runs++
	t.simulated += r.Simulated
	t.cpu += r.CPU
	t.events += r.Events
	t.faults += r.FaultsSum
	t.requests += r.Requests.OK
	t.peak = max(t.peak, r.Peak)
	switch {
	case t.hashes:
		fmt.Fprintf(t.stdout, "%d %s\n", r.Seed, r.Hash)
	case t.json:
		line, err := json.Marshal(r)
		if err != nil {
			fmt.Fprintf(t.stderr, "sim: %v\n", err)
			return false
		}
		fmt.Fprintf(t.stdout, "%s\n", line)
	case t.verbose:
		fmt.Fprintf(t.stdout, "seed %-6d %s %6.0fx %4d faults  %s\n", r.Seed, r.Hash, r.Speed, r.FaultsSum, r.Options)
	case t.runs%50 == 0:
		fmt.Fprintf(t.stderr, "%d seeds, %.0f simulated seconds, %d faults\n", t.runs, t.simulated, t.faults)
	}
	if r.Violation == nil {
		return true
	}
	v := r.Violation
	fmt.Fprintf(t.stderr, "sim: seed %d violates I%d at %.3f s: %s\nsim: drawn: %s\nsim: repeat it with -replay %s\n",
		r.Seed, v.Number, float64(v.At)/1e9, v.Text, r.Options, r.Replay)
	return false
}

func (t *tally) end() {
	if t.hashes || t.json {
		return
	}
	fmt.Fprintf(t.stdout, "%d seeds, no violation: %.0f simulated seconds, %d events, %d requests answered, %d faults (%.0f an hour), %.0f times real time a core, %d MiB at most\n",
		t.runs, t.simulated, t.events, t.requests, t.faults, float64(t.faults)/t.simulated*3600, t.simulated/t.cpu, t.peak>>20)
}
