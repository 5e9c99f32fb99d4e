package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The judges. That of unit tests is the package's own.
const (
	judgeUnit = "unit"
	judgeSim  = "sim"
)

const (
	// slower is how many times the CPU of a clean run a mutant may take.
	slower = 5
	// spareSeconds are added, since the limit counts whole seconds.
	spareSeconds = 1
	// slowSeconds is from when on a test is one of the slow ones.
	slowSeconds = 0.2
	// memoryBytes bounds a mutant that allocates without end.
	memoryBytes = 2 << 30
	// patience is how many times longer than its CPU limit a run may take in real
	// time: one that waits for what never comes.
	patience = 10
)

// court is a judge of the mutants of one package, with what its clean run said.
type court struct {
	b       *instrumented
	judge   string
	name    string // of the package, or judgeSim
	reached []byte
	story   string        // what the clean run printed
	limit   int           // seconds of CPU
	allowed time.Duration // of CPU between two lines of output
	slow    string        // a pattern of the tests that take long, "" if there are none
}

// outcome is what came of one run.
type outcome struct {
	killed  bool
	by      string // the first line that says so
	output  string
	cpu     time.Duration
	longest time.Duration // of CPU between two lines
}

// try runs a mutant: before the quick tests, which see most, and then before the slow ones.
func (c *court) try(n uint32) outcome {
	if c.slow == "" {
		return c.run(n, "")
	}
	o := c.run(n, "", "-test.skip="+c.slow)
	if !o.killed {
		used := o.cpu
		o = c.run(n, "", "-test.run="+c.slow)
		o.cpu += used
	}
	return o
}

