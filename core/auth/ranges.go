package auth

import (
	"bytes"
	"slices"
	"sort"

	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Range is what a request wants to read or write, and what a permission grants: Key alone if End is empty, everything
// from Key on if End is the single byte 0, else [Key, End).
type Range struct{ Key, End []byte }

// point tells whether the range is a single key.
func (r Range) point() bool { return len(r.End) == 0 }

// open tells whether the range has no end.
func (r Range) open() bool { return len(r.End) == 1 && r.End[0] == 0 }

// valid tells whether a permission may be granted on the range. Older versions of etcd granted it on others, too.
func (r Range) valid() bool {
	return len(r.Key) > 0 && (r.point() || r.open() || bytes.Compare(r.Key, r.End) < 0)
}

// cover is a union of ranges: sorted by begin, not touching one another.
type cover []interval

// interval is [begin, end), without an end if end is nil.
type interval struct{ begin, end []byte }

// intervalOf returns what a permission covers; ok is false if that is nothing.
func intervalOf(r Range) (i interval, ok bool) {
	switch {
	case !r.valid():
		return i, false
	case r.point():
		return interval{r.Key, append(slices.Clone(r.Key), 0)}, true
	case r.open():
		return interval{r.Key, nil}, true
	}
	return interval{r.Key, r.End}, true
}

// newCover merges intervals that overlap or touch. It sorts all.
func newCover(all []interval) cover {
	slices.SortFunc(all, func(a, b interval) int { return bytes.Compare(a.begin, b.begin) })
	var c cover
	for _, i := range all {
		last := len(c) - 1
		switch {
		case last < 0 || c[last].end != nil && bytes.Compare(c[last].end, i.begin) < 0:
			c = append(c, i)
		case c[last].end != nil && (i.end == nil || bytes.Compare(c[last].end, i.end) < 0):
			c[last].end = i.end
		}
	}
	return c
}

// covers tells whether all of r is in the union. A range that ends at or before its own begin holds no key; it is
// judged by its begin alone, as etcd does where it has one permission. (Where it has several, the shape of its tree
// decides.)
func (c cover) covers(r Range) bool {
	if len(r.Key) == 0 {
		return false
	}
	// The last interval that begins at or before the key is the only one that can hold it.
	n := sort.Search(len(c), func(n int) bool { return bytes.Compare(c[n].begin, r.Key) > 0 })
	if n == 0 {
		return false
	}
	end := c[n-1].end
	switch {
	case end == nil:
		return true
	case bytes.Compare(r.Key, end) >= 0 || r.open():
		return false
	}
	return r.point() || mutant.On(mutant.RangeEndUnasked) || bytes.Compare(r.End, end) <= 0
}

// permissions are what a user may read and write.
type permissions struct{ read, write cover }

// merge returns the union of what roles permit.
func merge(roles []*pb.Role) permissions {
	var read, write []interval
	for _, role := range roles {
		for _, p := range role.KeyPermission {
			i, ok := intervalOf(Range{p.Key, p.RangeEnd})
			if !ok {
				continue
			}
			if p.PermType == pb.Permission_READ || p.PermType == pb.Permission_READWRITE {
				read = append(read, i)
			}
			if p.PermType == pb.Permission_WRITE || p.PermType == pb.Permission_READWRITE {
				write = append(write, i)
			}
		}
	}
	return permissions{newCover(read), newCover(write)}
}
