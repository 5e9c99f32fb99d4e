//go:build !js

package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
)

// history fills a database with what a busy one has: two levels of pages, values that overflow, free pages, small
// buckets within their pairs. It returns the file's bytes, its
// pairs, and those before the last commit.
func history(t testing.TB) (file []byte, pairs, before string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	b := open(t, path, 0)
	rnd := rand.New(rand.NewPCG(1, 2))
	batch := backend.NewBatch()
	for i := range 30 {
		before = dump(b)
		batch.Reset(backend.Applied{Index: uint64(i + 1), Term: 1})
		for range 40 {
			key := fmt.Appendf(nil, "%08d", rnd.IntN(1500))
			if rnd.IntN(4) == 0 {
				batch.Delete(backend.Key, key)
			} else {
				batch.Put(backend.Key, key, bytes.Repeat([]byte{'v'}, rnd.IntN(400)))
			}
		}
		if i%10 == 0 {
			batch.Put(backend.Key, fmt.Appendf(nil, "large%d", i), bytes.Repeat([]byte{'l'}, 9000))
		}
		batch.Put(backend.Members, fmt.Appendf(nil, "%x", i%5), []byte(`{"id":1}`))
		b.Write(batch)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	pairs = dump(b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, pairs, before
}

func dump(b *backend.Backend) string {
	var out strings.Builder
	for _, bucket := range backend.Buckets() {
		b.Range(bucket, nil, nil, 0, func(k, v []byte) bool {
			fmt.Fprintf(&out, "%s/%x=%x\n", bucket, k, v)
			return true
		})
	}
	return out.String()
}

// reopened opens a file that may be damaged, reads all of it, deletes keys, and copies it.
func reopened(path string, deletes int) (pairs string, err error) {
	db, err := bolt.Open(path, bolt.Options{NoSync: true, MmapSize: 1 << 22})
	if err != nil {
		return "", err
	}
	b, err := backend.New(db)
	if err != nil {
		return "", errors.Join(err, db.Close())
	}
	pairs = dump(b)
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 1 << 62, Term: 1 << 62})
	for i := range deletes {
		batch.Delete(backend.Key, fmt.Appendf(nil, "%08d", i))
	}
	b.Write(batch)
	return pairs, errors.Join(b.Flush(), db.CompactTo(path+".copy"), b.Close())
}

// oneLength tells whether two shapes differ in one line only: the length of the last value of a page is held against
// nothing but the page's end.
func oneLength(a, b string) bool {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	different := 0
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			different++
		}
	}
	return len(x) == len(y) && different <= 1
}

// shape is how many pairs there are in each bucket, and how long their keys and values.
func shape(pairs string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(pairs, "\n") {
		bucket, pair, _ := strings.Cut(line, "/")
		eq := strings.LastIndexByte(pair, '=')
		fmt.Fprintln(&out, bucket, eq, len(pair))
	}
	return out.String()
}

