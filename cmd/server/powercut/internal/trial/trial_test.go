package trial

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"vitrine/powercut/internal/disk"
	"vitrine/powercut/internal/mount"
)

func TestMain(m *testing.M) {
	CheckDatabaseInstead()
	os.Exit(m.Run())
}

const segmentBytes = 128 << 10

// vitrineBin is the server under test: what VITRINE_BIN names, else the one of this source.
func vitrineBin(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("VITRINE_BIN"); path != "" {
		return path
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "vitrine").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vitrine")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/server")
	cmd.Dir = strings.TrimSpace(string(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// available skips tests that cannot be run here.
func available(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	if why := mount.Unavailable(); why != nil {
		t.Skipf("CANNOT CUT THE POWER HERE: %v", why)
	}
}

func run(t *testing.T, change func(*Config)) *Report {
	t.Helper()
	available(t)
	var out bytes.Buffer
	config := Config{Server: Vitrine(vitrineBin(t), segmentBytes), Seed: 1, First: 1, Cuts: 5, Out: &out}
	config.Within, config.Scratch = time.Minute, t.TempDir()
	if dir := os.Getenv("POWERCUT_KEEP"); dir != "" {
		config.Keep = dir
	}
	change(&config)
	report, err := Run(config)
	if err != nil {
		t.Fatal(err)
	}
	Print(&out, report)
	t.Logf("\n%s", &out)
	return report
}

// TestAFewCuts is what every change must pass; make powercut has more of them.
func TestAFewCuts(t *testing.T) {
	for members, seed := range map[int]uint64{1: 11, 3: 12} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			report := run(t, func(c *Config) { c.Members, c.Seed = members, seed })
			if len(report.Findings) > 0 {
				t.Errorf("%d findings, the first is %v", len(report.Findings), report.Findings[0])
			}
			if report.Cuts < 5 || report.Acked < 20 {
				t.Errorf("%d cuts, %d acknowledged writes: that proves nothing", report.Cuts, report.Acked)
			}
		})
	}
}

// The next three are controls: something is wrong on purpose, and acknowledged writes must be found to be gone. They
// are missed, or the server itself sees that its log or its database is not what it was, and refuses it by name.

func TestAServerThatNeverSyncsIsFoundOut(t *testing.T) {
	loses(t, func(c *Config) { c.Server.Args = append(c.Server.Args, "--unsafe-no-fsync") })
}

func TestALogWhoseFdatasyncLiesIsFoundOut(t *testing.T) {
	loses(t, func(c *Config) { c.Lies = func(o mount.Op) bool { return o.Kind == mount.DataSync && isSegment(o) } })
}

func TestADiskWhoseEverySyncLiesIsFoundOut(t *testing.T) {
	r := loses(t, func(c *Config) { c.Lies = func(mount.Op) bool { return true } })
	if r.lives(kindLost) == 0 {
		t.Errorf("nothing is missed, though nothing was durable: %v", r.Findings)
	}
}

func loses(t *testing.T, change func(*Config)) *Report {
	t.Helper()
	named := regexp.MustCompile(`is corrupt|damaged database|wal: |WAL|the log of the database|ahead of the log`)
	r := run(t, func(c *Config) {
		c.Cuts, c.Members = 10, 1
		change(c)
	})
	if r.Acked == 0 || !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Kind == kindLost || f.Kind == kindRefused && named.MatchString(f.Text)
	}) {
		t.Errorf("%d cuts, %d acknowledged writes, and none is missed: %v", r.Cuts, r.Acked, r.Findings)
	}
	return r
}

// TestADamagedDatabaseIsFoundOut zeroes a page in the middle: bbolt may panic, and that too is an answer.
func TestADamagedDatabaseIsFoundOut(t *testing.T) {
	var id uint64
	d := disk.New(disk.POSIX, func() uint64 { id++; return id })
	n := d.Root()
	for i, name := range []string{"data", "member", "snap", "db"} {
		n, _ = d.Create(n, name, i < 3)
	}
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		err = errors.Join(err, db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			for k := range 200 {
				err = errors.Join(err, b.Put(fmt.Appendf(nil, "%d.%d", i, k), make([]byte, 100)))
			}
			return err
		}))
	}
	data, read := os.ReadFile(path)
	if err := errors.Join(err, db.Close(), read); err != nil {
		t.Fatal(err)
	}
	d.Write(n, data, 0)
	if err := checkDatabase(d); err != nil {
		t.Errorf("a whole database: %v", err)
	}
	found := 0
	for page := 2; page < len(data)/4096; page++ {
		d.Write(n, make([]byte, 4096), int64(page)*4096)
		if checkDatabase(d) != nil {
			found++
		}
		d.Write(n, data[page*4096:(page+1)*4096], int64(page)*4096)
	}
	if found < 3 {
		t.Errorf("of %d pages only %d were missed", len(data)/4096-2, found)
	}
}

