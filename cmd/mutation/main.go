// Command mutation changes the core in many small ways, one at a time, and asks
// who sees it: the unit tests of the package, and the simulator, each alone.
//
//	mutation                                      a sample of every package, then a table
//	mutation -packages wal,watch -sample 150      of two packages, more of each
//	mutation -budget 8m                           stop after that long; the next call goes on
//	mutation -report                              only what is known already
//	mutation -only 'watch Hub.Sent'               those whose names begin so
//	mutation -list                                print what could be mutated
//
// # One build for all mutants
//
// The sources are rewritten once, aside, so that every mutant is in them and a
// number in the environment switches one on (package toggle): a < b becomes
// toggle.Less(17, a, b). Go's -overlay builds a test binary a package, and the
// simulator, from that; the working tree is not touched. A mutant then costs its
// run and no build, which is why this is not done with gremlins, that builds
// and links for each. Runs are deterministic where the judges are: what the clean
// run does not reach is not run with its mutant either.
//
// A mutant is killed when the tests fail, the simulator reports a violation, or
// either of them panics, takes too much memory, or uses five times the CPU that
// it does without a mutant, for all or for one test or seed. The sample is drawn by the hash of the mutants' names and
// -seed, so edits elsewhere do not change it.
//
// # What is left out
//
// Operators are listed in operators.go. They are not applied to
//
//   - generated files, tests, and files that a build tag leaves out;
//   - texts: calls of fmt and errors.New, the methods String, Error, Format, and
//     the type logger;
//   - what is told to the trace, and assertions: calls into core/trace and
//     core/invariant, events, functions that do nothing else or are named emit or
//     trace..., and what tells checkers how full things are (limits.Use);
//   - capacities: the last argument of make, slices.Grow, slices.Clip;
//   - bugs that are planted on purpose (mutant.On) and what hangs on them;
//   - constants that are returned beside an error;
//   - parts of larger constants (5*time.Second), whose next neighbour says nothing.
//
// # Results
//
// They are kept below -dir and used again: a kill for as long as the function
// that was mutated stays as it is, a survival for as long as the code and the
// tests do. explained.txt says of survivors why nobody can see them; an entry
// that fits no mutant any more, and one whose mutant was killed, are reported.
//
// Exit status: 0; 1 if more than -unexplained in a hundred of the sample survive
// without explanation; 2 for a command line or a build that is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	packages    string
	sample      int
	seed        uint64
	seeds       string
	length      time.Duration
	members     string
	jobs        int
	budget      time.Duration
	dir         string
	only        string
	judges      string
	fresh       bool
	list        bool
	report      bool
	markdown    bool
	unexplained float64

	root string
	out  io.Writer
}

func main() {
	status, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "mutation: %v\n", err)
	}
	os.Exit(status)
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("mutation", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.packages, "packages", "consensus,wal,driver,mvcc,watch,store", "packages of the core")
	f.IntVar(&o.sample, "sample", 120, "mutants of each package, 0 = all")
	f.Uint64Var(&o.seed, "seed", 1, "of the sample")
	f.StringVar(&o.seeds, "seeds", "1:80", "that the simulator runs for each mutant, first:last")
	f.DurationVar(&o.length, "for", 20*time.Second, "simulated time of each seed")
	f.StringVar(&o.members, "members", "3,5", "sizes of clusters; seeds take them in turn")
	f.IntVar(&o.jobs, "j", 2, "mutants that run at once")
	f.DurationVar(&o.budget, "budget", 0, "time after which no further mutant is begun, 0 = none")
	f.StringVar(&o.dir, "dir", "build/mutation", "where builds and results are kept")
	f.StringVar(&o.only, "only", "", "run only mutants whose names begin so")
	f.StringVar(&o.judges, "judges", "unit,sim", "who judges")
	f.BoolVar(&o.fresh, "fresh", false, "use no result of an earlier run")
	f.BoolVar(&o.list, "list", false, "print the names of all mutants and run nothing")
	f.BoolVar(&o.report, "report", false, "run nothing; tell what is known")
	f.BoolVar(&o.markdown, "md", false, "print the table in Markdown")
	f.Float64Var(&o.unexplained, "unexplained", 10, "how many in a hundred may survive without explanation")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	for judge := range strings.SplitSeq(o.judges, ",") {
		if judge != judgeUnit && judge != judgeSim {
			return nil, fmt.Errorf("-judges: there is no judge %q, only %s and %s", judge, judgeUnit, judgeSim)
		}
	}
	return o, nil
}

func run(args []string, stdout, stderr io.Writer) (int, error) {
	o, err := parse(args, stderr)
	if err != nil {
		return 2, err
	}
	o.out = stdout
	if o.root, err = os.Getwd(); err != nil {
		return 2, err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return 2, err
	}
	b, err := plan(o)
	if err != nil {
		return 2, err
	}
	if o.list {
		for _, m := range b.mutants {
			fmt.Fprintf(stdout, "%6d %s:%d %s\n", m.Number, filepath.Base(m.File), m.Line, m.key())
		}
		return 0, nil
	}
	known, err := openResults(filepath.Join(o.dir, "results.jsonl"), o.fresh)
	if err != nil {
		return 2, err
	}
	defer known.close()
	sample := b.sample(o)
	if !o.report {
		if err := b.build(); err != nil {
			return 2, err
		}
		if err := b.judge(sample, known); err != nil {
			return 2, err
		}
	}
	explained, err := readExplained(filepath.Join(o.root, "cmd/mutation/explained.txt"))
	if err != nil {
		return 2, err
	}
	r := newReport(b, sample, known, explained)
	r.print(stdout, o.markdown)
	if r.unexplainedShare() > o.unexplained {
		return 1, nil
	}
	return 0, nil
}

func (o *options) names() []string { return strings.Split(o.packages, ",") }
