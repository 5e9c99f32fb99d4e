package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// verdict is what a judge said of a mutant.
type verdict struct {
	Key       string  `json:"key"`
	Judge     string  `json:"judge"`
	Source    string  `json:"source"` // hash of the function that is mutated
	Basis     string  `json:"basis"`  // of a survivor: what the verdict rests on
	Reached   bool    `json:"reached"`
	Killed    bool    `json:"killed"`
	By        string  `json:"by,omitempty"`
	SameStory bool    `json:"sameStory,omitempty"` // of the simulator: no event of any seed has changed
	Seconds   float64 `json:"seconds,omitempty"`
}

func (v verdict) state() string {
	switch {
	case v.Killed:
		return "killed"
	case !v.Reached:
		return "unreached"
	case v.SameStory && v.Judge == judgeSim:
		return "unchanged"
	}
	return "survived"
}

// results are the verdicts so far, in a file that grows by a line for each.
type results struct {
	of   map[[2]string]verdict // by key and judge
	file *os.File
}

func openResults(path string, fresh bool) (*results, error) {
	r := &results{of: map[[2]string]verdict{}}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if fresh {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	var err error
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(r.file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v verdict
		if json.Unmarshal(lines.Bytes(), &v) == nil { // a line may be cut off where a run was
			r.of[[2]string{v.Key, v.Judge}] = v
		}
	}
	return r, lines.Err()
}

func (r *results) close() error { return r.file.Close() }

// get finds a verdict that still stands.
func (r *results) get(b *instrumented, m *mutant, judge string) (verdict, bool) {
	v, ok := r.of[[2]string{m.key(), judge}]
	return v, ok && v.Source == m.Source && (v.Killed || v.Basis == b.basis(m, judge))
}

func (r *results) put(v verdict) error {
	r.of[[2]string{v.Key, v.Judge}] = v
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(line, '\n'))
	return err
}

// basis is what a survival rests on: the code, the tests, the budget.
func (b *instrumented) basis(m *mutant, judge string) string {
	if judge == judgeSim {
		return b.hashes[judgeSim] + " " + b.seeds + " " + b.length.String() + " " + b.members
	}
	return b.hashes[m.Package]
}
