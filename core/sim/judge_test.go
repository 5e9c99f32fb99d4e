package sim

import (
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/trace"
)

// meddle runs a quiet world, lets a test break something in it after three
// seconds, and returns the invariant that stops it.
func meddle(t *testing.T, change func(w *World)) int {
	t.Helper()
	w := quiet(t, func(c *Config) { c.Workload.Mix.Compact = 0 })
	until(t, w, 3*time.Second)
	change(w)
	w.Run(20 * time.Second)
	if w.Violation() == nil {
		return 0
	}
	return w.Violation().Number
}

// TestJudgeIsWired: what a checker cannot see it cannot judge. Each of these is
// something that a broken member might do.
func TestJudgeIsWired(t *testing.T) {
	for _, c := range []struct {
		name   string
		number int
		change func(w *World)
	}{
		{"nothing", 0, func(*World) {}},
		{"a value on disk changes", 9, func(w *World) {
			n := w.nodes[1]
			v, err := n.Database()
			if err != nil {
				t.Fatal(err)
			}
			var key, value []byte
			v.Range(backend.Key, nil, nil, func(k, data []byte) bool {
				key, value = k, append([]byte(nil), data...)
				return len(data) == 0
			})
			value[len(value)-1] ^= 1
			if err := n.backend.Store().Commit([]backend.Op{{Bucket: backend.Key, Key: key, Value: value}}); err != nil {
				t.Fatal(err)
			}
		}},
		{"an answer is old", 16, func(w *World) {
			for {
				if !w.StepEvent() {
					t.Fatal("no read was answered")
				}
				done := false
				w.clients.Requests(func(r *client.Request) {
					resp, ok := r.Answer.(*pb.RangeResponse)
					if !done && ok && r.Returning() && len(resp.Kvs) == 1 && !r.Body.(*pb.RangeRequest).Serializable {
						resp.Kvs[0].Value = []byte("old")
						done = true
					}
				})
				if done {
					return
				}
			}
		}},
		{"a watch response loses its events", invariant.WatchBookmarkable, func(w *World) {
			for {
				if !w.StepEvent() {
					t.Fatal("no watch response was sent")
				}
				done := false
				w.clients.Pushed(func(r *pb.WatchResponse) {
					if !done && r.Events != nil {
						r.Events = nil
						done = true
					}
				})
				if done {
					return
				}
			}
		}},
		{"two leaders in a term", 1, func(w *World) {
			term := w.State().Term
			for _, n := range w.nodes {
				w.emit(trace.Event{Kind: trace.RoleChanged, Member: n.id, Term: term, A: 2})
			}
		}},
		{"a member writes on its own", 10, func(w *World) {
			kv, batch := w.nodes[2].store.KV, backend.NewBatch()
			writer := kv.Begin(batch, false)
			if _, err := writer.Put(&pb.PutRequest{Key: []byte("rogue"), Value: []byte("1")}); err != nil {
				t.Fatal(err)
			}
			writer.End()
			w.nodes[2].backend.Write(batch)
		}},
		{"a member panics", 30, func(w *World) { w.nodes[0].member = nil }},
	} {
		if got := meddle(t, c.change); got != c.number {
			t.Errorf("%s: I%d stops the run, want I%d", c.name, got, c.number)
		}
	}
}

// TestLivenessIsDemanded: a cluster that cannot converge is a violation (I27).
func TestLivenessIsDemanded(t *testing.T) {
	w := quiet(t, func(c *Config) { c.Workload.Rate = 0 })
	until(t, w, 3*time.Second)
	w.net.Loss, w.cfg.Network.Loss = 1, 1 // it will not heal
	if w.Settle(5*time.Second) || w.Violation() == nil || w.Violation().Number != 27 {
		t.Errorf("a network that loses everything: %v", w.Violation())
	}
	if w.RunUntil(w.Now()+1, 0) || w.StepEvent() {
		t.Error("the world goes on after a violation")
	}
	if _, err := w.Do(script.Command{Cmd: script.HealAll}); err == nil {
		t.Error("a command is done after a violation")
	}
	w.State()
}
