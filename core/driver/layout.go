package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"vitrine/core/mutant"
)

// Layout is a member's data directory, laid out as etcd's:
//
//	<data>/member/snap/db                    the database
//	<data>/member/snap/<index>.snap.db       a database that a leader has sent: an image
//	<data>/member/snap/tmp<n>                one that is on its way
//	<data>/member/snap/db.tmp.defragment     a copy of the database in the making
//	<data>/member/wal/<seq>-<index>.wal      the log
type Layout struct{ Data, Member, Snap, WAL string }

// At is the layout of a data directory. The log may have a directory of its own;
// empty means the usual one.
func At(data, walDir string) Layout {
	m := path.Join(data, "member")
	l := Layout{Data: path.Clean(data), Member: m, Snap: path.Join(m, "snap"), WAL: path.Join(m, "wal")}
	if walDir != "" {
		l.WAL = path.Clean(walDir)
	}
	return l
}

const (
	database       = "db"
	imageSuffix    = ".snap.db"
	receivedPrefix = "tmp"
	copyPrefix     = "db.tmp"
)

// DB is the database.
func (l Layout) DB() string { return path.Join(l.Snap, database) }

// Image is the received database that stands at index.
func (l Layout) Image(index uint64) string {
	return path.Join(l.Snap, fmt.Sprintf("%016x%s", index, imageSuffix))
}

func (l Layout) received(n uint64) string {
	return path.Join(l.Snap, receivedPrefix+strconv.FormatUint(n, 10))
}

func (l Layout) copy() string { return l.DB() + ".tmp.defragment" }

// founding is where a new log is written before it gets its name.
func (l Layout) founding() string { return l.WAL + ".new" }

// imageIndex reads the index in the name of an image.
func imageIndex(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, imageSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	index, err := strconv.ParseUint(hex, 16, 64)
	return index, err == nil
}

// Images lists the received databases by their indexes, ascending.
func (d *Disk) Images() ([]uint64, error) {
	names, err := d.FS.List(d.Layout.Snap)
	if err != nil {
		return nil, err
	}
	var found []uint64
	for _, name := range names { // sorted, and all of one length
		if index, ok := imageIndex(name); ok {
			found = append(found, index)
		}
	}
	return found, nil
}

// makeDirs makes the directories of a member, and their names durable: a log that
// is synced into a directory that is not is lost with it. It does so until there
// is a log, whoever has made them: a process that was killed may have left their
// names in the page cache.
func (d *Disk) makeDirs() error {
	for _, dir := range []string{d.Layout.Data, d.Layout.Member, d.Layout.Snap} {
		if err := d.makeDir(dir); err != nil {
			return fmt.Errorf("cannot access data directory: %w", err)
		}
	}
	if lived, err := d.HasLog(); err != nil {
		return err
	} else if lived {
		return d.syncDirs(path.Dir(d.Layout.WAL)) // the log's own name
	}
	if err := d.makeDir(path.Dir(d.Layout.WAL)); err != nil {
		return err
	}
	names := []string{path.Dir(d.Layout.WAL), d.Layout.Member, d.Layout.Data, path.Dir(d.Layout.Data)}
	if above := path.Dir(names[0]); !slices.Contains(names, above) { // of a directory of the log's own
		names = append(names, above)
	}
	return d.syncDirs(names...)
}

// makeDir makes a directory with its parents. The names of parents that are made
// are durable at once, that of the directory when the caller syncs its parent.
func (d *Disk) makeDir(dir string) error {
	if d.exists(dir) {
		return nil
	}
	if parent := path.Dir(dir); parent != dir && !d.exists(parent) {
		if err := d.makeDir(parent); err != nil {
			return err
		}
		if err := d.syncDirs(path.Dir(parent)); err != nil {
			return err
		}
	}
	if err := d.step(MakeDirs); err != nil {
		return err
	}
	return d.FS.MkdirAll(dir)
}

// syncDirs makes the names in directories durable. One above the member's own may
// be closed to it: then whoever made it had to see to it.
func (d *Disk) syncDirs(dirs ...string) error {
	if mutant.On(mutant.DirectoriesUnsynced) {
		return nil
	}
	for _, dir := range dirs {
		if err := d.syncDir(SyncDirs, dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// removeLeftovers removes what a crash has left half-written.
func (d *Disk) removeLeftovers() error {
	if mutant.On(mutant.LeftoverTaken) {
		if err := d.takeLeftovers(); err != nil {
			return err
		}
	}
	names, err := d.FS.List(d.Layout.Snap)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, receivedPrefix) && !strings.HasPrefix(name, copyPrefix) {
			continue
		}
		if err := d.remove(RemoveLeftover, path.Join(d.Layout.Snap, name)); err != nil {
			return err
		}
	}
	for _, dir := range []string{d.Layout.founding(), d.Layout.founding() + ".tmp"} {
		if _, err := d.FS.Stat(dir); err != nil {
			continue
		}
		if err := d.step(RemoveLeftover); err != nil {
			return err
		}
		if err := d.FS.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
