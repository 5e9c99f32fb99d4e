package main

import (
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

// test is a top-level test of a suite.
type test struct{ suite, name string }

type outcome string

const (
	pass    outcome = "pass"
	fail    outcome = "fail"
	skip    outcome = "skip"
	unknown outcome = "?" // nothing is known of it
)

type result struct {
	test
	outcome outcome
	took    time.Duration
	log     string // path
	why     string // of a failure, a line
	again   bool   // it passed, but only when it was tried a second time
	etcd    outcome
}

// network is what a test finds: the loopback, an address that is not one, and a way to where a test asks which address
// leads out (nothing gets there). Kernels differ in the devices that they can make.
const network = `ip link set lo up || exit 90
ip link add own0 type dummy 2>/dev/null || ip link add own0 type veth peer name own1 || exit 91
ip addr add 10.99.0.1/24 dev own0 && ip link set own0 up || exit 92
ip link set own1 up 2>/dev/null
ip route add 8.8.8.8/32 dev own0 || exit 93
exec "$@"`

// isolate is the command line of a program with a network and process ids of its own. Whatever it starts ends with it.
func isolate(args ...string) []string {
	return append([]string{"--net", "--pid", "--fork", "--kill-child", "sh", "-c", network, "sh"}, args...)
}

type runner struct {
	*built
	limit  time.Duration
	server string
}

// all runs tests, some at a time, and tells of each as it ends; results are in the order of tests.
func (r *runner) all(ctx context.Context, tests []test, jobs int, tell func(result)) []result {
	results := make([]result, len(tests))
	next := make(chan int)
	var wait sync.WaitGroup
	var telling sync.Mutex
	for range max(jobs, 1) {
		wait.Go(func() {
			for i := range next {
				results[i] = r.one(ctx, tests[i])
				telling.Lock()
				tell(results[i])
				telling.Unlock()
			}
		})
	}
	for i := range tests {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	return results
}

// again gives each test a second chance that etcd passes and vitrine did not, alone on the machine this time; where
// that fails too, etcd is asked, if it was built.
func (r *runner) again(ctx context.Context, results []result, kept *data) []result {
	reference := *r
	reference.server = "etcd"
	_, err := os.Stat(filepath.Join(r.bin("etcd"), "etcd"))
	for i, res := range results {
		if res.outcome != fail || kept.etcd[res.test].outcome != pass || kept.gaps[res.test] != "" || ctx.Err() != nil {
			continue
		}
		fmt.Printf("once more, alone: %s %s\n", res.suite, res.name)
		second := r.one(ctx, res.test)
		if second.outcome != fail {
			second.again = true
		} else if err == nil {
			second.etcd = reference.one(ctx, res.test).outcome
		}
		results[i] = second
	}
	return results
}

// one runs one test.
func (r *runner) one(ctx context.Context, t test) result {
	res := result{test: t, outcome: fail}
	logs := filepath.Join(r.dir, "logs", r.server, t.suite)
	temp, err := os.MkdirTemp("", "conformance") // short: it is part of names of unix sockets
	if err == nil {
		defer os.RemoveAll(temp)
		err = os.MkdirAll(logs, 0o755)
	}
	dir, dirErr := r.directory(temp, t.suite)
	err = errors.Join(err, dirErr)
	if err != nil {
		res.why = err.Error()
		return res
	}
	res.log = filepath.Join(logs, t.name+".log")
	log, err := os.Create(res.log)
	if err != nil {
		res.why = err.Error()
		return res
	}
	defer log.Close()
	within, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	cmd := exec.CommandContext(within, "unshare",
		isolate(r.suite(t.suite), "-test.run", "^"+t.name+"$", "-test.v", "-bin-dir="+r.bin(r.server))...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "E2E_TEST_MINIMAL=true", "EXPECT_DEBUG=TRUE")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	err = cmd.Run()
	res.took = time.Since(began)
	text, readErr := os.ReadFile(res.log)
	if readErr != nil {
		err = errors.Join(err, readErr)
	}
	res.outcome, res.why = judge(t.name, string(text), err)
	if within.Err() != nil && ctx.Err() == nil {
		res.outcome, res.why = fail, fmt.Sprintf("not done after %s", r.limit)
	}
	return res
}

// directory makes the working directory of a test. Some leave data in it; fixtures are looked for beside it.
func (r *runner) directory(temp, suite string) (string, error) {
	dir := filepath.Join(temp, "tests", suite)
	return dir, errors.Join(os.MkdirAll(dir, 0o755),
		os.Symlink(filepath.Join(r.sources, "fixtures"), filepath.Join(temp, "tests", "fixtures")))
}

const noVerdict = "it says neither that it passed nor that it was skipped"

// leak is what the suites say at last of goroutines of their own that have not ended, because the test has not waited
// for its servers. It fails the process, but says nothing of the server.
const leak = "Unexpected goroutines running after all test(s)."

// judge says what became of a test, from what it wrote and how its process ended.
func judge(name, text string, err error) (outcome, string) {
	var verdict outcome
	for _, o := range []outcome{pass, skip} {
		if strings.Contains("\n"+text, "\n--- "+strings.ToUpper(string(o))+": "+name+" (") {
			verdict = o
		}
	}
	_, end, _ := strings.Cut(text, "\nPASS\n") // servers that still run write between the two
	if verdict != "" && (err == nil || strings.Contains(end, leak) && !strings.Contains(end, "\npanic: ")) {
		return verdict, ""
	}
	return fail, firstError(text, err)
}

// firstError finds the line that tells most: what testify, testing or a panic says first.
func firstError(text string, err error) string {
	var after bool
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if after && line != "" {
			return line
		}
		if rest, found := strings.CutPrefix(line, "Error:"); found {
			if rest = strings.TrimSpace(rest); rest != "" && rest != "Received unexpected error:" {
				return rest
			}
			after = true
		}
		if strings.HasPrefix(line, "panic: ") {
			return line
		}
	}
	if said := told(text); said != "" {
		return said
	}
	if err != nil {
		return err.Error()
	}
	return noVerdict
}

// told is what the test has logged of its failure: the first line that sounds like it, else the last one.
func told(text string) (last string) {
	for line := range strings.Lines(text) {
		file, rest, found := strings.Cut(strings.TrimSpace(line), ".go:")
		_, said, sane := strings.Cut(rest, ": ")
		if !found || !sane || strings.ContainsAny(file, " /") || file == "logger" || file == "testing" {
			continue
		}
		last = strings.TrimSpace(said)
		for _, word := range []string{"fail", "timed out", "timeout", "could not", "cannot", "unexpected"} {
			if strings.Contains(strings.ToLower(last), word) {
				return last
			}
		}
	}
	return last
}
