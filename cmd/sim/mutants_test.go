//go:build mutants

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestCanary: an invariant that is violated on purpose must make the program
// fail, or no seed that passes means anything.
func TestCanary(t *testing.T) {
	for _, args := range [][]string{{"-seed", "1"}, {"-seeds", "1:3", "-j", "1"}} {
		var out, complaints bytes.Buffer
		file := filepath.Join(t.TempDir(), "canary.replay")
		args = append(args, "-for", "10s", "-mutant", "canary", "-o", file)
		if status := run(args, strings.NewReader(""), &out, &complaints); status != 1 ||
			!strings.Contains(out.String()+complaints.String(), "I30") {
			t.Errorf("%v: status %d, want 1 and I30:\n%s%s", args, status, &out, &complaints)
		}
	}
}
