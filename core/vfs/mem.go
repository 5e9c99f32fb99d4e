package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
)

var (
	errIsDir    = errors.New("is a directory")
	errNotDir   = errors.New("not a directory")
	errNotEmpty = errors.New("directory not empty")
	errReadOnly = errors.New("file is open for reading only")
	errNegative = errors.New("negative offset or size")
)

// Mem is a file system in memory that knows what a crash would lose. It is
// for one goroutine at a time; clones are independent of each other.
//
// Paths are slash-separated; a leading slash makes no difference.
type Mem struct {
	root *node
	// moves are the changes of directory entries that no SyncDir has made
	// durable, oldest first.
	moves []move
	locks map[string]bool
}

// node is a file or a directory, whatever its names are.
type node struct {
	isDir   bool
	content content          // of a file
	now     map[string]*node // of a directory, as a process sees it
	disk    map[string]*node // of a directory, as the disk has it
}

// change is one directory entry before and after; nil means absent.
type change struct {
	dir           *node
	name          string
	before, after *node
}

// move is a group of changes that happen together or not at all.
type move []change

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newDir(), locks: map[string]bool{}}
}

func newDir() *node {
	return &node{isDir: true, now: map[string]*node{}, disk: map[string]*node{}}
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// find returns the node of a path, nil if there is none.
func (m *Mem) find(name string) *node {
	at := m.root
	if name = clean(name); name == "" {
		return at
	}
	for part := range strings.SplitSeq(name, "/") {
		if at = at.now[part]; at == nil {
			return nil
		}
	}
	return at
}

// dirOf returns the directory that holds a path, and the name in it.
func (m *Mem) dirOf(op, name string) (*node, string, error) {
	dir, base := path.Split(clean(name))
	d := m.find(dir)
	switch {
	case base == "":
		return nil, "", pathError(op, name, fs.ErrInvalid)
	case d == nil:
		return nil, "", pathError(op, name, fs.ErrNotExist)
	case !d.isDir:
		return nil, "", pathError(op, name, errNotDir)
	}
	return d, base, nil
}

// do changes directory entries and remembers that the disk does not know yet.
func (m *Mem) do(changes ...change) {
	for _, c := range changes {
		if c.after == nil {
			delete(c.dir.now, c.name)
		} else {
			c.dir.now[c.name] = c.after
		}
	}
	m.moves = append(m.moves, changes)
}

func (m *Mem) Create(name string) (File, error) {
	dir, base, err := m.dirOf("create", name)
	if err != nil {
		return nil, err
	}
	n := dir.now[base]
	switch {
	case n == nil:
		n = &node{content: newContent()}
		m.do(change{dir, base, nil, n})
	case n.isDir:
		return nil, pathError("create", name, errIsDir)
	default:
		n.content.truncate(0)
		n.content.held.now = nil
	}
	return &memFile{node: n, name: name, writable: true}, nil
}

func (m *Mem) Open(name string) (File, error)          { return m.open(name, false) }
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, writable bool) (File, error) {
	n := m.find(name)
	switch {
	case n == nil:
		return nil, pathError("open", name, fs.ErrNotExist)
	case n.isDir:
		return nil, pathError("open", name, errIsDir)
	}
	return &memFile{node: n, name: name, writable: writable}, nil
}

func (m *Mem) Remove(name string) error {
	dir, base, err := m.dirOf("remove", name)
	if err != nil {
		return err
	}
	n := dir.now[base]
	switch {
	case n == nil:
		return pathError("remove", name, fs.ErrNotExist)
	case len(n.now) > 0:
		return pathError("remove", name, errNotEmpty)
	}
	m.do(change{dir, base, n, nil})
	return nil
}

