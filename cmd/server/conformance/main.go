// Command conformance runs etcd's own end-to-end tests against vitrine.
//
//	go run . -vitrine ../../../bin/vitrine                 both suites, some 25 minutes on two cores
//	go run . -vitrine ... -smoke                           those of testdata/smoke.txt
//	go run . -vitrine ... -run 'TestAuth|TestSnapshot'     some of them
//	go run . -etcd -renew                                  etcd itself, and keep what comes out
//
// etcd publishes its tests as a module. They start a server by its path and talk to
// it through etcdctl, clientv3 and curl, so they judge whether a server can stand
// in etcd's place. Two suites are compiled from the module cache: common and e2e.
// Their ports are fixed, and a test that fails spoils those after it in its process;
// so each test has a process, a network and process ids of its own.
//
// What etcd makes of its own tests is in testdata/etcd.txt. A test that etcd passes
// and vitrine does not is a failure here, unless testdata/gaps.txt names it with a
// reason; a gap that has closed is a failure too, so that the list stays true. Where
// vitrine fails, etcd is asked at once whether the machine is to blame.
//
// The exit code is 0 if vitrine does what etcd does, 1 if not, 2 if something goes wrong, 3 if this machine cannot
// run the tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

type options struct {
	vitrine string
	etcd    bool
	renew   bool
	smoke   bool
	run     string
	suite   string
	jobs    int
	limit   time.Duration
	dir     string
}

func main() {
	var o options
	flag.StringVar(&o.vitrine, "vitrine", "", "the `program` to try")
	flag.BoolVar(&o.etcd, "etcd", false, "try the real etcd instead")
	flag.BoolVar(&o.renew, "renew", false, "with -etcd: keep the results in testdata/etcd.txt")
	flag.BoolVar(&o.smoke, "smoke", false, "only the tests of testdata/smoke.txt")
	flag.StringVar(&o.run, "run", "", "only tests whose name matches this `expression`")
	flag.StringVar(&o.suite, "suite", "", "only this suite: common or e2e")
	flag.IntVar(&o.jobs, "j", 2, "tests at a time")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "time for one test")
	flag.StringVar(&o.dir, "dir", filepath.Join("..", "..", "..", "build", "conformance"),
		"`folder` for programs and logs")
	flag.Parse()
	code, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(o options) (int, error) {
	if (o.vitrine == "") == !o.etcd {
		return 2, fmt.Errorf("say what to try: -vitrine PROGRAM or -etcd")
	}
	if missing := unavailable(); missing != nil {
		return 3, fmt.Errorf("CANNOT RUN ETCD'S TESTS HERE: %w", missing)
	}
	only, err := regexp.Compile(o.run)
	if err != nil {
		return 2, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := build(ctx, o)
	if err != nil {
		return 2, err
	}
	kept, err := readData()
	if err != nil {
		return 2, err
	}
	tests, err := b.list(ctx, o, only, kept)
	if err != nil {
		return 2, err
	}
	fmt.Printf("%d of etcd's tests, %d at a time on %d cores; logs in %s\n", len(tests), o.jobs, runtime.NumCPU(), b.dir)
	r := &runner{built: b, limit: o.limit, server: "vitrine"}
	if o.etcd {
		r.server = "etcd"
	}
	results := r.all(ctx, tests, o.jobs, func(res result) { printResult(os.Stdout, res, kept) })
	if err := ctx.Err(); err != nil {
		return 2, err
	}
	if o.etcd {
		printCounts(os.Stdout, results, kept)
		if o.renew {
			return 0, writeEtcd(results, kept)
		}
		return 0, nil
	}
	results = r.again(ctx, results, kept)
	printCounts(os.Stdout, results, kept)
	if !printVerdict(os.Stdout, results, kept) {
		return 1, nil
	}
	return 0, nil
}
