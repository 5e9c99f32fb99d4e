package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Defragmentation: how long puts wait while a database is rewritten. Each server runs alone.

// chunk is the size of the values that fill the database.
const chunk = 1 << 20

func runDefrag(o options) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%d member(s), a database of %d MiB is defragmented\n", o.members, o.defrag>>20)
	fmt.Fprintln(out, "server\tdefragment took\tlongest put before\tlongest put beside it\tputs that failed\t")
	for _, k := range []kind{
		{name: "etcd", program: "etcd", flags: []string{"--quota-backend-bytes=8000000000"}},
		{name: "vitrine", program: "vitrine", flags: []string{"--quota-backend-bytes=8000000000"}},
	} {
		r, err := measureDefrag(k, o)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Fprintf(out, "%s\t%v\t%v\t%v\t%d\t\n", k.name, r.took.Round(time.Millisecond), r.quiet.Round(time.Millisecond),
			r.beside.Round(time.Millisecond), r.failed)
	}
	return out.Flush()
}

// rewriting is what a defragmentation did to puts.
type rewriting struct {
	took, quiet, beside time.Duration
	failed              int
}

func measureDefrag(k kind, o options) (r rewriting, err error) {
	dir, err := os.MkdirTemp("", "vitrine-bench")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	s, err := start(k, dir, o)
	if err != nil {
		return r, err
	}
	defer s.stop()
	value, ctx := strings.Repeat("v", chunk), context.Background()
	for i := range o.defrag / chunk {
		if _, err := s.clients[0].Put(ctx, fmt.Sprintf("key-large-%06d", i), value); err != nil {
			return r, err
		}
	}
	if r.quiet, _, err = s.longest(5 * time.Second); err != nil {
		return r, err
	}
	var wait sync.WaitGroup
	done := make(chan struct{})
	wait.Go(func() {
		defer close(done)
		begin := time.Now()
		_, err = s.clients[0].Defragment(ctx, s.clients[0].Endpoints()[0])
		r.took = time.Since(begin)
	})
	for over := false; !over; {
		longest, failed, _ := s.longest(200 * time.Millisecond)
		r.beside, r.failed = max(r.beside, longest), r.failed+failed
		select {
		case <-done:
			over = true
		default:
		}
	}
	wait.Wait()
	return r, err
}

// longest puts for a while, one after another on each connection, and tells how long the slowest took.
func (s *server) longest(during time.Duration) (longest time.Duration, failed int, err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	deadline := time.Now().Add(during)
	for i, c := range s.clients {
		wait.Go(func() {
			for start := time.Now(); start.Before(deadline); start = time.Now() {
				e := put(c, fmt.Sprintf("key-small-%d", i))
				mu.Lock()
				longest = max(longest, time.Since(start))
				if e != nil {
					failed, err = failed+1, e
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return longest, failed, err
}

func put(c *clientv3.Client, key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := c.Put(ctx, key, "small")
	return err
}
