package sim

import (
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/sim/chaos"
	"vitrine/core/trace"
)

// counter counts events by kind.
type counter struct {
	kinds   [256]int
	dropped map[string]int
}

// Emit implements trace.Sink.
func (c *counter) Emit(e *trace.Event) {
	c.kinds[e.Kind]++
	if e.Kind == trace.MessageDropped {
		c.dropped[e.Text]++
	}
}

// TestRarePathsAreReached: a simulator that never installs a snapshot finds no
// bug in snapshots. What is listed here must happen in a handful of seeds.
func TestRarePathsAreReached(t *testing.T) {
	c := &counter{dropped: map[string]int{}}
	unknown, failed, canceled := 0, 0, 0
	faults := map[string]int{}
	for seed := uint64(100); seed < 130; seed++ {
		cfg, long := DefaultConfig(), 15*time.Second
		cfg.Seed, cfg.Members, cfg.Faults = seed, 3+2*int(seed%2), true
		switch seed % 3 {
		case 0:
			cfg.Always = []string{"members"}
		case 2:
			cfg.Workload.Users = true
			cfg.Workload.Logins = Logins{TTL: 2 * time.Second, Work: 20 * time.Millisecond, Signed: seed%2 == 0}
		case 1: // members are sent snapshots
			long = time.Minute
			cfg.SnapshotCount, cfg.SnapshotCatchUp, cfg.CompactEntries, cfg.CommitEvery = 2, 1, 1, 200*time.Millisecond
			cfg.Workload.Rate, cfg.Workload.Watches, cfg.Always = 200, 8, []string{"disk", "stall", "pause", "install"}
		}
		cfg.FaultsFor = long
		w, err := New(cfg, c)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(long); v != nil {
			t.Fatalf("seed %d: %v\n%s", seed, v, w.Stack())
		}
		for _, r := range w.State().Requests {
			switch r.Status {
			case picture.StatusUnknown:
				unknown++
			case picture.StatusError:
				failed++
			}
		}
		for _, wt := range w.clients.Watchers() {
			if wt.Resumed > 0 {
				canceled++
			}
		}
		for _, f := range w.FaultCounts() {
			faults[f.Name] += f.N
		}
	}
	for _, kind := range []trace.Kind{
		trace.MemberStarted, trace.MemberCrashed, trace.MemberPaused, trace.MemberResumed, trace.LinkCut, trace.LinkHealed,
		trace.RoleChanged, trace.VoteCast, trace.LogTruncated, trace.LogCompacted, trace.SnapshotSaved, trace.SnapshotSent,
		trace.SnapshotInstalled, trace.BackendCommitted, trace.ReadIndexReady, trace.ReadIndexRetried, trace.Compacted,
		trace.WatchPushed, trace.WatchCreated, trace.WatchCanceled,
	} {
		if c.kinds[kind] == 0 {
			t.Errorf("%v never happened", kind)
		}
	}
	for _, why := range lossNames[1:lostToHand] { // hands are a visitor's
		if c.dropped[why] == 0 {
			t.Errorf("no message was lost to %q", why)
		}
	}
	for class := range chaos.Classes {
		if faults[class.String()] == 0 && class != chaos.Blackout {
			t.Errorf("no fault of class %s", class)
		}
	}
	if unknown == 0 || failed == 0 || canceled == 0 {
		t.Errorf("%d requests with unknown outcome, %d that failed, %d watches resumed: want some of each", unknown, failed,
			canceled)
	}
}
