// Package mount puts simulated disks (package disk) where processes can use
// them: a file system in user space, by FUSE.
//
//	fs, err := mount.New(dir)            // needs /dev/fuse and root
//	boot := fs.Boot("m1", d, mount.Options{})
//	start(boot.Dir())                    // a server with its data there
//	boot.Arm(mount.Trap{Match: ..., Count: 7})
//	<-boot.Down()                        // the power is gone
//	kill(process); boot.Release()        // then its blocked calls may end
//	d = boot.Disk().Crash(rand)          // and the next boot finds this
//
// # Power
//
// A boot is one life of a disk, from power on to the cut, and has a directory of
// its own, so nothing that the kernel caches of one boot is seen by the next.
// At the cut every call that would change the disk blocks, for ever as the
// process sees it: it learns nothing, and nothing after the cut happens. The
// harness kills it and lets the calls go. Reading goes on; it harms nobody.
//
// # Caching
//
// Written data goes through the kernel's page cache to the disk at once (no
// writeback cache), and cached pages stay valid over opens. So a file mapped for
// reading shows what write has written, as with any local file system,
// which bbolt relies on. A writable shared mapping would bypass the model of time;
// no server here has one.
package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"vitrine/powercut/internal/disk"
)

// FS is one mounted file system that holds the boots of all machines.
type FS struct {
	fuse.RawFileSystem
	dir    string
	server *fuse.Server

	mu     sync.Mutex // guards all below, and the disks
	nextID uint64
	nodes  map[uint64]*entry // known to the kernel
	boots  map[string]*Boot  // by name in the root
}

// entry is a node that the kernel knows, on the boot that it belongs to.
type entry struct {
	boot    *Boot
	node    *disk.Node
	lookups uint64
}

// New mounts on an empty directory.
func New(dir string) (*FS, error) {
	fs := &FS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), dir: dir, nextID: fuse.FUSE_ROOT_ID,
		nodes: map[uint64]*entry{}, boots: map[string]*Boot{},
	}
	server, err := fuse.NewServer(fs, dir, &fuse.MountOptions{
		DirectMountStrict: true, FsName: "powercut", Name: "powercut", DisableXAttrs: true, DisableReadDirPlus: true,
		ExplicitDataCacheControl: true, MaxWrite: 1 << 20, DisableSplice: true,
	})
	if err != nil {
		return nil, err
	}
	fs.server = server
	go server.Serve()
	return fs, server.WaitMount()
}

// Close unmounts. No process may use the file system any more.
func (fs *FS) Close() error { return fs.server.Unmount() }

// ID numbers nodes; a disk that is to be booted here takes its numbers from it.
func (fs *FS) ID() uint64 {
	fs.nextID++
	return fs.nextID
}

// NewDisk returns an empty disk for this file system.
func (fs *FS) NewDisk(names disk.Names) *disk.Disk {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return disk.New(names, fs.ID)
}

// Options of a boot.
type Options struct {
	SyncDelay time.Duration // how long an fsync takes
	Lies      func(Op) bool // which fsyncs say that they are done, and do nothing; nil: none
}

// Boot is one life of a disk.
type Boot struct {
	fs      *FS
	name    string
	disk    *disk.Disk
	options Options

	off     bool
	cutAt   string // what was cut
	down    chan struct{}
	gone    chan struct{} // closed when blocked calls may end
	traps   []*Trap
	journal []Op
	total   int
	began   time.Time
}

// Boot switches a machine on. The name must be new.
func (fs *FS) Boot(name string, d *disk.Disk, o Options) *Boot {
	b := &Boot{fs: fs, name: name, disk: d, options: o, began: time.Now()}
	b.down, b.gone = make(chan struct{}), make(chan struct{})
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.boots[name] = b
	return b
}

// Dir is where processes find the disk.
func (b *Boot) Dir() string { return filepath.Join(b.fs.dir, b.name) }

// Disk is what the boot works on; after the cut it does not change any more.
func (b *Boot) Disk() *disk.Disk { return b.disk }

// Down is closed when the power is gone.
func (b *Boot) Down() <-chan struct{} {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	return b.down
}

// CutAt names the call at which the power went.
func (b *Boot) CutAt() string {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	return b.cutAt
}

// Arm sets a trap.
func (b *Boot) Arm(t *Trap) {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	b.traps = append(b.traps, t)
}

// Disarm removes all traps.
func (b *Boot) Disarm() {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	b.traps = nil
}

// Cut takes the power away now.
func (b *Boot) Cut(why string) {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	b.cut(why)
}

