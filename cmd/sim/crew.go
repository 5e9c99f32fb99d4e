//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// hand is a process that runs one seed after another. Worlds that run side by
// side need a process each, because raft draws from a variable of the process;
// and one that lives on spares the next seed the cost of fresh memory.
type hand struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// maxLine bounds what a hand says of one run, in bytes.
const maxLine = 16 << 20

// workers is how many processes run seeds.
func (p *program) workers() int {
	n := p.jobs
	if n == 0 {
		n = runtime.NumCPU()
	}
	if seeds := p.last - p.first; seeds < uint64(n) {
		n = int(seeds) + 1
	}
	return n
}

// hire starts a hand that runs seeds as this program was told to.
func (p *program) hire() (*hand, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &hand{cmd: exec.Command(self,
		"-seeds", "-", "-json", "-j", "1", "-for", p.length.String(), "-members", p.members, "-mutant", p.mutant, "-network", p.network, "-o", p.out,
		"-rate", strconv.FormatFloat(p.rate, 'g', -1, 64), "-faults="+strconv.FormatBool(p.faults), "-nochecks="+strconv.FormatBool(p.noChecks),
	)}
	h.cmd.Stderr = p.stderr
	h.cmd.SysProcAttr = apart()
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out = bufio.NewScanner(out)
	h.out.Buffer(nil, maxLine)
	return h, h.cmd.Start()
}

// apart keeps an interrupt at the keyboard from a process: it is for the one
// that people started, and what runs may end.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// run runs one seed.
func (h *hand) run(seed uint64) (*result, error) {
	if _, err := fmt.Fprintln(h.in, seed); err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	if !h.out.Scan() {
		err := h.out.Err()
		if err == nil {
			err = h.cmd.Wait()
		}
		return nil, fmt.Errorf("seed %d: the process that ran it is gone: %w", seed, err)
	}
	r := new(result)
	if err := json.Unmarshal(h.out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	return r, nil
}

// dismiss ends the process when it has nothing to do. It has told of violations
// already; that its status tells of them too is no failure.
func (h *hand) dismiss() error {
	if err := h.in.Close(); err != nil {
		return err
	}
	err := h.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil
	}
	return err
}

// crew hires as many hands as there are jobs and has them run seeds for as long as
// take gives any; got hears of each result. After an error stop is called, which
// lets what runs end.
func (p *program) crew(jobs int, take func() (seed uint64, ok bool), got func(*result) error, stop func()) error {
	errs := make([]error, jobs)
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() {
			if errs[i] = p.work(take, got); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// work has one hand run seeds.
func (p *program) work(take func() (seed uint64, ok bool), got func(*result) error) error {
	h, err := p.hire()
	if err != nil {
		return err
	}
	for seed, ok := take(); ok; seed, ok = take() {
		r, err := h.run(seed)
		if err != nil {
			return err
		}
		if err := got(r); err != nil {
			return err
		}
	}
	return h.dismiss()
}
