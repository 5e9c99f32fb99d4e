package trial

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"vitrine/powercut/internal/disk"
	"vitrine/powercut/internal/mount"
)

// TestTheCallsOfABirth cuts or kills a new member at calls that it makes before it serves: each twelfth, or each
// one if POWERCUT_EVERY_CALL is set, as make powercut does. It must come to serve after all, and then keep a write
// through the worst of all cuts, which leaves what was synced and nothing else. POSIX's promises are the weakest.
func TestTheCallsOfABirth(t *testing.T) {
	available(t)
	bin, stride := vitrineBin(t), 12
	if os.Getenv("POWERCUT_EVERY_CALL") != "" {
		stride = 1
	}
	for name, kill := range map[string]bool{"cut": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs, err := mount.New(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer fs.Close()
			var out bytes.Buffer
			config := Config{Server: Vitrine(bin, segmentBytes), Members: 1, Scratch: t.TempDir(), Out: &out}
			call := 2 // of the first, the making of a directory, nothing can be left
			for bornAt(t, fs, &config, call, kill) {
				call += stride
			}
			if t.Logf("fewer than %d calls", call); call < 30 {
				t.Error("they are not counted, or a birth has become simple")
			}
		})
	}
}

// bornAt strikes a birth at one call; false means that there are fewer.
func bornAt(t *testing.T, fs *mount.FS, config *Config, call int, kill bool) bool {
	t.Helper()
	number := 2 * call // each its own ports
	if kill {
		number++
	}
	l, err := newLife(config, newReport("vitrine"), fs, number)
	if err != nil {
		t.Fatal(err)
	}
	defer l.bury()
	m := l.machines[0]
	l.names, l.syncDelay = disk.POSIX, 0
	m.disk.SetNames(disk.POSIX)
	if err := m.start(&mount.Trap{Match: func(mount.Op) bool { return true }, Count: call}); err != nil {
		t.Fatal(err)
	}
	if err := m.ready(patience); err == nil {
		return false
	}
	at := m.boot.CutAt()
	if kill {
		m.kill()
	} else {
		m.down(at, func(d *disk.Disk) *disk.Disk { return d.Crash(newDice(uint64(call), 0)) })
	}
	if err := m.start(); err != nil {
		t.Fatal(err)
	}
	if err := m.ready(patience); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	c, err := dial(m.client)
	if err != nil {
		t.Fatal(err)
	}
	value := "0|" + strings.Repeat("x", 1000)
	op := l.history.begin(func(string) [][]event { return [][]event{{put("k", value)}} })
	resp, err := c.Put(context.Background(), "k", value)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	c.Close()
	l.history.ack(op, resp.Header.Revision, true)
	m.down("at its worst", func(d *disk.Disk) *disk.Disk { return d.CrashAt(rand.New(rand.NewPCG(0, 0)), 0, 0, 0) })
	if err := m.start(); err != nil {
		t.Fatal(err)
	}
	if l.serve(l.all()); l.failed() {
		t.Fatalf("struck %s, then cut at its worst: %v", at, l.findings[0])
	}
	return true
}
