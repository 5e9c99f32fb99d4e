//go:build !js

package bolt

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"vitrine/core/backend"
)

func TestReplaceByCompactedCopy(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "db"), Options{NoSync: true, MmapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	batch := backend.NewBatch()
	write := func(index uint64, fill func()) {
		batch.Reset(backend.Applied{Index: index, Term: 1})
		fill()
		b.Write(batch)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	write(1, func() {
		for i := range 1000 {
			batch.Put(backend.Key, fmt.Appendf(nil, "%04d", i), make([]byte, 1000))
		}
	})
	write(2, func() {
		for i := range 990 {
			batch.Delete(backend.Key, fmt.Appendf(nil, "%04d", i))
		}
	})
	batch.Reset(backend.Applied{Index: 3, Term: 1})
	batch.Put(backend.Key, []byte("buffered"), []byte("v"))
	b.Write(batch)

	before := b.View()
	defer before.Close()
	path := filepath.Join(dir, "copy")
	if err := db.CompactTo(path); err != nil {
		t.Fatal(err)
	}
	small, err := Open(path, Options{NoSync: true, MmapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if small.Size() >= db.Size()/10 {
		t.Errorf("the copy has %d bytes, the original %d", small.Size(), db.Size())
	}
	old, err := b.Replace(small)
	if err != nil || old != backend.Store(db) {
		t.Fatalf("replace: %v, old store %v", err, old)
	}
	for _, key := range []string{"0990", "0999", "buffered"} {
		if got := b.Get(backend.Key, []byte(key)); got == nil || !bytes.Equal(got, before.Get(backend.Key, []byte(key))) {
			t.Errorf("%s: %q", key, got)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if b.Durable().Index != 3 || b.Get(backend.Key, []byte("buffered")) == nil {
		t.Errorf("after a commit into the copy: %+v", b.Durable())
	}
	before.Close()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReplaceRefusesAnotherState(t *testing.T) {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 1, Term: 1})
	batch.Put(backend.Key, []byte("k"), []byte("v"))
	b.Write(batch)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replace(backend.NewMem()); err == nil {
		t.Error("a store without the data took its place")
	}
	if b.Get(backend.Key, []byte("k")) == nil {
		t.Error("the store is gone")
	}
}
