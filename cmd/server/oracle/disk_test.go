package oracle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// putUntilRefused puts numbered keys until one is not acknowledged, and
// returns how many were.
func putUntilRefused(t *testing.T, c *clientv3.Client, prefix string, size int) int {
	t.Helper()
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := c.Put(ctx, fmt.Sprintf("%s%06d", prefix, n), strings.Repeat("x", size))
		cancel()
		if err != nil {
			t.Logf("put %d of %d bytes: %v", n, size, err)
			return n
		}
		if n > 100_000 {
			t.Fatal("the disk is never full")
		}
	}
}

func count(t *testing.T, m *member, prefix string) int64 {
	t.Helper()
	resp, err := dial(t, m).Get(call(t), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	ok(t, err)
	return resp.Count
}

// died waits until the process has ended by itself, and returns the end of its log.
func (m *member) died() string {
	m.t.Helper()
	select {
	case err := <-m.exited:
		m.exited <- err
		if err == nil {
			m.t.Error("the process ended as if all were well")
		}
	case <-time.After(20 * time.Second):
		m.t.Errorf("the process goes on after its disk has failed\n%s", m.tail(20))
		m.kill()
	}
	return m.tail(20)
}

// TestDiskFull fills a small file system. The member must stop with a message
// that names the reason, must not acknowledge what it could not write, and must
// have all that it acknowledged when there is space again.
func TestDiskFull(t *testing.T) {
	processes(t)
	m := cluster(t, []kind{vitrine})[0]
	ok(t, os.MkdirAll(m.dir, 0o700))
	if err := syscall.Mount("tmpfs", m.dir, "tmpfs", 0, "size=120m"); err != nil {
		t.Skipf("CANNOT TEST A FULL DISK HERE: mounting a small file system takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(m.dir, 0) })
	m.start()
	m.ready()
	acked := putUntilRefused(t, dial(t, m), "k", 100_000)
	if log := m.died(); !strings.Contains(log, "no space left on device") {
		t.Errorf("the log does not name the reason:\n%s", log)
	}
	if acked < 100 {
		t.Errorf("only %d writes fit", acked)
	}
	ok(t, syscall.Mount("tmpfs", m.dir, "tmpfs", syscall.MS_REMOUNT, "size=400m"))
	m.start()
	m.ready()
	if n := count(t, m, "k"); n < int64(acked) || n > int64(acked)+1 {
		t.Errorf("%d keys were acknowledged, %d are there", acked, n)
	}
	m.kill()
}

// TestSyncFails makes fdatasync fail with EIO in the running server. Nothing
// after that may be acknowledged, though the next fdatasync would succeed.
func TestSyncFails(t *testing.T) {
	processes(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("CANNOT TEST A FAILING FSYNC HERE: strace is not installed")
	}
	m := run(t, []kind{vitrine})[0]
	c := dial(t, m)
	for i := range 20 {
		_, err := c.Put(call(t), fmt.Sprintf("k%06d", i), "before")
		ok(t, err)
	}
	log := filepath.Join(t.TempDir(), "strace")
	inject := exec.Command(strace, "-f", "-p", fmt.Sprint(m.cmd.Process.Pid), "-o", log, "-e", "trace=fdatasync", "-e",
		"inject=fdatasync:error=EIO:when=3")
	ok(t, inject.Start())
	t.Cleanup(func() { inject.Process.Kill(); inject.Wait() })
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid)); !strings.Contains(string(status),
			"TracerPid:\t0\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Skip("CANNOT TEST A FAILING FSYNC HERE: strace may not attach")
		}
	}
	acked := putUntilRefused(t, c, "after", 10)
	if text := m.died(); !strings.Contains(text, "input/output error") {
		t.Errorf("the log does not name the reason:\n%s", text)
	}
	seen, err := os.ReadFile(log)
	ok(t, err)
	if n := strings.Count(string(seen), "(INJECTED)"); n == 0 {
		t.Fatalf("no fdatasync failed:\n%s", seen)
	}
	m.start()
	m.ready()
	if n := count(t, m, "k"); n != 20 {
		t.Errorf("%d of 20 keys are there", n)
	}
	if n := count(t, m, "after"); n < int64(acked) {
		t.Errorf("%d keys were acknowledged, %d are there", acked, n)
	}
}
