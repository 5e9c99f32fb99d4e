package sim

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// still is a world without load, so that a test sees only what it does.
func still(t *testing.T, members int) *World {
	t.Helper()
	w := quiet(t, func(c *Config) {
		c.Members, c.Workload.Rate, c.Workload.Watches = members, 0, 0
	})
	for w.Leader() == 0 {
		until(t, w, time.Duration(w.Now())+time.Second)
	}
	until(t, w, time.Duration(w.Now())+time.Second)
	return w
}

func do(t *testing.T, w *World, line string) uint64 {
	t.Helper()
	c, err := script.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Do(c)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return id
}

// wait runs on for a while and returns the picture then.
func wait(t *testing.T, w *World, d time.Duration) *picture.State {
	t.Helper()
	until(t, w, time.Duration(w.Now())+d)
	return w.State()
}

func requestOfID(t *testing.T, s *picture.State, id uint64) *picture.Request {
	t.Helper()
	for i := range s.Requests {
		if s.Requests[i].ID == id {
			return &s.Requests[i]
		}
	}
	t.Fatalf("request %d is not in the picture", id)
	return nil
}

func TestRequests(t *testing.T) {
	w := still(t, 3)
	for _, c := range []struct{ line, result, err string }{
		{"put key=x value=1", "ok", ""},
		{"get key=x", "x = 1", ""},
		{"get member=2 key=x serializable", "x = 1", ""},
		{"get key=nobody", "not found", ""},
		{"txn if=[value x = 1] then=[put key=x value=2; put key=y value=3] else=[get key=x]", "succeeded", ""},
		{"txn if=[version x > 7] then=[delete key=x] else=[get key=x]", "failed: x = 2", ""},
		{`get key=a end="\x00"`, "2 keys", ""},
		{"get key=x rev=99", "", "etcdserver: mvcc: required revision is a future revision"},
		{"delete key=x", "1 deleted", ""},
		{"compact rev=3", "compacted", ""},
		{"get key=x rev=2", "", "etcdserver: mvcc: required revision has been compacted"},
		{"compact rev=3", "", "etcdserver: mvcc: required revision has been compacted"},
	} {
		id := do(t, w, c.line)
		r := requestOfID(t, wait(t, w, time.Second), id)
		if r.Result != c.result || r.Error != c.err {
			t.Errorf("%s: %q, error %q; want %q, %q", c.line, r.Result, r.Error, c.result, c.err)
		}
		if r.Text != c.line || r.Done <= r.Issued {
			t.Errorf("%s: text %q, issued %d, done %d", c.line, r.Text, r.Issued, r.Done)
		}
	}
	if !w.Settle(SettleLimit) {
		t.Error(w.Violation())
	}
}

func TestWatchCommands(t *testing.T) {
	w := still(t, 3)
	do(t, w, "put key=x value=1")
	wait(t, w, time.Second)
	now, past := do(t, w, "watch key=x"), do(t, w, `watch key=a end="\x00" rev=1 member=2`)
	wait(t, w, time.Second)
	do(t, w, "put key=x value=2")
	wait(t, w, time.Second)
	do(t, w, "delete key=x")
	s := wait(t, w, time.Second)
	events := map[uint64]string{}
	for _, v := range s.Watches {
		for _, e := range v.Events {
			events[v.ID] += e.Type + " " + e.Key + "=" + e.Value + "; "
		}
	}
	if got, want := events[now], "PUT x=2; DELETE x=; "; got != want {
		t.Errorf("watch from now on: %q, want %q", got, want)
	}
	if got, want := events[past], "PUT x=1; PUT x=2; DELETE x=; "; got != want {
		t.Errorf("watch of the past: %q, want %q", got, want)
	}
	do(t, w, "crash member=2")
	wait(t, w, 3*time.Second)
	do(t, w, "put key=z value=9")
	do(t, w, "restart member=2")
	s = wait(t, w, 3*time.Second)
	if v := s.Watches[1]; !v.Open || v.Received != 4 {
		t.Errorf("after a crash of its member the watch has %d events, want 4: %+v", v.Received, v)
	}
	do(t, w, "cancel-watch")
	if _, err := w.Do(script.Command{Cmd: script.CancelWatch, Request: past}); err == nil {
		t.Error("a canceled watch can be canceled again")
	}
	if s = wait(t, w, time.Second); s.Watches[1].Open || !s.Watches[0].Open {
		t.Errorf("after cancel-watch: %+v", s.Watches)
	}
}

