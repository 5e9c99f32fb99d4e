package player_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/wasm/player"
	"vitrine/wasm/scene"
	"vitrine/wasm/world"
)

// still is a clock that stands: the budget never ends.
func still() time.Duration { return 0 }

func play(t *testing.T, s player.Settings) *player.Player {
	t.Helper()
	p, err := player.New(world.Opener{}, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until advances in frames of 16 ms until the state is as wanted.
func until(t *testing.T, p *player.Player, what string, ok func(*picture.State) bool) {
	t.Helper()
	for range 4000 {
		if ok(&p.State) {
			return
		}
		p.Advance(16*time.Millisecond, still)
	}
	t.Fatalf("waited in vain for %s; now %v", what, time.Duration(p.State.Now))
}

func do(t *testing.T, p *player.Player, command string) player.Reply {
	t.Helper()
	reply, err := p.Dispatch([]byte(command))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return reply
}

func leads(s *picture.State) bool { return s.Leader != 0 }

func TestSpeedIsSimulatedTimePerRealTime(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 3, Speed: 2})
	for range 100 {
		p.Advance(10*time.Millisecond, still)
	}
	if got, want := time.Duration(p.Shown()), 2*time.Second; got != want {
		t.Errorf("after 1 s at speed 2 the world shows %v, want %v", got, want)
	}
	do(t, p, `{"cmd":"pause"}`)
	p.Advance(time.Second, still)
	if got := time.Duration(p.Shown()); got != 2*time.Second {
		t.Errorf("a paused world moved to %v", got)
	}
	do(t, p, `{"cmd":"play"}`)
	p.Advance(time.Hour, still)
	if got, want := time.Duration(p.Shown()), 2*time.Second+500*time.Millisecond; got != want {
		t.Errorf("after a stalled frame the world shows %v, want %v: the gap is capped", got, want)
	}
}

// Events are seldom; the time shown must go on between them.
func TestTimeShownMovesBetweenEvents(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 3, Speed: 0.001})
	p.Skip = false
	last := p.Shown()
	for range 50 {
		p.Advance(16*time.Millisecond, still)
		if p.Shown() <= last {
			t.Fatal("time stands although it is playing")
		}
		last = p.Shown()
	}
}

func TestIdleSpansPassQuicklyAndMessagesDoNot(t *testing.T) {
	p := play(t, player.Settings{Seed: 3, Members: 3, Speed: 0.02})
	idle, busy := 0.0, 0.0
	for range 600 {
		before := p.Shown()
		active := len(p.State.Messages) > 0 && slices.ContainsFunc(p.State.Messages,
			func(m picture.Message) bool { return !strings.HasPrefix(m.Type, "MsgHeartbeat") })
		p.Advance(16*time.Millisecond, still)
		passed := p.Shown() - before
		if active {
			busy = max(busy, passed)
		} else {
			idle = max(idle, passed)
		}
	}
	if limit := 0.02 * 16e6 * 1.001; busy > limit {
		t.Errorf("with messages on their way a frame passed %.2f ms of simulated time, want at most %.2f", busy/1e6,
			limit/1e6)
	}
	if idle < 10*0.02*16e6 {
		t.Errorf("idle spans passed at %.2f ms a frame: not skipped", idle/1e6)
	}
}

func TestBudgetBoundsAFrame(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1000})
	clock := time.Duration(0)
	p.Advance(100*time.Millisecond, func() time.Duration { clock += 3 * time.Millisecond; return clock })
	if !p.Behind {
		t.Error("the player claims to keep up although its budget is spent")
	}
	if got := p.State.Now; got >= int64(100*time.Second) {
		t.Errorf("the world went to %v within a spent budget", time.Duration(got))
	}
}

func TestCrashOfTheLeaderIsTold(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 5, Speed: 1})
	until(t, p, "a leader", leads)
	first := p.State.Leader
	term := p.State.Term
	lines := frame(t, p).Feed
	do(t, p, `{"cmd":"crash","member":`+digit(first)+`}`)
	until(t, p, "another leader", func(s *picture.State) bool { return s.Leader != 0 && s.Leader != first })
	if p.State.Term <= term {
		t.Errorf("the new leader's term is %d, the old one's was %d", p.State.Term, term)
	}
	lines = append(lines, frame(t, p).Feed...)
	var kinds []string
	for _, l := range lines {
		kinds = append(kinds, l.Kind)
		if l.Kind == "leader" && len(l.From) < 3 {
			t.Errorf("leader line with %d votes, a majority is 3: %+v", len(l.From), l)
		}
	}
	for _, want := range []string{"preCandidate", "candidate", "vote", "leader", "crashed"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("the feed %v lacks %q", kinds, want)
		}
	}
	if len(frame(t, p).Feed) != 0 {
		t.Error("a line of the feed came twice")
	}
}

