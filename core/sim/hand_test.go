package sim

import (
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// seen are the messages of a picture that are on their way and of a type.
func seen(p *picture.Picture, w *World, kind string) (all []picture.Message) {
	var s picture.State
	p.Into(&s, w.Now())
	for _, m := range s.Messages {
		if m.Type == kind && m.Lost == "" {
			all = append(all, m)
		}
	}
	return all
}

// TestHandsOnMessages: a message that is held does not arrive, one that is let go does, one that is dropped never does,
// and a second copy comes, too. A run with hands in it can be repeated.
func TestHandsOnMessages(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Seed, cfg.Workload.Rate, cfg.Network = 7, 0, Teaching()
	p := picture.New(picture.Options{Window: 24})
	arrived := &kept{}
	w, err := New(cfg, p, arrived)
	if err != nil {
		t.Fatal(err)
	}
	do := func(cmd string, id uint64) error {
		_, err := w.Do(script.Command{Cmd: cmd, ID: int64(id)})
		return err
	}
	must := func(cmd string, id uint64) {
		t.Helper()
		if err := do(cmd, id); err != nil {
			t.Fatal(err)
		}
	}
	w.RunUntil(trace.Instant(5*time.Second), 0)
	catch := func() []picture.Message {
		t.Helper()
		w.Do(script.Command{Cmd: script.Put, Key: "x", Value: "1", Member: w.Leader()})
		for range 10_000 {
			w.StepEvent()
			if all := seen(p, w, "MsgApp"); len(all) == 2 {
				return all
			}
		}
		t.Fatal("no write leaves")
		return nil
	}
	both := catch()
	for _, m := range both {
		must(script.Hold, m.ID)
		if w.Flying(m.ID) == nil || do(script.Hold, m.ID) == nil {
			t.Errorf("message %d is not held, or can be held twice", m.ID)
		}
	}
	commit := func() (c uint64) {
		var s picture.State
		p.Into(&s, w.Now())
		return s.Commit
	}
	before := commit()
	w.RunUntil(w.Now()+trace.Instant(50*time.Millisecond), 0)
	if held := seen(p, w, "MsgApp"); len(held) < 2 || held[0].Held == 0 || commit() != before || arrived.by[both[0].ID] != 0 {
		t.Errorf("while both writes are held: %d on their way, commit %d, was %d", len(held), commit(), before)
	}
	way := both[0]
	for _, m := range seen(p, w, "MsgApp") {
		if m.ID == way.ID && m.Way(float64(w.Now())) != m.Way(float64(w.Now()+1e9)) {
			t.Error("a message that is held goes on")
		}
	}
	must(script.Duplicate, both[0].ID)
	must(script.Drop, both[1].ID)
	w.RunUntil(w.Now()+trace.Instant(60*time.Millisecond), 0)
	if n := arrived.by[both[0].ID]; n != 1 || arrived.by[both[1].ID] != 0 || commit() == before {
		t.Errorf("the copy came %d times, the one that was dropped %d times, commit %d", n, arrived.by[both[1].ID], commit())
	}
	must(script.Release, both[0].ID)
	w.RunUntil(w.Now()+trace.Instant(60*time.Millisecond), 0)
	if n := arrived.by[both[0].ID]; n != 2 || w.Flying(both[0].ID) != nil {
		t.Errorf("the one that was let go: %d arrivals", n)
	}
	for _, cmd := range []string{script.Hold, script.Release, script.Drop, script.Duplicate} {
		if do(cmd, both[0].ID) == nil || do(cmd, 1<<50) == nil {
			t.Errorf("%s of a message that is not there", cmd)
		}
	}
	last := catch()
	must(script.Hold, last[0].ID)
	w.Do(script.Command{Cmd: script.Crash, Member: last[0].To})
	w.RunUntil(w.Now()+trace.Instant(time.Second), 0)
	w.Do(script.Command{Cmd: script.HealAll})
	w.RunUntil(w.Now()+trace.Instant(time.Second), 0)
	if w.Flying(last[0].ID) != nil {
		t.Error("healing lets nothing go")
	}
	twin, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Commands() {
		if err := twin.Schedule(c); err != nil {
			t.Fatal(err)
		}
	}
	twin.RunUntil(w.Now(), 0)
	if twin.Hash() != w.Hash() || len(twin.Skipped()) > 0 {
		t.Errorf("the run repeats with hash %x instead of %x, %d commands left out", twin.Hash(), w.Hash(), len(twin.Skipped()))
	}
}

// kept counts arrivals by the event that sent the message.
type kept struct{ by map[uint64]int }

// Emit implements trace.Sink.
func (k *kept) Emit(e *trace.Event) {
	if k.by == nil {
		k.by = map[uint64]int{}
	}
	if e.Kind == trace.MessageDelivered {
		k.by[e.Cause]++
	}
}
