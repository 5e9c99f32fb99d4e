package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"vitrine/core/sim"
)

// many runs the seeds in order, in this process or in several, and stops at
// the first violation.
func (p *program) many() int {
	if p.seeds == fromInput {
		return p.listed()
	}
	if jobs := p.workers(); jobs > 1 {
		return p.parallel(jobs)
	}
	t := p.newTally()
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

// listed runs the seeds that come from the standard input, one a line, and goes
// on after a violation: whoever asks decides.
func (p *program) listed() int {
	t := p.newTally()
	status := 0
	lines := bufio.NewScanner(p.stdin)
	for lines.Scan() {
		seed, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			return p.fail(fmt.Errorf("%q is no seed", lines.Text()))
		}
		r, err := p.seedRun(seed)
		if err != nil {
			return p.fail(err)
		}
		if !t.add(r) {
			status = 1
		}
	}
	if err := lines.Err(); err != nil {
		return p.fail(err)
	}
	t.end()
	return status
}

// repeated is how many seeds there are to one that is run twice, to see that
// it tells the same story (I29).
const repeated = 100

// seedRun runs one of many seeds.
func (p *program) seedRun(seed uint64) (*result, error) {
	w, r, err := p.once(seed)
	if err != nil {
		return nil, err
	}
	if r.Violation == nil && seed%repeated == 0 {
		again, _, err := p.once(seed)
		if err != nil {
			return nil, err
		}
		r.Violation = w.SameStory(again)
	}
	if r.Violation != nil {
		err = p.save(w, r)
	}
	return r, err
}

func (p *program) once(seed uint64) (*sim.World, *result, error) {
	cfg, err := p.config(seed)
	if err != nil {
		return nil, nil, err
	}
	w, err := sim.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	return w, execute(w, func() { w.Run(p.length) }), nil
}

func (p *program) newTally() tally { return tally{program: p, told: time.Now()} }

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
	told      time.Time
}

// add tells about one run; false says that it broke an invariant.
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
		if err := json.NewEncoder(t.stdout).Encode(r); err != nil {
			fmt.Fprintf(t.stderr, "sim: %v\n", err)
			return false
		}
	case !t.quiet:
		fmt.Fprintf(t.stdout, "seed %-6d %s %6.0fx %4d faults  %s\n", r.Seed, r.Hash, r.Speed, r.FaultsSum, r.Options)
	default:
		t.progress()
	}
	if r.Violation == nil {
		return true
	}
	if v := r.Violation; !t.json {
		fmt.Fprintf(t.stderr, "sim: seed %d violates I%d at %.3f s: %s\nsim: drawn: %s\nsim: repeat it with -replay %s\n",
			r.Seed, v.Number, float64(v.At)/1e9, v.Text, r.Options, r.Replay)
	}
	return false
}

// progressEvery is how often a long search tells how far it is.
const progressEvery = 5 * time.Second

func (t *tally) progress() {
	if now := time.Now(); now.Sub(t.told) > progressEvery {
		t.told = now
		fmt.Fprintf(t.stderr, "%d seeds, %.1f simulated hours, %d faults\n", t.runs, t.simulated/3600, t.faults)
	}
}

func (t *tally) end() {
	if t.hashes || t.json {
		return
	}
	fmt.Fprintf(t.stdout, "%d seeds, no violation: %.0f simulated seconds, %d events, %d requests answered, %d faults (%.0f an hour), %.0f times real time a core, %d MiB at most\n",
		t.runs, t.simulated, t.events, t.requests, t.faults, float64(t.faults)/t.simulated*3600, t.simulated/t.cpu, t.peak>>20)
}
