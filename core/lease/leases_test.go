package lease

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/limits"

	"pgregory.net/rapid"
)

// bucket is a Writer and Reader in memory.
type bucket map[string]string

func (b bucket) Put(_ backend.Bucket, key, value []byte) { b[string(key)] = string(value) }
func (b bucket) Delete(_ backend.Bucket, key []byte)     { delete(b, string(key)) }
func (b bucket) Range(_ backend.Bucket, _, _ []byte, _ int, fn func(k, v []byte) bool) {
	for _, k := range slices.Sorted(maps.Keys(b)) {
		if !fn([]byte(k), []byte(b[k])) {
			return
		}
	}
}

func open(t interface{ Fatal(...any) }, b bucket, minTTL int64) *Leases {
	s, err := Open(b, minTTL)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFormat holds the records against the bytes that etcd 3.7 writes.
func TestFormat(t *testing.T) {
	b := bucket{}
	s := open(t, b, 2)
	for _, l := range []Lease{{ID: 0x1234, TTL: 1}, {ID: -2, TTL: 600}} {
		if _, err := s.Grant(l.ID, l.TTL, b); err != nil {
			t.Fatal(err)
		}
	}
	s.Checkpoint(-2, 300, true, b)
	var got []string
	b.Range(backend.Lease, nil, nil, 0, func(k, v []byte) bool {
		got = append(got, fmt.Sprintf("%x=%x", k, v))
		return true
	})
	want := []string{
		"0000000000001234=08b4241002",
		"fffffffffffffffe=08feffffffffffffffff0110d80418ac02",
	}
	if !slices.Equal(got, want) {
		t.Errorf("bucket %q, want %q", got, want)
	}
	if got := open(t, b, 3).All(); !slices.Equal(got, []Lease{{-2, 600, 300}, {0x1234, 3, 0}}) {
		t.Errorf("read back %v", got)
	}
}

func TestErrors(t *testing.T) {
	b := bucket{}
	s := open(t, b, 2)
	for _, c := range []struct {
		id, ttl int64
		err     error
		granted int64
	}{
		{0, 5, ErrNotFound, 0}, {1, limits.MaxLeaseTTL + 1, ErrTTLTooLarge, 0},
		{1, limits.MaxLeaseTTL, nil, limits.MaxLeaseTTL},
		{1, 5, ErrExists, 0}, {2, -5, nil, 2}, {3, 0, nil, 2},
	} {
		if l, err := s.Grant(c.id, c.ttl, b); !errors.Is(err, c.err) || l.TTL != c.granted {
			t.Errorf("grant %d for %d: %v, %v", c.id, c.ttl, l, err)
		}
	}
	if err := s.Revoke(9, b); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoke of nothing: %v", err)
	}
	if s.Checkpoint(9, 1, true, b) {
		t.Error("checkpoint of nothing")
	}
	s.Checkpoint(2, 1, false, b)
	if l, _ := open(t, b, 2).Get(2); l.Remaining != 0 {
		t.Error("a checkpoint of an old cluster is written down")
	}
	s.Checkpoint(2, 1<<40, true, b) // of an earlier lease of this id
	if l, _ := s.Get(2); l.Remaining != l.TTL {
		t.Errorf("%d s are left of a lease of %d", l.Remaining, l.TTL)
	}
}

// TestDamage names the record.
func TestDamage(t *testing.T) {
	for _, b := range []bucket{
		{"\x00\x00\x00\x00\x00\x00\x00\x01": "\xff"}, {"\x00\x00\x00\x00\x00\x00\x00\x01": "\x08\x02"},
		{"\x01": "\x08\x01"}, {"\x00\x00\x00\x00\x00\x00\x00\x00": ""},
	} {
		if _, err := Open(b, 1); err == nil || Check(b) == nil {
			t.Errorf("%q is read: %v", b, err)
		}
	}
}

// TestKeys holds the attached keys against a map, over puts, deletes and revocations in any order, and the leases
// against what a member finds after a restart.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, of := bucket{}, map[string]int64{}
		s := open(t, b, 1)
		keys := func(id int64) []string {
			var all []string
			for k, l := range of {
				if l == id {
					all = append(all, k)
				}
			}
			slices.Sort(all)
			return all
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			id := rapid.Int64Range(1, 4).Draw(t, "lease")
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "key")
			switch rapid.IntRange(0, 4).Draw(t, "do") {
			case 0:
				_, err := s.Grant(id, rapid.Int64Range(1, 9).Draw(t, "ttl"), b)
				if err != nil && !errors.Is(err, ErrExists) {
					t.Fatal(err)
				}
			case 1, 2:
				s.Attach([]byte(key), id)
				if delete(of, key); s.Exists(id) {
					of[key] = id
				}
			case 3:
				s.Detach([]byte(key))
				delete(of, key)
			default:
				for _, k := range s.Keys(id) {
					s.Detach([]byte(k))
					delete(of, k)
				}
				if err := s.Revoke(id, b); err != nil && s.Exists(id) {
					t.Fatal(err)
				}
			}
			for id := int64(1); id <= 4; id++ {
				if got, want := s.Keys(id), keys(id); !slices.Equal(got, want) {
					t.Fatalf("keys of %d: %q, want %q", id, got, want)
				}
			}
			if s.Of([]byte(key)) != of[key] || s.Attached() != len(of) {
				t.Fatalf("%q hangs on %d, want %d", key, s.Of([]byte(key)), of[key])
			}
		}
		if got, want := open(t, b, 1).All(), s.All(); !slices.Equal(got, want) {
			t.Fatalf("after a restart %v, before %v", got, want)
		}
	})
}
