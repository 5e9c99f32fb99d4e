package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/replay"
)

// trial is what became of one mutant.
type trial struct {
	Name    string         `json:"name"`
	First   int            `json:"first"` // the seed that found it, 0 = none did
	By      int            `json:"by"`    // the invariant that did
	At      float64        `json:"at"`    // simulated seconds into that seed
	Text    string         `json:"text"`
	Killed  int            `json:"killed"` // of the first rated seeds
	Numbers map[string]int `json:"numbers"`
	Wrong   []string       `json:"wrong"` // verdicts of invariants that may not convict it
	Seconds float64        `json:"seconds"`
}

const (
	// rated is over how many seeds the kill rate is taken.
	rated = 100
	// trialTime is what a mutant's seeds may take: one that makes the core run in
	// circles is found by nobody else.
	trialTime = 10 * time.Minute
)

// try runs the seeds of a mutant: all of the rated ones, and more if none of
// them finds it, up to its budget.
func try(info mutant.Info) (*trial, error) {
	t := &trial{Name: info.Name, Numbers: map[string]int{}}
	start := time.Now()
	for seed := 1; seed <= rated || t.First == 0 && seed <= info.Seeds; seed++ {
		v, err := replay.TryMutant(info, uint64(seed))
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		t.Numbers[fmt.Sprintf("I%d", v.Number)]++
		if seed <= rated {
			t.Killed++
		}
		if t.First == 0 {
			t.First, t.By, t.Text, t.At = seed, v.Number, v.Text, float64(v.At)/1e9
		}
		if !info.Convicted(v.Number) {
			t.Wrong = append(t.Wrong, fmt.Sprintf("seed %d: I%d: %s", seed, v.Number, v.Text))
		}
	}
	t.Seconds = time.Since(start).Seconds()
	return t, nil
}

// mutants plants all bugs, several at a time in processes of their own, or the one that -mutant names in this one.
func (p *program) mutants() int {
	if !mutant.Enabled {
		return p.fail(errors.New("-mutants: this binary carries no mutants; build it with -tags mutants"))
	}
	id, err := mutant.Find(p.mutant)
	if err != nil {
		return p.fail(err)
	}
	list := mutant.List()
	trials := make([]*trial, len(list))
	if id != mutant.None {
		list = list[id-1 : id]
		trials = trials[:1]
		trials[0], err = try(list[0])
	} else {
		err = p.tryAll(list, trials)
	}
	status := p.tellMutants(list, trials)
	if err != nil {
		return p.fail(err)
	}
	return status
}

func (p *program) tryAll(list []mutant.Info, trials []*trial) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	mutants := &sequence{last: uint64(len(list) - 1)}
	return sideBySide(p.jobsFor(uint64(len(list))), func() (failed error) {
		for i, ok := mutants.take(); ok; i, ok = mutants.take() {
			var err error
			trials[i], err = tryApart(self, list[i])
			failed = errors.Join(failed, err)
			fmt.Fprintf(p.stderr, "%s: %.1f s\n", list[i].Name, trials[i].Seconds)
		}
		return failed
	}, func() {}) // others go on after an error
}

// tryApart tries a mutant in a process of its own.
func tryApart(self string, info mutant.Info) (*trial, error) {
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	// a survivor is told by its figures
	out, _ := exec.CommandContext(ctx, self, "-mutants", "-json", "-mutant", info.Name).Output()
	t := &trial{Name: info.Name}
	if err := json.Unmarshal(out, t); err != nil {
		return t, fmt.Errorf("mutant %s: %w", info.Name, errors.Join(err, ctx.Err()))
	}
	return t, nil
}

// tellMutants prints the table and judges it.
func (p *program) tellMutants(list []mutant.Info, trials []*trial) int {
	status := 0
	complain := func(format string, args ...any) {
		status = 1
		fmt.Fprintf(p.stderr, format+"\n", args...)
	}
	for i, t := range trials {
		if t == nil {
			return status // the error tells
		}
		if t.First == 0 {
			complain("%s survives %d seeds", t.Name, max(rated, list[i].Seeds))
		} else if t.First > list[i].Seeds {
			complain("%s needs %d seeds, its budget is %d", t.Name, t.First, list[i].Seeds)
		}
		for _, wrong := range t.Wrong {
			complain("%s dies by the wrong invariant: %s", t.Name, wrong)
		}
	}
	switch {
	case p.json:
		for _, t := range trials {
			line, err := json.Marshal(t)
			if err != nil {
				return p.fail(err)
			}
			fmt.Fprintf(p.stdout, "%s\n", line)
		}
	case p.markdown:
		writeMarkdown(p.stdout, list, trials)
	default:
		for i, t := range trials {
			fmt.Fprintf(p.stdout, "%-28s %-44s seed %-4d I%-3d at %5.1f s  killed %2d of %d  %s\n", t.Name, list[i].Source,
				t.First, t.By, t.At, t.Killed, rated, t.verdicts())
		}
	}
	return status
}

// verdicts names the invariants that fired.
func (t *trial) verdicts() string { return strings.Join(slices.Sorted(maps.Keys(t.Numbers)), ", ") }

func writeMarkdown(out io.Writer, list []mutant.Info, trials []*trial) {
	fmt.Fprintf(out, "| Planted bug | What is wrong | Source | Caught by | First seed | Killed, of %d seeds |\n", rated)
	fmt.Fprintf(out, "| --- | --- | --- | --- | --- | --- |\n")
	for i, t := range trials {
		info := list[i]
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %d | %d |\n",
			t.Name, info.Story, info.Source, t.verdicts(), t.First, t.Killed)
	}
}
