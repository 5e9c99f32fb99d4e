package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Leases: the latency of puts on a server that holds many leases. Each server runs alone, since a million leases take
// memory: puts while it is quiet; then beside all leases and keep-alives at a fixed rate; then while a tenth of the
// leases runs out within a second or two.

const (
	putClients   = 10
	keepAlives   = 10_000 // a second
	longTTL      = 3600   // s
	expiresAfter = 40     // s, from when the first of those that run out is granted
)

// state is a server in one of its states.
type state struct {
	name string
	r    round
	rss  int64 // bytes, of all members, at its end
}

func runLeases(o options) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%d member(s), %d leases, %d keep-alives a second, %d leases run out at once\n", o.members, o.leases,
		keepAlives, o.leases/10)
	fmt.Fprintln(out, "server\tstate\tputs/s\tp50\tp99\tp99 to quiet\tCPU\tRSS\t")
	for _, k := range []kind{{name: "etcd", program: "etcd"}, {name: "vitrine", program: "vitrine"}} {
		states, err := leaseStates(k, o)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		for _, s := range states {
			fmt.Fprintf(out, "%s\t%s\t%.0f\t%.0f us\t%.0f us\t%.2fx\t%.1f us/put\t%d MiB\t\n", k.name, s.name, s.r.rate, s.r.p50,
				s.r.p99, s.r.p99/states[0].r.p99, s.r.cpu, s.rss>>20)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func leaseStates(k kind, o options) (states []state, err error) {
	dir, err := os.MkdirTemp("", "vitrine-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := start(k, dir, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o.clients = putClients
	note := func(name string, during time.Duration) error {
		o.duration = during
		r, err := s.measure("put", o)
		states = append(states, state{name, r, s.rss()})
		return err
	}
	if err := note("quiet", 5*time.Second); err != nil {
		return nil, err
	}
	begin := time.Now()
	ids, err := s.grant(o.leases*9/10, func() int64 { return longTTL })
	if err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%s: %.0f grants a second\n", k.name, float64(len(ids))/time.Since(begin).Seconds())
	renewals, err := s.keepAlive(ids)
	if err != nil {
		return nil, fmt.Errorf("keep alive: %w", err)
	}
	err = note("leases and keep-alives", 10*time.Second)
	renewals.stop()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%s: %.0f keep-alives a second\n", k.name, float64(renewals.answers.Load())/10)
	// Those granted later get less time, so that all run out at one moment.
	begin = time.Now()
	ends := begin.Add(expiresAfter * time.Second)
	ttl := func() int64 { return max(1, int64(time.Until(ends).Round(time.Second)/time.Second)) }
	if _, err = s.grant(o.leases/10, ttl); err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	if left := time.Until(ends); left < 2*time.Second {
		return nil, fmt.Errorf("granting took too long: %v", time.Since(begin))
	}
	time.Sleep(time.Until(ends.Add(-2 * time.Second)))
	return states, note("a tenth runs out", 10*time.Second)
}

// grant makes n leases, over all connections.
func (s *server) grant(n int, ttl func() int64) (ids []clientv3.LeaseID, err error) {
	const workers = 200
	var wait sync.WaitGroup
	var next atomic.Int64
	all, errs := make([][]clientv3.LeaseID, workers), make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			c := s.clients[w%len(s.clients)]
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				r, err := c.Grant(context.Background(), ttl())
				if err != nil {
					errs[w] = err
					return
				}
				all[w] = append(all[w], r.ID)
			}
		})
	}
	wait.Wait()
	return slices.Concat(all...), errors.Join(errs...)
}

// renewals are keep-alives on their way, at keepAlives a second.
type renewals struct {
	answers atomic.Int64
	wait    sync.WaitGroup
	cancel  context.CancelFunc
}

// keepAlive renews leases, on all connections, until the renewals are stopped.
func (s *server) keepAlive(ids []clientv3.LeaseID) (*renewals, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &renewals{cancel: cancel}
	for i, c := range s.clients {
		stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
		if err != nil {
			r.stop()
			return nil, err
		}
		mine := ids[i*len(ids)/len(s.clients) : (i+1)*len(ids)/len(s.clients)]
		r.wait.Go(func() { ask(ctx, stream, mine, keepAlives/len(s.clients)) })
		r.wait.Go(func() {
			for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
				r.answers.Add(1)
			}
		})
	}
	return r, nil
}

func (r *renewals) stop() {
	r.cancel()
	r.wait.Wait()
}

// ask sends so many keep-alives a second, for one lease after another.
func ask(ctx context.Context, stream pb.Lease_LeaseKeepAliveClient, ids []clientv3.LeaseID, rate int) {
	const pace = 10 * time.Millisecond
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for at := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range rate / int(time.Second/pace) {
			if stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(ids[at%len(ids)])}) != nil {
				return
			}
			at++
		}
	}
}

// rss is the memory of all members.
func (s *server) rss() (sum int64) {
	for _, m := range s.members {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.Process.Pid))
		for _, line := range strings.Split(string(data), "\n") {
			var kib int64
			if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
				sum += kib << 10
			}
		}
	}
	return sum
}