func TestLeaderCrash(t *testing.T) {
	w := still(t, 5)
	old := w.Leader()
	c := script.Command{Cmd: script.Crash, Member: old}
	if _, err := w.Do(c); err != nil {
		t.Fatal(err)
	}
	s := wait(t, w, 4*time.Second)
	if s.Leader == 0 || s.Leader == old {
		t.Fatalf("leader %d after the crash of %d", s.Leader, old)
	}
	if m := s.Members[old-1]; m.Alive || m.Process != picture.Crashed {
		t.Errorf("the crashed member is %+v", m)
	}
	if _, err := w.Do(c); err == nil || !strings.Contains(err.Error(), "is crashed") {
		t.Errorf("a dead member crashes again: %v", err)
	}
	if _, err := w.Do(script.Command{Cmd: script.Restart, Member: old}); err != nil {
		t.Fatal(err)
	}
	s = wait(t, w, 2*time.Second)
	m := s.Members[old-1]
	if m.Process != picture.Running || m.Role != picture.RoleFollower || m.Incarnation != 2 || m.Lead != s.Leader {
		t.Errorf("the restarted member is %+v", m)
	}
	if m.Applied != s.Commit {
		t.Errorf("it has applied %d of %d", m.Applied, s.Commit)
	}
}

func TestPauseAndResume(t *testing.T) {
	w := still(t, 3)
	leader := w.Leader()
	if _, err := w.Do(script.Command{Cmd: script.Pause, Member: leader}); err != nil {
		t.Fatal(err)
	}
	s := wait(t, w, 5*time.Second)
	if s.Leader == leader || !s.Members[leader-1].Alive || s.Members[leader-1].Process != picture.Paused {
		t.Errorf("leader %d after %d was paused: %+v", s.Leader, leader, s.Members[leader-1])
	}
	if _, err := w.Do(script.Command{Cmd: script.Resume, Member: leader}); err != nil {
		t.Fatal(err)
	}
	if s = wait(t, w, 2*time.Second); s.Members[leader-1].Role != picture.RoleFollower || s.Members[leader-1].Inbox != 0 {
		t.Errorf("after resume: %+v", s.Members[leader-1])
	}
}

func TestCutsAndHeals(t *testing.T) {
	w := still(t, 5)
	leader := w.Leader()
	cuts := func(s *picture.State) (n int) {
		for _, l := range s.Links {
			if l.Cut {
				n++
			}
		}
		return n
	}
	if _, err := w.Do(script.Command{Cmd: script.Isolate, Member: leader}); err != nil {
		t.Fatal(err)
	}
	s := wait(t, w, 5*time.Second)
	if cuts(s) != 8 || s.Leader == leader || s.Leader == 0 {
		t.Errorf("%d cuts, leader %d after %d was isolated", cuts(s), s.Leader, leader)
	}
	if role := s.Members[leader-1].Role; role == picture.RoleLeader {
		t.Error("an isolated leader still leads after five seconds")
	}
	do(t, w, "heal")
	if s = wait(t, w, 2*time.Second); cuts(s) != 0 || s.Members[leader-1].Lead != s.Leader {
		t.Errorf("%d cuts after heal", cuts(s))
	}
	do(t, w, "cut from=1,2 to=3 oneway")
	if s = w.State(); cuts(s) != 2 {
		t.Errorf("%d directions cut, want 2", cuts(s))
	}
	do(t, w, "cut from=1,2 to=3")
	if s = w.State(); cuts(s) != 4 {
		t.Errorf("%d directions cut, want 4", cuts(s))
	}
	do(t, w, "heal from=3 to=1 oneway")
	if s = w.State(); cuts(s) != 3 {
		t.Errorf("%d directions cut, want 3", cuts(s))
	}
	do(t, w, "heal-all")
	if s = w.State(); cuts(s) != 0 {
		t.Errorf("%d directions cut, want none", cuts(s))
	}
}

