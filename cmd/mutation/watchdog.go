package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// pollEvery is how often a process is looked at.
	pollEvery = 100 * time.Millisecond
	// tick is the unit of CPU time in /proc.
	tick = 10 * time.Millisecond
)

// watchdog collects what a process prints, and ends it when it has used more CPU
// than allowed since its last line: a seed, or a test, that does not end.
// Real time would punish a mutant for what else the machine does.
type watchdog struct {
	mu      sync.Mutex
	out     bytes.Buffer
	pid     int
	allowed time.Duration // between two lines, 0 = as long as it takes
	last    time.Duration // CPU at the last line
	longest time.Duration // between two lines, so far
	bitten  bool
}

// Write implements io.Writer for the process's output.
func (w *watchdog) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silence()
	w.last, _ = cpuOf(w.pid)
	return w.out.Write(p)
}

// silence is how much CPU has gone since the last line.
func (w *watchdog) silence() time.Duration {
	now, err := cpuOf(w.pid)
	if err != nil {
		return 0
	}
	w.longest = max(w.longest, now-w.last)
	return now - w.last
}

// watch runs a process that has been made ready.
func (w *watchdog) watch(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = w, w
	w.mu.Lock() // its first line waits until its number is known
	err := cmd.Start()
	if err == nil {
		w.pid = cmd.Process.Pid
	}
	w.mu.Unlock()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	var waiter sync.WaitGroup
	defer waiter.Wait() // it has ended when something is received
	waiter.Go(func() { ended <- cmd.Wait() })
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-poll.C:
			w.mu.Lock()
			if s := w.silence(); w.allowed > 0 && s > w.allowed && !w.bitten {
				w.bitten = true
				_ = cmd.Process.Kill() // it may just have ended by itself
			}
			w.mu.Unlock()
		}
	}
}

func (w *watchdog) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

// cpuOf is the CPU time that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may hold anything but ends with the last bracket: state is field 3, utime 14, stime 15.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat: %q, %q", pid, fields[11], fields[12])
	}
	return time.Duration(user+system) * tick, nil
}
