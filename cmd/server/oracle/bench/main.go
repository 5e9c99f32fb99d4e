// Command bench compares the throughput of vitrine with etcd's: one member
// each, or more, all running on this machine at the same time, loaded in turns,
// many rounds, medians: of each server's figures, and of the ratios of two rounds
// that followed one another. Read the ratios, not the figures.
//
//	go run ./bench                              puts and linearizable gets
//	go run ./bench -rounds 9 -clients 1 -load put
//	go run ./bench -members 3
//	go run ./bench -tls -auth                   the same over TLS, and as a user with a password
//	go run ./bench -leases 1000000              puts beside so many leases: see leases.go
//	go run ./bench -defrag 1073741824           puts beside a defragmentation: see defrag.go
//	go run ./bench -recorder 16000000           vitrine with its flight recorder, beside one without
//
// CPU is the servers' own, user and system, from /proc (Linux only), divided by
// the operations of the round: the steadiest of the measures here, since the
// clients, which run on the same cores, cost more than either server.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"vitrine/cmd/server/oracle/internal/binary"
)

type options struct {
	members, rounds, clients, conns, keys, valueBytes int
	recorder, leases, defrag                          int
	tls, auth                                         bool
	duration                                          time.Duration
	loads                                             string
}

func main() {
	var o options
	flag.IntVar(&o.members, "members", 1, "members of each cluster")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds of each load on each server")
	flag.IntVar(&o.clients, "clients", 100, "concurrent clients")
	flag.IntVar(&o.conns, "conns", 10, "connections that the clients share")
	flag.IntVar(&o.keys, "keys", 10_000, "different keys")
	flag.IntVar(&o.valueBytes, "value-bytes", 256, "size of a value")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "length of a round")
	flag.StringVar(&o.loads, "load", "put,get", "loads: put, get (linearizable), serializable")
	flag.IntVar(&o.recorder, "recorder", 0,
		"compare vitrine with one that records in so many bytes, instead of etcd with vitrine")
	flag.BoolVar(&o.tls, "tls", false, "clients and members talk over TLS")
	flag.BoolVar(&o.auth, "auth", false, "authentication is on, and a user with a role for the keys asks")
	flag.IntVar(&o.leases, "leases", 0, "measure puts beside so many leases, instead of the loads")
	flag.IntVar(&o.defrag, "defrag", 0, "defragment a database of so many bytes beside puts, instead of the loads")
	flag.Parse()
	run := run
	switch {
	case o.leases > 0:
		run = runLeases
	case o.defrag > 0:
		run = runDefrag
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "vitrine-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var servers []*server
	kinds := []kind{{name: "etcd", program: "etcd"}, {name: "vitrine", program: "vitrine"}}
	if o.recorder > 0 {
		kinds = []kind{{name: "off", program: "vitrine"},
			{name: "recording", program: "vitrine", flags: []string{fmt.Sprint("--flight-recorder-bytes=", o.recorder)}}}
	}
	for _, k := range kinds {
		s, err := start(k, dir, o)
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	fmt.Printf("%d member(s), %d clients on %d connections, %d rounds of %v, %d keys, values of %d bytes\n", o.members,
		o.clients, o.conns, o.rounds, o.duration, o.keys, o.valueBytes)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "load\t\tops/s\tp50\tp99\tCPU/op\t")
	for _, load := range strings.Split(o.loads, ",") {
		results := map[*server][]round{}
		for i := range o.rounds {
			order := slices.Clone(servers)
			if i%2 == 1 {
				slices.Reverse(order)
			}
			for _, s := range order {
				r, err := s.measure(load, o)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", load, s.name, err)
				}
				results[s] = append(results[s], r)
			}
		}
		report(out, load, servers, results)
	}
	return out.Flush()
}

// round is what one server did under one load.
type round struct {
	rate     float64 // operations a second
	p50, p99 float64 // microseconds
	cpu      float64 // microseconds of the server's CPU an operation
}

func report(out io.Writer, load string, servers []*server, results map[*server][]round) {
	first, second := results[servers[0]], results[servers[1]]
	fields := []func(round) float64{
		func(r round) float64 { return r.rate }, func(r round) float64 { return r.p50 },
		func(r round) float64 { return r.p99 }, func(r round) float64 { return r.cpu },
	}
	line := func(name string, rounds []round) {
		fmt.Fprintf(out, "%s\t%s\t%.0f\t%.0f us\t%.0f us\t%.1f us\t\n", load, name,
			median(rounds, fields[0]), median(rounds, fields[1]), median(rounds, fields[2]), median(rounds, fields[3]))
	}
	line(servers[0].name, first)
	line(servers[1].name, second)
	fmt.Fprintf(out, "%s\tratio", load)
	for _, f := range fields {
		fmt.Fprintf(out, "\t%.2fx", medianRatio(second, first, f))
	}
	fmt.Fprintln(out, "\t")
}

// medianRatio is that of rounds that followed one another, so that a machine which changes its speed from minute to
// minute weighs on both sides alike.
func medianRatio(over, under []round, f func(round) float64) float64 {
	var all []float64
	for i, r := range over {
		all = append(all, f(r)/f(under[i]))
	}
	return middle(all)
}

func median(rounds []round, f func(round) float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, f(r))
	}
	return middle(all)
}

