package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stand makes a server that does what the script says.
func stand(t *testing.T, script string) (bin string) {
	t.Helper()
	bin = filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return bin
}

// play runs the cluster until its output has n lines that match, and returns all of it.
func play(t *testing.T, bin, until string, n int, extra ...string) (said string, err error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, bin, filepath.Join(t.TempDir(), "data"), extra, out) }()
	pattern := regexp.MustCompile(until)
	for {
		b, readErr := os.ReadFile(out.Name())
		if readErr != nil {
			t.Fatal(readErr)
		}
		if len(pattern.FindAll(b, -1)) >= n {
			stop()
		}
		select {
		case err := <-ended:
			b, readErr := os.ReadFile(out.Name())
			if readErr != nil {
				t.Fatal(readErr)
			}
			return string(b), err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestThreeMembersAreStartedAndStopped(t *testing.T) {
	bin := stand(t, "trap 'echo asked to stop; exit 0' TERM\necho started: \"$@\"\nwhile :; do sleep 0.01; done\n")
	said, err := play(t, bin, "(?m)\\| started", 3, "--log-level", "warn")
	if err != nil {
		t.Error(err)
	}
	for i, m := range members {
		for _, want := range []string{
			fmt.Sprintf("infra%d | started: --name infra%d --data-dir ", i+1, i+1),
			"--listen-client-urls " + m.client + " --advertise-client-urls " + m.client,
			"--initial-cluster infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380,infra3=http://127.0.0.1:32380",
			fmt.Sprintf("infra%d | asked to stop\n", i+1),
		} {
			if !strings.Contains(said, want) {
				t.Errorf("nobody said %q in\n%s", want, said)
			}
		}
	}
	if n := strings.Count(said, "--initial-cluster-state new --log-level warn\n"); n != 6 { // by us and by them
		t.Errorf("the extra arguments were passed on %d times:\n%s", n, said)
	}
}

func TestEndOfAllIsAnError(t *testing.T) {
	said, err := play(t, stand(t, "printf 'no newline'\nexit 3\n"), "never", 1)
	if err == nil || strings.Count(err.Error(), "exit status 3") != 3 {
		t.Errorf("error %v", err)
	}
	if strings.Count(said, "| no newline\n") != 3 || strings.Count(said, "exit status 3") != 3 {
		t.Errorf("output %s", said)
	}
	if _, err := play(t, filepath.Join(t.TempDir(), "none"), "never", 1); err == nil ||
		!strings.Contains(err.Error(), "make build") {
		t.Errorf("without a server: %v", err)
	}
}
