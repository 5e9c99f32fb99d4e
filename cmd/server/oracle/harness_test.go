package oracle

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	build "vitrine/cmd/server/oracle/internal/binary"
)

// kind is which server a process runs.
type kind string

const (
	etcd    kind = "etcd"
	vitrine kind = "vitrine"
)

const (
	readyTimeout = 30 * time.Second // generous: the machine may be busy
	callTimeout  = 15 * time.Second
)

// binaries are built at most once in a run, and etcd's once a machine.
var binaries struct {
	sync.Mutex
	path map[string]string
}

// binary returns the path of etcd, etcdctl, etcdutl or vitrine.
func binary(t testing.TB, name string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path := binaries.path[name]; path != "" {
		return path
	}
	path, err := build.Path(name, scratch)
	if err != nil {
		t.Fatal(err)
	}
	if binaries.path == nil {
		binaries.path = map[string]string{}
	}
	binaries.path[name] = path
	return path
}

var scratch string // for what is built

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "vitrine-oracle"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// processes skips the tests that start servers when time is short, and lets two
// of them wait for their elections at once.
func processes(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
}

// member is a server process with a data directory, which outlives it.
type member struct {
	t      testing.TB
	kind   kind
	name   string
	dir    string // data directory
	client string // URL
	peer   string // URL
	args   []string
	tls    *tls.Config // how clients connect; nil: without TLS
	flags  []string    // the same, for etcdctl

	cmd    *exec.Cmd
	exited chan error
	log    *os.File
}

// ports counts through a range below the one from which systems take the ports
// of outgoing connections: an address stays ours while its server is down.
var ports = atomic.Int64{}

const firstPort, portCount = 20_000, 12_000

// freeAddresses returns loopback addresses that nobody listens on.
func freeAddresses(t testing.TB, n int) (out []string) {
	t.Helper()
	start := int64(os.Getpid()) * 61 // another run of these tests begins elsewhere
	for range portCount {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+(start+ports.Add(1))%portCount)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		if out = append(out, address); len(out) == n {
			return out
		}
	}
	t.Fatal("no free ports")
	return nil
}

// cluster describes members of one cluster; start starts them.
func cluster(t testing.TB, kinds []kind, args ...string) []*member {
	t.Helper()
	addresses := freeAddresses(t, 2*len(kinds))
	root := t.TempDir()
	var members []*member
	var initial []string
	for i, k := range kinds {
		m := &member{
			t: t, kind: k, name: fmt.Sprintf("m%d", i+1), args: args,
			client: "http://" + addresses[2*i], peer: "http://" + addresses[2*i+1],
		}
		m.dir = filepath.Join(root, m.name)
		members = append(members, m)
		initial = append(initial, m.name+"="+m.peer)
	}
	for _, m := range members {
		m.args = append([]string{"--initial-cluster", strings.Join(initial, ",")}, args...)
	}
	return members
}

// run starts a cluster of these kinds and waits until it serves.
func run(t testing.TB, kinds []kind, args ...string) []*member {
	t.Helper()
	members := cluster(t, kinds, args...)
	for _, m := range members {
		m.start()
	}
	start := time.Now()
	for _, m := range members {
		m.ready()
	}
	t.Logf("%d members ready in %v", len(members), time.Since(start).Round(time.Millisecond))
	return members
}

