package toggle

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
)

// stackBytes bounds a recursion without end.
const stackBytes = 64 << 20

// start reads the environment. Limits are the process's own, so that a mutant
// that allocates or runs without end hurts nobody, however it is started.
func start() (uint32, []byte) {
	limit("VITRINE_MUTANT_CPU", syscall.RLIMIT_CPU)
	limit("VITRINE_MUTANT_MEMORY", syscall.RLIMIT_DATA)
	hits := reached()
	n := number("VITRINE_MUTANT")
	if n != 0 {
		debug.SetMaxStack(stackBytes)
	}
	return uint32(n), hits
}

func number(name string) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		fatal(fmt.Errorf("%s=%q is no number", name, text))
	}
	return n
}

func limit(name string, resource int) {
	if n := number(name); n != 0 {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
}

// reached maps the file of hits. It is shared memory, so that what was reached
// is known also of a process that does not end well.
func reached() []byte {
	name := os.Getenv("VITRINE_MUTANT_HITS")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		fatal(err)
	}
	hits, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		fatal(err)
	}
	return hits
}

func fatal(err error) {
	fmt.Fprintf(os.Stderr, "mutation: %v\n", err)
	os.Exit(2)
}
