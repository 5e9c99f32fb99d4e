package relay

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/zap"
)

// echo says its name to whoever calls, and then what it hears.
func echo(t *testing.T, name string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, name)
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l
}

func serve(t *testing.T, r *Relay) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve(l) }()
	t.Cleanup(func() {
		r.Close()
		if err := <-done; err == nil {
			t.Error("it ended without a reason")
		}
	})
	return l.Addr().String()
}

// who answers at an address; "-" is nobody.
func who(t *testing.T, address string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil {
		return "-"
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, 5)
	if _, err := io.ReadFull(c, heard); err != nil || string(heard) != "hello" {
		t.Errorf("heard %q (%v)", heard, err)
	}
	return string(b)
}

func TestInTurnAndAround(t *testing.T) {
	a, b := echo(t, "a"), echo(t, "b")
	address := serve(t, New([]Endpoint{{Address: a.Addr().String()}, {Address: b.Addr().String()}}, 20*time.Millisecond,
		zap.NewNop()))
	seen := map[string]int{}
	for range 10 {
		seen[who(t, address)]++
	}
	if seen["a"] != 5 || seen["b"] != 5 {
		t.Errorf("%v", seen)
	}
	a.Close()
	for range 4 {
		if got := who(t, address); got != "b" {
			t.Errorf("%s answers", got)
		}
	}
	b.Close()
	if got := who(t, address); got != "-" {
		t.Errorf("%s answers", got)
	}
	again := relisten(t, b.Addr().String())
	defer again.Close()
	go func() {
		for {
			c, err := again.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "c")
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); who(t, address) != "c"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an endpoint that is back is not tried")
		}
	}
}

func TestPick(t *testing.T) {
	r := New([]Endpoint{{Address: "far", Priority: 2}, {Address: "light", Priority: 1, Weight: 1},
		{Address: "heavy", Priority: 1, Weight: 3}, {Address: "none", Priority: 1}}, time.Minute, zap.NewNop())
	defer r.Close()
	next := 0
	r.draw = func(n int) int {
		if n == 100 {
			return 50
		}
		next++
		return next % n
	}
	seen := map[string]int{}
	for range 8 {
		seen[r.pick().Address]++
	}
	if seen["light"] != 2 || seen["heavy"] != 6 {
		t.Errorf("by weight: %v", seen)
	}
	for _, e := range r.remotes[1:] {
		e.down = true
	}
	if got := r.pick(); got.Address != "far" {
		t.Errorf("the last resort is %s", got.Address)
	}
	r.remotes[0].down = true
	if got := r.pick(); got != nil {
		t.Errorf("%s is down", got.Address)
	}
}

// relisten listens where somebody did, as soon as nobody else holds the port.
func relisten(t *testing.T, address string) net.Listener {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		l, err := net.Listen("tcp", address)
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