// start starts the process and does not wait for it.
func (m *member) start() {
	m.t.Helper()
	args := append([]string{
		"--name", m.name, "--data-dir", m.dir,
		"--listen-client-urls", m.client, "--advertise-client-urls", m.client,
		"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer,
		"--initial-cluster-token", "oracle",
	}, m.args...)
	if m.log == nil {
		log, err := os.Create(m.dir + ".log")
		if err != nil {
			m.t.Fatal(err)
		}
		m.log = log
		m.t.Cleanup(m.cleanup)
	}
	m.cmd = exec.Command(binary(m.t, string(m.kind)), args...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	cmd, exited := m.cmd, make(chan error, 1)
	m.exited = exited
	go func() { exited <- cmd.Wait() }()
}

// ready waits until the member answers that it is healthy, which takes a leader.
func (m *member) ready() {
	m.t.Helper()
	if err := m.waitReady(readyTimeout); err != nil {
		m.t.Fatalf("%s %s: %v\n%s", m.kind, m.name, err, m.tail(40))
	}
}

func (m *member) waitReady(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	transport := &http.Transport{TLSClientConfig: m.tls}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 2 * time.Second, Transport: transport}
	for {
		select {
		case err := <-m.exited:
			m.exited <- err
			return fmt.Errorf("exited: %v", err)
		default:
		}
		resp, err := client.Get(m.client + "/health")
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"true"`)) {
				return nil
			}
			err = fmt.Errorf("%s: %s", resp.Status, body)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill is kill -9; it returns when the process is gone.
func (m *member) kill() {
	m.t.Helper()
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		m.t.Fatal(err)
	}
	m.wait(10 * time.Second)
}

// stop asks the process to end, as an operator does.
func (m *member) stop() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	start := time.Now()
	m.wait(30 * time.Second)
	m.t.Logf("%s %s stopped in %v", m.kind, m.name, time.Since(start).Round(time.Millisecond))
}

func (m *member) wait(timeout time.Duration) {
	m.t.Helper()
	select {
	case err := <-m.exited:
		m.exited <- err
	case <-time.After(timeout):
		m.cmd.Process.Kill()
		m.t.Fatalf("%s %s does not exit\n%s", m.kind, m.name, m.tail(40))
	}
}

func (m *member) cleanup() {
	if m.cmd != nil && m.cmd.Process != nil {
		m.cmd.Process.Kill()
		<-m.exited
	}
	if m.t.Failed() {
		m.t.Logf("the end of the log of %s %s:\n%s", m.kind, m.name, m.tail(15))
	}
	m.log.Close()
}

// tail is the end of the member's log.
func (m *member) tail(lines int) string {
	data, err := os.ReadFile(m.log.Name())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = line[:min(len(line), 400)]
	}
	return strings.Join(all, "\n")
}

func endpoints(members []*member) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.client)
	}
	return out
}

// dial returns a client of the members.
func dial(t testing.TB, members ...*member) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints(members), DialTimeout: 5 * time.Second,
		Logger: zap.NewNop(), TLS: members[0].tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func call(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

// leader waits until all members agree on a leader, and returns it.
func leader(t testing.TB, members []*member) *member {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	var last error
	for time.Now().Before(deadline) {
		counts := map[uint64]int{}
		ids := map[uint64]*member{}
		for _, m := range members {
			status, err := m.status()
			if err != nil {
				last = err
				continue
			}
			counts[status.Leader]++
			ids[status.Header.MemberId] = m
		}
		for id, n := range counts {
			if n == len(members) && ids[id] != nil {
				return ids[id]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no leader that all agree on: %v", last)
	return nil
}

func (m *member) status() (*clientv3.StatusResponse, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.client}, DialTimeout: time.Second, Logger: zap.NewNop(),
		TLS: m.tls})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Status(ctx, m.client)
}

// fingerprint is the revision and hash of a member's keys.
type fingerprint struct {
	Revision int64
	Compact  int64
	Hash     uint32
}

func (m *member) fingerprint(rev int64) (fingerprint, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.client}, DialTimeout: 2 * time.Second,
		Logger: zap.NewNop(), TLS: m.tls})
	if err != nil {
		return fingerprint{}, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	resp, err := c.HashKV(ctx, m.client, rev)
	if err != nil {
		return fingerprint{}, err
	}
	return fingerprint{resp.Header.Revision, resp.CompactRevision, resp.Hash}, nil
}

// agree waits until all members have one revision and hash, and returns them.
func agree(t testing.TB, members []*member) fingerprint {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for {
		var prints []fingerprint
		var err error
		for _, m := range members {
			var f fingerprint
			if f, err = m.fingerprint(0); err != nil {
				break
			}
			prints = append(prints, f)
		}
		same := err == nil
		for _, f := range prints {
			same = same && f == prints[0]
		}
		if same {
			return prints[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("members do not agree: %+v, %v", prints, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// output is what a command said.
type output struct {
	Stdout, Stderr string
	Code           int
}

// ctl runs etcdctl against the members, of which none may have died.
func ctl(t testing.TB, members []*member, stdin string, args ...string) output {
	t.Helper()
	for _, m := range members {
		select {
		case err := <-m.exited:
			m.exited <- err
			t.Fatalf("%s %s has exited: %v", m.kind, m.name, err)
		default:
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	args = slices.Concat([]string{"--endpoints", strings.Join(endpoints(members), ",")}, members[0].flags, args)
	return command(t, exec.CommandContext(ctx, binary(t, "etcdctl"), args...), stdin)
}

func command(t testing.TB, cmd *exec.Cmd, stdin string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
