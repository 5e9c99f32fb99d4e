package player_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"vitrine/core/picture"
	"vitrine/core/trace"
	"vitrine/wasm/player"
)

// quiet is a source that has no inside.
type quiet struct{ facts player.Facts }

func (quiet) Now() trace.Instant               { return 0 }
func (quiet) NextAt() trace.Instant            { return 0 }
func (quiet) RunUntil(trace.Instant, int) bool { return true }
func (quiet) StepEvent() bool                  { return false }
func (q quiet) Facts() player.Facts            { return q.facts }

func inspect[T any](t *testing.T, p *player.Player, member uint64, tab, query string) (v T) {
	t.Helper()
	data, err := p.Inspect(member, tab, []byte(query))
	if err != nil {
		t.Fatalf("%s of %d: %v", tab, member, err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMembersCanBeLookedInto(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"put","key":"x","value":"1"}`)
	until(t, p, "a key", func(s *picture.State) bool { return s.Members[0].Keys > 0 && s.Members[0].Durable > 5 })
	kv := inspect[struct{ Keys []struct{ Key string } }](t, p, 1, "kv", "")
	if len(kv.Keys) == 0 {
		t.Error("no keys")
	}
	if one := inspect[struct{ Keys []struct{ Key string } }](t, p, 1, "kv", `{"limit": 1}`); len(one.Keys) != 1 {
		t.Errorf("%d keys instead of one", len(one.Keys))
	}
	terms := inspect[player.Terms](t, p, 1, "raft", "")
	last := terms.Terms[len(terms.Terms)-1]
	if last.Term != p.State.Term || last.Leader != p.State.Leader || last.Since == 0 || last.Until != 0 ||
		len(last.Votes) < 2 {
		t.Errorf("of the term %d that %d leads: %+v", p.State.Term, p.State.Leader, last)
	}
	leader := p.State.Leader
	do(t, p, `{"cmd":"crash","member":`+string(rune('0'+leader))+`}`)
	until(t, p, "another leader", func(s *picture.State) bool { return s.Leader != 0 && s.Leader != leader })
	terms = inspect[player.Terms](t, p, 1, "raft", "")
	for _, one := range terms.Terms[:len(terms.Terms)-1] {
		if one.Leader == leader && one.Until == 0 {
			t.Errorf("term %d of the member that crashed has not ended", one.Term)
		}
	}
	for _, tab := range []string{"kv", "wal", "store", "leases", "users"} {
		if _, err := p.Inspect(leader, tab, nil); err != nil {
			t.Errorf("%s of a member that is down: %v", tab, err)
		}
	}
	for _, bad := range [][2]string{
		{"kv", `{"rev": 99999999}`}, {"kv", `{"what": 1}`}, {"nothing", ""}, {"wal", `{"file": "x"}`},
	} {
		if data, err := p.Inspect(1, bad[0], []byte(bad[1])); err == nil {
			t.Errorf("%v is answered: %s", bad, data)
		}
	}
	if _, err := p.Inspect(9, "kv", nil); err == nil {
		t.Error("a member that is not there can be looked into")
	}
	if err := p.Play(func(sink func(player.Facts) trace.Sink) (player.Source, error) {
		f := player.Facts{Kind: player.Recording}
		sink(f).Emit(&trace.Event{Kind: trace.RecordingBegan, Member: 1, Seq: 1})
		return quiet{f}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Inspect(1, "kv", nil); !errors.Is(err, player.ErrNothingInside) {
		t.Errorf("a recording answers %v", err)
	}
}

// TestARefusalSaysWhatIsLacking: which permission, and where it was looked for.
func TestARefusalSaysWhatIsLacking(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	ask := func(command string) (r picture.Request) {
		t.Helper()
		id := do(t, p, command).Request
		until(t, p, command, func(s *picture.State) bool {
			for i := range s.Requests {
				if r = s.Requests[i]; r.ID == id && r.Status != picture.StatusPending {
					return true
				}
			}
			return false
		})
		return r
	}
	for _, command := range []string{
		`{"cmd":"user-add","name":"root"}`, `{"cmd":"grant-role","name":"root","value":"root"}`,
		`{"cmd":"user-add","name":"alice"}`, `{"cmd":"role-add","name":"a"}`,
		`{"cmd":"grant","name":"a","key":"a","end":"b","value":"readwrite"}`,
		`{"cmd":"grant-role","name":"alice","value":"a"}`, `{"cmd":"auth","name":"enable"}`,
	} {
		if r := ask(command); r.Status != picture.StatusOK {
			t.Fatalf("%s: %s", command, r.Error)
		}
	}
	if r := ask(`{"cmd":"put","key":"a1","value":"1","as":"alice"}`); r.Status != picture.StatusOK || r.Denied != nil {
		t.Errorf("what alice may: %s, %+v", r.Error, r.Denied)
	}
	for _, x := range []struct {
		command string
		want    picture.Denied
		entry   bool
	}{
		{`{"cmd":"put","key":"b1","value":"1","as":"alice","member":1}`, picture.Denied{Lacks: "write", Key: "b1"}, true},
		{`{"cmd":"get","key":"b1","as":"alice","member":2}`, picture.Denied{Lacks: "read", Key: "b1", Member: 2}, false},
		{
			`{"cmd":"delete","key":"a","end":"c","as":"alice","member":1}`,
			picture.Denied{Lacks: "write", Key: "a", End: "c"}, true,
		},
		{`{"cmd":"user-add","name":"bob","as":"alice","member":3}`, picture.Denied{Lacks: "root", Member: 3}, true},
	} {
		r := ask(x.command)
		if r.Status != picture.StatusError || r.Denied == nil {
			t.Errorf("%s: %s, %s", x.command, r.Status, r.Error)
			continue
		}
		d := *r.Denied
		if d.User != "alice" || d.Lacks != x.want.Lacks || d.Key != x.want.Key || d.End != x.want.End ||
			x.want.Member != 0 && d.Member != x.want.Member || x.entry != (d.Index > 0) {
			t.Errorf("%s lacks %+v", x.command, d)
		}
	}
}

// TestANewLeaderFillsTheGlasses: a lease that has half run out begins anew at the next leader.
func TestANewLeaderFillsTheGlasses(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"lease-grant","lease":7,"ttl":20}`)
	type promises struct {
		Now, Term int64
		Leases    []struct{ ID, Expiry int64 }
	}
	left := func() float64 {
		at := inspect[promises](t, p, p.State.Leader, "leases", "")
		if len(at.Leases) != 1 || at.Term == 0 {
			return 0
		}
		return float64(at.Leases[0].Expiry-at.Now) / 1e9
	}
	until(t, p, "the lease", func(s *picture.State) bool { return left() > 19 })
	if err := p.StepFor(10e9); err != nil {
		t.Fatal(err)
	}
	old := p.State.Leader
	if now := left(); now > 11 || now < 8 {
		t.Errorf("after ten seconds %.1f are left", now)
	}
	if other := inspect[promises](t, p, old%3+1, "leases", ""); other.Term != 0 || other.Leases[0].Expiry != 0 {
		t.Errorf("a follower counts, too: %+v", other)
	}
	do(t, p, `{"cmd":"crash","member":`+string(rune('0'+old))+`}`)
	until(t, p, "another leader who counts", func(s *picture.State) bool {
		return s.Leader != 0 && s.Leader != old && left() > 0
	})
	if now := left(); now < 19 {
		t.Errorf("at the new leader %.1f s are left", now)
	}
}

// TestAHeldMessageHoldsUpNothing: spans in which nothing moves are still passed quickly.
func TestAHeldMessageHoldsUpNothing(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 0.05})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"set","name":"rate","value":0}`)
	do(t, p, `{"cmd":"put","key":"x","value":"1"}`)
	held := false
	until(t, p, "a held message", func(s *picture.State) bool {
		for i := range s.Messages {
			if m := &s.Messages[i]; m.Type == "MsgAppResp" && !held {
				_, err := p.Dispatch([]byte(fmt.Sprintf(`{"cmd":"hold","id":%d}`, m.ID)))
				held = err == nil
			}
		}
		return held
	})
	until(t, p, "an idle span", func(s *picture.State) bool { return p.Boost > 2 })
}