func (b *Boot) cut(why string) {
	if !b.off {
		b.off, b.cutAt = true, why
		close(b.down)
	}
}

// Release lets blocked calls end, with an error and without effect. The processes must have been killed.
func (b *Boot) Release() {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	if b.fs.boots[b.name] == b {
		delete(b.fs.boots, b.name)
		close(b.gone)
	}
}

// Restart goes on after Release as if only the process had been killed: what was not
// synced is still there, and still at risk.
func (b *Boot) Restart() {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	b.fs.boots[b.name] = b
	b.off, b.cutAt, b.traps = false, "", nil
	b.down, b.gone = make(chan struct{}), make(chan struct{})
}

// Do runs fn while nothing changes any disk; Crash needs it, for the numbers of nodes.
func (fs *FS) Do(fn func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fn()
}

// Kind is what a call does.
type Kind string

const (
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Allocate Kind = "fallocate"
	Sync     Kind = "fsync"
	DataSync Kind = "fdatasync"
	SyncDir  Kind = "fsync-dir"
	Create   Kind = "create"
	Mkdir    Kind = "mkdir"
	Remove   Kind = "remove"
	Rename   Kind = "rename"
)

// Op is a call that changes the disk, or makes it durable.
type Op struct {
	At   time.Duration // since the boot
	Kind Kind
	Path string // from the root of the disk
	To   string // of a rename
	Off  int64
	Len  int64 // of a write; the new length of a truncation
}

// String is a line of the journal.
func (o Op) String() string {
	s := fmt.Sprintf("%10.6f %-9s %s", o.At.Seconds(), o.Kind, o.Path)
	switch o.Kind {
	case Rename:
		s += " -> " + o.To
	case Write, Allocate:
		s += fmt.Sprintf(" %d+%d", o.Off, o.Len)
	case Truncate:
		s += fmt.Sprintf(" to %d", o.Len)
	}
	return s
}

// Trap takes the power away at a call: the Count-th that matches, before it has
// had any effect or after it, but before it returns. With takes others' along.
type Trap struct {
	Match func(Op) bool
	Count int
	After bool
	With  []*Boot
}

// maxJournal bounds what is kept of a boot's calls.
const maxJournal = 20_000

// Journal is the last calls of this boot, oldest first, and how many there were in all.
func (b *Boot) Journal() ([]Op, int) {
	b.fs.mu.Lock()
	defer b.fs.mu.Unlock()
	return slices.Clone(b.journal), b.total
}

func (b *Boot) note(op *Op) {
	op.At = time.Since(b.began)
	if len(b.journal) >= 2*maxJournal {
		b.journal = slices.Clone(b.journal[maxJournal:])
	}
	b.journal = append(b.journal, *op)
	b.total++
}

// strikes counts the call in all traps and returns the one that it sets off.
func (b *Boot) strikes(op *Op) *Trap {
	for _, t := range b.traps {
		if t.Count > 0 && t.Match(*op) {
			if t.Count--; t.Count == 0 {
				return t
			}
		}
	}
	return nil
}

func (b *Boot) spring(t *Trap, op *Op, when string) {
	why := fmt.Sprintf("%s %s", when, op)
	b.cut(why)
	for _, other := range t.With {
		other.cut(b.name + " " + why)
	}
}

// do carries out one call: the gate that every change passes. The caller holds mu, and gets
// it back. work may let go of mu while it waits, and returns false if it found the power gone then.
func (b *Boot) do(op Op, work func() (syscall.Errno, bool)) syscall.Errno {
	if b.off {
		return b.block()
	}
	b.note(&op)
	trap := b.strikes(&op)
	if trap != nil && !trap.After {
		b.spring(trap, &op, "before")
		return b.block()
	}
	errno, alive := work()
	if !alive {
		return b.block()
	}
	if trap != nil && slices.Contains(b.traps, trap) { // it may have been disarmed while an fsync took its time
		b.spring(trap, &op, "after")
		return b.block()
	}
	return errno
}

// block waits until the process is dead.
func (b *Boot) block() syscall.Errno {
	gone := b.gone
	b.fs.mu.Unlock()
	<-gone
	b.fs.mu.Lock()
	return syscall.EIO
}

// Unavailable tells why nothing can be mounted here; nil means that it can.
func Unavailable() error {
	if os.Geteuid() != 0 {
		return errors.New("mounting a file system takes root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("the kernel offers no file systems in user space: %w", err)
	}
	f.Close()
	return probe()
}

// probe mounts for a moment: a container may have the device and no right to mount.
func probe() error {
	dir, err := os.MkdirTemp("", "powercut-probe")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	fs, err := New(dir)
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return fs.Close()
}
