//go:build !js

package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// TestBothFileSystemsAgree runs one script on the operating system and in memory.
func TestBothFileSystemsAgree(t *testing.T) {
	t.Run("os", func(t *testing.T) { script(t, OS{}, t.TempDir()) })
	t.Run("mem", func(t *testing.T) { script(t, NewMem(), ".") })
}

func script(t *testing.T, fsys FS, root string) {
	dir := filepath.ToSlash(filepath.Join(root, "a/b"))
	check(t, fsys.MkdirAll(dir))
	check(t, fsys.MkdirAll(dir))
	name := dir + "/f"
	f := must(fsys.Create(name))(t)
	must(f.Write([]byte("hello, disk")))(t)
	check(t, f.Preallocate(1<<16))
	check(t, f.Preallocate(10)) // never shrinks
	must(f.Write([]byte("!")))(t)
	check(t, f.SyncData())
	check(t, f.Sync())
	if info := must(f.Stat())(t); info != (FileInfo{Name: "f", Size: 1 << 16}) {
		t.Errorf("stat: %+v", info)
	}
	check(t, f.Truncate(12))
	if got := must(ReadFile(fsys, name))(t); !bytes.Equal(got, []byte("hello, disk!")) {
		t.Errorf("holds %q", got)
	}
	check(t, f.Close())
	check(t, fsys.SyncDir(dir))
	check(t, fsys.Rename(name, dir+"/g"))
	must(fsys.Create(dir + "/A"))(t)
	if names := must(fsys.List(dir))(t); !slices.Equal(names, []string{"A", "g"}) {
		t.Errorf("names %v", names)
	}
	if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of the old name: %v", err)
	}
	if _, err := fsys.OpenReadWrite(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open for writing must not create: %v", err)
	}
	g := must(fsys.OpenReadWrite(dir + "/g"))(t)
	must(g.WriteAt([]byte("J"), 0))(t)
	must(g.Seek(5, io.SeekStart))(t)
	rest := must(io.ReadAll(g))(t)
	if string(rest) != ", disk!" {
		t.Errorf("rest %q", rest)
	}
	lock := must(fsys.Lock(dir + "/g"))(t)
	if _, err := fsys.Lock(dir + "/g"); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	check(t, lock.Close())
	lock = must(fsys.Lock(dir + "/g"))(t)
	check(t, lock.Close())
	check(t, WriteFile(fsys, dir+"/g", []byte("new")))
	if got := string(must(ReadFile(fsys, dir+"/g"))(t)); got != "new" {
		t.Errorf("holds %q", got)
	}
	if info := must(fsys.Stat(dir))(t); !info.IsDir || info.Size != 0 {
		t.Errorf("stat of the directory: %+v", info)
	}
	check(t, fsys.Remove(dir+"/A"))
	check(t, fsys.RemoveAll(filepath.ToSlash(filepath.Join(root, "a"))))
	if _, err := fsys.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tree is still there: %v", err)
	}
}
