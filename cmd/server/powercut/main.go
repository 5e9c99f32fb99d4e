// Command powercut cuts the power of real servers, again and again, and looks
// at what comes back: vitrine and, beside it, etcd.
//
//	go run . -vitrine ../../../bin/vitrine -etcd ...      300 cuts of vitrine, 100 of etcd
//	go run . -vitrine ... -seed 7 -life 12 -cuts 8        one cluster again, and etcd not
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
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
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
	trial.CheckDatabaseInstead()
	var o options
	flag.StringVar(&o.vitrine, "vitrine", "", "the `program` to try; without this and -etcd: only see whether one can")
	flag.StringVar(&o.etcd, "etcd", "", "the `program` to compare with, built from internal/etcd; empty: none")
	flag.IntVar(&o.cuts, "cuts", 300, "how often the power of vitrine is cut")
	flag.IntVar(&o.etcdCuts, "etcd-cuts", 100, "how often that of etcd")
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
	if o.vitrine == "" && o.etcd == "" {
		return 0
	}
	scratch, err := os.MkdirTemp("", "powercut")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(scratch)
	config := trial.Config{Seed: o.seed, First: o.life, Within: o.within, Members: o.members, Keep: o.keep}
	config.Scratch, config.Out = scratch, os.Stdout
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config.Stop = ctx.Done()
	var configs []trial.Config
	if o.vitrine != "" {
		config.Server, config.Cuts = trial.Vitrine(o.vitrine, o.segment), o.cuts
		configs = append(configs, config)
	}
	if o.etcd != "" {
		config.Server, config.Cuts = trial.Etcd(o.etcd, o.segment), o.etcdCuts
		configs = append(configs, config)
	}
	reports, err := runAll(configs)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	trial.Print(os.Stdout, reports...)
	for _, r := range reports {
		if len(r.Findings) > 0 {
			fmt.Printf("what the findings leave is in %s\n", o.keep)
			break
		}
	}
	if o.vitrine != "" && len(reports[0].Findings) > 0 {
		return 1
	}
	return 0
}

// runAll tries all servers at once: they wait for their clocks most of the time.
func runAll(configs []trial.Config) ([]*trial.Report, error) {
	reports, failed := make([]*trial.Report, len(configs)), make([]error, len(configs))
	var wait sync.WaitGroup
	for i := range configs {
		wait.Go(func() { reports[i], failed[i] = trial.Run(configs[i]) })
	}
	wait.Wait()
	return reports, errors.Join(failed...)
}
