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
	ids, err := s.grant(o.leases*9/10, func(int) int64 { return longTTL })
	if err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%s: %.0f grants a second\n", k.name, float64(len(ids))/time.Since(begin).Seconds())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	beat, err := s.keepAlive(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("keep alive: %w", err)
	}
	if err := note("leases and keep-alives", 10*time.Second); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%s: %.0f keep-alives a second\n", k.name, float64(beat.Load())/10)
	cancel()
	// Those granted later get less time, so that all run out at one moment.
	begin = time.Now()
	ends := begin.Add(expiresAfter * time.Second)
	ttl := func(int) int64 { return max(1, int64(time.Until(ends).Round(time.Second)/time.Second)) }
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
func (s *server) grant(n int, ttl func(i int) int64) (ids []clientv3.LeaseID, err error) {
	const workers = 200
	var wait sync.WaitGroup
	var next atomic.Int64
	all, errs := make([][]clientv3.LeaseID, workers), make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			c := s.clients[w%len(s.clients)]
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				r, err := c.Grant(context.Background(), ttl(int(i)))
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

// keepAlive renews leases at keepAlives a second until ctx is over, and counts the answers.
func (s *server) keepAlive(ctx context.Context, ids []clientv3.LeaseID) (*atomic.Int64, error) {
	const pace = 10 * time.Millisecond
	answers := new(atomic.Int64)
	for i, c := range s.clients {
		mine := ids[i*len(ids)/len(s.clients) : (i+1)*len(ids)/len(s.clients)]
		stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
		if err != nil {
			return nil, err
		}
		go func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for at := 0; ; {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				for range keepAlives / len(s.clients) / int(time.Second/pace) {
					if stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(mine[at%len(mine)])}) != nil {
						return
					}
					at++
				}
			}
		}()
		go func() {
			for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
				answers.Add(1)
			}
		}()
	}
	return answers, nil
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
