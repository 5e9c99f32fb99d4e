package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	died := errors.New("exit status 1")
	for _, c := range []struct {
		name, text string
		err        error
		outcome    outcome
		why        string
	}{
		{"passes", "=== RUN   TestX\n--- PASS: TestX (1.00s)\nPASS\n", nil, pass, ""},
		{"is skipped", "=== RUN   TestX\n    a_test.go:3: no\n--- SKIP: TestX (0.00s)\nPASS\n", nil, skip, ""},
		{"a part passes", "    --- PASS: TestX/a (1.00s)\n--- FAIL: TestX (1.00s)\n", died, fail, "exit status 1"},
		{"passes and leaks", "--- PASS: TestX (1.00s)\nPASS\n" + leak + "\n1 instances of:\n", died, pass, ""},
		{"passes and panics", "--- PASS: TestX (1.00s)\nPASS\npanic: nil map\n", died, fail, "panic: nil map"},
		{"another one passes", "--- PASS: TestXY (1.00s)\nPASS\n", nil, fail, noVerdict},
		{"no test", "testing: warning: no tests to run\nPASS\n", nil, fail, noVerdict},
		{"testify", "\tError Trace:\ta_test.go:9\n\tError:      \tReceived unexpected error:\n\t   \tno quorum\n",
			died, fail, "no quorum"},
		{"testify in a line", "\tError:      \tNot equal: 1\n", died, fail, "Not equal: 1"},
		{"plain", "    logger.go:146: x\tINFO\ty\n    a_test.go:12: key is 3\n", died, fail, "key is 3"},
		{"plain words", "testing.go:25: to /tmp\na_test.go:2: puts\na_test.go:3: could not get\na_test.go:4: ends\n",
			died, fail, "could not get"},
		{"panic", "=== RUN TestX\npanic: nil map\n", died, fail, "panic: nil map"},
	} {
		if got, why := judge("TestX", c.text, c.err); got != c.outcome || why != c.why {
			t.Errorf("%s: %s %q, want %s %q", c.name, got, why, c.outcome, c.why)
		}
	}
}

// smokeTime is how long the selection may take etcd, in time of tests as testdata has it, of a busy machine. Two run at
// a time, so a quiet one needs far less than half.
const smokeTime = 7 * time.Minute

func TestDataFitsTogether(t *testing.T) {
	d, err := readData()
	if err != nil {
		t.Fatal(err)
	}
	for gap := range d.gaps {
		if d.etcds(gap) != pass {
			t.Errorf("%s is named as a gap, but etcd does not pass it: %s", gap.name, d.etcds(gap))
		}
	}
	var total time.Duration
	for s := range d.smoke {
		if d.etcds(s) != pass || d.gaps[s] != "" {
			t.Errorf("%s is in the short selection, and not to be passed", s.name)
		}
		total += d.etcd[s].took
	}
	if len(d.smoke) < 20 || total > smokeTime {
		t.Errorf("the short selection has %d tests of %s", len(d.smoke), total)
	}
	if len(d.etcd) < 300 || len(d.names) != len(d.etcd) {
		t.Errorf("%d tests of etcd's are known, %d names", len(d.etcd), len(d.names))
	}
}

func TestVerdict(t *testing.T) {
	a, b, c := test{"common", "TestA"}, test{"e2e", "TestB"}, test{"e2e", "TestC"}
	kept := &data{
		etcd: map[test]result{a: {outcome: pass}, b: {outcome: pass}, c: {outcome: fail}},
		gaps: map[test]string{b: "not made yet"},
	}
	for _, v := range []struct {
		name    string
		a, b, c outcome
		good    bool
		says    string
	}{
		{"all as it should be", pass, fail, fail, true, "not made yet"},
		{"more than etcd", pass, fail, pass, true, "where etcd does not"},
		{"a failure", fail, fail, fail, false, "FAILED"},
		{"a test that is skipped", skip, fail, fail, false, "FAILED"},
		{"a gap that has closed", pass, pass, fail, false, "CLOSED"},
	} {
		var w strings.Builder
		good := printVerdict(&w, []result{{test: a, outcome: v.a}, {test: b, outcome: v.b}, {test: c, outcome: v.c}}, kept)
		if good != v.good || !strings.Contains(w.String(), v.says) {
			t.Errorf("%s: %v\n%s", v.name, good, w.String())
		}
	}
	for etcd, good := range map[outcome]bool{pass: false, fail: true, "": false} {
		var w strings.Builder
		if printVerdict(&w, []result{{test: a, outcome: fail, etcd: etcd}}, kept) != good {
			t.Errorf("a failure, and etcd ends with %q when it is asked: not %v\n%s", etcd, good, w.String())
		}
	}
	var w strings.Builder
	if printVerdict(&w, []result{{test: test{"e2e", "TestNew"}, outcome: pass}}, kept) {
		t.Errorf("a test that nobody knows is let through:\n%s", w.String())
	}
}
