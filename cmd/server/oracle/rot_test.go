package oracle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// decay damages the used part of a segment in one of the ways that look like the end of a log: a sector or a page of
// zeros, or a file that was cut off.
func decay(t *testing.T, r *rand.Rand, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	ok(t, err)
	used := len(strings.TrimRight(string(data), "\x00"))
	if r.IntN(3) == 0 {
		at := 1 + r.IntN(used-1)
		ok(t, os.Truncate(file, int64(at)))
		return fmt.Sprintf("cut off at %d of %d", at, used)
	}
	block := []int{512, 4096}[r.IntN(2)]
	at := r.IntN(used/block) * block // not the last one, of which nothing may be left that tells
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	ok(t, err)
	_, err = f.WriteAt(make([]byte, block), int64(at))
	ok(t, err)
	ok(t, f.Close())
	return fmt.Sprintf("%d zeros at %d of %d", block, at, used)
}

// TestDamagedLogsAreNamed: a server does not start on a log with a hole or without its end, whatever etcd would take
// that for, and says which file is damaged and where.
func TestDamagedLogsAreNamed(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine})[0]
	populate(t, m, 0, 300)
	time.Sleep(300 * time.Millisecond) // the database has what was applied
	m.kill()
	whole := m.dir
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		m.dir = filepath.Join(t.TempDir(), "m")
		ok(t, os.CopyFS(m.dir, os.DirFS(whole)))
		names, err := filepath.Glob(filepath.Join(m.dir, "member", "wal", "*.wal"))
		ok(t, err)
		file := names[len(names)-1]
		what := decay(t, r, file)
		m.start()
		if err := m.waitReady(10 * time.Second); err == nil {
			t.Fatalf("%s: the server starts all the same", what)
		}
		if log := m.tail(5); !strings.Contains(log, filepath.Base(file)+" is corrupt at offset") {
			t.Errorf("%s: the log does not name the damage:\n%s", what, log)
		}
		m.kill()
		ok(t, os.RemoveAll(m.dir))
	}
}
