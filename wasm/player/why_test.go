package player_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"vitrine/core/picture"
	"vitrine/wasm/player"
)

// calm is a world with a leader and without other clients, which goes on by steps.
func calm(t *testing.T, seed uint64) (p *player.Player, leader uint64, others []uint64) {
	p = play(t, player.Settings{Seed: seed, Members: 5, Speed: 1})
	do(t, p, `{"cmd":"set","name":"rate","value":"0"}`)
	do(t, p, `{"cmd":"pause"}`)
	for range 100 {
		if p.State.Leader == 0 {
			step(t, p, 5e7)
		}
	}
	step(t, p, 1e9)
	for _, m := range p.State.Members {
		if m.ID != p.State.Leader {
			others = append(others, m.ID)
		}
	}
	return p, p.State.Leader, others
}

func step(t *testing.T, p *player.Player, ns float64) {
	t.Helper()
	if err := p.StepFor(ns); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, p *player.Player, format string, args ...any) (id uint64) {
	t.Helper()
	return do(t, p, fmt.Sprintf(format, args...)).Request
}

func request(t *testing.T, p *player.Player, id uint64) *picture.Request {
	t.Helper()
	i := slices.IndexFunc(p.State.Requests, func(r picture.Request) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("request %d is forgotten", id)
	}
	return &p.State.Requests[i]
}

// A write of a leader that is cut off: it waits for disks that cannot have it, then nobody knows, then the run does.
func TestAWriteOfADeposedLeaderIsLost(t *testing.T) {
	p, l, o := calm(t, 7)
	do(t, p, fmt.Sprintf(`{"cmd":"isolate","member":%d}`, l))
	id := ask(t, p, `{"cmd":"put","key":"x","value":"1","member":%d}`, l)
	step(t, p, 1e8)
	lack := request(t, p, id).Lack
	if lack.Kind != picture.LackSync || lack.Need != 2 || !slices.Equal(lack.Of, o) || lack.For != l || lack.Index == 0 {
		t.Errorf("it lacks %+v", lack)
	}
	for range 100 {
		step(t, p, 1e8)
	}
	r := request(t, p, id)
	if r.Status != picture.StatusUnknown {
		t.Fatalf("cut off it is %s", r.Status)
	}
	do(t, p, `{"cmd":"heal-all"}`)
	ask(t, p, `{"cmd":"put","key":"y","value":"2","member":%d}`, p.State.Leader)
	step(t, p, 3e9)
	if r = request(t, p, id); r.Fate != picture.FateNever {
		t.Errorf("what became of it: %q", r.Fate)
	}
}

// A client whose member dies before it answers does not know; the entry is applied all the same.
func TestAnUnknownWriteHappened(t *testing.T) {
	p, l, _ := calm(t, 7)
	id := ask(t, p, `{"cmd":"put","key":"x","value":"1","member":%d}`, l)
	for range 200 {
		if r := request(t, p, id); slices.ContainsFunc(r.Stations, func(s picture.Station) bool {
			return s.Name == "synced on a majority"
		}) {
			break
		}
		step(t, p, 1e6)
	}
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d}`, l))
	step(t, p, 1e8)
	if r := request(t, p, id); r.Status != picture.StatusUnknown || r.Fate != "" {
		t.Fatalf("it is %s, and it is known: %q", r.Status, r.Fate)
	}
	for range 50 {
		step(t, p, 1e8)
	}
	if r := request(t, p, id); r.Fate != picture.FateHappened || r.FateRev != 2 {
		t.Errorf("what became of it: %q at %d", r.Fate, r.FateRev)
	}
}

// The visitor's watch goes on at another member when its own dies, and a compare that fails says what it has read.
func TestTheVisitorIsAClientLikeAnother(t *testing.T) {
	p, l, o := calm(t, 7)
	watch := ask(t, p, `{"cmd":"watch","key":"x","member":%d}`, o[0])
	step(t, p, 1e9)
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d}`, o[0]))
	step(t, p, 2e9)
	ask(t, p, `{"cmd":"put","key":"x","value":"1","member":%d}`, l)
	flew := false // the event, on its way to the visitor
	for range 200 {
		step(t, p, 5e6)
		flew = flew || slices.ContainsFunc(p.State.Watches, func(w picture.Watch) bool { return len(w.Pushes) == 1 })
	}
	i := slices.IndexFunc(p.State.Watches, func(w picture.Watch) bool { return w.ID == watch })
	if w := p.State.Watches[i]; !w.Open || w.Member == o[0] || w.Received != 1 || !flew || len(w.Pushes) > 0 {
		t.Errorf("the watch: %+v; its event was seen on its way: %v", w, flew)
	}
	txn := ask(t, p, `{"cmd":"txn","member":%d,"if":[{"target":"value","key":"x","op":"=","value":"7"}],`+
		`"then":[{"cmd":"put","key":"x","value":"8"}],"else":[{"cmd":"get","key":"x"}]}`, l)
	step(t, p, 1e9)
	if r := request(t, p, txn); r.Result != "failed: x = 1" {
		t.Errorf("a compare that fails: %q", r.Result)
	}
	for _, s := range request(t, p, txn).Stations {
		if s.Name == "store kv pair into bolt db" {
			t.Error("it has stored something, it says")
		}
	}
}

// However much others ask, what the visitor asked stays in the list.
func TestMyRequestsStay(t *testing.T) {
	p, l, _ := calm(t, 7)
	id := ask(t, p, `{"cmd":"put","key":"x","value":"1","member":%d}`, l)
	do(t, p, `{"cmd":"set","name":"rate","value":"50"}`)
	do(t, p, `{"cmd":"speed","value":10}`)
	do(t, p, `{"cmd":"play"}`)
	until(t, p, "many requests", func(s *picture.State) bool { return s.Requests[len(s.Requests)-1].ID > id+200 })
	var f player.Frame
	if err := json.Unmarshal(p.Frame(), &f); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(f.Requests, func(r picture.Request) bool { return r.ID == id }) {
		t.Errorf("request %d is not in the frame", id)
	}
}