func (m *Mem) RemoveAll(name string) error {
	dir, base, err := m.dirOf("remove", name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n := dir.now[base]; n != nil {
		m.removeTree(dir, base, n)
	}
	return nil
}

func (m *Mem) removeTree(dir *node, base string, n *node) {
	for _, child := range sortedNames(n.now) {
		m.removeTree(n, child, n.now[child])
	}
	m.do(change{dir, base, n, nil})
}

func (m *Mem) Rename(oldName, newName string) error {
	from, oldBase, err := m.dirOf("rename", oldName)
	if err != nil {
		return err
	}
	to, newBase, err := m.dirOf("rename", newName)
	if err != nil {
		return err
	}
	n, replaced := from.now[oldBase], to.now[newBase]
	switch {
	case n == nil:
		return pathError("rename", oldName, fs.ErrNotExist)
	case n == replaced:
		return nil
	case n.isDir && strings.HasPrefix(clean(newName)+"/", clean(oldName)+"/"):
		return pathError("rename", newName, fs.ErrInvalid)
	case replaced != nil && (replaced.isDir != n.isDir || len(replaced.now) > 0):
		return pathError("rename", newName, fs.ErrExist)
	}
	m.do(change{from, oldBase, n, nil}, change{to, newBase, replaced, n})
	return nil
}

func (m *Mem) MkdirAll(dir string) error {
	at := m.root
	if dir = clean(dir); dir == "" {
		return nil
	}
	for part := range strings.SplitSeq(dir, "/") {
		next := at.now[part]
		if next == nil {
			next = newDir()
			m.do(change{at, part, nil, next})
		} else if !next.isDir {
			return pathError("mkdir", dir, errNotDir)
		}
		at = next
	}
	return nil
}

func (m *Mem) List(dir string) ([]string, error) {
	n := m.find(dir)
	switch {
	case n == nil:
		return nil, pathError("list", dir, fs.ErrNotExist)
	case !n.isDir:
		return nil, pathError("list", dir, errNotDir)
	}
	return sortedNames(n.now), nil
}

func sortedNames(entries map[string]*node) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (m *Mem) Stat(name string) (FileInfo, error) {
	n := m.find(name)
	if n == nil {
		return FileInfo{}, pathError("stat", name, fs.ErrNotExist)
	}
	return FileInfo{Name: path.Base(clean(name)), Size: n.content.fileSize(), IsDir: n.isDir}, nil
}

// SyncDir makes the changes of dir durable, and with them the earlier changes
// of the names they touch: a rename cannot reach the disk before the creation
// of the file it moves.
func (m *Mem) SyncDir(dir string) error {
	d := m.find(dir)
	switch {
	case d == nil:
		return pathError("sync", dir, fs.ErrNotExist)
	case !d.isDir:
		return pathError("sync", dir, errNotDir)
	}
	type entry struct {
		dir  *node
		name string
	}
	needed := map[entry]bool{}
	due := make([]bool, len(m.moves))
	for i := len(m.moves) - 1; i >= 0; i-- {
		for _, c := range m.moves[i] {
			due[i] = due[i] || c.dir == d || needed[entry{c.dir, c.name}]
		}
		for _, c := range m.moves[i] {
			needed[entry{c.dir, c.name}] = needed[entry{c.dir, c.name}] || due[i]
		}
	}
	var later []move
	for i, mv := range m.moves {
		if !due[i] {
			later = append(later, mv)
			continue
		}
		for _, c := range mv {
			setEntry(c.dir.disk, c.name, c.after)
		}
	}
	m.moves = later
	return nil
}

func setEntry(entries map[string]*node, name string, n *node) {
	if n == nil {
		delete(entries, name)
	} else {
		entries[name] = n
	}
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	key := clean(name)
	if m.locks[key] {
		return nil, pathError("lock", name, ErrLocked)
	}
	if m.find(key) == nil {
		if _, err := m.Create(name); err != nil {
			return nil, err
		}
	}
	m.locks[key] = true
	return &memLock{m, key}, nil
}

type memLock struct {
	m   *Mem
	key string
}

func (l *memLock) Close() error {
	if l.m == nil {
		return fs.ErrClosed
	}
	delete(l.m.locks, l.key)
	l.m = nil
	return nil
}

// Unsynced returns how many blocks of a file a crash may lose, and whether it
// may lose the file's size.
func (m *Mem) Unsynced(name string) (blocks int, size bool) {
	n := m.find(name)
	if n == nil || n.isDir {
		return 0, false
	}
	dirty := slices.Clone(n.content.dirty)
	slices.Sort(dirty)
	return len(slices.Compact(dirty)), n.content.size != n.content.diskSize
}

// memFile is an open file of a Mem.
type memFile struct {
	node     *node
	name     string
	offset   int64
	writable bool
	closed   bool
}

func (f *memFile) check(op string, write bool, number int64) error {
	switch {
	case f.closed:
		return pathError(op, f.name, fs.ErrClosed)
	case write && !f.writable:
		return pathError(op, f.name, errReadOnly)
	case number < 0:
		return pathError(op, f.name, errNegative)
	case f.node.content.held.now != nil && op != "hold" && op != "sync" && op != "close" && op != "stat":
		return pathError(op, f.name, errHolds)
	}
	return nil
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("read", false, off); err != nil {
		return 0, err
	}
	n := f.node.content.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.offset)
	f.offset += int64(n)
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.check("write", true, off); err != nil {
		return 0, err
	}
	f.node.content.writeAt(p, off)
	return len(p), nil
}

func (f *memFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.node.content.size
	}
	if err := f.check("seek", false, offset); err != nil {
		return 0, err
	}
	f.offset = offset
	return offset, nil
}

func (f *memFile) Close() error {
	err := f.check("close", false, 0)
	f.closed = true
	return err
}

func (f *memFile) Stat() (FileInfo, error) {
	return FileInfo{Name: path.Base(clean(f.name)), Size: f.node.content.fileSize()}, f.check("stat", false, 0)
}

func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", true, size); err != nil {
		return err
	}
	f.node.content.truncate(size)
	return nil
}

func (f *memFile) Preallocate(size int64) error {
	if err := f.check("preallocate", true, size); err != nil {
		return err
	}
	if size > f.node.content.size {
		f.node.content.truncate(size)
	}
	return nil
}

func (f *memFile) Sync() error {
	if err := f.check("sync", false, 0); err != nil {
		return err
	}
	f.node.content.sync()
	return nil
}

func (f *memFile) SyncData() error { return f.Sync() }
