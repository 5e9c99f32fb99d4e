package vfs

import (
	"errors"
	"io"
	"strings"
	"time"
)

// Kind says what an Op does.
type Kind uint8

const (
	OpCreate Kind = iota
	OpOpen
	OpRead
	OpWrite
	OpSync     // fsync
	OpSyncData // fdatasync
	OpSyncDir
	OpTruncate
	OpPreallocate
	OpRename
	OpRemove
	OpMkdir
	OpList
	OpStat
	OpLock
	kinds
)

func (k Kind) String() string {
	names := [kinds]string{"create", "open", "read", "write", "sync", "sync-data", "sync-dir", "truncate",
		"preallocate", "rename", "remove", "mkdir", "list", "stat", "lock"}
	if k < kinds {
		return names[k]
	}
	return "unknown"
}

// Op is one operation on a file system, as wrappers see it. Closing and
// seeking are not operations: they cost nothing and cannot lose data.
type Op struct {
	Kind   Kind
	Path   string
	Offset int64 // bytes; of reads and writes
	Size   int64 // bytes read, written, reserved, or truncated to
}

// In tells whether the operation is on something in a directory, and its name there, or on the directory itself, ""
// then. Both paths are clean.
func (op *Op) In(dir string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(op.Path, dir)
	if !ok || rest == "" {
		return "", ok
	}
	return rest[1:], strings.LastIndexByte(rest, '/') == 0
}

// ShortWrite is an error for WithFaults: the write leaves its first Bytes
// bytes in the file and then fails with Err, as a disk does that fills up.
type ShortWrite struct {
	Bytes int
	Err   error
}

func (e *ShortWrite) Error() string { return e.Err.Error() }
func (e *ShortWrite) Unwrap() error { return e.Err }

// WithFaults wraps fs: fault is called before each operation, and if it returns
// an error the operation does not take place and fails with it.
func WithFaults(fs FS, fault func(Op) error) FS {
	return &hooked{fs: fs, before: fault, after: func(Op) {}}
}

// Counts is how often each kind of operation succeeded or was tried in vain,
// and how many bytes were asked for.
type Counts struct {
	Ops   [kinds]int64
	Bytes [kinds]int64
}

// WithCount returns fs with every operation added to c.
func WithCount(fs FS, c *Counts) FS {
	return &hooked{fs: fs, before: func(Op) error { return nil }, after: func(op Op) {
		c.Ops[op.Kind]++
		c.Bytes[op.Kind] += op.Size
	}}
}

// WithLatency returns fs with a price list: cost says how long an operation
// would take on the disk that is being imitated, and report is told. Nobody
// sleeps; turning the sum into virtual time is the caller's business.
func WithLatency(fs FS, cost func(Op) time.Duration, report func(Op, time.Duration)) FS {
	return &hooked{fs: fs, before: func(Op) error { return nil }, after: func(op Op) { report(op, cost(op)) }}
}

// hooked calls before and after around each operation.
type hooked struct {
	fs     FS
	before func(Op) error
	after  func(Op)
}

func (h *hooked) run(op Op, do func() error) error {
	if err := h.before(op); err != nil {
		return err
	}
	err := do()
	h.after(op)
	return err
}

func (h *hooked) file(kind Kind, name string, open func(string) (File, error)) (File, error) {
	var f File
	err := h.run(Op{Kind: kind, Path: name}, func() (err error) {
		f, err = open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &hookedFile{File: f, h: h}, nil
}

func (h *hooked) Create(name string) (File, error) { return h.file(OpCreate, name, h.fs.Create) }
func (h *hooked) Open(name string) (File, error)   { return h.file(OpOpen, name, h.fs.Open) }
func (h *hooked) OpenReadWrite(name string) (File, error) {
	return h.file(OpOpen, name, h.fs.OpenReadWrite)
}

func (h *hooked) Remove(name string) error {
	return h.run(Op{Kind: OpRemove, Path: name}, func() error { return h.fs.Remove(name) })
}

func (h *hooked) RemoveAll(name string) error {
	return h.run(Op{Kind: OpRemove, Path: name}, func() error { return h.fs.RemoveAll(name) })
}

func (h *hooked) Rename(oldName, newName string) error {
	return h.run(Op{Kind: OpRename, Path: oldName}, func() error { return h.fs.Rename(oldName, newName) })
}

func (h *hooked) MkdirAll(dir string) error {
	return h.run(Op{Kind: OpMkdir, Path: dir}, func() error { return h.fs.MkdirAll(dir) })
}

func (h *hooked) SyncDir(dir string) error {
	return h.run(Op{Kind: OpSyncDir, Path: dir}, func() error { return h.fs.SyncDir(dir) })
}

func (h *hooked) List(dir string) (names []string, err error) {
	err = h.run(Op{Kind: OpList, Path: dir}, func() (err error) {
		names, err = h.fs.List(dir)
		return err
	})
	return names, err
}

func (h *hooked) Stat(name string) (info FileInfo, err error) {
	err = h.run(Op{Kind: OpStat, Path: name}, func() (err error) {
		info, err = h.fs.Stat(name)
		return err
	})
	return info, err
}

func (h *hooked) Lock(name string) (lock io.Closer, err error) {
	err = h.run(Op{Kind: OpLock, Path: name}, func() (err error) {
		lock, err = h.fs.Lock(name)
		return err
	})
	return lock, err
}

type hookedFile struct {
	File
	h *hooked
}

func (f *hookedFile) position() int64 {
	at, err := f.File.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	return at
}

func (f *hookedFile) transfer(kind Kind, p []byte, off int64, do func([]byte) (int, error)) (int, error) {
	op := Op{Kind: kind, Path: f.Name(), Offset: off, Size: int64(len(p))}
	if err := f.h.before(op); err != nil {
		var short *ShortWrite
		if kind != OpWrite || !errors.As(err, &short) {
			return 0, err
		}
		n, writeErr := do(p[:min(short.Bytes, len(p))])
		return n, errors.Join(writeErr, err)
	}
	n, err := do(p)
	f.h.after(op)
	return n, err
}

func (f *hookedFile) Read(p []byte) (int, error) {
	return f.transfer(OpRead, p, f.position(), f.File.Read)
}

func (f *hookedFile) ReadAt(p []byte, off int64) (int, error) {
	return f.transfer(OpRead, p, off, func(p []byte) (int, error) { return f.File.ReadAt(p, off) })
}

func (f *hookedFile) Write(p []byte) (int, error) {
	return f.transfer(OpWrite, p, f.position(), f.File.Write)
}

func (f *hookedFile) WriteAt(p []byte, off int64) (int, error) {
	return f.transfer(OpWrite, p, off, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

func (f *hookedFile) Truncate(size int64) error {
	return f.h.run(Op{Kind: OpTruncate, Path: f.Name(), Size: size}, func() error { return f.File.Truncate(size) })
}

func (f *hookedFile) Preallocate(size int64) error {
	return f.h.run(Op{Kind: OpPreallocate, Path: f.Name(), Size: size}, func() error { return f.File.Preallocate(size) })
}

func (f *hookedFile) Sync() error { return f.h.run(Op{Kind: OpSync, Path: f.Name()}, f.File.Sync) }

func (f *hookedFile) SyncData() error {
	return f.h.run(Op{Kind: OpSyncData, Path: f.Name()}, f.File.SyncData)
}
