package main

import (
	"fmt"
	"io"
	"time"
)

// etcds is what etcd made of a test.
func (d *data) etcds(t test) outcome {
	if res, there := d.etcd[t]; there {
		return res.outcome
	}
	return unknown
}

func printResult(w io.Writer, res result, kept *data) {
	mark := ""
	if res.outcome != kept.etcds(res.test) {
		mark = "  <--"
	}
	fmt.Fprintf(w, "%-6s %-75s %s %6.1fs  (etcd: %s)%s\n", res.suite, res.name, res.outcome, res.took.Seconds(),
		kept.etcds(res.test), mark)
}

// printCounts sets ours beside etcd's, a suite a line.
func printCounts(w io.Writer, results []result, kept *data) {
	type counts map[outcome]int
	ours, etcds, took := map[string]counts{}, map[string]counts{}, map[string]time.Duration{}
	for _, suite := range suites {
		ours[suite], etcds[suite] = counts{}, counts{}
	}
	for _, res := range results {
		ours[res.suite][res.outcome]++
		etcds[res.suite][kept.etcds(res.test)]++
		took[res.suite] += res.took
	}
	fmt.Fprintf(w, "\n%-8s %-6s | %4s %4s %4s | etcd 3.7.3: %4s %4s %4s\n", "suite", "tests", pass, fail, skip,
		pass, fail, skip)
	for _, suite := range suites {
		o, e := ours[suite], etcds[suite]
		if n := o[pass] + o[fail] + o[skip]; n > 0 {
			fmt.Fprintf(w, "%-8s %-6d | %4d %4d %4d | %11s %4d %4d %4d   in %s\n", suite, n,
				o[pass], o[fail], o[skip], "", e[pass], e[fail], e[skip], took[suite].Round(time.Second))
		}
	}
}

// printVerdict names each test that does not end as etcd's does. It says whether all is as it should be: what etcd
// passes is passed, but for the gaps and for what etcd, when it was asked once more, did not pass here either; and the
// gaps are open.
func printVerdict(w io.Writer, results []result, kept *data) bool {
	good := true
	section := func(title string, chosen func(result) bool, line func(result) string) (any bool) {
		for _, res := range results {
			if !chosen(res) {
				continue
			}
			if !any {
				fmt.Fprintf(w, "\n%s\n", title)
			}
			any = true
			fmt.Fprintf(w, "  %-6s %-60s %s\n", res.suite, res.name, line(res))
		}
		return any
	}
	etcdPasses := func(res result) bool { return kept.etcds(res.test) == pass }
	if section("FAILED, and etcd passes:", func(res result) bool {
		return res.outcome != pass && etcdPasses(res) && kept.gaps[res.test] == "" && res.etcd != fail
	}, tellFailure) {
		good = false
	}
	if section("GAPS THAT HAVE CLOSED (take them out of testdata/gaps.txt):", func(res result) bool {
		return res.outcome == pass && kept.gaps[res.test] != ""
	}, func(result) string { return "" }) {
		good = false
	}
	if section("UNKNOWN to testdata/etcd.txt (go run . -etcd -renew -run ...):", func(res result) bool {
		return kept.etcds(res.test) == unknown
	}, func(res result) string { return string(res.outcome) }) {
		good = false
	}
	section("Not there yet:", func(res result) bool {
		return res.outcome != pass && kept.gaps[res.test] != ""
	}, func(res result) string { return kept.gaps[res.test] })
	section("Passed when tried again, alone:", func(res result) bool { return res.again },
		func(result) string { return "" })
	section("Failed, and so did etcd when it was asked just now, so this machine is to blame:", func(res result) bool {
		return res.outcome == fail && etcdPasses(res) && kept.gaps[res.test] == "" && res.etcd == fail
	}, tellFailure)
	section("Failed by etcd, too, on the machine where it was tried:", func(res result) bool {
		return res.outcome == fail && !etcdPasses(res) && kept.etcds(res.test) != unknown
	}, func(res result) string { return res.why })
	section("Passed, where etcd does not:", func(res result) bool {
		return res.outcome == pass && !etcdPasses(res) && kept.etcds(res.test) != unknown
	}, func(res result) string { return "etcd: " + string(kept.etcds(res.test)) })
	fmt.Fprintln(w)
	return good
}

func tellFailure(res result) string {
	text := res.why + "; see " + res.log
	if res.etcd != "" {
		text += "; etcd, just now and here: " + string(res.etcd)
	}
	return text
}