func middle(all []float64) float64 {
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// server is a running cluster and the connections to it.
type server struct {
	name    string
	members []*exec.Cmd
	clients []*clientv3.Client
}

// kind is one side of the comparison.
type kind struct {
	name, program string
	flags         []string
}

func start(k kind, dir string, o options) (_ *server, err error) {
	path, err := binary.Path(k.program, dir)
	if err != nil {
		return nil, err
	}
	name := k.name
	s := &server{name: name}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	urls, err := freeURLs(2*o.members, o.scheme())
	if err != nil {
		return nil, err
	}
	clients, peers := urls[:o.members], urls[o.members:]
	flags := slices.Clone(k.flags)
	if o.tls {
		flags = append(flags, "--auto-tls", "--peer-auto-tls")
	}
	var initial []string
	for i, url := range peers {
		initial = append(initial, fmt.Sprintf("m%d=%s", i, url))
	}
	for i := range o.members {
		member := fmt.Sprintf("m%d", i)
		log, err := os.Create(filepath.Join(dir, name+member+".log"))
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(path, append(slices.Clone(flags), "--name", member, "--data-dir",
			filepath.Join(dir, name+member),
			"--listen-client-urls", clients[i], "--advertise-client-urls", clients[i], "--listen-peer-urls", peers[i],
			"--initial-advertise-peer-urls", peers[i], "--initial-cluster", strings.Join(initial, ","), "--log-level",
			"warn")...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		s.members = append(s.members, cmd)
	}
	for _, url := range clients {
		if err := ready(url); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if o.auth {
		if err := protect(clients[0]); err != nil {
			return nil, err
		}
	}
	for i := range o.conns { // each to one member, in turn
		c, err := clientv3.New(o.client(clients[i%len(clients)]))
		if err != nil {
			return nil, err
		}
		s.clients = append(s.clients, c)
	}
	return s, nil
}

func (o *options) scheme() string {
	if o.tls {
		return "https"
	}
	return "http"
}

// insecure trusts whatever the server shows: its certificate is of its own making.
var insecure = &tls.Config{InsecureSkipVerify: true}

// client is how a client reaches a member.
func (o *options) client(url string) clientv3.Config {
	c := clientv3.Config{Endpoints: []string{url}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()}
	if o.tls {
		c.TLS = insecure
	}
	if o.auth {
		c.Username, c.Password = "bench", "bench"
	}
	return c
}

// protect makes a user who may read and write the keys, and then asks everybody who he is.
func protect(url string) error {
	o := options{tls: strings.HasPrefix(url, "https")}
	c, err := clientv3.New(o.client(url))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, do := range []func() error{
		func() error { _, err := c.UserAdd(ctx, "root", "root"); return err },
		func() error { _, err := c.RoleAdd(ctx, "root"); return err },
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.UserAdd(ctx, "bench", "bench"); return err },
		func() error { _, err := c.RoleAdd(ctx, "keys"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "keys", "key", clientv3.GetPrefixRangeEnd("key"),
				clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := c.UserGrantRole(ctx, "bench", "keys"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			return fmt.Errorf("users: %w", err)
		}
	}
	return nil
}

// freeURLs returns n different ports of loopback: each is held until all are known.
func freeURLs(n int, scheme string) (urls []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		urls = append(urls, scheme+"://"+l.Addr().String())
	}
	return urls, nil
}

func ready(url string) error {
	web := http.Client{Transport: &http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true}}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := web.Get(url + "/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("health: %s", resp.Status)
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

func (s *server) stop() {
	for _, c := range s.clients {
		c.Close()
	}
	for _, m := range s.members {
		m.Process.Kill()
		m.Wait()
	}
}

// measure loads the server for a round. Calls that begin in it count.
func (s *server) measure(load string, o options) (round, error) {
	ctx := context.Background()
	var (
		wait     sync.WaitGroup
		failed   atomic.Pointer[error]
		took     = make([][]time.Duration, o.clients)
		before   = s.cpu()
		begin    = time.Now()
		deadline = begin.Add(o.duration)
	)
	for i := range o.clients {
		wait.Go(func() {
			c, r := s.clients[i%len(s.clients)], rand.New(rand.NewPCG(uint64(i), 1))
			value := strings.Repeat("v", o.valueBytes)
			for start := time.Now(); start.Before(deadline); start = time.Now() {
				if err := operation(ctx, c, load, fmt.Sprintf("key%08d", r.IntN(o.keys)), value); err != nil {
					failed.Store(&err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wait.Wait()
	elapsed, used := time.Since(begin), s.cpu()-before
	if err := failed.Load(); err != nil {
		return round{}, *err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Nanoseconds()) / 1e3 }
	return round{
		rate: float64(len(all)) / elapsed.Seconds(), p50: at(0.5), p99: at(0.99),
		cpu: used.Seconds() * 1e6 / float64(len(all)),
	}, nil
}

func operation(ctx context.Context, c *clientv3.Client, load, key, value string) (err error) {
	switch load {
	case "put":
		_, err = c.Put(ctx, key, value)
	case "get":
		_, err = c.Get(ctx, key)
	case "serializable":
		_, err = c.Get(ctx, key, clientv3.WithSerializable())
	default:
		err = fmt.Errorf("unknown load %q", load)
	}
	return err
}

// clockTick is the unit of /proc/*/stat: sysconf(_SC_CLK_TCK) is 100 on Linux.
const clockTick = 10 * time.Millisecond

// cpu is the time that the processes have spent in user and system mode.
func (s *server) cpu() (sum time.Duration) {
	for _, m := range s.members {
		sum += cpuOf(m.Process.Pid)
	}
	return sum
}

func cpuOf(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field, the name in parentheses, may hold spaces.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}
