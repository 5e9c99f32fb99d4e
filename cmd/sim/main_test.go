package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"vitrine/core/replay"
	"vitrine/core/sim"
)

// TestMain lets the test binary be one of the workers that the program starts: itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-seeds" && os.Args[2] == "-" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func invoke(args ...string) (status int, stdout, stderr string) {
	var out bytes.Buffer
	var err shared
	status = run(args, strings.NewReader(""), &out, &err)
	return status, out.String(), err.String()
}

// shared takes what several workers complain of.
type shared struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string { return s.text.String() }

var hashLine = regexp.MustCompile(`(?m)^[0-9a-f]{16}\n\z`)

func TestSingleRunEndsWithItsHash(t *testing.T) {
	status, out, stderr := invoke("-seed", "7", "-for", "5s", "-members", "5", "-faults")
	if status != 0 || stderr != "" || !hashLine.MatchString(out) {
		t.Fatalf("status %d, output\n%s%s", status, out, stderr)
	}
	for _, word := range []string{"seed       7, 5 members", "times real time", "requests", "faults",
		"all invariants hold"} {
		if !strings.Contains(out, word) {
			t.Errorf("no %q in\n%s", word, out)
		}
	}
	last := func(s string) string { return s[len(s)-17:] }
	if _, again, _ := invoke("-seed", "7", "-for", "5s", "-members", "5", "-faults", "-v"); last(again) != last(out) ||
		!strings.Contains(again, "leads term") {
		t.Errorf("the same seed with -v:\n%s", again)
	}
	if _, other, _ := invoke("-seed", "8", "-for", "5s", "-members", "5", "-faults"); last(other) == last(out) {
		t.Error("another seed has the same hash")
	}
}

func TestHashesOfManySeeds(t *testing.T) {
	status, out, stderr := invoke("-seeds", "3:6", "-for", "2s", "-hashes")
	want := regexp.MustCompile(`\A3 [0-9a-f]{16}\n4 [0-9a-f]{16}\n5 [0-9a-f]{16}\n6 [0-9a-f]{16}\n\z`)
	if status != 0 || !want.MatchString(out) {
		t.Errorf("status %d\n%s%s", status, out, stderr)
	}
}

func TestJSON(t *testing.T) {
	status, out, _ := invoke("-seeds", "1:2", "-for", "2s", "-json", "-j", "1", "-faults")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 2 {
		t.Fatalf("status %d\n%s", status, out)
	}
	for i, line := range lines {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Seed != uint64(i+1) || len(r.Hash) != 16 ||
			r.Simulated < 2 || r.Events == 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestReplayFile(t *testing.T) {
	cfg := sim.DefaultConfig()
	cfg.Faults, cfg.FaultsFor, cfg.Seed = true, 3e9, 11
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(3e9)
	text, err := replay.Of(w, 3e9).Format()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "run.replay")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(string(text))
	if status, out, stderr := invoke("-replay", file); status != 0 || !strings.HasSuffix(out, w.HashText()+"\n") {
		t.Errorf("status %d\n%s%s", status, out, stderr)
	}
	write(strings.Replace(string(text), "hash "+w.HashText(), "hash 0123456789abcdef", 1))
	if status, _, stderr := invoke("-replay", file); status != 2 || !strings.Contains(stderr, "not the same build") {
		t.Errorf("a wrong hash: status %d, %s", status, stderr)
	}
	write("vitrine replay 1\nnonsense\n")
	if status, _, stderr := invoke("-replay", file); status != 2 || !strings.Contains(stderr, "line 2") {
		t.Errorf("a broken file: status %d, %s", status, stderr)
	}
}

// TestViolationIsKept: a series stops at a violation and leaves a replay file.
func TestViolationIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v.replay")
	var out, stderr bytes.Buffer
	p := &program{options: &options{out: file, length: 3e9}, stdout: &out, stderr: &stderr}
	cfg := sim.DefaultConfig()
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := execute(w, func() { w.Run(p.length) })
	r.Violation = &sim.Violation{Number: 8, Text: "acknowledged but lost", At: 2e9}
	if err := p.save(w, r); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "hash "+w.HashText()) {
		t.Errorf("replay file %q, %v", text, err)
	}
	series := p.newTally()
	if series.add(r) {
		t.Error("the series goes on after a violation")
	}
	for _, word := range []string{"violates I8", "2.000 s", "acknowledged but lost", file} {
		if !strings.Contains(stderr.String(), word) {
			t.Errorf("no %q in %s", word, stderr.String())
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"-nosuch"}, {"extra"}, {"-seeds", "9:1"}, {"-seeds", "x"}, {"-seeds", "1:"}, {"-members", "0"}, {"-members", "99"},
		{"-for", "-1s"},
		{"-network", "mars"}, {"-hashes"}, {"-rate", "-3"}, {"-replay", "/nonexistent"}, {"-trace", "/nonexistent/x"},
		{"-cpuprofile", "/nonexistent/x"},
	} {
		status, out, stderr := invoke(args...)
		if status != 2 || stderr == "" || out != "" {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, out, stderr)
		}
	}
	if status, _, _ := invoke("-h"); status != 0 {
		t.Errorf("-h has status %d", status)
	}
}

func TestTraceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	status, out, stderr := invoke("-seed", "2", "-for", "1s", "-trace", file)
	data, err := os.ReadFile(file)
	if status != 0 || err != nil {
		t.Fatalf("status %d, %v\n%s%s", status, err, out, stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) || !strings.Contains(line, `"seq":`) {
			t.Errorf("the trace has the line %q", line)
		}
	}
}