func TestPlansReachEveryAimAndEveryNumberOfVictims(t *testing.T) {
	aimed, victims := map[string]bool{}, map[int]bool{}
	for number := range 500 {
		l := &life{dice: newDice(1, number)}
		p := draw(l.dice, 3)
		aimed[p.aim.name], victims[len(p.victims)] = true, true
		text := func(p plan) string { return fmt.Sprint(p.count, p.after, p.kill, p.victims, p.aim.name, p.pause) }
		if again := draw(newDice(1, number), 3); text(again) != text(p) {
			t.Fatal("a seed draws two plans")
		}
		if one := draw(newDice(1, number), 1); len(one.victims) != 1 || one.aim.behind {
			t.Fatalf("a plan for one member has %d victims, aim %s", len(one.victims), one.aim.name)
		}
	}
	if len(aimed) != len(aims()) || len(victims) != 3 {
		t.Errorf("drawn: %v, %v", aimed, victims)
	}
}

func TestAimsKnowTheirFiles(t *testing.T) {
	matching := func(op mount.Op) (out []string) {
		for _, a := range aims() {
			if a.name != "any call" && a.name != "boot" && a.match(op) {
				out = append(out, a.name)
			}
		}
		return out
	}
	for _, test := range []struct {
		op   mount.Op
		want []string
	}{
		{mount.Op{Kind: mount.Write, Path: "data/member/wal/0-0.wal"}, []string{"log write"}},
		{mount.Op{Kind: mount.DataSync, Path: "data/member/wal/0-0.wal"}, []string{"log sync"}},
		{mount.Op{Kind: mount.Rename, Path: "data/member/wal/next.tmp", To: "data/member/wal/1-2.wal"}, []string{"log turn"}},
		{mount.Op{Kind: mount.Write, Path: "data/member/wal/1.tmp"}, []string{"log turn"}},
		{mount.Op{Kind: mount.SyncDir, Path: "data/member/wal"}, []string{"log turn"}},
		{mount.Op{Kind: mount.Write, Path: "data/member/snap/db"}, []string{"database write", "compaction"}},
		{mount.Op{Kind: mount.Sync, Path: "data/member/snap/db"}, []string{"database sync", "compaction"}},
		{mount.Op{Kind: mount.Write, Path: "data/member/snap/db.tmp.defragment"}, []string{"defragment"}},
		{mount.Op{Kind: mount.Rename, Path: "data/member/snap/db.tmp.123"}, []string{"defragment"}},
		{mount.Op{Kind: mount.Write, Path: "data/member/snap/tmp1234"}, []string{"snapshot install"}},
		{mount.Op{Kind: mount.Rename, Path: "data/member/snap/00000000000000aa.snap.db"}, []string{"snapshot install"}},
		{mount.Op{Kind: mount.SyncDir, Path: "data/member/snap"}, []string{"defragment", "snapshot install"}},
	} {
		if got := matching(test.op); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.op, got, test.want)
		}
	}
}

// TestAReportSaysWhatWasFound prints two side by side.
func TestAReportSaysWhatWasFound(t *testing.T) {
	one := newReport("vitrine")
	one.cut("boot", disk.POSIX, 3)
	one.served(30*time.Millisecond, "life 1")
	one.lived(10, 9, nil)
	two := newReport("etcd")
	two.lived(10, 9, []Finding{
		{Life: 1, Kind: kindRefused, Text: "no 123"}, {Life: 2, Kind: kindRefused, Text: "no 456"},
		{Life: 2, Kind: kindLost, Names: disk.Journal},
	})
	var out bytes.Buffer
	Print(&out, one, two)
	for _, want := range []string{
		"3 members, posix", "30ms/30ms/30ms", "9 of 10", "2 (0 with journal)", "1 (1 with journal)",
		"etcd: 2 times: no 456", "vitrine: the longest time to serve was in life 1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
}
