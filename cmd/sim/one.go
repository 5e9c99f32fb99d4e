package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"vitrine/core/replay"
	"vitrine/core/sim"
	"vitrine/core/trace"
)

type program struct {
	*options
	stdin          io.Reader
	stdout, stderr io.Writer
}

// result is what is told about one run.
type result struct {
	Seed      uint64         `json:"seed"`
	Members   int            `json:"members"`
	Simulated float64        `json:"simulatedSeconds"`
	Real      float64        `json:"realSeconds"`
	CPU       float64        `json:"cpuSeconds"`
	Speed     float64        `json:"speed"` // simulated / CPU, or / real where CPU time is not known
	Events    uint64         `json:"events"`
	Peak      int64          `json:"peakBytes"` // of the process, 0 = not known
	Options   string         `json:"options"`
	Faults    map[string]int `json:"faults"`
	FaultsSum int            `json:"faultsTotal"`
	Strikes   map[string]int `json:"strikes,omitempty"`
	Requests  requests       `json:"requests"`
	Revision  int64          `json:"revision"`
	Violation *sim.Violation `json:"violation,omitempty"`
	Replay    string         `json:"replay,omitempty"`
	Hash      string         `json:"hash"`
}

type requests struct {
	OK     int `json:"ok"`
	Failed int `json:"failed"`
}

// execute runs a world to its end and measures it.
func execute(w *sim.World, run func()) *result {
	start, used := time.Now(), cpuTime()
	run()
	real, cpu := time.Since(start).Seconds(), (cpuTime() - used).Seconds()
	if cpu == 0 {
		cpu = real
	}
	cfg := w.Config()
	r := &result{
		Seed: cfg.Seed, Members: cfg.Members, Simulated: time.Duration(w.Now()).Seconds(), Real: real, CPU: cpu,
		Speed: time.Duration(w.Now()).Seconds() / cpu, Events: w.Events(), Options: w.Options().String(),
		Faults: map[string]int{}, Strikes: map[string]int{}, Violation: w.Violation(), Hash: w.HashText(), Peak: peakBytes(),
	}
	for _, f := range w.FaultCounts() {
		r.Faults[f.Name] = f.N
		r.FaultsSum += f.N
	}
	for _, x := range w.Strikes() {
		r.Strikes[x.Name] = x.N
	}
	r.Requests.OK, r.Requests.Failed, r.Revision = w.Totals()
	return r
}

// single runs one seed and tells about it; the hash is its last line.
func (p *program) single() int {
	cfg, err := p.config(p.seed)
	if err != nil {
		return p.fail(err)
	}
	sinks, finish, err := p.sinks()
	if err != nil {
		return p.fail(err)
	}
	w, err := sim.New(cfg, sinks...)
	if err != nil {
		return p.fail(err)
	}
	r := execute(w, func() { w.Run(p.length) })
	if err := finish(); err != nil {
		return p.fail(err)
	}
	return p.conclude(w, r)
}

// conclude prints the result of a single run and keeps a violation.
func (p *program) conclude(w *sim.World, r *result) int {
	status := 0
	if r.Violation != nil {
		status = 1
		if p.replay == "" {
			if err := p.save(w, r); err != nil {
				return p.fail(err)
			}
		}
	}
	if p.json {
		if err := json.NewEncoder(p.stdout).Encode(r); err != nil {
			return p.fail(err)
		}
		return status
	}
	p.tell(w, r)
	fmt.Fprintln(p.stdout, r.Hash)
	return status
}

// save writes the replay file of a violation.
func (p *program) save(w *sim.World, r *result) error {
	r.Replay = strings.ReplaceAll(cmp.Or(p.out, "sim-%d.replay"), "%d", strconv.FormatUint(r.Seed, 10))
	return write(r.Replay, replay.Of(w, p.length))
}

