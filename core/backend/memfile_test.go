package backend

import (
	"bytes"
	"errors"
	"testing"

	"vitrine/core/vfs"
)

func commitTo(t *testing.T, s Store, key, value string) {
	t.Helper()
	if err := s.Commit([]Op{{Bucket: Key, Key: []byte(key), Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}

func openFile(t *testing.T, fs vfs.FS, path string) *MemFile {
	t.Helper()
	m, err := OpenMemFile(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func valueIn(t *testing.T, s Store, key string) string {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	return string(v.Get(Key, []byte(key)))
}

// TestMemFileKeepsCommits: each commit is durable when it returns, whatever the
// crash leaves of the rest.
func TestMemFileKeepsCommits(t *testing.T) {
	fs := vfs.NewMem()
	m := openFile(t, fs, "db")
	fs.SyncDir(".")
	commitTo(t, m, "a", "1")
	after := fs.LoseUnsynced()
	commitTo(t, m, "a", "2")
	if got := valueIn(t, openFile(t, after, "db"), "a"); got != "1" {
		t.Errorf("after a crash the key is %q, want 1", got)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if got := valueIn(t, openFile(t, fs, "db"), "a"); got != "2" {
		t.Errorf("opened again the key is %q, want 2", got)
	}
}

// TestMemFileFailedCommit: what the disk refused is not in the file.
func TestMemFileFailedCommit(t *testing.T) {
	mem, broken := vfs.NewMem(), errors.New("broken")
	for _, kind := range []vfs.Kind{vfs.OpWrite, vfs.OpSyncData} {
		fail := false
		fs := vfs.WithFaults(mem, func(op vfs.Op) error {
			if fail && op.Kind == kind {
				return broken
			}
			return nil
		})
		m := openFile(t, fs, "db"+kind.String())
		mem.SyncDir(".")
		commitTo(t, m, "a", "1")
		fail = true
		if err := m.Commit([]Op{{Bucket: Key, Key: []byte("a"), Value: []byte("2")}}); !errors.Is(err, broken) {
			t.Errorf("%s: the commit ends with %v", kind, err)
		}
		if got := valueIn(t, openFile(t, mem.LoseUnsynced(), "db"+kind.String()), "a"); got != "1" {
			t.Errorf("%s: after a crash the key is %q, want 1", kind, got)
		}
	}
}

// TestMemFileCompactTo: the copy has the same pairs, as bytes that a torn write
// damages visibly, and a store that is opened on it goes on with it.
func TestMemFileCompactTo(t *testing.T) {
	fs := vfs.NewMem()
	m := openFile(t, fs, "db")
	commitTo(t, m, "a", string(bytes.Repeat([]byte("x"), 3*vfs.BlockSize)))
	if err := m.CompactTo("copy"); err != nil {
		t.Fatal(err)
	}
	fs.SyncDir(".")
	torn := fs.Clone()
	if err := torn.Damage("copy", vfs.BlockSize, vfs.BlockSize, func(p []byte) { clear(p) }); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMemFile(torn, "copy"); !errors.Is(err, ErrBadSnapshot) {
		t.Errorf("a torn copy opens after a crash: %v", err)
	}
	if got := valueIn(t, openFile(t, fs.LoseUnsynced(), "copy"), "a"); got != "" {
		t.Errorf("of a copy of which nothing is left the key is %q", got)
	}
	c := openFile(t, fs, "copy")
	if got, want := valueIn(t, c, "a"), valueIn(t, m, "a"); got != want {
		t.Error("the copy has another value")
	}
	commitTo(t, c, "b", "1")
	if err := fs.Rename("copy", "db"); err != nil {
		t.Fatal(err)
	}
	c.Renamed("db")
	fs.SyncDir(".")
	if got := valueIn(t, openFile(t, fs.LoseUnsynced(), "db"), "b"); got != "1" || c.Path() != "db" {
		t.Errorf("after the rename the key is %q, the path %q", got, c.Path())
	}
}
