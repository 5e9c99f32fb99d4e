// Command sim runs simulated clusters from seeds and looks for the one in
// which an invariant breaks.
//
//	sim -seed 7 -for 60s -members 5 -faults    one run, told in numbers
//	sim -seeds 1:200 -faults                   many runs; stops at a violation with a replay file
//	sim -replay FILE                           repeats a run and verifies its hash
//	sim -replay FILE -story                    tells in words what led to the violation
//	sim -replay FILE -gotest                   prints a Go test that repeats the run
//	sim -shrink FILE                           makes a failing run small: a few decisions
//	sim -soak DIR                              runs seeds until stopped, keeps every failure
//
// One seed is one story: the same on every machine and in the browser. The
// last line of a single run is its hash.
//
// Exit status: 0 all is well, or a replay ended as recorded; 1 an invariant
// broke, or a replay ended otherwise than recorded; 2 the command line or a file
// is wrong, or a replay file is of another build.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"vitrine/core/sim"
)

// commit is set by the build.
var commit = "unknown"

// options are the command line.
type options struct {
	seed      uint64
	seeds     string
	length    time.Duration
	members   int
	faults    bool
	verbose   bool
	json      bool
	hashes    bool
	noChecks  bool
	mutant    string
	mutants   bool
	markdown  bool
	rate      float64
	network   string
	replay    string
	story     bool
	lang      string
	gotest    bool
	shrink    string
	within    time.Duration
	atLeast   int
	soak      string
	gallery   string
	out       string
	jobs      int
	profile   string
	traceFile string
	version   bool

	first, last uint64 // of seeds
}

// errUsage is wrapped by what is the command line's fault.
var errUsage = errors.New("usage")

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Uint64Var(&o.seed, "seed", 1, "seed of a single run")
	f.StringVar(&o.seeds, "seeds", "", "run many seeds, first:last, and stop at a violation")
	f.DurationVar(&o.length, "for", 60*time.Second, "simulated time; then faults end and the cluster must settle")
	f.IntVar(&o.members, "members", 3, fmt.Sprintf("size of the cluster, 1 to %d", sim.MaxMembers))
	f.BoolVar(&o.faults, "faults", false, "draw faults from the seed")
	f.Float64Var(&o.rate, "rate", sim.DefaultConfig().Workload.Rate, "client operations a simulated second")
	f.StringVar(&o.network, "network", "lan", "latencies: lan or teaching")
	f.BoolVar(&o.noChecks, "nochecks", false, "run without checkers, to measure them")
	f.StringVar(&o.mutant, "mutant", "", "plant a bug in the core: see -mutants (needs a binary built with -tags mutants)")
	f.BoolVar(&o.markdown, "md", false, "with -mutants: print the table in Markdown")
	f.BoolVar(&o.mutants, "mutants", false, "plant every bug in turn and see that it is found")
	f.BoolVar(&o.verbose, "v", false, "print the drawn options of each run and what happens to the world")
	f.BoolVar(&o.json, "json", false, "print one JSON object a run")
	f.BoolVar(&o.hashes, "hashes", false, "with -seeds: print \"seed hash\" lines only")
	f.IntVar(&o.jobs, "j", 0, "processes for -seeds, 0 = one a core")
	f.StringVar(&o.replay, "replay", "", "repeat the run in a replay file and verify its hash")
	f.BoolVar(&o.story, "story", false, "with -replay: tell in words what led to the violation")
	f.StringVar(&o.lang, "lang", "en", "of the story: en or zh")
	f.BoolVar(&o.gotest, "gotest", false, "with -replay: print a Go test that repeats the run")
	f.StringVar(&o.shrink, "shrink", "", "make the failing run in a replay file small")
	f.DurationVar(&o.within, "within", 60*time.Second, "with -shrink: real time it may take")
	f.IntVar(&o.atLeast, "atleast", 1, "with -shrink: members that must stay")
	f.StringVar(&o.soak, "soak", "", "run seeds until stopped and keep every failure, and its small twin, in a directory")
	f.StringVar(&o.gallery, "gallery", "", "renew the replays of a gallery: a directory with an index.json (needs -tags mutants)")
	f.StringVar(&o.out, "o", "", "where a replay file goes (default sim-SEED.replay; of -shrink, FILE.small)")
	f.StringVar(&o.traceFile, "trace", "", "write all events of a single run to a file, one JSON object a line")
	f.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to a file")
	f.BoolVar(&o.version, "version", false, "print the version")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%w: I do not know what to do with %q", errUsage, f.Arg(0))
	}
	if err := o.parseSeeds(); err != nil {
		return nil, err
	}
	if o.length <= 0 {
		return nil, fmt.Errorf("%w: -for %v: want a positive duration", errUsage, o.length)
	}
	if o.hashes && o.seeds == "" {
		return nil, fmt.Errorf("%w: -hashes needs -seeds", errUsage)
	}
	if (o.story || o.gotest) && o.replay == "" {
		return nil, fmt.Errorf("%w: -story and -gotest need -replay", errUsage)
	}
	if o.lang != "en" && o.lang != "zh" {
		return nil, fmt.Errorf("%w: -lang %q: I speak en and zh", errUsage, o.lang)
	}
	if _, err := o.config(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return o, nil
}

func (o *options) parseSeeds() error {
	if o.seeds == "" {
		return nil
	}
	first, last, ok := strings.Cut(o.seeds, ":")
	if !ok {
		last = first
	}
	var err1, err2 error
	o.first, err1 = strconv.ParseUint(first, 10, 64)
	o.last, err2 = strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil || o.first > o.last {
		return fmt.Errorf("%w: -seeds %q: want first:last, such as 1:200", errUsage, o.seeds)
	}
	return nil
}

// config is the world that the command line asks for.
func (o *options) config(seed uint64) (sim.Config, error) {
	cfg := sim.DefaultConfig()
	network, err := sim.Preset(o.network)
	if err != nil {
		return cfg, err
	}
	cfg.Seed, cfg.Members, cfg.Faults, cfg.NoChecks = seed, o.members, o.faults, o.noChecks
	cfg.Network, cfg.Mutant = network, o.mutant
	cfg.Workload.Rate = o.rate
	if o.faults {
		cfg.FaultsFor = o.length
	}
	return cfg, cfg.Validate()
}

func main() {
	debug.SetGCPercent(800) // a world is small and makes much garbage
	debug.SetMemoryLimit(512 << 20)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sim: %v\nsim -h tells what there is\n", err)
		return 2
	case o.version:
		fmt.Fprintf(stdout, "vitrine sim %d (%s)\n", sim.Version, commit)
		return 0
	}
	stop, err := startProfile(o.profile)
	if err != nil {
		fmt.Fprintf(stderr, "sim: %v\n", err)
		return 2
	}
	defer stop()
	p := &program{options: o, stdout: stdout, stderr: stderr}
	switch {
	case o.mutants:
		return p.mutants()
	case o.shrink != "":
		return p.shrinkFile()
	case o.gallery != "":
		return p.renewGallery()
	case o.soak != "":
		return p.soakForever()
	case o.replay != "":
		return p.replayFile()
	case o.seeds != "":
		return p.many()
	}
	return p.single()
}