func digit(id uint64) string { return string(rune('0' + id)) }

func frame(t *testing.T, p *player.Player) player.Frame {
	t.Helper()
	var f player.Frame
	if err := json.Unmarshal(p.Frame(), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAPutPassesItsStations(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	follower := p.State.Leader%3 + 1
	id := do(t, p, `{"cmd":"put","key":"x","value":"42","member":`+digit(follower)+`}`).Request
	var r picture.Request
	until(t, p, "the answer", func(s *picture.State) bool {
		i := slices.IndexFunc(s.Requests, func(r picture.Request) bool { return r.ID == id })
		if i >= 0 {
			r = s.Requests[i]
		}
		return i >= 0 && r.Status != picture.StatusPending
	})
	if r.Status != picture.StatusOK || r.Text != "put x 42" {
		t.Fatalf("request %q ended as %s %s", r.Text, r.Status, r.Error)
	}
	stations := r.Stations
	want := []string{"client", "arrived", "proposed", "forwarded to the leader", "appended to the log",
		"synced on a majority", "committed", "applied", "answered", "client"}
	at, i := int64(0), 0
	for _, s := range stations {
		if s.At < at {
			t.Errorf("station %q at %d after one at %d", s.Name, s.At, at)
		}
		at = s.At
		if i < len(want) && s.Name == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("no station %q in order in %+v", want[i], stations)
	}
	if got := frame(t, p); got.Chosen.Request != id {
		t.Errorf("the new request is not chosen: %+v", got.Chosen)
	}
}

// passes holds the names of a request's stations against those that must be among them, in this order.
func passes(t *testing.T, r *picture.Request, want ...string) {
	t.Helper()
	i := 0
	for _, s := range r.Stations {
		if i < len(want) && s.Name == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("%s: no station %q in order in %+v", r.Text, want[i], r.Stations)
	}
}

// A read asks, is confirmed by others than who leads, and says at which revision it reads; a read of what a member
// has asks nobody; what a write has stored is on the database's disk behind its answer.
func TestReadsAndTheDatabaseHaveStations(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	leader := p.State.Leader
	put := do(t, p, `{"cmd":"put","key":"x","value":"42","member":`+digit(leader)+`}`).Request
	until(t, p, "the put", func(*picture.State) bool { return request(t, p, put).Status == picture.StatusOK })
	for _, at := range []uint64{leader, leader%3 + 1} {
		id := do(t, p, `{"cmd":"get","key":"x","member":`+digit(at)+`}`).Request
		until(t, p, "the get", func(*picture.State) bool { return request(t, p, id).Status == picture.StatusOK })
		r := request(t, p, id)
		passes(t, r, "client", "arrived", "read index asked", "says who leads", "read index received", "read", "answered",
			"client")
		for _, s := range r.Stations {
			if s.Name == "says who leads" && (s.Member == leader || s.Member == 0) {
				t.Errorf("a leader says itself that it leads: %+v", s)
			}
			if s.Name == "read" && s.Note != fmt.Sprint(r.Revision) {
				t.Errorf("the read is at revision %s, the answer of %d", s.Note, r.Revision)
			}
		}
	}
	id := do(t, p, `{"cmd":"get","key":"x","serializable":true,"member":`+digit(leader)+`}`).Request
	until(t, p, "the serializable get", func(*picture.State) bool { return request(t, p, id).Status == picture.StatusOK })
	r := request(t, p, id)
	passes(t, r, "arrived", "read", "answered")
	if slices.ContainsFunc(r.Stations, func(s picture.Station) bool { return strings.Contains(s.Name, "lead") }) {
		t.Errorf("a serializable read asked somebody: %+v", r.Stations)
	}
	until(t, p, "the commit of the database", func(*picture.State) bool {
		s := request(t, p, put).Stations
		return s[len(s)-1].Name == "committed to the database"
	})
	passes(t, request(t, p, put), "applied", "answered", "client", "committed to the database")
}

func TestStepsStopWhereTheySay(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	do(t, p, `{"cmd":"step","unit":"term"}`)
	if p.State.Term < 2 && !slices.ContainsFunc(p.State.Members, func(m picture.Member) bool { return m.Term > 1 }) {
		t.Error("a step to the next term ended in the first one")
	}
	if p.Playing {
		t.Error("stepping did not stop the clock")
	}
	commit := p.State.Commit
	for range 3 {
		do(t, p, `{"cmd":"step","unit":"commit"}`)
	}
	if p.State.Commit <= commit {
		t.Errorf("commit stays at %d after three steps to a commit", p.State.Commit)
	}
	before := p.State.Now
	if err := p.StepFor(float64(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := p.State.Now - before; got != int64(time.Second) {
		t.Errorf("a step of 1 s moved the world by %v", time.Duration(got))
	}
	if _, err := p.Dispatch([]byte(`{"cmd":"step","unit":"moon"}`)); err == nil {
		t.Error("stepping by an unknown unit is no error")
	}
}

func TestSeedAndCommandsMakeTheRunAgain(t *testing.T) {
	p := play(t, player.Settings{Seed: 11, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"put","key":"a","value":"1"}`)
	do(t, p, `{"cmd":"crash","member":`+digit(p.State.Leader)+`}`)
	for range 200 {
		p.Advance(16*time.Millisecond, still)
	}
	hash, now := p.Hash(), p.State.Now

	q := play(t, player.Settings{Seed: 1, Members: 5, Speed: 50})
	if err := q.Restore(p.Memory()); err != nil {
		t.Fatal(err)
	}
	q.Playing = false
	for range 100 {
		q.Advance(16*time.Millisecond, still)
	}
	if q.State.Now != now || q.Hash() != hash {
		t.Errorf("restored to %v with hash %s, want %v with %s", time.Duration(q.State.Now), q.Hash(), time.Duration(now),
			hash)
	}
}

func TestResetMakesANewWorld(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1})
	until(t, p, "a leader", leads)
	epoch := frame(t, p).Epoch
	do(t, p, `{"cmd":"reset","seed":9,"members":3}`)
	f := frame(t, p)
	if f.Seed != 9 || len(f.Members) != 3 || f.Now != 0 || f.Epoch == epoch || f.Leader != 0 {
		t.Errorf("after a reset: seed %d, %d members, now %d, epoch %d, leader %d", f.Seed, len(f.Members), f.Now, f.Epoch,
			f.Leader)
	}
	if _, err := p.Dispatch([]byte(`{"cmd":"reset","members":99}`)); err == nil {
		t.Error("a world of 99 members was not refused")
	}
	p.Advance(16*time.Millisecond, still)
	if len(p.State.Members) != 3 {
		t.Error("a refused reset took the old world away")
	}
}

func TestSelectKnowsWhatThereIs(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 3, Speed: 1})
	do(t, p, `{"cmd":"select","link":[3,1]}`)
	if p.Chosen.Link != [2]uint64{1, 3} {
		t.Errorf("link %v", p.Chosen.Link)
	}
	do(t, p, `{"cmd":"select","member":2}`)
	if p.Chosen.Member != 2 || p.Chosen.Link != [2]uint64{} {
		t.Errorf("chosen %+v", p.Chosen)
	}
	for _, bad := range []string{`{"cmd":"select","member":4}`, `{"cmd":"select","link":[1,1]}`,
		`{"cmd":"select","link":[1,7]}`, `{"cmd":"fly"}`, `{`} {
		if _, err := p.Dispatch([]byte(bad)); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
}

// A slip of the keyboard is told in words that name it.
func TestErrorsNameWhatIsWrong(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 3, Speed: 1})
	for command, want := range map[string]string{
		`{}`:                             "cmd is missing",
		`{"cmd":"fly"}`:                  `unknown command "fly"`,
		`{"cmd":5}`:                      "cmd is number, and should be a text",
		`{"cmd":"crash","member":"one"}`: "member is string, and should be a whole number",
		`{"cmd":"crash","member":9}`:     "there is no member 9",
		`{"cmd":"crash","membr":1}`:      `there is no field "membr"`,
		`{"cmd":"speed","value":"fast"}`: "value is string, and should be a number",
		`{"cmd":"speed","value":0}`:      "0 is not positive",
		`{"cmd":"step","unit":"year"}`:   `unknown unit "year"`,
		`{"cmd":"select","request":77}`:  "there is no request 77",
		`{"cmd":"reset","members":99}`:   "want 1 to 9",
		`{"cmd":"set","name":"moon"}`:    `there is no setting "moon"`,
		`{"cmd":"replay","text":"x"}`:    "line 1",
	} {
		if _, err := p.Dispatch([]byte(command)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
	for _, ns := range []float64{-1, math.NaN(), math.Inf(1)} {
		if err := p.StepFor(ns); err == nil {
			t.Errorf("a step of %v is no error", ns)
		}
	}
}

// frameView draws what the page would.
func BenchmarkFrame(b *testing.B) {
	p, err := player.New(world.Opener{}, player.Settings{Seed: 7, Members: 5, Speed: 0.02})
	if err != nil {
		b.Fatal(err)
	}
	p.StepFor(float64(3 * time.Second))
	var v scene.View
	b.Run("advance", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Advance(16*time.Millisecond, still)
			p.Fill(&v)
		}
	})
	b.Run("publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Frame()
		}
	})
}

// TestARequestSaysWhatItIsAbout: as briefly as those of the clients, and never without its subject.
func TestARequestSaysWhatItIsAbout(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	compare := `{"target":"value","key":"x","op":"=","value":"1"}`
	for command, want := range map[string]string{
		`{"cmd":"put","key":"x","value":"1"}`:                                   "put x 1",
		`{"cmd":"txn","if":[` + compare + `],"then":[{"cmd":"get","key":"y"}]}`: "txn x",
		`{"cmd":"lease-grant","lease":5,"ttl":9}`:                               "lease-grant 5",
		`{"cmd":"compact","rev":1}`:                                             "compact 1",
		`{"cmd":"user-add","name":"root"}`:                                      "user-add root",
	} {
		id := do(t, p, command).Request
		p.Advance(0, still)
		at := slices.IndexFunc(p.State.Requests, func(r picture.Request) bool { return r.ID == id })
		if at < 0 || p.State.Requests[at].Text != want {
			t.Errorf("%s is told as %q, want %q", command, p.State.Requests[max(at, 0)].Text, want)
		}
	}
}

// TestListsAreLists: also those of which nothing is known yet, for whoever reads state() or a frame.
func TestListsAreLists(t *testing.T) {
	for _, members := range []int{1, 3} {
		p := play(t, player.Settings{Seed: 7, Members: members, Speed: 1})
		for range 3 {
			for what, data := range map[string][]byte{"state": p.StateJSON(), "frame": p.Frame()} {
				if at := strings.Index(string(data), ":null"); at >= 0 {
					t.Errorf("%d members: the %s has %s", members, what, data[max(0, at-60):at+5])
				}
			}
			p.Advance(time.Second, still)
		}
	}
}

// TestBackIsTheSameRun: going back makes the same run again up to the moment, and what was done later never was.
func TestBackIsTheSameRun(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"put","key":"x","value":"1"}`)
	p.Advance(time.Second, still)
	do(t, p, `{"cmd":"pause"}`)
	moment, hash := p.Shown(), p.Hash()
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d}`, p.State.Leader))
	do(t, p, `{"cmd":"play"}`)
	p.Advance(time.Second, still)
	if _, err := p.Dispatch([]byte(`{"cmd":"seek","value":9e18}`)); err == nil {
		t.Error("one can go back to what has not been")
	}
	do(t, p, fmt.Sprintf(`{"cmd":"seek","value":%f}`, moment))
	for range 100 {
		p.Advance(time.Millisecond, still)
	}
	if p.Restoring() || p.Playing || p.Shown() != moment || p.Hash() != hash {
		t.Fatalf("at %.0f with hash %s, playing %v; want %.0f and %s, paused", p.Shown(), p.Hash(), p.Playing, moment, hash)
	}
	do(t, p, `{"cmd":"play"}`)
	p.Advance(time.Second, still)
	if slices.ContainsFunc(p.State.Members, func(m picture.Member) bool { return !m.Alive }) {
		t.Error("a member has crashed that was crashed later")
	}
	do(t, p, `{"cmd":"seek","value":0}`)
	do(t, p, `{"cmd":"put","key":"y","value":"2"}`)
	if p.Restoring() || p.Shown() > 1e9 {
		t.Errorf("at %.0f ns, after going back to the beginning", p.Shown())
	}
}
