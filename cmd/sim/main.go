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
//	sim -mutants                               plants every known bug and sees that it is found
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

	"vitrine/core/replay"
)

// commit is set by the build.
var commit = "unknown"

func main() {
	debug.SetGCPercent(800) // a world is small and makes much garbage
	debug.SetMemoryLimit(512 << 20)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sim: %v\nsim -h tells what there is\n", err)
		return 2
	case o.version:
		fmt.Fprintf(stdout, "vitrine sim %d (%s)\n", replay.Version, commit)
		return 0
	}
	stop, err := startProfile(o.profile)
	if err != nil {
		fmt.Fprintf(stderr, "sim: %v\n", err)
		return 2
	}
	defer stop()
	p := &program{options: o, stdin: stdin, stdout: stdout, stderr: stderr}
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
