package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"vitrine/core/vfs"
)

// MemFile is a Mem that lives in a file of a vfs.FS, as a bolt database does: it
// can be opened again, renamed, copied, received from a peer, and lost in a
// crash. Between two commits the file holds the image itself (vfs.Holder), so
// that a commit costs what it changes; a file that came from elsewhere has the
// bytes of MemSnapshot.WriteTo. A commit is one value and one sync: after a crash
// the file has it or does not, as bbolt's two meta pages promise.
type MemFile struct {
	Mem
	file vfs.Holder
	path string
	fs   vfs.FS
}

// OpenMemFile opens or creates the store in a file. The name of a new file is
// durable once its directory is synced. The error is one of the file system or
// wraps ErrBadSnapshot.
func OpenMemFile(fsys vfs.FS, path string) (*MemFile, error) {
	opened, err := fsys.OpenReadWrite(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createMemFile(fsys, path)
	}
	if err != nil {
		return nil, err
	}
	m, err := newMemFile(fsys, path, opened)
	if err != nil {
		return nil, err
	}
	if image, ok := m.file.Held().(*memImage); ok {
		m.image.Store(image)
		return m, nil
	}
	if info, err := opened.Stat(); err == nil && info.Size == 0 {
		return m, m.save() // it was created and nothing else: as bbolt takes it
	}
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	read, err := OpenMemSnapshot(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("backend: open %s: %w", path, err), opened.Close())
	}
	m.image.Store(read.image.Load())
	return m, nil
}

func createMemFile(fsys vfs.FS, path string) (*MemFile, error) {
	f, err := fsys.Create(path)
	if err != nil {
		return nil, err
	}
	m, err := newMemFile(fsys, path, f)
	if err != nil {
		return nil, err
	}
	return m, m.save()
}

// ReadMemFile is what a file holds, as a store of its own that has nothing to do
// with the file any more. A missing file is an empty store.
func ReadMemFile(fsys vfs.FS, path string) (*Mem, error) {
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return NewMem(), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if h, ok := f.(vfs.Holder); ok {
		if image, ok := h.Held().(*memImage); ok {
			m := &Mem{}
			m.image.Store(image)
			return m, nil
		}
	}
	data, err := vfs.ReadFile(fsys, path)
	if err != nil || len(data) == 0 {
		return NewMem(), err
	}
	return OpenMemSnapshot(data)
}

// newMemFile is an empty store in an open file.
func newMemFile(fsys vfs.FS, path string, f vfs.File) (*MemFile, error) {
	file, ok := f.(vfs.Holder)
	if !ok {
		return nil, errors.Join(fmt.Errorf("backend: open %s: files of this file system hold no values", path), f.Close())
	}
	m := &MemFile{path: path, fs: fsys, file: file}
	m.image.Store(&memImage{size: emptySize})
	return m, nil
}

// save makes the current image the durable contents of the file.
func (m *MemFile) save() error {
	image := m.image.Load()
	if err := m.file.Hold(image, image.size); err != nil {
		return err
	}
	return m.file.SyncData()
}

// Commit implements Store.
func (m *MemFile) Commit(ops []Op) error {
	if err := m.Mem.Commit(ops); err != nil {
		return err
	}
	return m.save()
}

// CompactTo writes what is committed into a new file, which the caller syncs.
func (m *MemFile) CompactTo(path string) error {
	f, err := m.fs.Create(path)
	if err != nil {
		return err
	}
	var data bytes.Buffer
	_, err = newMemSnapshot(m.image.Load()).WriteTo(&data)
	if err == nil {
		_, err = f.Write(data.Bytes())
	}
	return errors.Join(err, f.Close())
}

// Renamed tells the store that its file has another name now.
func (m *MemFile) Renamed(path string) { m.path = path }

// Path is the file's name.
func (m *MemFile) Path() string { return m.path }

// Close implements Store. What is committed stays in the file.
func (m *MemFile) Close() error { return m.file.Close() }
