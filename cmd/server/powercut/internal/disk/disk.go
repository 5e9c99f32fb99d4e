// Package disk is a disk with a file system on it, as a power cut sees it: what
// was synced, what was not, and what may be left of that.
//
//	d := disk.New(disk.POSIX, ids)
//	f, _ := d.Create(d.Root(), "db", false)
//	d.Write(f, data, 0)
//	d.Sync(f, d.Now(), true)           // fdatasync
//	after := d.Crash(rand)             // what the next boot finds
//
// # What is modelled
//
// Data: a file is made of 512-byte sectors. Each keeps the versions that were
// written since it was last synced; a cut leaves one of them or the old one,
// each sector by itself. A sector is never torn.
//
// Lengths: the changes of a file's length (by a write at the end, truncate,
// fallocate) survive as a prefix, independent of the data: a new length over a
// sector that was lost reads as zeros, a lost length hides data that was kept.
// What a truncation has cut off comes back only if the truncation is lost, and
// then nothing written behind it later is seen. fsync and fdatasync of the file
// make both durable, as they were when the call began.
//
// Names: files made, removed and renamed, directories too. A rename is atomic,
// also between two directories. When a name is durable depends on Names.
//
// The lottery is drawn anew at each cut: how much survives of data, of lengths
// and of names are three rates, each of which is none, half, all or anything.
//
// # What is not modelled
//
// Hard and symbolic links, attributes and times, garbage in place of unsynced
// data (ext4 with data=writeback and disks that tear sectors leave some), errors
// of the medium, caches of the disk that do not obey a flush. That ext4 flushes a file that
// is renamed over another, and orders data before lengths, is deliberately left
// out: no standard promises it.
package disk

import (
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
)

// Names says when names become durable.
type Names int

const (
	// POSIX promises a name only after the fsync of its directory. Changes that
	// were not synced survive one by one, in any combination that makes sense.
	POSIX Names = iota
	// Journal is how ext4 and xfs behave: changes of names reach the disk in
	// their order, and an fsync of anything takes all earlier ones along.
	Journal
)

// String names it for reports.
func (n Names) String() string {
	if n == Journal {
		return "journal"
	}
	return "posix"
}

// Node is a file or a directory.
type Node struct {
	ID     uint64
	IsDir  bool
	parent *Node // where its name is now; nil for the root and for what is removed
	name   string

	now, durable map[string]*Node // of a directory
	content      content          // of a file
}

