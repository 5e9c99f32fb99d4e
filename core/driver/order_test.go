package driver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/vfs"
)

// diary notes the steps of a disk, and of what the driver itself does the operations that need not be steps.
type diary struct {
	lines []string
	fail  Step // which fails
	err   error
}

// keep makes a disk on mem that keeps a diary. Its database keeps none, nor does its log but for its steps.
func (y *diary) keep(mem *vfs.Mem) *Disk {
	d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpMkdir, vfs.OpSyncDir, vfs.OpRename, vfs.OpRemove, vfs.OpSync:
			name := strings.TrimPrefix(op.Path, "data/member/")
			if k := len(y.lines); k > 0 && y.lines[k-1] != FoundLog.String() && !strings.HasPrefix(name, "wal/") {
				y.lines[k-1] += " " + name
			}
		}
		return nil
	}))
	d.Open = func(path string) (backend.Store, error) { return backend.OpenMemFile(mem, path) }
	d.Hook = func(s Step) error {
		y.lines = append(y.lines, s.String())
		if s == y.fail {
			return y.err
		}
		return nil
	}
	return d
}

// expect compares what the diary says since it was read with lines.
func (y *diary) expect(t *testing.T, what string, lines ...string) {
	t.Helper()
	got, want := strings.Join(y.lines, "\n"), strings.Join(lines, "\n")
	if y.lines = nil; got != want {
		t.Errorf("%s:\n%s\n--- want\n%s", what, got, want)
	}
}

// TestOrder is the order of steps in a member's life, with the names that each of them is about.
func TestOrder(t *testing.T) {
	image, meta := imageAt(t, 40)
	y, mem := &diary{}, vfs.NewMem()
	d := y.keep(mem)
	d.WAL.SegmentBytes = 1 << 20
	l := living(t, d)
	commit := []string{"commit-begin", "commit-run", "commit-end"}
	y.expect(t, "a first start", append([]string{
		"make-dirs data", "make-dirs data/member", "make-dirs snap",
		"sync-dirs data/member", "sync-dirs data/member", "sync-dirs data", "sync-dirs .",
		"open-store", "store-dirsync snap",
		"found-log", "found-sync wal", "found-rename wal.new", "found-dirsync data/member",
		"open-log", "segment-dirsync wal", "load-store",
	}, commit...)...)
	l.check(l.started.Close())
	touch(t, mem, "data/member/snap/tmp1", "x")
	l.check(mem.MkdirAll("data/member/wal.new"))
	touch(t, mem, d.Layout.Image(1), "x")
	y.lines = nil
	l.start()
	y.expect(t, "a second start", "sync-dirs data/member", "remove-leftover snap/tmp1", "remove-leftover wal.new",
		"sync-store snap/db", "open-store", "store-dirsync snap", "open-log", "segment-dirsync wal", "load-store",
		"drop-image snap/0000000000000001.snap.db")
	l.receive(image, 40)
	y.expect(t, "a database is received", "image-create", "image-write", "image-write",
		"image-sync snap/tmp40", "image-check", "load-store", "image-rename snap/tmp40", "image-dirsync snap")
	l.install(meta)
	y.expect(t, "it is installed", "log-snapshot", "log-commit", "log-append", "log-sync", "adopt-check",
		"load-store", "adopt-rename snap/0000000000000028.snap.db", "adopt-dirsync snap", "exchange")
	l.group(2, 10, 0)
	l.check(l.disk.DropImage(3)) // there is none
	y.expect(t, "a group of writes", "log-append", "log-sync", "drop-image snap/0000000000000003.snap.db")
	l.group(2, 10, 40)
	y.expect(t, "with a mark", "log-append", "log-mark", "log-sync", "release")
	_, err := l.started.Log.Append(nil)
	l.check(err)
	y.expect(t, "nothing")
	l.commit()
	y.expect(t, "a commit", commit...)
	l.defragment()
	y.expect(t, "a defragmentation", "defrag-copy", "defrag-sync snap/db.tmp.defragment",
		"defrag-rename snap/db.tmp.defragment", "defrag-dirsync snap", "defrag-open", "defrag-exchange")
	_, err = l.started.State.Housekeep(1)
	l.check(err)
	y.expect(t, "housekeeping", "housekeep")
	d.UnsafeNoSync = true
	l.receive(image, 40)
	l.defragment()
	y.expect(t, "without syncs of what may be large", "image-create", "image-write", "image-write",
		"image-sync", "image-check", "load-store", "image-rename snap/tmp40", "image-dirsync snap",
		"defrag-copy", "defrag-sync", "defrag-rename snap/db.tmp.defragment", "defrag-dirsync snap", "defrag-open",
		"defrag-exchange")
}

// TestOrderOfDirectories: the names of those that are made on the way are durable before what is in them, and a log
// whose directory is not the member's has its name durable in that.
func TestOrderOfDirectories(t *testing.T) {
	for _, c := range []struct {
		data, wal string
		parents   int // that are synced on the way
		want      []string
	}{
		{"a/b/data", "", 2, []string{
			"make-dirs a", "sync-dirs .", "make-dirs a/b", "sync-dirs a", "make-dirs a/b/data",
			"make-dirs a/b/data/member", "make-dirs a/b/data/member/snap",
			"sync-dirs a/b/data/member", "sync-dirs a/b/data/member", "sync-dirs a/b/data", "sync-dirs a/b",
		}},
		{"data", "logs/wal", 0, []string{
			"make-dirs data", "make-dirs data/member", "make-dirs snap", "make-dirs logs",
			"sync-dirs logs", "sync-dirs data/member", "sync-dirs data", "sync-dirs .",
		}},
		{"/data", "/logs/all/wal", 1, []string{
			"make-dirs /data", "make-dirs /data/member", "make-dirs /data/member/snap",
			"make-dirs /logs", "sync-dirs /", "make-dirs /logs/all",
			"sync-dirs /logs/all", "sync-dirs /data/member", "sync-dirs /data", "sync-dirs /", "sync-dirs /logs",
		}},
	} {
		y := &diary{}
		d := y.keep(vfs.NewMem())
		d.Layout = At(c.data, c.wal)
		made := slices.Clone(c.want)
		again := slices.DeleteFunc(made, func(line string) bool { return strings.HasPrefix(line, "make-dirs") })
		for i, want := range [][]string{c.want, again[c.parents:]} { // until there is a log
			y.lines = nil
			if err := d.makeDirs(); err != nil {
				t.Fatal(err)
			}
			y.expect(t, fmt.Sprint(c.data, " and ", c.wal, " ", i), want...)
		}
	}
}
