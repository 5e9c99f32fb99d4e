package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWatchdog: it ends a process that runs in circles, and leaves one alone that
// says something now and then, or sleeps.
func TestWatchdog(t *testing.T) {
	for _, c := range []struct {
		script string
		bitten bool
	}{
		{"echo one; while :; do :; done", true},
		{"for i in 1 2 3; do n=0; while [ $n -lt 1000 ]; do n=$((n+1)); done; echo $i; done", false},
		{"echo one; sleep 1", false},
	} {
		w := &watchdog{allowed: 300 * time.Millisecond}
		err := w.watch(exec.Command("sh", "-c", c.script))
		if w.bitten != c.bitten || (err != nil) != c.bitten {
			t.Errorf("%q: ended %v, %v", c.script, w.bitten, err)
		}
		if !strings.Contains(w.text(), "1") && !strings.Contains(w.text(), "one") {
			t.Errorf("%q: its output is %q", c.script, w.text())
		}
	}
	if err := new(watchdog).watch(exec.Command("/no/such/program")); err == nil {
		t.Error("what cannot be started has ended well")
	}
}