func TestCampaignAndTransfer(t *testing.T) {
	w := still(t, 3)
	for range 3 {
		next := w.Leader()%3 + 1
		term := w.State().Term
		if _, err := w.Do(script.Command{Cmd: script.Transfer, Member: next}); err != nil {
			t.Fatal(err)
		}
		if s := wait(t, w, time.Second); s.Leader != next || s.Term != term+1 {
			t.Errorf("transfer to %d: leader %d in term %d, was %d", next, s.Leader, s.Term, term)
		}
	}
}

// TestUnsyncedIsLost: what a crash takes is what was not synced, and a kill
// takes nothing.
func TestUnsyncedIsLost(t *testing.T) {
	for _, keep := range []bool{false, true} {
		w := still(t, 1)
		do(t, w, "set name=fsync value=10s")
		id := do(t, w, "put key=x value=1")
		s := wait(t, w, time.Second)
		m := s.Members[0]
		if m.Written <= m.Synced || m.Disk != "syncing" {
			t.Fatalf("written %d, synced %d, disk %s", m.Written, m.Synced, m.Disk)
		}
		if r := requestOfID(t, s, id); r.Status != picture.StatusPending {
			t.Errorf("the put is %s before it is durable", r.Status)
		}
		if _, err := w.Do(script.Command{Cmd: script.Crash, Member: 1, Keep: keep}); err != nil {
			t.Fatal(err)
		}
		do(t, w, "set name=fsync value=1ms")
		if r := requestOfID(t, wait(t, w, time.Second), id); r.Status != picture.StatusUnknown {
			t.Errorf("the put is %s after the crash, want %s", r.Status, picture.StatusUnknown)
		}
		do(t, w, "restart member=1")
		wait(t, w, 3*time.Second)
		get := do(t, w, "get key=x")
		r := requestOfID(t, wait(t, w, time.Second), get)
		if keep && r.Result != "x = 1" {
			t.Errorf("after a kill: %q", r.Result)
		}
		if !w.Settle(SettleLimit) {
			t.Error(w.Violation())
		}
	}
}

func TestStallHoldsADisk(t *testing.T) {
	w := still(t, 1)
	do(t, w, "stall member=1 value=2s")
	id := do(t, w, "put key=x value=1")
	s := wait(t, w, time.Second)
	if m := s.Members[0]; m.Disk != "stalled" || requestOfID(t, s, id).Status != picture.StatusPending {
		t.Errorf("disk %s, request %s", m.Disk, requestOfID(t, s, id).Status)
	}
	if r := requestOfID(t, wait(t, w, 2*time.Second), id); r.Status != picture.StatusOK {
		t.Errorf("after the stall the request is %s %s", r.Status, r.Error)
	}
}

