package sim

import (
	"encoding/json"
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/inspect"
	"vitrine/core/mvcc"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// mostBytes is more than an answer takes: a page asks for one a few times a second.
const mostBytes = 64 << 10

// TestLookingChangesNothing: members can be looked into at any moment, whatever state they are in, what is seen is so,
// and the run goes on as it would have.
func TestLookingChangesNothing(t *testing.T) {
	down, frozen, unsynced := 0, 0, 0
	for seed := range uint64(6) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Faults, cfg.FaultsFor, cfg.Workload.Users = seed, true, 20*time.Second, seed%2 == 0
		cfg.Workload.Mix.Lease = 8
		run := func(look bool) uint64 {
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for at := range 400 {
				w.RunUntil(trace.Instant(at)*trace.Instant(37*time.Millisecond), 0)
				if !look {
					continue
				}
				for _, n := range w.nodes {
					s := lookInto(t, w, n)
					for _, tab := range []string{"kv", "wal", "store", "leases", "users"} {
						data, err := inspect.JSON(s, tab, nil)
						if err != nil || len(data) > mostBytes || !json.Valid(data) {
							t.Fatalf("seed %d at %d, member %d: %s has %d bytes: %v", seed, w.Now(), n.id, tab, len(data), err)
						}
					}
					if s.Member == nil {
						down++
					} else if layers, _ := inspect.Store(s, inspect.Query{}); layers.Frozen != nil {
						frozen++
					}
					if n.written != n.synced {
						unsynced++
					}
				}
			}
			return w.Hash()
		}
		if seen, not := run(true), run(false); seen != not {
			t.Errorf("seed %d: looking changes the hash from %x to %x", seed, not, seen)
		}
	}
	if down == 0 || frozen == 0 || unsynced == 0 {
		t.Errorf("%d members that are down, %d with a commit in flight, %d with unsynced records", down, frozen, unsynced)
	}
}

// lookInto holds what is seen of a member to what is so.
func lookInto(t *testing.T, w *World, n *node) *inspect.Subject {
	t.Helper()
	s, err := w.Inside(n.id)
	if err != nil {
		t.Fatal(err)
	}
	log, err := inspect.WAL(s, inspect.Query{})
	if err != nil {
		t.Fatal(err)
	}
	last, synced := uint64(0), uint64(0)
	for i, r := range log.Records {
		if r.Kind != "entry" && (r.Kind != "snapshot" || r.Index < last || !committed(log.Records[i:])) {
			continue
		}
		if last = r.Index; r.Synced {
			synced = r.Index
		}
	}
	if n.alive() && log.Reason == "" && last > 0 && last != n.written.Index && n.written.Index > n.bootMark {
		t.Errorf("member %d at %d: the file ends with entry %d, not %d", n.id, w.Now(), last, n.written.Index)
	}
	if n.alive() && synced > 0 && n.written == n.synced && synced != n.synced.Index && n.written.Index > n.bootMark {
		t.Errorf("member %d at %d: entry %d is shown as the last that is synced, not %d", n.id, w.Now(), synced,
			n.synced.Index)
	}
	layers, err := inspect.Store(s, inspect.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if n.alive() && n.fs.LoseUnsynced() != nil {
		kv := storeLeft(t, n)
		if got := kv.Revision(); got != layers.DurableRev && !n.store.KV.Compacting() {
			t.Errorf("member %d at %d: a loss of power would leave revision %d, not %d", n.id, w.Now(), got, layers.DurableRev)
		}
	}
	return s
}

// committed tells whether the first record, of a snapshot, takes the place of the log before it: the next hard state
// covers it, unless the process had no time to write one.
func committed(records []inspect.Record) bool {
	for _, r := range records[1:] {
		if r.Kind == "state" || r.Kind == "entry" {
			return r.Kind == "state" && r.Commit >= records[0].Index
		}
	}
	return false
}

// storeLeft is the store that a member would find after a loss of power.
func storeLeft(t *testing.T, n *node) *mvcc.Store {
	t.Helper()
	db, err := backend.ReadMemFile(n.fs.LoseUnsynced(), n.layout().DB())
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := mvcc.Open(b, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// TestTornTailIsTold: a crash that tears the last record is told, with what the start after it has cut.
func TestTornTailIsTold(t *testing.T) {
	for seed := range uint64(200) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Workload.Large = seed, 3000
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.RunUntil(trace.Instant(2*time.Second), 0)
		for range 2000 {
			if w.StepEvent(); w.nodes[0].syncing && w.nodes[0].written.Index > w.nodes[0].synced.Index {
				break
			}
		}
		if _, err := w.Do(script.Command{Cmd: script.Crash, Member: 1, Torn: 50}); err != nil {
			continue
		}
		s, _ := w.Inside(1)
		log, err := inspect.WAL(s, inspect.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if !log.Torn || log.Beyond == 0 {
			continue
		}
		if log.Last.How != "crashed" || log.Last.Written <= log.Last.Synced || log.Last.Started {
			t.Fatalf("the crash is told as %+v", log.Last)
		}
		w.Do(script.Command{Cmd: script.Restart, Member: 1})
		w.RunUntil(w.Now()+trace.Instant(time.Second), 0)
		s, _ = w.Inside(1)
		again, err := inspect.WAL(s, inspect.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if l := again.Last; !l.Started || !l.Torn || l.Cut != log.Beyond || len(again.Broken) != 1 {
			t.Fatalf("the start is told as %+v, with %d copies; %d bytes stood there", l, len(again.Broken), log.Beyond)
		}
		copied, err := inspect.WAL(s, inspect.Query{File: again.Broken[0].Name})
		if err != nil || !copied.Torn || copied.End != log.End {
			t.Fatalf("the copy: torn %v at %d, not %d: %v", copied.Torn, copied.End, log.End, err)
		}
		return
	}
	t.Error("no crash has torn a record")
}