// TestDamage flips bits, overwrites, clears and exchanges pages, and cuts the file short. Whatever it does, opening,
// reading, writing and copying end with the right pairs, or those before the last commit, or with an error that names
// the file, or, where keys and values have been hit, or the length of the last value of a page, which no checksum
// covers, with other bytes in as many pairs. They never end with a panic, or with SIGBUS.
func TestDamage(t *testing.T) {
	file, right, before := history(t)
	path := filepath.Join(t.TempDir(), "db")
	rnd := rand.New(rand.NewPCG(3, 4))
	const page = 4096
	at := func() int { return rnd.IntN(len(file)/page) * page }
	kinds := map[string]func(b []byte) []byte{
		"flip": func(b []byte) []byte {
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
			return b
		},
		"flip in a page's head": func(b []byte) []byte {
			b[at()+rnd.IntN(80)] ^= 1 << rnd.IntN(8)
			return b
		},
		"zeros":  func(b []byte) []byte { clear(b[at():][:page]); return b },
		"sector": func(b []byte) []byte { clear(b[at()+rnd.IntN(8)*512:][:512]); return b },
		"another page": func(b []byte) []byte {
			copy(b[at():], file[at():][:page])
			return b
		},
		"noise": func(b []byte) []byte {
			for i, p := 0, b[at():][:page]; i < len(p); i++ {
				p[i] = byte(rnd.Uint32())
			}
			return b
		},
		"cut": func(b []byte) []byte { return b[:1+rnd.IntN(len(b)-1)] },
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		damage := kinds[name]
		t.Run(name, func(t *testing.T) {
			counts := map[string]int{}
			for range 60 {
				if err := os.WriteFile(path, damage(bytes.Clone(file)), 0o600); err != nil {
					t.Fatal(err)
				}
				os.Remove(path + ".copy")
				pairs, err := reopened(path, 1500)
				switch {
				case err == nil && pairs == right:
					counts["right"]++
				case err == nil && pairs == before: // the newer meta page is gone; the log has what came after the other
					counts["the commit before"]++
				case err == nil && oneLength(shape(pairs), shape(right)):
					counts["other bytes"]++
				case err == nil:
					t.Errorf("accepted with other pairs")
				case !strings.Contains(err.Error(), path):
					t.Errorf("the error does not name the file: %v", err)
				case !errors.Is(err, bolt.ErrDamaged):
					t.Errorf("not taken for damage: %v", err)
				default:
					counts["named"]++
				}
			}
			t.Log(counts)
		})
	}
}

// TestLeafWithoutKeys: a leaf whose count is lost would take its pairs along without a word.
func TestLeafWithoutKeys(t *testing.T) {
	file, _, _ := history(t)
	path := filepath.Join(t.TempDir(), "db")
	const page, leaf = 4096, 2
	tried := 0
	for at := 2 * page; at < len(file); at += page {
		root := bytes.Contains(file[at:at+page], []byte("members")) // or an older one; it may be empty
		if binary.LittleEndian.Uint16(file[at+8:]) != leaf || binary.LittleEndian.Uint16(file[at+10:]) == 0 || root {
			continue
		}
		hurt := bytes.Clone(file)
		binary.LittleEndian.PutUint16(hurt[at+10:], 0)
		if err := os.WriteFile(path, hurt, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := bolt.Check(path); errors.Is(err, bolt.ErrDamaged) {
			tried++
		} else if err != nil {
			t.Fatal(err)
		}
		os.Remove(path + ".copy")
		if pairs, err := reopened(path, 0); err == nil && len(strings.Split(pairs, "\n")) < 600 {
			t.Errorf("page %d lost its keys, and nobody says so", at/page)
		}
	}
	if tried < 20 {
		t.Errorf("only %d leaves were found missing", tried)
	}
}

// TestCheckLikesEmptyBuckets checks a file whose buckets are filled and emptied, at once and bit by bit.
func TestCheckLikesEmptyBuckets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const keys = 600
	for round := range 4 {
		for from := 0; from < 2*keys; {
			n := []int{keys, 1, 97, 300}[round]
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte("key"))
				for i := from; i < min(from+n, 2*keys) && err == nil; i++ {
					if key := fmt.Appendf(nil, "%06d", i%keys); i < keys {
						err = b.Put(key, make([]byte, 100))
					} else {
						err = b.Delete(key)
					}
				}
				return err
			})
			if err == nil {
				err = bolt.Check(path)
			}
			if err != nil {
				t.Fatalf("round %d, after %d: %v", round, from, err)
			}
			from += n
		}
	}
}

