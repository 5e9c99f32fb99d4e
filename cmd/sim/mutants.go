package main

import (
	"encoding/json"
	"fmt"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/sim"
)

// trial is what became of one mutant.
type trial struct {
	Name    string         `json:"name"`
	First   int            `json:"first"` // the seed that found it, 0 = none did
	By      int            `json:"by"`    // the invariant that did
	Text    string         `json:"text"`
	Killed  int            `json:"killed"` // of the first Rated seeds
	Rated   int            `json:"rated"`
	Numbers map[string]int `json:"numbers"` // how often each invariant fired
	Wrong   []string       `json:"wrong"`   // verdicts of invariants that may not convict it
	Seconds float64        `json:"seconds"`
	At      float64        `json:"at"` // simulated seconds into the first
}

// rated is over how many seeds the kill rate is taken.
const rated = 20

// try runs the seeds of a mutant: all of the rated ones, and more if none of
// them finds it, up to its budget.
func try(info mutant.Info) (*trial, error) {
	t := &trial{Name: info.Name, Numbers: map[string]int{}}
	start := time.Now()
	for seed := 1; seed <= rated || t.First == 0 && seed <= info.Seeds; seed++ {
		w, err := sim.New(sim.MutantConfig(info, uint64(seed)))
		if err != nil {
			return nil, err
		}
		v := w.Run(sim.MutantRun)
		if seed <= rated {
			t.Rated++
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

func (p *program) mutants() int {
	status := 0
	for _, info := range mutant.List() {
		if p.mutant != "" && p.mutant != info.Name {
			continue
		}
		t, err := try(info)
		if err != nil {
			return p.fail(err)
		}
		line, _ := json.Marshal(t)
		fmt.Fprintf(p.stdout, "%s\n", line)
	}
	return status
}
