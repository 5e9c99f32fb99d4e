package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"vitrine/core/sim"
)

// options are the command line.
type options struct {
	seed      uint64
	seeds     string
	length    time.Duration
	members   string
	quiet     bool
	faults    bool
	verbose   bool
	json      bool
	hashes    bool
	noChecks  bool
	strikes   bool
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
	sizes       []int  // of clusters; seeds take them in turn
}

// errUsage is wrapped by what is the command line's fault.
var errUsage = errors.New("usage")

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Uint64Var(&o.seed, "seed", 1, "seed of a single run")
	f.StringVar(&o.seeds, "seeds", "",
		"run many seeds, first:last, and stop at a violation; - reads them from the standard input")
	f.DurationVar(&o.length, "for", 60*time.Second, "simulated time; then faults end and the cluster must settle")
	f.StringVar(&o.members, "members", "",
		fmt.Sprintf("size of the cluster, 1 to %d, or several that seeds take in turn: 3,5 (default 3, with -soak 3,5)",
			sim.MaxMembers))
	f.BoolVar(&o.faults, "faults", false, "draw faults from the seed")
	f.Float64Var(&o.rate, "rate", sim.DefaultConfig().Workload.Rate, "client operations a simulated second")
	f.StringVar(&o.network, "network", "lan", "latencies: lan or teaching")
	f.BoolVar(&o.noChecks, "nochecks", false, "run without checkers, to measure them")
	f.BoolVar(&o.strikes, "strikes", false,
		"with -seeds: print how often each step of the driver was struck; fail if one never was")
	f.StringVar(&o.mutant, "mutant", "", "plant a bug in the core: see -mutants (needs a binary built with -tags mutants)")
	f.BoolVar(&o.markdown, "md", false, "with -mutants: print the table in Markdown")
	f.BoolVar(&o.mutants, "mutants", false, "plant every bug in turn and see that it is found")
	f.BoolVar(&o.verbose, "v", false, "of a single run, print what happens to the world")
	f.BoolVar(&o.quiet, "q", false, "with -seeds: print no line for each run")
	f.BoolVar(&o.json, "json", false, "print one JSON object a run")
	f.BoolVar(&o.hashes, "hashes", false, "with -seeds: print \"seed hash\" lines only")
	f.IntVar(&o.jobs, "j", 0, "processes for -seeds, -mutants and -soak, 0 = one a core")
	f.StringVar(&o.replay, "replay", "", "repeat the run in a replay file and verify its hash")
	f.BoolVar(&o.story, "story", false, "with -replay: tell in words what led to the violation")
	f.StringVar(&o.lang, "lang", "en", "of the story: en or zh")
	f.BoolVar(&o.gotest, "gotest", false, "with -replay: print a Go test that repeats the run")
	f.StringVar(&o.shrink, "shrink", "", "make the failing run in a replay file small")
	f.DurationVar(&o.within, "within", 60*time.Second, "with -shrink: real time it may take")
	f.IntVar(&o.atLeast, "atleast", 1, "with -shrink: members that must stay")
	f.StringVar(&o.soak, "soak", "", "run seeds until stopped and keep every failure, and its small twin, in a directory")
	f.StringVar(&o.gallery, "gallery", "",
		"renew the replays of a gallery: a directory with an index.json (needs -tags mutants)")
	f.StringVar(&o.out, "o", "",
		"where a replay file goes; %d is the seed (default sim-%d.replay; of -shrink, FILE.small.replay)")
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
		return nil, fmt.Errorf("%w: unexpected argument %q", errUsage, f.Arg(0))
	}
	if err := o.parseSeeds(); err != nil {
		return nil, err
	}
	if err := o.parseMembers(); err != nil {
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
		return nil, fmt.Errorf("%w: -lang %q: want en or zh", errUsage, o.lang)
	}
	return o, nil
}

// fromInput says that the seeds come from the standard input.
const fromInput = "-"

func (o *options) parseSeeds() error {
	if o.seeds == "" || o.seeds == fromInput {
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

func (o *options) parseMembers() error {
	if o.members == "" {
		o.members = "3"
		if o.soak != "" {
			o.members = "3,5"
		}
	}
	for text := range strings.SplitSeq(o.members, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%w: -members %q: want a number, or several such as 3,5", errUsage, o.members)
		}
		o.sizes = append(o.sizes, n)
	}
	for seed := range o.sizes {
		if _, err := o.config(uint64(seed)); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
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
	cfg.Seed, cfg.Members, cfg.Faults, cfg.NoChecks = seed, o.sizes[seed%uint64(len(o.sizes))], o.faults, o.noChecks
	cfg.Network, cfg.Mutant = network, o.mutant
	cfg.Workload.Rate = o.rate
	cfg.Workload.Users, cfg.Audits.Start = o.faults && seed%4 == 3, o.faults && seed%4 == 1
	if o.faults {
		cfg.FaultsFor = o.length
	}
	return cfg, cfg.Validate()
}
