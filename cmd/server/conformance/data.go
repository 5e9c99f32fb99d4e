package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// data is what testdata keeps.
type data struct {
	etcd  map[test]result // what the real etcd makes of its own tests
	gaps  map[test]string // what vitrine cannot do yet, and why
	smoke map[test]bool   // the short selection
	names []test          // of etcd, in the file's order
}

const etcdFile = "etcd.txt"

func readData() (*data, error) {
	d := &data{etcd: map[test]result{}, gaps: map[test]string{}, smoke: map[test]bool{}}
	err := readLines(etcdFile, func(t test, rest string) error {
		word, took, _ := strings.Cut(rest, " ")
		res := result{test: t, outcome: outcome(word)}
		if !slices.Contains([]outcome{pass, fail, skip}, res.outcome) {
			return fmt.Errorf("%q is no outcome", word)
		}
		var err error
		res.took, err = time.ParseDuration(took)
		d.etcd[t], d.names = res, append(d.names, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = readLines("gaps.txt", func(t test, why string) error {
		if why == "" {
			return fmt.Errorf("%s has no reason", t.name)
		}
		d.gaps[t] = why
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, readLines("smoke.txt", func(t test, _ string) error {
		d.smoke[t] = true
		return nil
	})
}

// readLines reads lines of a suite, a test and the rest.
func readLines(file string, each func(t test, rest string) error) error {
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.Contains(suites, fields[0]) {
			return fmt.Errorf("%s:%d: want a suite and a test, got %q", file, n, line)
		}
		if err := each(test{fields[0], fields[1]}, strings.Join(fields[2:], " ")); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	return nil
}

// writeEtcd keeps what etcd made of the tests that were run, and leaves the others as they were.
func writeEtcd(results []result, kept *data) error {
	for _, res := range results {
		if _, there := kept.etcd[res.test]; !there {
			kept.names = append(kept.names, res.test)
		}
		kept.etcd[res.test] = res
	}
	slices.SortStableFunc(kept.names, func(a, b test) int {
		return slices.Index(suites, a.suite) - slices.Index(suites, b.suite)
	})
	var b strings.Builder
	b.WriteString("# What etcd 3.7.3 makes of its own tests: suite, test, outcome, time.\n")
	b.WriteString("# Renewed by: go run . -etcd -renew (some of them: -run EXPRESSION)\n")
	for _, t := range kept.names {
		res := kept.etcd[t]
		fmt.Fprintf(&b, "%s %s %s %s\n", t.suite, t.name, res.outcome, res.took.Round(100*time.Millisecond))
	}
	return os.WriteFile(filepath.Join("testdata", etcdFile), []byte(b.String()), 0o644)
}
