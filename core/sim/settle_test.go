package sim

import (
	"slices"
	"testing"
	"time"

	"vitrine/core/sim/settle"
)

// TestSettledWatchersWaitForTheirRange: a watcher is behind only if its own
// range changed at a revision that it has not been told of.
func TestSettledWatchersWaitForTheirRange(t *testing.T) {
	w := still(t, 1)
	do(t, w, "put key=m value=1")
	for _, line := range []string{
		`watch key=x end="\x00" rev=3`,
		"watch key=m rev=3",
		"watch key=k end=p rev=3",
	} {
		do(t, w, line)
	}
	for _, line := range []string{"put key=a value=1", "put key=m value=2", "delete key=m"} {
		do(t, w, line)
		until(t, w, time.Duration(w.Now())+time.Second)
	}
	s := w.nodes[0].store
	behind := func() []int64 {
		var revs []int64
		for _, wt := range w.clients.Watchers() {
			rev, err := settle.Missed(wt, s, s.KV.Revision())
			if err != nil {
				t.Fatal(err)
			}
			revs = append(revs, rev)
		}
		return revs
	}
	if got := behind(); !slices.Equal(got, []int64{0, 0, 0}) {
		t.Errorf("told of everything, the watchers have missed %v", got)
	}
	seen := w.clients.Watchers()[1].Next
	for _, wt := range w.clients.Watchers() {
		wt.Next = 3
	}
	if got := behind(); !slices.Equal(got, []int64{0, 4, 4}) {
		t.Errorf("at revision 3, the watchers have missed %v, want 0, 4 and 4", got)
	}
	for _, wt := range w.clients.Watchers() {
		wt.Next = seen
	}
	if !w.Settle(10 * time.Second) {
		t.Errorf("the world does not settle: %v", w.Violation())
	}
}

// TestPasswordsOfWhoHasGone: clients who log in again before a password is compared leave hundreds behind, which the
// member does one after the other; the time to settle begins after the last.
func TestPasswordsOfWhoHasGone(t *testing.T) {
	for seed := range uint64(6) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Members = seed, 1
		cfg.Workload.Clients, cfg.Workload.Rate, cfg.Workload.Timeout = 9, 150, 200*time.Millisecond
		cfg.Workload.Users, cfg.Workload.Logins = true, Logins{TTL: time.Second, Work: 400 * time.Millisecond}
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(40 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
	}
}
