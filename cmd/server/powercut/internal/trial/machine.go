package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"vitrine/powercut/internal/disk"
	"vitrine/powercut/internal/mount"
)

// Server is a program to be tried, with what it needs besides the flags that all get.
type Server struct {
	Name string
	Bin  string
	Args []string
	Env  []string
}

// machine is a member with a disk of its own.
type machine struct {
	life   *life
	name   string
	client string // URL
	peer   string // URL
	log    *os.File

	disk    *disk.Disk // what the next boot finds
	boots   int
	boot    *mount.Boot
	killed  bool // the process, and the power is still on
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process has ended
	started time.Time
	logged  int64 // how long the log was then
}

// addresses returns loopback addresses that nobody listens on, below those that other tests of the project and
// outgoing connections take: an address stays ours while its server is down.
func addresses(r *rand.Rand, n int) (out []string, err error) {
	for range 10_000 {
		l, failed := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+r.IntN(10_000)))
		if failed != nil {
			err = failed
			continue
		}
		out = append(out, l.Addr().String())
		l.Close()
		if len(out) == n {
			return out, nil
		}
	}
	return nil, fmt.Errorf("trial: no free ports: %w", err)
}

// start switches the machine on, or starts the process again if only it has died.
func (m *machine) start(traps ...*mount.Trap) error {
	l := m.life
	if m.killed {
		m.killed = false
		m.boot.Restart()
	} else {
		m.boots++
		name := fmt.Sprintf("%s.%d.%d", m.name, l.number, m.boots)
		m.boot = l.fs.Boot(name, m.disk, mount.Options{SyncDelay: l.syncDelay, Lies: l.config.Lies})
	}
	for _, t := range traps {
		m.boot.Arm(t)
	}
	heartbeat, election := "20", "200" // milliseconds
	if len(l.machines) == 1 {
		heartbeat, election = "10", "50" // nobody else has to be waited for
	}
	args := append([]string{
		"--name", m.name, "--data-dir", filepath.Join(m.boot.Dir(), "data"),
		"--listen-client-urls", m.client, "--advertise-client-urls", m.client,
		"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer,
		"--initial-cluster", l.initial, "--initial-cluster-token", fmt.Sprint("life-", l.number),
		"--heartbeat-interval", heartbeat, "--election-timeout", election, "--log-level", "warn",
		"--snapshot-count", "60", "--snapshot-catchup-entries", "10", "--backend-batch-interval", "25ms",
		"--compaction-batch-limit", "40", "--compaction-sleep-interval", "2ms",
	}, l.config.Server.Args...)
	m.cmd = exec.Command(l.config.Server.Bin, args...)
	m.cmd.Env = append(os.Environ(), l.config.Server.Env...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // who interrupts the trial does not mean the servers
	m.logged, _ = m.log.Seek(0, io.SeekEnd)
	m.started = time.Now()
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // the log says why
		close(exited)
	}(m.cmd, m.exited)
	return nil
}

// down makes the machine dark: whatever runs there ends at once, and its disk is what crash leaves.
func (m *machine) down(why string, crash func(*disk.Disk) *disk.Disk) {
	m.boot.Cut(why)
	_ = m.cmd.Process.Kill() // it may have ended by itself
	m.boot.Release()
	<-m.exited
	m.life.fs.Do(func() { m.disk = crash(m.boot.Disk()) })
}

// kill ends the process, at the moment of a trap or now, and leaves the power on.
func (m *machine) kill() {
	m.bury()
	m.killed = true
}

// bury ends the process for good.
func (m *machine) bury() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	m.boot.Cut("by kill -9")
	_ = m.cmd.Process.Kill()
	m.boot.Release()
	<-m.exited
}

var (
	errExited = errors.New("the process has ended by itself")
	errCut    = errors.New("the power is gone")
)

// ready waits until the member serves.
func (m *machine) ready(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		select {
		case <-m.boot.Down():
			return errCut
		case <-m.exited:
			return fmt.Errorf("%w: %s", errExited, m.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("does not serve within %v: %s", timeout, m.lastWords())
		case <-time.After(3 * time.Millisecond):
		}
		if m.healthy(ctx) {
			return nil
		}
	}
}

func (m *machine) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.client+"/health", nil)
	if err != nil {
		return false
	}
	resp, err := m.life.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"true"`))
}

// lastWords is what the process has said of its end: the first line of a panic, else its last error.
func (m *machine) lastWords() string {
	data, err := os.ReadFile(m.log.Name())
	if err != nil {
		return err.Error()
	}
	grave := regexp.MustCompile(`"level":"(error|fatal|panic)"`)
	lines := strings.Split(strings.TrimSpace(string(data[min(m.logged, int64(len(data))):])), "\n")
	last := lines[len(lines)-1]
	for _, line := range lines {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "SIGBUS") {
			return line
		}
		if grave.MatchString(line) {
			last, _, _ = strings.Cut(line, `,"stacktrace"`)
		}
	}
	return last[:min(len(last), 600)]
}
