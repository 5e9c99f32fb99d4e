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
	"strconv"
	"syscall"
)

// worker is a process that runs one seed after another. Worlds that run side by side need a process each, because raft
// draws from a variable of the process; and one that lives on spares the next seed the cost of fresh memory.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// maxLine bounds what a worker says of one run, in bytes.
const maxLine = 16 << 20

// startWorker starts a process that runs seeds as this program was told to.
func (p *program) startWorker() (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(self,
		"-seeds", "-", "-json", "-j", "1", "-for", p.length.String(), "-members", p.members, "-mutant", p.mutant,
		"-network", p.network, "-o", p.out,
		"-rate", strconv.FormatFloat(p.rate, 'g', -1, 64), "-faults="+strconv.FormatBool(p.faults),
		"-nochecks="+strconv.FormatBool(p.noChecks),
	)}
	w.cmd.Stderr = p.stderr
	w.cmd.SysProcAttr = apart()
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewScanner(out)
	w.out.Buffer(nil, maxLine)
	return w, w.cmd.Start()
}

// apart keeps an interrupt at the keyboard from a process: it is for the one
// that people started, and what runs may end.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// run runs one seed.
func (w *worker) run(seed uint64) (*result, error) {
	if _, err := fmt.Fprintln(w.in, seed); err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	if !w.out.Scan() {
		err := w.out.Err()
		if err == nil {
			err = w.cmd.Wait()
		}
		return nil, fmt.Errorf("seed %d: the process that ran it is gone: %w", seed, err)
	}
	r := new(result)
	if err := json.Unmarshal(w.out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	return r, nil
}

// stop ends the process when it has nothing to do. It has told of violations
// already; that its status tells of them too is no failure.
func (w *worker) stop() error {
	if err := w.in.Close(); err != nil {
		return err
	}
	err := w.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil
	}
	return err
}

// runSeeds has that many workers run seeds for as long as take gives any; got hears of each result. After an error stop
// is called, which lets what runs end.
func (p *program) runSeeds(jobs int, take func() (seed uint64, ok bool), got func(*result) error, stop func()) error {
	return sideBySide(jobs, func() error {
		w, err := p.startWorker()
		if err != nil {
			return err
		}
		for seed, ok := take(); ok; seed, ok = take() {
			r, err := w.run(seed)
			if err != nil {
				return err
			}
			if err := got(r); err != nil {
				return err
			}
		}
		return w.stop()
	}, stop)
}
