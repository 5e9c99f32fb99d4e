// Command cluster runs a cluster of three members on this machine, each in a process
// of its own, until it is interrupted:
//
//	go run ./cmd/cluster -bin bin/vitrine -dir build/cluster
//
//	name     client                   peer
//	infra1   http://127.0.0.1:2379    http://127.0.0.1:12380
//	infra2   http://127.0.0.1:22379   http://127.0.0.1:22380
//	infra3   http://127.0.0.1:32379   http://127.0.0.1:32380
//
// Every line of a member's log carries its name. A member that dies stays dead, as
// with the tool that etcd's own Procfile is for, so that one can kill one and watch;
// its command line is printed at the start, to bring it back by hand. What stands
// after -- is passed to every member. Data stays in the directory, and the next run
// goes on with it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

type member struct {
	name         string
	client, peer string
}

var members = []member{
	{"infra1", "http://127.0.0.1:2379", "http://127.0.0.1:12380"},
	{"infra2", "http://127.0.0.1:22379", "http://127.0.0.1:22380"},
	{"infra3", "http://127.0.0.1:32379", "http://127.0.0.1:32380"},
}

func main() {
	bin := flag.String("bin", "bin/vitrine", "the server")
	dir := flag.String("dir", "build/cluster", "where the members keep their data")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *dir, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run runs the members until ctx ends; that all of them have ended by themselves is an error.
func run(ctx context.Context, bin, dir string, extra []string, to *os.File) error {
	path, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w (make build makes it)", err)
	}
	out := &lines{to: to}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for i, m := range members {
		cmd := command(ctx, path, m, dir, extra)
		out.print(m.name, i, strings.Join(cmd.Args, " "))
		wg.Go(func() {
			err := supervise(cmd, out, m.name, i)
			if ctx.Err() == nil {
				mu.Lock()
				failed = append(failed, fmt.Errorf("%s has ended: %w", m.name, err))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if ctx.Err() == nil {
		return errors.Join(failed...)
	}
	return nil
}

// command is one member's process. It gets a group of its own, so that an interrupt
// typed at the terminal reaches it once, from here.
func command(ctx context.Context, bin string, m member, dir string, extra []string) *exec.Cmd {
	all := make([]string, len(members))
	for i, o := range members {
		all[i] = o.name + "=" + o.peer
	}
	args := append([]string{
		"--name", m.name, "--data-dir", filepath.Join(dir, m.name+".etcd"),
		"--listen-client-urls", m.client, "--advertise-client-urls", m.client,
		"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer,
		"--initial-cluster-token", "etcd-cluster-1", "--initial-cluster", strings.Join(all, ","), "--initial-cluster-state",
		"new",
	}, extra...)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// supervise runs a member and prints what it says.
func supervise(cmd *exec.Cmd, out *lines, name string, i int) error {
	pr, pw := io.Pipe()
	cmd.Stdout, cmd.Stderr = pw, pw
	if err := cmd.Start(); err != nil {
		return err
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		r := bufio.NewReader(pr)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				out.print(name, i, strings.TrimRight(line, "\n"))
			}
			if err != nil {
				return
			}
		}
	})
	err := cmd.Wait()
	pw.Close()
	reader.Wait()
	out.print(name, i, fmt.Sprintf("process %d: %s", cmd.Process.Pid, cmd.ProcessState))
	return err
}

// lines prints whole lines with the name of whoever said them, in a colour of its own.
type lines struct {
	mu sync.Mutex
	to *os.File
}

func (l *lines) print(name string, i int, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	colour, reset := "", ""
	if info, err := l.to.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" {
		colour, reset = fmt.Sprintf("\x1b[3%dm", i%6+1), "\x1b[0m"
	}
	fmt.Fprintf(l.to, "%s%s |%s %s\n", colour, name, reset, line)
}
