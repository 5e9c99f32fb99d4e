// Command powercut cuts the power of real servers, again and again, and looks
// at what comes back: vitrine and, beside it, etcd.
//
//	go run . -vitrine ../../../bin/vitrine                300 cuts of vitrine, 60 of etcd
//	go run . -vitrine ... -seed 7 -life 12 -cuts 8 -etcd-cuts 0   one cluster again
//
// The simulator replaces bbolt and the kernel's files by models of ours. Here the
// servers are those that ship, on a file system in user space that keeps what was
// not synced apart and, at the cut, drops or tears it by seed. Package disk says
// what may be lost and what is not modelled, mount how the power goes
// between two calls, trial what is asked of those who come back.
//
// A seed fixes all that is drawn: the clusters, the moments and the dice for what
// is left. It cannot fix what real processes do meanwhile, so a run with
// the same seed is alike, not equal. What a failure needs to be understood
// is kept: the disk as the server found it, and the calls before the cut.
//
// The exit code is 0 if nothing acknowledged was lost and every boot was right, 1
// if not, 2 if it cannot be tried.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"vitrine/powercut/internal/mount"
	"vitrine/powercut/internal/trial"
)

type options struct {
	vitrine, etcd  string
	cuts, etcdCuts int
	seed           uint64
	life, members  int
	within         time.Duration
	keep           string
	segment        int
}

func main() {
	var o options
	flag.StringVar(&o.vitrine, "vitrine", "", "the `program` to try")
	flag.StringVar(&o.etcd, "etcd", "", "the etcd `program` (built with internal/etcd; empty: build it)")
	flag.IntVar(&o.cuts, "cuts", 300, "how often the power of vitrine is cut")
	flag.IntVar(&o.etcdCuts, "etcd-cuts", 60, "how often that of etcd")
	flag.Uint64Var(&o.seed, "seed", 1, "of everything that is drawn")
	flag.IntVar(&o.life, "life", 1, "number of the first cluster")
	flag.IntVar(&o.members, "members", 0, "of each cluster (0: one or three)")
	flag.DurationVar(&o.within, "within", 12*time.Minute, "begin no further cluster of a kind after so long")
	flag.StringVar(&o.keep, "keep", filepath.Join("build", "powercut"), "`folder` for what failures leave")
	flag.IntVar(&o.segment, "segment-bytes", 128<<10, "size of the log's segments")
	flag.Parse()
	os.Exit(run(o))
}

func run(o options) int {
	if why := mount.Unavailable(); why != nil {
		fmt.Fprintln(os.Stderr, "CANNOT CUT THE POWER HERE:", why)
		return 2
	}
	scratch, err := os.MkdirTemp("", "powercut")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(scratch)
	config := trial.Config{Seed: o.seed, First: o.life, Cuts: o.cuts, Within: o.within, Members: o.members, Keep: o.keep, Scratch: scratch, Out: os.Stdout}
	config.Server = trial.Vitrine(o.vitrine, o.segment)
	var reports []*trial.Report
	if o.cuts > 0 {
		report, err := trial.Run(config)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		reports = append(reports, report)
	}
	if o.etcdCuts > 0 {
		if o.etcd == "" {
			if o.etcd, err = buildEtcd(scratch); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 2
			}
		}
		config.Server, config.Cuts = trial.Etcd(o.etcd, o.segment), o.etcdCuts
		report, err := trial.Run(config)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		reports = append(reports, report)
	}
	trial.Print(os.Stdout, reports...)
	if o.cuts > 0 && len(reports[0].Findings) > 0 {
		fmt.Printf("what they leave is in %s\n", o.keep)
		return 1
	}
	return 0
}

func buildEtcd(dir string) (string, error) {
	path := filepath.Join(dir, "etcd")
	out, err := exec.Command("go", "build", "-o", path, "./internal/etcd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build ./internal/etcd: %w\n%s", err, out)
	}
	return path, nil
}
