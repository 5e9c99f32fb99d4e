package web_test

import (
	"os/exec"
	"testing"
)

// TestScripts runs the unit tests of the page's scripts, which need node.
func TestScripts(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("CANNOT TEST the page's scripts: there is no node on this machine")
	}
	out, err := exec.Command(node, "--test", "--test-force-exit", "--test-timeout=30000", "test/").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
