//go:build !js

package vfs

import (
	"io"
	"io/fs"
	"os"
)

const (
	filePerm = 0o600 // as etcd: a log may hold secrets
	dirPerm  = 0o700
)

// OS is the file system of the operating system.
type OS struct{}

func (OS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}
func (OS) Open(name string) (File, error)          { return openOS(name, os.O_RDONLY) }
func (OS) OpenReadWrite(name string) (File, error) { return openOS(name, os.O_RDWR) }

func openOS(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, flags, filePerm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (OS) Remove(name string) error             { return os.Remove(name) }
func (OS) RemoveAll(name string) error          { return os.RemoveAll(name) }
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }
func (OS) MkdirAll(dir string) error            { return os.MkdirAll(dir, dirPerm) }

func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (OS) Stat(name string) (FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), nil
}

func fileInfo(info fs.FileInfo) FileInfo {
	out := FileInfo{Name: info.Name(), Size: info.Size(), IsDir: info.IsDir()}
	if out.IsDir {
		out.Size = 0
	}
	return out
}

func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = syncDir(d)
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, pathError("lock", name, err)
	}
	return f, nil // closing the descriptor releases the lock
}

type osFile struct{ *os.File }

func (f osFile) Stat() (FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), nil
}

func (f osFile) SyncData() error { return syncData(f.File) }

func (f osFile) Preallocate(size int64) error {
	info, err := f.File.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return reserve(f.File, info.Size(), size)
}

// extend makes a file longer where the system cannot reserve space.
func extend(f *os.File, size int64) error { return f.Truncate(size) }
