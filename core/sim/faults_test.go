package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/disk"
	"vitrine/core/sim/settle"
	"vitrine/core/trace"
	"vitrine/core/wal"
)

// settles wants the world to end well.
func settles(t *testing.T, w *World) {
	t.Helper()
	if !w.Settle(SettleLimit) {
		t.Errorf("%v\n%s", w.Violation(), w.Stack())
	}
}

// TestDiskErrorsStopAMember: it stops with the disk's own words, confirms
// nothing that it could not keep, and comes back with all that was confirmed.
func TestDiskErrorsStopAMember(t *testing.T) {
	for name, text := range map[string]string{
		"write": "input/output error", "full": "no space left on device", "sync": "input/output error",
		"commit": "input/output error",
	} {
		w := still(t, 1)
		kept := do(t, w, "put key=x value=1")
		wait(t, w, time.Second)
		do(t, w, "fail member=1 name="+name)
		do(t, w, "put key=x value=2")
		s := wait(t, w, time.Second)
		if m := s.Members[0]; m.Process != picture.Stopped || !strings.Contains(m.Reason, text) {
			t.Errorf("%s: the member is %s, reason %q", name, m.Process, m.Reason)
		}
		if r := requestOfID(t, s, kept); r.Status != picture.StatusOK {
			t.Errorf("%s: the first write is %s", name, r.Status)
		}
		do(t, w, "restart member=1")
		wait(t, w, 3*time.Second)
		get := do(t, w, "get key=x")
		r := requestOfID(t, wait(t, w, time.Second), get)
		if r.Result != "x = 1" && r.Result != "x = 2" {
			t.Errorf("%s: after the restart: %q %s", name, r.Result, r.Error)
		}
		settles(t, w)
	}
}

// TestFailedSyncConfirmsNothing: alone in its cluster a member whose sync
// fails must not answer the write that waited for it.
func TestFailedSyncConfirmsNothing(t *testing.T) {
	for _, name := range []string{"write", "full", "sync"} {
		w := still(t, 1)
		do(t, w, "fail member=1 name="+name)
		put := do(t, w, "put key=x value=1")
		if r := requestOfID(t, wait(t, w, time.Second), put); r.Status == picture.StatusOK {
			t.Errorf("%s: the write was confirmed", name)
		}
	}
}

// TestFailedSyncWhilePaused: the process learns of it when it runs again.
func TestFailedSyncWhilePaused(t *testing.T) {
	w := still(t, 3)
	leader := w.nodes[w.Leader()-1]
	do(t, w, "fail member="+leader.name[1:]+" name=sync")
	do(t, w, "put key=x value=1 member="+leader.name[1:])
	for !leader.syncing {
		if !w.StepEvent() {
			t.Fatal(w.Violation())
		}
	}
	do(t, w, "pause member="+leader.name[1:])
	if wait(t, w, 5*time.Second); leader.process != paused || leader.wear.Unsynced == nil {
		t.Fatalf("the process is %s, the sync's error %v", processNames[leader.process], leader.wear.Unsynced)
	}
	do(t, w, "resume member="+leader.name[1:])
	if wait(t, w, time.Second); leader.process != stopped {
		t.Errorf("the process is %s", processNames[leader.process])
	}
	settles(t, w)
}

func TestReadErrorAtBoot(t *testing.T) {
	w := still(t, 3)
	do(t, w, "fail member=2 name=read")
	do(t, w, "crash member=2")
	do(t, w, "restart member=2")
	if m := wait(t, w, time.Second).Members[1]; m.Process != picture.Stopped || !strings.Contains(m.Reason,
		"wal: read member/wal/") || !strings.Contains(m.Reason, "input/output error") {
		t.Errorf("the member is %s, reason %q", m.Process, m.Reason)
	}
	do(t, w, "restart member=2")
	if m := wait(t, w, time.Second).Members[1]; m.Process != picture.Running {
		t.Errorf("the second boot: %s %s", m.Process, m.Reason)
	}
	settles(t, w)
}

// rotten is a cluster of three that has written something, with the logs of
// some members damaged in the middle.
func rotten(t *testing.T, how string, members ...string) *World {
	t.Helper()
	w := still(t, 3)
	for range 20 {
		do(t, w, "put key=x value=0123456789012345678901234567890123456789")
		wait(t, w, 20*time.Millisecond)
	}
	for _, id := range members {
		do(t, w, "crash member="+id)
		do(t, w, "rot member="+id+" "+how)
		do(t, w, "restart member="+id)
	}
	wait(t, w, time.Second)
	return w
}

// TestRotIsNamed: damage in the middle of a log keeps a member down, with the
// name of the file and the place, and the others go on without it.
func TestRotIsNamed(t *testing.T) {
	for _, how := range []string{"name=bit rev=700 limit=3", "name=misdirected rev=600", "name=zeros rev=600",
		"name=zeros rev=5000 limit=1", "name=cut rev=900"} {
		w := rotten(t, how, "2")
		m := w.State().Members[1]
		var corrupt *wal.CorruptError
		if m.Process != picture.Stopped || !errors.As(w.nodes[1].wear.Beyond, &corrupt) || corrupt.Offset == 0 &&
			!strings.Contains(how, "limit=1") || !strings.HasSuffix(corrupt.File, ".wal") {
			t.Errorf("%s: the member is %s, reason %q", how, m.Process, m.Reason)
		}
		if cause := settle.Unrecoverable(settleWorld{w}.Members()); cause != "" {
			t.Errorf("%s: two good disks of three are too few: %s", how, cause)
		}
		settles(t, w)
		if w.nodes[1].process != stopped {
			t.Errorf("%s: the damaged member is %s in the end", how, processNames[w.nodes[1].process])
		}
	}
}