// slowTests is a pattern of the tests that took longer than slowSeconds.
func slowTests(output string) string {
	var names []string
	for line := range strings.Lines(output) {
		var name string
		var seconds float64
		if n, _ := fmt.Sscanf(line, "--- PASS: %s (%fs)", &name, &seconds); n == 2 && seconds > slowSeconds {
			names = append(names, name)
		}
	}
	if names == nil {
		return ""
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// run starts the judge, with a mutant on or, for 0, clean.
func (c *court) run(n uint32, hits string, more ...string) outcome {
	limit := c.limit
	if n == 0 {
		limit = 600
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(patience*limit)*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.b.binary(c.name), append(c.args(), more...)...)
	cmd.Dir = c.b.dir
	if c.judge == judgeUnit {
		cmd.Dir = filepath.Join(c.b.root, filepath.FromSlash(below(c.name)))
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("VITRINE_MUTANT=%d", n), "VITRINE_MUTANT_HITS="+hits,
		fmt.Sprintf("VITRINE_MUTANT_CPU=%d", limit), fmt.Sprintf("VITRINE_MUTANT_MEMORY=%d", memoryBytes))
	dog := &watchdog{allowed: c.allowed}
	err := dog.watch(cmd)
	o := outcome{output: dog.text(), longest: dog.longest}
	if cmd.ProcessState != nil {
		o.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case dog.bitten:
		o.killed, o.by = true, "does not end"
	case errors.As(err, &exit):
		o.killed, o.by = true, reason(o.output, exit)
	default:
		o.killed, o.by = true, err.Error()
	}
	return o
}

func (c *court) args() []string {
	if c.judge == judgeSim {
		return []string{"-seeds", c.b.seeds, "-for", c.b.length.String(), "-members", c.b.members, "-faults",
			"-hashes", "-j", "1", "-o", os.DevNull}
	}
	args := []string{"-test.v", "-test.failfast", "-test.timeout=10m"}
	if c.rapid() {
		args = append(args, "-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	}
	return args
}

// testFiles are those of the package.
func (c *court) testFiles() []string {
	// the pattern is a good one
	files, _ := filepath.Glob(filepath.Join(c.b.root, filepath.FromSlash(below(c.name)), "*_test.go"))
	return files
}

// tested: the package has tests of its own.
func (c *court) tested() bool { return len(c.testFiles()) > 0 }

// rapid: the tests draw values, and are to draw the same ones every time.
func (c *court) rapid() bool {
	for _, f := range c.testFiles() {
		if src, err := os.ReadFile(f); err == nil && bytes.Contains(src, []byte(`"pgregory.net/rapid"`)) {
			return true
		}
	}
	return false
}

// reason is the line of the output that says why a run failed.
func reason(output string, exit *exec.ExitError) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		for _, sign := range []string{"--- FAIL", "panic:", "fatal error:", "sim: seed"} {
			if strings.HasPrefix(line, sign) {
				return line
			}
		}
	}
	return exit.String()
}

// open makes a court: the clean run says what is reached and how long it takes.
func (b *instrumented) open(judge, name string) (*court, error) {
	c := &court{b: b, judge: judge, name: name}
	if judge == judgeUnit && !c.tested() {
		c.reached = make([]byte, len(b.mutants)+1)
		return c, nil
	}
	hits := filepath.Join(b.dir, strings.ReplaceAll(name, "/", "+")+".hits")
	if err := os.WriteFile(hits, make([]byte, len(b.mutants)+1), 0o644); err != nil {
		return nil, err
	}
	o := c.run(0, hits)
	if o.killed {
		return nil, fmt.Errorf("%s fails without a mutant: %s", name, o.by)
	}
	c.story, c.allowed = o.output, slower*o.longest+spareSeconds*time.Second
	c.limit = int(slower*o.cpu.Seconds()) + spareSeconds
	if judge == judgeUnit {
		c.slow = slowTests(o.output)
	}
	var err error
	c.reached, err = os.ReadFile(hits)
	return c, err
}

// judge runs what is not known of the sample.
func (b *instrumented) judge(sample []*mutant, known *results) error {
	var todo []trial
	courts := map[string]*court{}
	for _, m := range sample {
		for judge := range strings.SplitSeq(b.judges, ",") {
			name := m.Package
			if judge == judgeSim {
				name = judgeSim
			}
			if _, ok := known.get(b, m, judge); ok {
				continue
			}
			if courts[name] == nil {
				c, err := b.open(judge, name)
				if err != nil {
					return err
				}
				courts[name] = c
			}
			todo = append(todo, trial{m, courts[name]})
		}
	}
	return b.runAll(todo, known)
}

// trial is one mutant before one judge.
type trial struct {
	m *mutant
	c *court
}

func (b *instrumented) runAll(todo []trial, known *results) error {
	var (
		group sync.WaitGroup
		next  = make(chan trial)
		mu    sync.Mutex
		errs  []error
		done  int
	)
	start := time.Now()
	for range b.jobs {
		group.Go(func() {
			for t := range next {
				v := t.verdict()
				mu.Lock()
				done++
				errs = append(errs, known.put(v))
				fmt.Fprintf(os.Stderr, "%d/%d %v %-4s %-9s %s: %s\n", done, len(todo),
					time.Since(start).Round(time.Second), v.Judge, v.state(), v.Key, v.By)
				mu.Unlock()
			}
		})
	}
	for _, t := range todo {
		if b.budget > 0 && time.Since(start) > b.budget {
			break
		}
		next <- t
	}
	close(next)
	group.Wait()
	return errors.Join(errs...)
}

// verdict runs the mutant if it can be reached.
func (t trial) verdict() verdict {
	v := verdict{
		Key: t.m.key(), Judge: t.c.judge, Source: t.m.Source, Basis: t.c.b.basis(t.m, t.c.judge),
		Reached: t.c.reached[t.m.Number] != 0,
	}
	if !v.Reached {
		return v
	}
	o := t.c.try(t.m.Number)
	v.Killed, v.By, v.Seconds = o.killed, o.by, o.cpu.Seconds()
	v.SameStory = !o.killed && o.output == t.c.story
	return v
}
