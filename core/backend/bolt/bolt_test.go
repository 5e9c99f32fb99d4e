//go:build !js

package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
)

func open(t testing.TB, path string, mmap int64) *backend.Backend {
	t.Helper()
	db, err := bolt.Open(path, bolt.Options{NoSync: true, MmapSize: mmap})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(b *backend.Backend, index uint64, from, to, size int) {
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: index, Term: 1})
	for i := from; i < to; i++ {
		batch.Put(backend.Key, fmt.Appendf(nil, "k%06d", i), bytes.Repeat([]byte{'v'}, size))
	}
	b.Write(batch)
}

func count(r interface {
	Range(backend.Bucket, []byte, []byte, int, func(k, v []byte) bool)
}) (n int) {
	r.Range(backend.Key, nil, nil, 0, func(_, _ []byte) bool {
		n++
		return true
	})
	return n
}

// TestMmapSmallerThanANewFile: a bound below what a new file takes does not keep it from being made.
func TestMmapSmallerThanANewFile(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "db"), 1)
	write(b, 1, 0, 1, 10)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGrow outgrows the mapping while a view is open: nothing becomes durable
// and nothing is lost until the view is closed.
func TestGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	b := open(t, path, 64<<10)
	write(b, 1, 0, 10, 100)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	v := b.View()
	write(b, 2, 10, 1000, 200)
	if err := b.Flush(); !errors.Is(err, backend.ErrFull) {
		t.Fatalf("flush beside an open view: %v", err)
	}
	if got := b.Durable().Index; got != 1 {
		t.Fatalf("durable index %d, want 1", got)
	}
	if got := count(b); got != 1000 {
		t.Fatalf("%d keys in the current state, want 1000", got)
	}
	if got := count(v); got != 10 {
		t.Fatalf("%d keys in the view, want 10", got)
	}
	v.Close()
	// Doubling once is not enough for this much: it takes a few rounds.
	for tries := 0; ; tries++ {
		err := b.Flush()
		if err == nil {
			break
		}
		if !errors.Is(err, backend.ErrFull) || tries > 10 {
			t.Fatal(err)
		}
	}
	if got := b.Durable().Index; got != 2 {
		t.Fatalf("durable index %d, want 2", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, path, 64<<10)
	defer b.Close()
	if got := count(b); got != 1000 || b.Applied().Index != 2 {
		t.Fatalf("%d keys at index %d after reopening", got, b.Applied().Index)
	}
}

// TestFile checks what etcd finds in the file.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	b := open(t, path, 1<<24)
	write(b, 7, 0, 1, 1)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for _, name := range []string{"key", "meta", "lease", "alarm", "cluster", "members", "members_removed", "auth",
			"authUsers", "authRoles"} {
			if tx.Bucket([]byte(name)) == nil {
				t.Errorf("no bucket %s", name)
			}
		}
		meta := tx.Bucket([]byte("meta"))
		if got := meta.Get([]byte("consistent_index")); !bytes.Equal(got, []byte{0, 0, 0, 0, 0, 0, 0, 7}) {
			t.Errorf("consistent_index is %x", got)
		}
		if got := meta.Get([]byte("term")); !bytes.Equal(got, []byte{0, 0, 0, 0, 0, 0, 0, 1}) {
			t.Errorf("term is %x", got)
		}
		for err := range tx.Check() {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestConcurrentReaders reads views and the shared transaction from several
// goroutines while the owner writes and commits; the race detector watches.
func TestConcurrentReaders(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "db"), 1<<26)
	write(b, 1, 0, 100, 10)
	var readers sync.WaitGroup
	for round := range 30 {
		n := 100 * (round + 1)
		for range 3 {
			v := b.View()
			readers.Add(1)
			go func() {
				defer readers.Done()
				defer v.Close()
				if got := count(v); got != n {
					t.Errorf("view has %d keys, want %d", got, n)
				}
				for i := 0; i < n; i += 37 {
					if v.Get(backend.Key, fmt.Appendf(nil, "k%06d", i)) == nil {
						t.Errorf("view lost key %d of %d", i, n)
					}
				}
			}()
		}
		c := b.BeginCommit()
		done := make(chan error, 1)
		go func() { done <- c.Run() }()
		write(b, uint64(round+2), n, n+100, 10)
		if got := count(b); got != n+100 {
			t.Errorf("current state has %d keys, want %d", got, n+100)
		}
		b.EndCommit(c, <-done)
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
	}
	readers.Wait()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	be := open(b, filepath.Join(b.TempDir(), "db"), 1<<28)
	write(be, 1, 0, 100_000, 256)
	be.Flush()
	keys := make([][]byte, 1024)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "k%06d", i*7919%100_000)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if be.Get(backend.Key, keys[i%len(keys)]) == nil {
			b.Fatal("lost")
		}
	}
}
