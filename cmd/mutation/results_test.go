package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// TestResultsStand: a kill stands while the function does, a survival while code
// and tests do.
func TestResultsStand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	r, err := openResults(path, false)
	if err != nil {
		t.Fatal(err)
	}
	dead := &mutant{Package: "wal", Function: "f", Operator: opDrop, Change: "a()", Source: "s1", Nth: 1}
	alive := &mutant{Package: "wal", Function: "f", Operator: opDrop, Change: "b()", Source: "s1", Nth: 1}
	b := &instrumented{options: &options{}, hashes: map[string]string{"wal": "h1"}}
	for _, m := range []*mutant{dead, alive} {
		v := verdict{
			Key: m.key(), Judge: judgeUnit, Source: m.Source, Basis: b.basis(m, judgeUnit),
			Reached: true, Killed: m == dead,
		}
		if err := r.put(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if r, err = openResults(path, false); err != nil {
		t.Fatal(err)
	}
	stands := func(m *mutant) bool { _, ok := r.get(b, m, judgeUnit); return ok }
	if !stands(dead) || !stands(alive) {
		t.Error("nothing has changed, and a verdict is gone")
	}
	b.hashes["wal"] = "h2"
	if !stands(dead) || stands(alive) {
		t.Errorf("tests have changed: killed stands %v, survived stands %v", stands(dead), stands(alive))
	}
	dead.Source = "s2"
	if stands(dead) {
		t.Error("the function has changed, and a kill still stands")
	}
	if _, ok := r.get(b, dead, judgeSim); ok {
		t.Error("one judge's verdict is taken for the other's")
	}
}

func TestExplained(t *testing.T) {
	e, err := parseExplained("# of wal\nwal A.b drop: x()\nwal A.c drop: y() #2\n\tonly speed,\n\tno answer\n\n" +
		"wal D logic: a && b => ||\n\ta implies b\n")
	want := explained{
		"wal A.b drop: x()": "only speed, no answer", "wal A.c drop: y() #2": "only speed, no answer",
		"wal D logic: a && b => ||": "a implies b",
	}
	if err != nil || !maps.Equal(e, want) {
		t.Errorf("%q, %v", e, err)
	}
	for text, want := range map[string]string{
		"\tfor nothing\n":       "reason without a name",
		"wal A drop: x()\n":     "no reason",
		"a\n\tr\na\n\tr\n":      "explained twice",
		"# only a comment\n\n ": "",
	} {
		if _, err := parseExplained(text); want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestTheExplainedFile can be read.
func TestTheExplainedFile(t *testing.T) {
	if _, err := readExplained("explained.txt"); err != nil {
		t.Error(err)
	}
}

// TestReport counts each kind of mutant once.
func TestReport(t *testing.T) {
	b := &instrumented{options: &options{packages: "wal", judges: "unit,sim"}, hashes: map[string]string{}}
	r := &results{of: map[[2]string]verdict{}}
	put := func(change string, unit, sim verdict) {
		m := &mutant{Package: "wal", Function: "f", Operator: opDrop, Change: change, Nth: 1}
		b.mutants = append(b.mutants, m)
		unit.Judge, sim.Judge = judgeUnit, judgeSim
		for _, v := range []verdict{unit, sim} {
			v.Key, v.Basis = m.key(), b.basis(m, v.Judge)
			r.of[[2]string{v.Key, v.Judge}] = v
		}
	}
	killed, survived := verdict{Reached: true, Killed: true}, verdict{Reached: true}
	put("both", killed, killed)
	put("unit", killed, verdict{})
	put("sim", survived, killed)
	put("nobody", survived, verdict{Reached: true, SameStory: true})
	put("explained", survived, survived)
	b.mutants = append(b.mutants, &mutant{Package: "wal", Change: "later", Nth: 1})
	notes := explained{
		"wal f drop: explained": "speed", "wal f drop: both": "wrong", "wal g drop: gone": "stale",
		"mvcc f drop: other": "not asked",
	}
	got := newReport(b, b.mutants, r, notes)
	want := row{
		name: "all", all: 6, tried: 5, unit: 2, sim: 2, either: 3, explained: 1, unexplained: 1,
		simReached: 2, simUnchanged: 1, waiting: 1,
	}
	if got.sum != want {
		t.Errorf("counted %+v, want %+v", got.sum, want)
	}
	if len(got.stale) != 1 || len(got.wrong) != 1 || len(got.survivors) != 1 || len(got.missed) != 1 {
		t.Errorf("stale %q, wrong %q, %d survivors, %d missed", got.stale, got.wrong, len(got.survivors), len(got.missed))
	}
	if share := got.unexplainedShare(); share != 20 {
		t.Errorf("%v in a hundred are unexplained, want 20", share)
	}
	var out strings.Builder
	got.print(&out, true)
	for _, line := range []string{
		"| wal | 6 | 5 | 40 % | 40 % | 60 % | 1 | 1 |", "explains no mutant: wal g drop: gone",
		"explained, but killed: wal f drop: both",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("the report lacks %q:\n%s", line, out.String())
		}
	}
}

// TestReportOfOneJudge counts what it has said, and says nothing of the other.
func TestReportOfOneJudge(t *testing.T) {
	m := &mutant{Package: "wal", Function: "f", Operator: opDrop, Change: "one", Nth: 1}
	b := &instrumented{options: &options{packages: "wal", judges: judgeUnit}, hashes: map[string]string{},
		mutants: []*mutant{m}}
	known := &results{of: map[[2]string]verdict{
		{m.key(), judgeUnit}: {Key: m.key(), Judge: judgeUnit, Basis: b.basis(m, judgeUnit), Reached: true, Killed: true},
	}}
	var out strings.Builder
	newReport(b, b.mutants, known, explained{}).print(&out, true)
	if got := out.String(); !strings.Contains(got, "| wal | 1 | 1 | 100 % | - | 100 % | 0 | 0 |") ||
		strings.Contains(got, "simulator") || strings.Contains(got, "not judged") {
		t.Errorf("it says\n%s", got)
	}
}

// TestSlowTests finds the tests by themselves, not their parts.
func TestSlowTests(t *testing.T) {
	const output = `=== RUN   TestQuick
--- PASS: TestQuick (0.01s)
--- PASS: TestLong (1.50s)
    --- PASS: TestLong/part (1.49s)
--- PASS: TestLonger (2.00s)
PASS
`
	if got := slowTests(output); got != "^(TestLong|TestLonger)$" {
		t.Errorf("slow are %q", got)
	}
	if got := slowTests("--- PASS: TestQuick (0.01s)\n"); got != "" {
		t.Errorf("slow are %q", got)
	}
}