// Path is the name from the root; of a removed file the last one.
func (n *Node) Path() string {
	var parts []string
	for ; n != nil && n.name != ""; n = n.parent {
		parts = append(parts, n.name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// Size is the length in bytes, as the running system sees it.
func (n *Node) Size() int64 { return n.content.size() }

// Lookup returns what a directory has under a name, or nil.
func (n *Node) Lookup(name string) *Node { return n.now[name] }

// List returns the names in a directory, sorted.
func (n *Node) List() []string { return sortedNames(n.now) }

// change is one name that comes to mean something else.
type change struct {
	dir           *Node
	name          string
	before, after *Node
}

// step is what happens to names at once, or not at all.
type step struct {
	seq     uint64
	changes []change
}

// Disk is one file system. It is for one goroutine at a time.
type Disk struct {
	names   Names
	ids     func() uint64
	root    *Node
	seq     uint64
	pending []step // of names, oldest first, not durable
}

// New returns an empty disk; ids gives each node a number of its own.
func New(names Names, ids func() uint64) *Disk {
	return &Disk{names: names, ids: ids, root: newDir(ids())}
}

func newDir(id uint64) *Node {
	return &Node{ID: id, IsDir: true, now: map[string]*Node{}, durable: map[string]*Node{}}
}

// Root is the top directory, which is always there.
func (d *Disk) Root() *Node { return d.root }

// Now is the moment up to which everything has been done.
func (d *Disk) Now() uint64 { return d.seq }

// Create makes a file or a directory.
func (d *Disk) Create(dir *Node, name string, isDir bool) (*Node, syscall.Errno) {
	if dir.now[name] != nil {
		return nil, syscall.EEXIST
	}
	if dir != d.root && dir.parent == nil {
		return nil, syscall.ENOENT // a directory that was removed
	}
	n := &Node{ID: d.ids()}
	if isDir {
		n = newDir(n.ID)
	}
	d.rename(change{dir, name, nil, n})
	return n, 0
}

// Remove removes a file, or a directory that is empty.
func (d *Disk) Remove(dir *Node, name string, isDir bool) syscall.Errno {
	n := dir.now[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case n.IsDir && !isDir:
		return syscall.EISDIR
	case !n.IsDir && isDir:
		return syscall.ENOTDIR
	case len(n.now) > 0:
		return syscall.ENOTEMPTY
	}
	d.rename(change{dir, name, n, nil})
	return 0
}

// Rename gives a node another name, and replaces what had that name.
func (d *Disk) Rename(from *Node, oldName string, to *Node, newName string) syscall.Errno {
	n, old := from.now[oldName], to.now[newName]
	switch {
	case n == nil:
		return syscall.ENOENT
	case n == old:
		return 0
	case old == nil:
	case old.IsDir && !n.IsDir:
		return syscall.EISDIR
	case !old.IsDir && n.IsDir:
		return syscall.ENOTDIR
	case len(old.now) > 0:
		return syscall.ENOTEMPTY
	}
	d.rename(change{from, oldName, n, nil}, change{to, newName, old, n})
	return 0
}

// rename carries out one step.
func (d *Disk) rename(changes ...change) {
	d.seq++
	for _, c := range changes {
		set(c.dir.now, c.name, c.after)
		if c.before != nil {
			c.before.parent = nil
		}
	}
	for _, c := range changes {
		if c.after != nil {
			c.after.parent, c.after.name = c.dir, c.name
		}
	}
	d.pending = append(d.pending, step{d.seq, changes})
}

func set(names map[string]*Node, name string, n *Node) {
	if n == nil {
		delete(names, name)
	} else {
		names[name] = n
	}
}

// Write writes into a file, and makes it longer if need be.
func (d *Disk) Write(n *Node, data []byte, off int64) {
	d.seq++
	n.content.write(d.seq, data, off)
}

// Read fills p with what the running system sees at off, and returns how much there was.
func (d *Disk) Read(n *Node, p []byte, off int64) int { return n.content.read(p, off) }

// Truncate sets a file's length.
func (d *Disk) Truncate(n *Node, size int64) {
	d.seq++
	n.content.resize(d.seq, size)
}

// Sync makes a file durable as it was at the moment upTo: data and length.
func (d *Disk) Sync(n *Node, upTo uint64, dataOnly bool) {
	resized := n.content.sync(upTo)
	if d.names == Journal && (!dataOnly || resized || d.isNew(n)) {
		d.commitNames(upTo, func(step) bool { return true })
	}
}

// SyncDir makes the names in a directory durable as they were at the moment upTo.
func (d *Disk) SyncDir(dir *Node, upTo uint64) {
	d.commitNames(upTo, func(s step) bool {
		return d.names == Journal || slices.ContainsFunc(s.changes, func(c change) bool { return c.dir == dir })
	})
}

// isNew tells whether a file's inode is still to be written by the journal.
func (d *Disk) isNew(n *Node) bool {
	return slices.ContainsFunc(d.pending, func(s step) bool {
		return len(s.changes) == 1 && s.changes[0].before == nil && s.changes[0].after == n
	})
}

type place struct {
	dir  *Node
	name string
}

// commitNames makes the steps up to a moment that pick asks for durable, and
// the earlier ones that they build upon.
func (d *Disk) commitNames(upTo uint64, pick func(step) bool) {
	needed := map[place]bool{}
	var commit, keep []step
	for _, s := range slices.Backward(d.pending) {
		builtUpon := slices.ContainsFunc(s.changes, func(c change) bool { return needed[place{c.dir, c.name}] })
		if s.seq > upTo || !pick(s) && !builtUpon {
			keep = append(keep, s)
			continue
		}
		commit = append(commit, s)
		for _, c := range s.changes {
			needed[place{c.dir, c.name}] = true
		}
	}
	for _, s := range slices.Backward(commit) {
		for _, c := range s.changes {
			set(c.dir.durable, c.name, c.after)
		}
	}
	slices.Reverse(keep)
	d.pending = keep
}

// Crash returns what is left after a power cut, by the dice. The disk itself stays
// as it is, so that the same dice give the same again.
func (d *Disk) Crash(r *rand.Rand) *Disk {
	rates := [3]float64{survival(r), survival(r), survival(r)}
	return d.CrashAt(r, rates[0], rates[1], rates[2])
}

// CrashAt is Crash with given chances, from 0 to 1, that what was not synced survives.
func (d *Disk) CrashAt(r *rand.Rand, data, lengths, names float64) *Disk {
	view := map[*Node]map[string]*Node{}
	of := func(dir *Node) map[string]*Node {
		if view[dir] == nil {
			view[dir] = map[string]*Node{}
			for name, n := range dir.durable {
				view[dir][name] = n
			}
		}
		return view[dir]
	}
	prefix := len(d.pending)
	if d.names == Journal {
		prefix = drawPrefix(r, len(d.pending), names)
	}
	for i, s := range d.pending {
		survives := i < prefix && (d.names == Journal || r.Float64() < names)
		for _, c := range s.changes {
			survives = survives && of(c.dir)[c.name] == c.before
		}
		if survives {
			for _, c := range s.changes {
				set(of(c.dir), c.name, c.after)
			}
		}
	}
	out := New(d.names, d.ids)
	var fill func(from, to *Node)
	fill = func(from, to *Node) {
		names := of(from)
		for _, name := range sortedNames(names) {
			child := &Node{ID: d.ids()}
			if names[name].IsDir {
				child = newDir(child.ID)
				fill(names[name], child)
			} else {
				child.content = names[name].content.crash(r, data, lengths)
			}
			child.parent, child.name = to, name
			to.now[name], to.durable[name] = child, child
		}
	}
	fill(d.root, out.root)
	return out
}

// SetNames changes what the file system promises about names.
func (d *Disk) SetNames(n Names) { d.names = n }

// drawPrefix is how many of n steps in a row survive.
func drawPrefix(r *rand.Rand, n int, keep float64) int {
	if n == 0 || r.Float64() < keep {
		return n
	}
	if keep == 0 {
		return 0
	}
	return r.IntN(n)
}

// survival draws a rate: none, half, all or anything, so that the extremes are as
// common as the mixtures.
func survival(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return 0
	case 1:
		return 0.5
	case 2:
		return 1
	}
	return r.Float64()
}

func sortedNames(m map[string]*Node) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
