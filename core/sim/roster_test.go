package sim

import (
	"strings"
	"testing"
	"time"
)

// TestRemovedBeforeItHeardOfAnything: who was added and removed again while nothing reached it has no log that could
// tell it so. It is told by whom it dials.
func TestRemovedBeforeItHeardOfAnything(t *testing.T) {
	w := still(t, 3)
	wait(t, w, 5*time.Second) // connections that are younger prove nothing to who changes members
	do(t, w, "add-learner id=4")
	for at := time.Duration(w.Now()); w.byID(4) == nil; at += 100 * time.Microsecond {
		if until(t, w, at); at > time.Minute {
			t.Fatalf("nobody was added: %+v", w.State().Requests)
		}
	}
	do(t, w, "isolate member=4")
	wait(t, w, time.Second)
	do(t, w, "remove id=4")
	wait(t, w, 2*time.Second)
	n := w.byID(4)
	if !n.Runs() {
		t.Fatalf("it stopped while nobody could tell it: %s", n.reason)
	}
	do(t, w, "heal")
	wait(t, w, time.Second)
	if n.Runs() || !n.gone || !strings.Contains(n.reason, "permanently removed") {
		t.Errorf("runs: %v, gone: %v, %q", n.Runs(), n.gone, n.reason)
	}
}