func TestSettings(t *testing.T) {
	w := still(t, 3)
	for _, s := range script.Settings() {
		value := map[string]string{"preset": "teaching", "probability": "0.25", "duration": "3ms", "number": "20"}[s.Form]
		if _, err := w.Do(script.Command{Cmd: script.Set, Name: s.Name, Value: value}); err != nil {
			t.Errorf("set %s %s: %v", s.Name, value, err)
		}
		for _, bad := range []string{"", "x", "-1", "2e99"} {
			if _, err := w.Do(script.Command{Cmd: script.Set, Name: s.Name, Value: bad}); err == nil {
				t.Errorf("set %s %q is accepted", s.Name, bad)
			}
		}
	}
	s := wait(t, w, 10*time.Second)
	if d := w.Dials(); d.Loss != 0.25 || d.Latency != int64(3*time.Millisecond) || d.Rate != 20 ||
		d.Fsync != int64(3*time.Millisecond) {
		t.Errorf("dials %+v", d)
	}
	if s.Clients[1].Done+s.Clients[2].Done == 0 {
		t.Error("there is no load after set rate")
	}
	before := w.HashText()
	if _, err := w.Do(script.Command{Cmd: script.Set, Name: "gravity", Value: "1"}); err == nil || w.HashText() != before {
		t.Errorf("an unknown setting is accepted, or leaves a trace: %v", err)
	}
}

// TestRunUntilIsExact: however a run is cut into pieces, it is the same run.
func TestRunUntilIsExact(t *testing.T) {
	a, b := quiet(t, nil), quiet(t, nil)
	until(t, a, 3*time.Second)
	for b.Now() < trace.Instant(3*time.Second) {
		b.RunUntil(min(b.Now()+trace.Instant(7*time.Millisecond), trace.Instant(3*time.Second)), 3)
	}
	if a.HashText() != b.HashText() {
		t.Errorf("hash %s in one piece, %s in many", a.HashText(), b.HashText())
	}
	c := quiet(t, nil)
	for c.NextAt() <= trace.Instant(3*time.Second) {
		c.StepEvent()
		c.State() // looking changes nothing
	}
	if a.HashText() != c.HashText() {
		t.Errorf("hash %s in one piece, %s step by step", a.HashText(), c.HashText())
	}
}

func TestChecksChangeNothing(t *testing.T) {
	a, b := quiet(t, nil), quiet(t, func(c *Config) { c.NoChecks = true })
	until(t, a, 5*time.Second)
	until(t, b, 5*time.Second)
	if a.HashText() != b.HashText() {
		t.Errorf("hash %s with checks, %s without", a.HashText(), b.HashText())
	}
}

// TestNobodyLeadsATermItsDiskDoesNotKnow is the story of a bug that a seed found:
// the votes of others made a leader whose own term was not durable; it lost
// power, came back in the old term, and was elected in the same term again, with
// another log.
func TestNobodyLeadsATermItsDiskDoesNotKnow(t *testing.T) {
	w := still(t, 3)
	next := w.Leader()%3 + 1
	for _, c := range []script.Command{
		{Cmd: script.Set, Name: "fsync", Value: "10s", Member: next},
		{Cmd: script.Transfer, Member: next},
	} {
		if _, err := w.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		if m := wait(t, w, 10*time.Millisecond).Members[next-1]; m.Role == picture.RoleLeader {
			t.Fatalf("member %d leads term %d after %v, and its disk takes five seconds at least", next, m.Term,
				time.Duration(w.Now()))
		}
	}
	do(t, w, "put key=x value=1")
	for _, c := range []script.Command{
		{Cmd: script.Crash, Member: next},
		{Cmd: script.Set, Name: "fsync", Value: "1ms", Member: next},
		{Cmd: script.Restart, Member: next},
	} {
		wait(t, w, 100*time.Millisecond)
		if _, err := w.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, w, 100*time.Millisecond)
	if _, err := w.Do(script.Command{Cmd: script.Campaign, Member: next}); err != nil {
		t.Fatal(err)
	}
	do(t, w, "put key=x value=2")
	if !w.Settle(SettleLimit) {
		t.Error(w.Violation())
	}
}

func TestRandReaderIsPutBack(t *testing.T) {
	before := rand.Reader
	w := quiet(t, nil)
	w.RunUntil(trace.Instant(2*time.Second), 100)
	w.StepEvent()
	w.Do(script.Command{Cmd: script.Campaign, Member: 1})
	w.Settle(time.Second)
	if rand.Reader != before {
		t.Error("crypto/rand.Reader is still the simulator's")
	}
}