// TestDamageBeyondRepairHaltsSafely: with one good disk of three nothing is
// confirmed any more, and the run says why.
func TestDamageBeyondRepairHaltsSafely(t *testing.T) {
	w := rotten(t, "name=bit rev=700 limit=3", "1", "3")
	cause := settle.Unrecoverable(settleWorld{w}.Members())
	if !strings.HasPrefix(cause, "1 of 3 disks are good; member 1: wal: member/wal/") || !strings.Contains(cause,
		"member 3: wal:") {
		t.Fatalf("the cause is %q", cause)
	}
	settles(t, w)
}

// TestHaltedClusterIsWatched: a cluster that answers all the same is caught.
func TestHaltedClusterIsWatched(t *testing.T) {
	w := still(t, 3)
	for _, n := range w.nodes[:2] {
		n.wear.Beyond = disk.ErrIO // they are well
	}
	if w.Settle(SettleLimit) || w.Violation() == nil || w.Violation().Number != 8 {
		t.Errorf("violation %v", w.Violation())
	}
}

// TestClocks: members whose clocks differ four times agree all the same, and
// what time of day it is does not matter.
func TestClocks(t *testing.T) {
	w := quiet(t, nil)
	do(t, w, "clock member=1 value=0.5")
	do(t, w, "clock member=2 value=2")
	do(t, w, "clock member=3 name=step value=-1h")
	ticks := map[uint64]int{}
	for end := w.clock.Now + int64(10*time.Second); w.clock.Now < end; {
		if e := w.clock.Peek(); e.Kind == evTick {
			ticks[uint64(e.Member)]++
		}
		if !w.StepEvent() {
			t.Fatal(w.Violation())
		}
	}
	for id, want := range map[uint64]int{1: 50, 2: 200, 3: 100} {
		if n := ticks[id]; n < want-2 || n > want+2 {
			t.Errorf("member %d ticked %d times in ten seconds, not %d", id, n, want)
		}
	}
	do(t, w, "crash member=3")
	do(t, w, "clock member=3 name=step value=30m")
	do(t, w, "restart member=3")
	if m := wait(t, w, time.Second).Members[2]; m.Process != picture.Running {
		t.Errorf("after the step: %s %s", m.Process, m.Reason)
	}
	settles(t, w)
}

func TestBrokenCommandsAreRefused(t *testing.T) {
	w := still(t, 3)
	for _, line := range []string{
		"fail member=1 name=mind", "fail name=sync", "fail member=1 name=sync rev=-1", "rot member=1 name=nothing",
		"rot member=1 name=bit rev=-3",
		"clock member=1 value=99", "clock member=1", "clock member=1 name=step value=soon", "clock value=1",
	} {
		c, err := script.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Do(c); err == nil {
			t.Errorf("%s: accepted", line)
		}
	}
	do(t, w, "fail member=1 name=read")
	if _, err := w.Do(script.Command{Cmd: script.Fail, Member: 1, Name: "read"}); err == nil {
		t.Error("an error that waits already was armed again")
	}
	if w.Now() == 0 || trace.Instant(w.clock.Now) != w.Now() {
		t.Error("time stands still")
	}
}

// TestSeedsThatFoundBugs: runs that once broke a promise.
func TestSeedsThatFoundBugs(t *testing.T) {
	for _, seed := range []uint64{
		88,  // a flipped bit in the length of a record cut off the rest of the log as torn
		380, // so did a block that a write had put into the place of another
	} {
		w := quiet(t, func(c *Config) { c.Seed, c.Faults, c.FaultsFor = seed, true, time.Minute })
		if v := w.Run(time.Minute); v != nil {
			t.Errorf("seed %d: %v at %v\n%s\n%v", seed, v, time.Duration(v.At), w.Stack(), w.Options())
		}
		if !slices.ContainsFunc(w.FaultCounts(), func(c Count) bool { return c.Name == chaos.Rot.String() }) {
			t.Errorf("seed %d: nothing has rotted: the story has changed", seed)
		}
	}
}

// TestSeedsThatFoundMore: the same, as cmd/sim runs them.
func TestSeedsThatFoundMore(t *testing.T) {
	for _, found := range []struct {
		seed    uint64
		members int
		class   chaos.Class // without which it is another story
		what    string
	}{
		{10921, 5, chaos.SyncError, "a received image was installed before the log that tells of it was synced"},
		{30756, 3, chaos.SyncError, "a member lived in the term of its last entry, and its disk in an older one"},
		{910000647, 4, chaos.Exile,
			"who waited for a compaction's deletions was forgotten when a snapshot took the store's place"},
		{8418, 3, chaos.Deadline, "of two deletes that are alike and find nothing the checker took one for the other"},
		{8600007209, 7, chaos.Disk, "a pair was made wrong in a database that a defragmentation was about to replace"},
		{8600011755, 1, chaos.Roster, "one of two voters was removed that had been the only one when that was asked for"},
		{8600025292, 4, chaos.Rot, "a stray block took the last sync point behind a block that another fault had zeroed"},
	} {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Members, cfg.Faults, cfg.FaultsFor = found.seed, found.members, true, time.Minute
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(time.Minute); v != nil {
			t.Errorf("seed %d, which found that %s: %v", found.seed, found.what, v)
		}
		if !w.Options().On[found.class] {
			t.Errorf("seed %d: no %s: the story has changed", found.seed, found.class)
		}
	}
}