func (p *program) tell(w *sim.World, r *result) {
	out := p.stdout
	fmt.Fprintf(out, "seed       %d, %d members\n", r.Seed, r.Members)
	fmt.Fprintf(out, "drawn      %s\n", r.Options)
	fmt.Fprintf(out, "simulated  %.1f s in %.3f s, %.3f s of CPU: %.0f times real time a core\n", r.Simulated, r.Real,
		r.CPU, r.Speed)
	fmt.Fprintf(out, "events     %d, %.0f a second of CPU\n", r.Events, float64(r.Events)/r.CPU)
	fmt.Fprintf(out, "requests   %d answered, %d failed or unknown; revision %d\n", r.Requests.OK, r.Requests.Failed,
		r.Revision)
	var faults []string
	for _, f := range w.FaultCounts() {
		faults = append(faults, fmt.Sprintf("%s %d", f.Name, f.N))
	}
	if len(faults) == 0 {
		faults = []string{"none"}
	}
	fmt.Fprintf(out, "faults     %d: %s\n", r.FaultsSum, strings.Join(faults, ", "))
	if r.Violation == nil {
		fmt.Fprintf(out, "checks     all invariants hold\n")
		return
	}
	p.tellViolation(w, r)
}

func (p *program) tellViolation(w *sim.World, r *result) {
	fmt.Fprintf(p.stdout, "VIOLATED   I%d at %v, event %d: %s\n", r.Violation.Number, time.Duration(r.Violation.At),
		r.Violation.Seq, r.Violation.Text)
	if p.verbose && w.Stack() != "" {
		fmt.Fprintln(p.stdout, w.Stack())
	}
	if r.Replay != "" {
		fmt.Fprintf(p.stdout, "replay     %s\n", r.Replay)
	}
}

// sinks are the listeners that the command line asks for.
func (p *program) sinks() (sinks []trace.Sink, finish func() error, err error) {
	finish = func() error { return nil }
	if p.verbose && !p.json {
		sinks = append(sinks, narrator{p.stdout})
	}
	if p.traceFile == "" {
		return sinks, finish, nil
	}
	f, err := os.Create(p.traceFile)
	if err != nil {
		return nil, nil, err
	}
	t := &tracer{out: bufio.NewWriterSize(f, 1<<20)}
	return append(sinks, t), func() error {
		if err := t.out.Flush(); err != nil {
			return err
		}
		return f.Close()
	}, nil
}

// tracer writes every event.
type tracer struct {
	out *bufio.Writer
	buf []byte
}

// Emit implements trace.Sink.
func (t *tracer) Emit(e *trace.Event) {
	t.buf = trace.AppendJSON(t.buf[:0], e)
	t.out.Write(t.buf)
}

// narrator tells what happens to the world, not what happens inside members.
type narrator struct{ out io.Writer }

// Emit implements trace.Sink.
func (n narrator) Emit(e *trace.Event) {
	at := time.Duration(e.Now).Round(time.Microsecond)
	switch e.Kind {
	case trace.Command, trace.Fault:
		fmt.Fprintf(n.out, "%-12v %-8s %s\n", at, e.Kind, e.Text)
	case trace.MemberStarted:
		fmt.Fprintf(n.out, "%-12v S%d starts: term %d, log to %d, applied %d\n", at, e.Member, e.Term, e.C, e.Index)
	case trace.MemberStopped:
		fmt.Fprintf(n.out, "%-12v S%d stops: %s\n", at, e.Member, e.Text)
	case trace.RoleChanged:
		if e.A == 2 {
			fmt.Fprintf(n.out, "%-12v S%d leads term %d\n", at, e.Member, e.Term)
		}
	case trace.Violated:
		fmt.Fprintf(n.out, "%-12v VIOLATED I%d: %s\n", at, e.A, e.Text)
	}
}

func (p *program) fail(err error) int {
	fmt.Fprintf(p.stderr, "sim: %v\n", err)
	return 2
}
