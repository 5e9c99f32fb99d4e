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

// table is a world of which messages can be caught.
type table struct {
	*World
	t       *testing.T
	picture *picture.Picture
	arrived kept
}

func newTable(t *testing.T) *table {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Seed, cfg.Workload.Rate, cfg.Network = 7, 0, Teaching()
	x := &table{t: t, picture: picture.New(picture.Options{Window: 24})}
	var err error
	if x.World, err = New(cfg, x.picture, &x.arrived); err != nil {
		t.Fatal(err)
	}
	x.RunUntil(trace.Instant(5*time.Second), 0)
	return x
}

func (x *table) do(cmd string, id uint64) error {
	_, err := x.Do(script.Command{Cmd: cmd, ID: int64(id)})
	return err
}

func (x *table) must(cmd string, id uint64) {
	x.t.Helper()
	if err := x.do(cmd, id); err != nil {
		x.t.Fatal(err)
	}
}

// catch are the two messages with which a write leaves.
func (x *table) catch() []picture.Message {
	x.t.Helper()
	x.Do(script.Command{Cmd: script.Put, Key: "x", Value: "1", Member: x.Leader()})
	for range 10_000 {
		x.StepEvent()
		if all := seen(x.picture, x.World, "MsgApp"); len(all) == 2 {
			return all
		}
	}
	x.t.Fatal("no write leaves")
	return nil
}

func (x *table) commit() uint64 {
	var s picture.State
	x.picture.Into(&s, x.Now())
	return s.Commit
}

// TestHandsOnMessages: a message that is held does not arrive, one that is let go does, one that is dropped never does,
// and a second copy comes, too.
func TestHandsOnMessages(t *testing.T) {
	x := newTable(t)
	both := x.catch()
	for _, m := range both {
		x.must(script.Hold, m.ID)
		if x.Flying(m.ID) == nil || x.do(script.Hold, m.ID) == nil {
			t.Errorf("message %d is not held, or can be held twice", m.ID)
		}
	}
	before := x.commit()
	later(x.World, 50*time.Millisecond)
	held := seen(x.picture, x.World, "MsgApp")
	if len(held) < 2 || held[0].Held == 0 || x.commit() != before || x.arrived.by[both[0].ID] != 0 {
		t.Errorf("while both writes are held: %d on their way, commit %d, was %d", len(held), x.commit(), before)
	}
	for _, m := range held {
		if m.ID == both[0].ID && m.Way(float64(x.Now())) != m.Way(float64(x.Now()+1e9)) {
			t.Error("a message that is held goes on")
		}
	}
	x.must(script.Duplicate, both[0].ID)
	x.must(script.Drop, both[1].ID)
	later(x.World, 60*time.Millisecond)
	if n := x.arrived.by[both[0].ID]; n != 1 || x.arrived.by[both[1].ID] != 0 || x.commit() == before {
		t.Errorf("the copy came %d times, the one that was dropped %d times, commit %d", n, x.arrived.by[both[1].ID],
			x.commit())
	}
	x.must(script.Release, both[0].ID)
	later(x.World, 60*time.Millisecond)
	if n := x.arrived.by[both[0].ID]; n != 2 || x.Flying(both[0].ID) != nil {
		t.Errorf("the one that was let go: %d arrivals", n)
	}
	for _, cmd := range []string{script.Hold, script.Release, script.Drop, script.Duplicate} {
		if x.do(cmd, both[0].ID) == nil || x.do(cmd, 1<<50) == nil {
			t.Errorf("%s of a message that is not there", cmd)
		}
	}
}

// TestHandsAreRepeated: healing lets go what is held, also by one whose receiver has died; and a run with hands in it
// can be repeated.
func TestHandsAreRepeated(t *testing.T) {
	x := newTable(t)
	first := x.catch()
	x.must(script.Hold, first[0].ID)
	x.must(script.Duplicate, first[0].ID)
	x.must(script.Drop, first[1].ID)
	later(x.World, time.Second)
	x.must(script.Release, first[0].ID)
	later(x.World, time.Second)
	last := x.catch()
	x.must(script.Hold, last[0].ID)
	x.Do(script.Command{Cmd: script.Crash, Member: last[0].To})
	later(x.World, time.Second)
	x.Do(script.Command{Cmd: script.HealAll})
	later(x.World, time.Second)
	if x.Flying(last[0].ID) != nil {
		t.Error("healing lets nothing go")
	}
	twin, err := New(x.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range x.Commands() {
		if err := twin.Schedule(c); err != nil {
			t.Fatal(err)
		}
	}
	twin.RunUntil(x.Now(), 0)
	if twin.Hash() != x.Hash() || len(twin.Skipped()) > 0 {
		t.Errorf("the run repeats with hash %x instead of %x, %d commands left out", twin.Hash(), x.Hash(),
			len(twin.Skipped()))
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
