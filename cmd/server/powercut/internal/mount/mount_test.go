package mount

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"vitrine/powercut/internal/disk"
)

// child names what this program does when a test starts it again as a process that may be killed.
const child = "POWERCUT_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(child); what != "" {
		if err := children[what](os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(dir string) error{
	"mapped": mapped, "syncer": syncer, "script": script, "bolt": boltWriter,
}

func start(t *testing.T, what, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), child+"="+what)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

func mountHere(t *testing.T) *FS {
	t.Helper()
	if why := Unavailable(); why != nil {
		t.Skipf("CANNOT CUT THE POWER HERE: %v", why)
	}
	fs, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return fs
}

func run(t *testing.T, what string) {
	t.Helper()
	fs := mountHere(t)
	boot := fs.Boot("a", fs.NewDisk(disk.POSIX), Options{})
	cmd, out := start(t, what, boot.Dir())
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	boot.Release()
}

// TestAMapSeesWrites: a shared mapping for reading, as bbolt has it, shows what write wrote, also beyond the
// old end of the file, and over another opening of the file.
func TestAMapSeesWrites(t *testing.T) { run(t, "mapped") }

func mapped(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 1<<20, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	want := make([]byte, 1<<20)
	size := 0
	for i := range 500 {
		off := r.IntN(1<<20 - 9000)
		p := bytes.Repeat([]byte{byte(i)}, 1+r.IntN(9000))
		if _, err := f.WriteAt(p, int64(off)); err != nil {
			return err
		}
		copy(want[off:], p)
		size = max(size, off+len(p))
		if i%50 == 0 {
			if err := reopened(f.Name(), want[:size]); err != nil {
				return err
			}
		}
		if !bytes.Equal(m[:size], want[:size]) {
			return fmt.Errorf("after %d writes the map differs from what was written", i+1)
		}
	}
	return f.Close()
}

func reopened(name string, want []byte) error {
	got, err := os.ReadFile(name)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("another opening of the file reads something else")
	}
	return err
}

// TestAsAFileSystem runs what servers do with files.
func TestAsAFileSystem(t *testing.T) { run(t, "script") }

func script(dir string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	f, err := os.CreateTemp(dir, "tmp")
	if err != nil {
		return err
	}
	_, copied := io.Copy(f, strings.NewReader("hello"))
	err = errors.Join(copied, f.Sync(), syscall.Fallocate(int(f.Fd()), 0, 0, 1<<20), f.Truncate(5), f.Chmod(0o600),
		f.Close(), os.MkdirAll(at("a/b"), 0o700), os.Rename(f.Name(), at("a/b/f")),
		os.WriteFile(at("a/b/g"), []byte("old"), 0o600),
		os.WriteFile(at("a/b/g"), []byte("x"), 0o600), os.Rename(at("a/b/f"), at("a/b/g")))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(at("a/b/g"))
	if err != nil || string(data) != "hello" {
		return fmt.Errorf("%q, %w", data, err)
	}
	for i := range 300 {
		if err := os.WriteFile(at(fmt.Sprintf("a/file with a long name %d", i)), nil, 0o600); err != nil {
			return err
		}
	}
	list, err := os.ReadDir(at("a"))
	if err != nil || len(list) != 301 {
		return fmt.Errorf("%d names, %w", len(list), err)
	}
	d, err := os.Open(at("a"))
	if err != nil {
		return err
	}
	lock := syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
	if err := errors.Join(lock, d.Sync(), d.Close(), os.RemoveAll(at("a"))); err != nil {
		return err
	}
	if _, err := os.Stat(at("a")); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a removed directory: %v", err)
	}
	return nil
}

