package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"vitrine/core/driver"
	"vitrine/core/sim"
)

// many runs the seeds in order, in this process or in several, and stops at
// the first violation.
func (p *program) many() int {
	if p.seeds == fromInput {
		return p.listed()
	}
	if jobs := p.jobsFor(p.last - p.first + 1); jobs > 1 {
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
	return t.end()
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
	return max(status, t.end())
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

func (p *program) newTally() tally {
	return tally{program: p, told: time.Now(), strikes: map[string]int{}}
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
	told      time.Time
	strikes   map[string]int
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
	for step, n := range r.Strikes {
		t.strikes[step] += n
	}
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

// end sums up, and is the exit status.
func (t *tally) end() int {
	if t.hashes || t.json {
		return 0
	}
	fmt.Fprintf(t.stdout,
		"%d seeds, no violation: %.0f simulated seconds, %d events, %d requests answered, %d faults (%.0f an hour), "+
			"%.0f times real time a core, %d MiB at most\n",
		t.runs, t.simulated, t.events, t.requests, t.faults, float64(t.faults)/t.simulated*3600, t.simulated/t.cpu,
		t.peak>>20)
	if !t.options.strikes {
		return 0
	}
	return t.tellStrikes()
}

// tellStrikes prints how often each step of the driver was struck. A step that
// never was says that these seeds prove nothing of it.
func (t *tally) tellStrikes() (status int) {
	sum := 0
	for _, step := range driver.Steps() {
		n := t.strikes[step.String()]
		if sum += n; !t.quiet {
			fmt.Fprintf(t.stdout, "%6d  %s\n", n, step)
		}
		if n == 0 {
			fmt.Fprintf(t.stderr, "sim: step %s of the driver was never struck\n", step)
			status = 1
		}
	}
	fmt.Fprintf(t.stdout, "%d strikes between %d steps of the driver\n", sum, len(driver.Steps()))
	return status
}
