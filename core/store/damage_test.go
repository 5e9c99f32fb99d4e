//go:build !js

package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/pb"
)

// onDisk fills a database as a member does, with deletes, transactions and compactions, and returns the file's bytes.
func onDisk(t *testing.T, path string) []byte {
	t.Helper()
	db, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	j, rnd := &journal{}, rand.New(rand.NewPCG(7, 8))
	for _, e := range []string{"add 1 u", "attr 1 n c", "version 3.7.0", "alarm on corrupt 2", "alarm off corrupt 2"} {
		if err := j.entry(e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 600 {
		key := fmt.Appendf(nil, "key/%03d", rnd.IntN(150))
		switch {
		case i%10 == 3:
			j.request(&pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{Key: key}})
		case i == 400:
			j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 250}})
		default:
			value := bytes.Repeat([]byte{'v'}, rnd.IntN(500))
			j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: key, Value: value}})
		}
		if i%50 == 0 {
			s.Apply(ApplyContext{}, j.entries)
			for s.Housekeep(100) {
			}
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(s.Apply(ApplyContext{}, j.entries).Err, b.Flush(), b.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// found is what a database has: all pairs of the key bucket; their hashes at the compact and at the newest revision,
// which together cover all that can be read; the compact revision, and the applied index.
type found struct {
	pairs, hashes string
	compacted     int64
	applied       uint64
}

// booted opens a database as a member does at its start.
func booted(path string) (f found, err error) {
	db, err := bolt.Open(path, bolt.Options{NoSync: true, MmapSize: 1 << 22})
	if err != nil {
		return f, err
	}
	defer db.Close()
	if err := CheckImage(db, 0); err != nil {
		return f, err
	}
	b, err := backend.New(db)
	if err != nil {
		return f, err
	}
	defer b.Close()
	s, err := Open(b, Config{}, nil)
	if err != nil {
		return f, err
	}
	m := &machine{Store: s}
	m.finish()
	old, _, _, oldErr := s.HashKV(s.KV.CompactRevision())
	hash, _, _, err := s.HashKV(0)
	f = found{m.dump("key"), fmt.Sprintf("%x %x", old, hash), s.KV.CompactRevision(), s.Applied().Index}
	return f, errors.Join(err, oldErr)
}

// TestDamagedDatabases flips bits, clears and overwrites pages of a member's database and cuts it short, 40 times each.
// Each is right, or as of the commit before, or refused by name; or it has other bytes in a record, which nothing
// covers with a checksum, and then the hashes that members compare show it. If that record says which revision is the
// oldest, there may be fewer pairs.
func TestDamagedDatabases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	file := onDisk(t, path)
	right, err := booted(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	page := func(b []byte) []byte { return b[rnd.IntN(len(b)/4096)*4096:][:4096] }
	counts := map[string]int{}
	kinds := map[string]func(b []byte) []byte{
		"flip": func(b []byte) []byte { b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8); return b },
		"head": func(b []byte) []byte { page(b)[rnd.IntN(160)] ^= 1 << rnd.IntN(8); return b },
		"zero": func(b []byte) []byte { clear(page(b)); return b },
		"swap": func(b []byte) []byte { copy(page(b), page(file)); return b },
		"cut":  func(b []byte) []byte { return b[:1+rnd.IntN(len(b)-1)] },
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for range 40 {
			if err := os.WriteFile(path, kinds[kind](bytes.Clone(file)), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := booted(path)
			outcome := "right"
			switch {
			case err != nil:
				outcome = "named"
				if errors.Is(err, bolt.ErrDamaged) && !strings.Contains(err.Error(), path) {
					t.Errorf("%s: the error does not name the file: %v", kind, err)
				}
			case got.applied < right.applied:
				outcome = "the commit before"
			case got.pairs != right.pairs:
				outcome = "other bytes"
				if got.hashes == right.hashes || len(got.pairs) != len(right.pairs) && got.compacted <= right.compacted {
					t.Errorf("%s: hashes %s, right %s; %d bytes, right %d; compacted at %d, right %d", kind, got.hashes,
						right.hashes, len(got.pairs), len(right.pairs), got.compacted, right.compacted)
				}
			}
			counts[kind+": "+outcome]++
		}
	}
	t.Log(counts)
	for kind := range kinds {
		if counts[kind+": named"] == 0 {
			t.Errorf("%s: never named", kind)
		}
	}
	if counts["cut: right"]+counts["cut: other bytes"] > 0 {
		t.Error("a cut file was taken")
	}
}