// syncer appends a line and syncs it, again and again, and says so after each.
func syncer(dir string) error {
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	for i := 1; ; i++ {
		if _, err := f.WriteString("x"); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestACutFallsBetweenTwoCalls stops a process exactly where the trap says: nothing later has
// happened, and the process has not learned of the call at which it was cut.
func TestACutFallsBetweenTwoCalls(t *testing.T) {
	fs := mountHere(t)
	for count := 1; count < 6; count++ {
		for _, after := range []bool{false, true} {
			boot := fs.Boot(fmt.Sprint("c", count, after), fs.NewDisk(disk.POSIX), Options{SyncDelay: time.Millisecond})
			boot.Arm(&Trap{Match: func(o Op) bool { return o.Kind == DataSync }, Count: count, After: after})
			cmd, out := start(t, "syncer", boot.Dir())
			select {
			case <-boot.Down():
			case <-time.After(10 * time.Second):
				t.Fatal("the trap does not close")
			}
			time.Sleep(5 * time.Millisecond) // a process that went on would be found out
			cmd.Process.Kill()
			boot.Release()
			cmd.Wait()
			if said := strings.Count(out.String(), "\n"); said != count-1 {
				t.Errorf("cut at sync %d, and the process speaks of %d", count, said)
			}
			want := int64(count - 1)
			if after {
				want++
			}
			var left *disk.Disk
			fs.Do(func() { left = boot.Disk().CrashAt(rand.New(rand.NewPCG(1, 1)), 0, 0, 0) })
			if f := left.Root().Lookup("f"); f == nil || f.Size() != want {
				t.Errorf("cut at sync %d (after it: %v): the file is %v", count, after, f)
			}
		}
	}
}

// TestADisarmedTrapStaysOpen disarms a trap that has counted a call which is still under way.
func TestADisarmedTrapStaysOpen(t *testing.T) {
	fs := mountHere(t)
	boot := fs.Boot("disarmed", fs.NewDisk(disk.POSIX), Options{SyncDelay: 300 * time.Millisecond})
	counted := make(chan struct{})
	boot.Arm(&Trap{Count: 1, After: true, Match: func(o Op) bool {
		if o.Kind == DataSync {
			close(counted)
		}
		return o.Kind == DataSync
	}})
	cmd, out := start(t, "syncer", boot.Dir())
	<-counted
	boot.Disarm()
	time.Sleep(450 * time.Millisecond)
	if at := boot.CutAt(); at != "" {
		t.Errorf("cut %s", at)
	}
	cmd.Process.Kill()
	boot.Cut("now")
	boot.Release()
	cmd.Wait()
	if !strings.HasPrefix(out.String(), "1\n") {
		t.Errorf("the process says %q", out)
	}
}

func lies(o Op) bool { return o.Kind == DataSync }

// TestAKilledProcessLeavesItsWrites restarts after a kill: the next process finds what the first one has not
// synced, and a cut after that may still take it.
func TestAKilledProcessLeavesItsWrites(t *testing.T) {
	fs := mountHere(t)
	boot := fs.Boot("killed", fs.NewDisk(disk.POSIX), Options{Lies: lies})
	boot.Arm(&Trap{Match: func(o Op) bool { return o.Kind == DataSync }, Count: 5})
	cmd, _ := start(t, "syncer", boot.Dir())
	<-boot.Down()
	cmd.Process.Kill()
	boot.Release()
	cmd.Wait()
	boot.Restart()
	out, err := exec.Command("stat", "-c", "%s", filepath.Join(boot.Dir(), "f")).CombinedOutput()
	if strings.TrimSpace(string(out)) != "5" {
		t.Errorf("the next process finds %q, %v", out, err)
	}
	boot.Cut("now")
	boot.Release()
	for keep, want := range map[float64]int64{0: 0, 1: 5} {
		var left *disk.Disk
		fs.Do(func() { left = boot.Disk().CrashAt(rand.New(rand.NewPCG(1, 1)), keep, keep, keep) })
		if n := left.Root().Lookup("f").Size(); n != want {
			t.Errorf("with a chance of %v %d bytes are left", keep, n)
		}
	}
}

func TestALyingSyncLoses(t *testing.T) {
	fs := mountHere(t)
	boot := fs.Boot("liar", fs.NewDisk(disk.POSIX), Options{Lies: lies})
	boot.Arm(&Trap{Match: func(o Op) bool { return o.Kind == DataSync }, Count: 5})
	cmd, out := start(t, "syncer", boot.Dir())
	<-boot.Down()
	cmd.Process.Kill()
	boot.Release()
	cmd.Wait()
	var left *disk.Disk
	fs.Do(func() { left = boot.Disk().CrashAt(rand.New(rand.NewPCG(1, 1)), 0, 0, 0) })
	if n := left.Root().Lookup("f").Size(); n != 0 || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("%d bytes are left of what was said to be durable: %q", n, out)
	}
}

// boltWriter commits numbers to a database and prints each that is durable.
func boltWriter(dir string) error {
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, &bbolt.Options{InitialMmapSize: 1 << 30, NoFreelistSync: true})
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	fmt.Println(0)
	for i := 1; ; i++ {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%06d", i), bytes.Repeat([]byte{byte(i)}, 100*(i%40)))
		})
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestBoltSurvives cuts bbolt at any of its calls: what is left has every commit that returned, and is whole.
func TestBoltSurvives(t *testing.T) {
	fs := mountHere(t)
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 25 {
		boot := fs.Boot(fmt.Sprint("bolt", round), fs.NewDisk(disk.POSIX), Options{})
		count := 1
		boot.Arm(&Trap{Count: 20 + r.IntN(100), After: round%2 == 0, Match: func(o Op) bool { return o.Path == "db" }})
		cmd, out := start(t, "bolt", boot.Dir())
		<-boot.Down()
		cmd.Process.Kill()
		boot.Release()
		cmd.Wait()
		fmt.Sscan(strings.Join(strings.Fields(out.String())[max(0, strings.Count(out.String(), "\n")-1):], ""), &count)
		var left *disk.Disk
		fs.Do(func() { left = boot.Disk().Crash(r) })
		path := filepath.Join(t.TempDir(), "db")
		if err := left.Export(left.Root().Lookup("db"), path); err != nil {
			t.Fatal(err)
		}
		if err := checkBolt(path, count); err != nil {
			t.Fatalf("round %d, cut %s, %d commits: %v", round, boot.CutAt(), count, err)
		}
	}
}

func checkBolt(path string, count int) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		for i := 1; i <= count; i++ {
			if tx.Bucket([]byte("b")).Get(fmt.Appendf(nil, "%06d", i)) == nil {
				return fmt.Errorf("commit %d is lost", i)
			}
		}
		return nil
	})
}
