package auth

import (
	"bytes"
	"testing"

	"vitrine/core/pb"

	"pgregory.net/rapid"
)

// naive is what a permission on r allows, key by key: the definition that covers must agree with.
func naive(perms []*pb.Permission, write bool, key []byte) bool {
	for _, p := range perms {
		if write && p.PermType == pb.Permission_READ || !write && p.PermType == pb.Permission_WRITE || len(p.Key) == 0 {
			continue
		}
		switch {
		case len(p.RangeEnd) == 0:
			if bytes.Equal(p.Key, key) {
				return true
			}
		case bytes.Compare(p.Key, key) <= 0 && (bytes.Equal(p.RangeEnd, []byte{0}) || bytes.Compare(key, p.RangeEnd) < 0):
			return true
		}
	}
	return false
}

var letters = []byte{0, 'a', 'b', 'c', 0xff}

// keys are all keys of up to four letters: one letter longer than those in ranges, so that between any two bounds, and
// behind the last, there is a key for every part that a union can leave out.
func keys() [][]byte {
	all := [][]byte{{}}
	for at := 0; at < len(all); at++ {
		if len(all[at]) == 4 {
			break
		}
		for _, l := range letters {
			all = append(all, append(bytes.Clone(all[at]), l))
		}
	}
	return all[1:]
}

func TestCoverIsTheUnion(t *testing.T) {
	world := keys()
	text := rapid.Custom(func(t *rapid.T) []byte {
		return rapid.SliceOfN(rapid.SampledFrom(letters), 0, 3).Draw(t, "text")
	})
	rapid.Check(t, func(t *rapid.T) {
		role := &pb.Role{KeyPermission: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *pb.Permission {
			return &pb.Permission{
				Key: text.Draw(t, "key"), RangeEnd: text.Draw(t, "end"),
				PermType: pb.Permission_Type(rapid.IntRange(0, 2).Draw(t, "type")),
			}
		}), 0, 6).Draw(t, "perms")}
		p := merge([]*pb.Role{role})
		r := Range{text.Draw(t, "from"), text.Draw(t, "to")}
		for _, write := range []bool{false, true} {
			c := p.read
			if write {
				c = p.write
			}
			if got, want := c.covers(r), wanted(role.KeyPermission, write, r, world); got != want {
				t.Fatalf("covers %q = %v, want %v: %v, write %v", r, got, want, role.KeyPermission, write)
			}
		}
	})
}

func wanted(perms []*pb.Permission, write bool, r Range, world [][]byte) bool {
	switch {
	case len(r.Key) == 0:
		return false
	case r.point() || !r.valid(): // no key, so its begin is judged
		return naive(perms, write, r.Key)
	}
	for _, k := range world {
		inside := bytes.Compare(r.Key, k) <= 0 && (r.open() || bytes.Compare(k, r.End) < 0)
		if inside && !naive(perms, write, k) {
			return false
		}
	}
	// A union that ends at 0xff 0xff 0xff 0xff 0xff leaves out what no key of the world shows.
	return !r.open() || naive(perms, write, bytes.Repeat([]byte{0xff}, 9))
}

func TestCoverMerges(t *testing.T) {
	perm := func(key, end string) *pb.Permission {
		return &pb.Permission{PermType: pb.Permission_READWRITE, Key: []byte(key), RangeEnd: []byte(end)}
	}
	role := &pb.Role{KeyPermission: []*pb.Permission{
		perm("c", "e"), perm("a", "c"), perm("e", ""), perm("x", "\x00"), perm("z", "zz"), perm("f", "g"),
	}}
	c := merge([]*pb.Role{role}).write
	if len(c) != 3 {
		t.Fatalf("%d intervals, want [a, e] with e itself, [f, g) and [x, …): %q", len(c), c)
	}
	for r, want := range map[[2]string]bool{
		{"a", "e"}: true, {"a", "e\x00"}: true, {"a", "e\x01"}: false, {"e", ""}: true, {"e\x00", ""}: false,
		{"y", "\x00"}: true, {"f", "\x00"}: false, {"", "\x00"}: false, {"b", "a"}: true, {"g", ""}: false,
	} {
		if got := c.covers(Range{[]byte(r[0]), []byte(r[1])}); got != want {
			t.Errorf("covers %q = %v, want %v", r, got, want)
		}
	}
}
