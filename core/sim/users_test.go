package sim

import (
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/trace"
)

// told counts how requests end, by the text of their errors.
type told map[string]int

// Emit implements trace.Sink.
func (t told) Emit(e *trace.Event) {
	if e.Kind == trace.RequestDone {
		t[e.Text]++
	}
}

// TestUsersAreRefused: where users are on, some of what they ask is refused and most is not, whatever goes wrong
// besides.
func TestUsersAreRefused(t *testing.T) {
	all := told{}
	for seed := range uint64(12) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Workload.Users, cfg.Faults, cfg.FaultsFor = seed, true, seed%4 > 0, 20*time.Second
		w, err := New(cfg, all)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(20 * time.Second); v != nil {
			t.Fatalf("seed %d: %v at %v\n%s\n%v", seed, v, time.Duration(v.At), w.Stack(), w.Options())
		}
		revision := w.nodes[0].store.Auth.Revision()
		t.Logf("seed %d: auth revision %d, enabled %v", seed, revision, w.nodes[0].store.Auth.Enabled())
		if seed%4 == 0 && revision < 20 {
			t.Errorf("seed %d: users changed %d times", seed, revision)
		}
	}
	for _, text := range []string{
		"", api.ErrPermissionDenied.Text, api.ErrAuthOldRevision.Text, api.ErrRoleNotGranted.Text,
		api.ErrUserAlreadyExist.Text,
	} {
		if all[text] == 0 {
			t.Errorf("no request ends with %q: %v", text, all)
		}
	}
	if all[""] < all[api.ErrPermissionDenied.Text] {
		t.Errorf("%d are answered, %d denied", all[""], all[api.ErrPermissionDenied.Text])
	}
}
