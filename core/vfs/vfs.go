// Package vfs is the disk as the core sees it: files, directories, and the
// difference between what was written and what will still be there after the
// power fails.
//
// The core never opens a file of the operating system itself. It is handed an
// FS: OS on a server, Mem in the simulator, in the browser and in tests.
// Wrappers (WithFaults, WithCount, WithLatency) compose over either one.
//
// # What may be lost
//
// The promise of every FS is the weakest one that real file systems share:
//
//   - bytes written are durable after Sync or SyncData of their file;
//   - so is the size of the file that those bytes need;
//   - a name (created, renamed, removed) is durable after SyncDir of its
//     directory, and not before: syncing the file does not save its name;
//   - Rename is atomic: after a crash either all of it happened or nothing;
//   - anything else may be there or not, in units of BlockSize bytes, in any
//     order.
//
// Mem keeps both worlds, what a running process sees and what the disk holds,
// so that a crash at any moment can be looked at:
//
//	m := vfs.NewMem()
//	f, _ := m.Create("log")
//	f.Write(record)          // in the page cache
//	f.SyncData()             // on the disk
//	m.SyncDir(".")           // and so is its name
//	after := m.CrashClone(rand.New(rand.NewPCG(1, 2)))
package vfs

import (
	"errors"
	"io"
)

// BlockSize is the unit, in bytes, in which unsynced data survives a crash:
// the sector that a disk writes entirely or not at all.
const BlockSize = 512

// ErrLocked is returned by FS.Lock when somebody else holds the lock.
var ErrLocked = errors.New("vfs: file is locked")

// File is an open file. Read, Write and Seek share one position; ReadAt and
// WriteAt leave it alone.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer

	// Name is the path the file was opened with.
	Name() string
	// Stat describes the file as a running process sees it.
	Stat() (FileInfo, error)
	// Truncate sets the size; bytes beyond the old size read as zeros.
	Truncate(size int64) error
	// Preallocate reserves space so that the file has at least size bytes,
	// the new ones reading as zeros. It never shrinks a file.
	Preallocate(size int64) error
	// Sync makes data and all metadata of the file durable (fsync).
	Sync() error
	// SyncData makes data durable and the metadata needed to read it, such as
	// the size (fdatasync).
	SyncData() error
}

// FileInfo describes a file or a directory.
type FileInfo struct {
	Name  string // last element of the path
	Size  int64  // bytes; 0 for a directory
	IsDir bool
}

// FS is a tree of files. Errors for missing and existing names match
// fs.ErrNotExist and fs.ErrExist of package io/fs.
type FS interface {
	// Create opens a file for reading and writing, empty: a file that exists
	// is truncated.
	Create(name string) (File, error)
	// Open opens a file for reading only.
	Open(name string) (File, error)
	// OpenReadWrite opens a file that exists for reading and writing.
	OpenReadWrite(name string) (File, error)
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// RemoveAll removes a tree; a missing one is no error.
	RemoveAll(name string) error
	// Rename moves a file or directory, replacing a file of the new name.
	Rename(oldName, newName string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	Stat(name string) (FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on a file, creating it if need be, and
	// fails with ErrLocked at once when it is taken. Close releases it.
	Lock(name string) (io.Closer, error)
}

// ReadFile returns the contents of a file.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size)
	_, err = io.ReadFull(f, data)
	return data, err
}

// WriteFile replaces a file so that a crash leaves either the old contents or
// the new: it writes name.tmp, syncs it, renames it and syncs the directory.
func WriteFile(fs FS, name string, data []byte) error {
	tmp := name + ".tmp"
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := fs.Rename(tmp, name); err != nil {
		return err
	}
	return fs.SyncDir(parent(name))
}

// parent is the directory part of a path with either separator.
func parent(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' || name[i] == '\\' {
			if i == 0 {
				return name[:1]
			}
			return name[:i]
		}
	}
	return "."
}