// TestCheckLikesWhatBboltWrites checks a file after each commit of a long history, with and without a stored free list.
func TestCheckLikesWhatBboltWrites(t *testing.T) {
	for _, stored := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "db")
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: !stored, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(5, 6))
		for i := range 200 {
			err := db.Update(func(tx *bbolt.Tx) error {
				for _, name := range []string{"key", "meta"} {
					b, err := tx.CreateBucketIfNotExists([]byte(name))
					if err != nil {
						return err
					}
					for range rnd.IntN(60) {
						key := fmt.Appendf(nil, "%0*d", 3+rnd.IntN(300), rnd.IntN(500))
						if rnd.IntN(2) == 0 {
							err = b.Delete(key)
						} else {
							err = b.Put(key, make([]byte, rnd.IntN(1<<rnd.IntN(14))))
						}
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err == nil {
				err = bolt.Check(path)
			}
			if err != nil {
				t.Fatalf("commit %d, free list stored %t: %v", i, stored, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamageUnderARunningMember cuts the file while it is open: reads hand the damage to Options.Damaged, commits and
// copies return it.
func TestDamageUnderARunningMember(t *testing.T) {
	file, _, _ := history(t)
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var told error
	db, err := bolt.Open(path, bolt.Options{NoSync: true, Damaged: func(err error) { told = err }})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(){
		"range": func() { dump(b) },
		"get":   func() { b.Get(backend.Key, []byte("00000001")) },
	} {
		told = nil
		func() {
			defer func() {
				if p, _ := recover().(error); p != told || told == nil {
					t.Errorf("%s: panics with %v, after it has told %v", name, p, told)
				}
			}()
			read()
		}()
		if !errors.Is(told, bolt.ErrDamaged) || !strings.Contains(told.Error(), path) {
			t.Errorf("%s: %v", name, told)
		}
	}
	if err := db.CompactTo(path + ".copy"); !errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("copy: %v", err)
	}
	err = db.Commit([]backend.Op{{Key: []byte("a")}})
	if !errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("commit: %v", err)
	}
}

// TestCallersPanicsPass: what a function panics with that a range calls is not the fault of the file.
func TestCallersPanicsPass(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "db"), 0)
	write(b, 1, 0, 10, 10)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("panics with %v", p)
		}
	}()
	b.Range(backend.Key, nil, nil, 0, func(_, _ []byte) bool { panic("mine") })
}

func TestForeignBucketsAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("tables"))
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(path, bolt.Options{}); err == nil || !strings.Contains(err.Error(), `"tables"`) {
		t.Errorf("a file with another program's bucket: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	file, right, _ := history(t)
	path := filepath.Join(t.TempDir(), "db")
	if _, err := bolt.Open(path, bolt.Options{ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, file, 0o400); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backend.New(db)
	if err != nil {
		t.Fatal(err)
	}
	if dump(b) != right {
		t.Error("other pairs")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, file) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	b := open(t, path, 0)
	defer b.Close()
	_, err := bolt.Open(path, bolt.Options{})
	if !errors.Is(err, bolt.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened twice: %v", err)
	}
}

// FuzzCheck: what a stranger sends as a database is refused, or can be read and written without a panic.
func FuzzCheck(f *testing.F) {
	path := filepath.Join(f.TempDir(), "db")
	b := open(f, path, 0)
	for i := range 3 {
		write(b, uint64(i+1), i*40, i*50+40, 60)
		if err := b.Flush(); err != nil {
			f.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{}, false)
	f.Add(uint32(3*4096), []byte{0, 1}, false)
	f.Add(uint32(16+16), []byte{3}, true)
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, sealed bool) {
		data := bytes.Clone(file)
		copy(data[int(at)%len(data):], patch)
		if sealed { // who writes a meta page can also sum it
			for _, meta := range [][]byte{data[16:80], data[4096+16 : 4096+80]} {
				h := fnv.New64a()
				h.Write(meta[:56])
				binary.LittleEndian.PutUint64(meta[56:], h.Sum64())
			}
		}
		if bolt.CheckFile(bytes.NewReader(data), "image", int64(len(data))) != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reopened(path, 50); errors.Is(err, bolt.ErrDamaged) {
			t.Fatalf("damage that the check has not seen: %v", err)
		}
	})
}

// BenchmarkCheck reads a file of a million pairs. BenchmarkOpen is what bbolt and the check take together.
func BenchmarkCheck(b *testing.B) {
	path := large(b)
	for b.Loop() {
		if err := bolt.Check(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := large(b)
	for b.Loop() {
		db, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}

func large(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "db")
	store := open(b, path, 0)
	for i := range 20 {
		write(store, uint64(i+1), i*50_000, (i+1)*50_000, 200)
		if err := store.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkGetOfMany(b *testing.B) {
	store := open(b, large(b), 0)
	defer store.Close()
	for b.Loop() {
		store.Get(backend.Key, []byte("k500000"))
	}
}
