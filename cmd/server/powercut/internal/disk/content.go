package disk

import (
	"math"
	"math/rand/v2"
	"slices"
)

// SectorBytes is what a disk writes whole or not at all.
const SectorBytes = 512

type sector [SectorBytes]byte

// version is what a sector holds from a moment on; no data is zeros.
type version struct {
	seq  uint64
	cut  bool // by a truncation, with which it lives or is lost
	data *sector
}

// length is the size of a file from a moment on.
type length struct {
	seq  uint64
	size int64
}

// content is what is in a file. Of each sector and of the length the first
// version is the durable one.
type content struct {
	sectors map[int64][]version
	dirty   map[int64]struct{} // sectors with more than one version
	lengths []length
}

// maxVersions bounds what is kept of a sector that is written again and again
// without a sync; one in the middle gives way.
const maxVersions = 8

func (c *content) size() int64 {
	if len(c.lengths) == 0 {
		return 0
	}
	return c.lengths[len(c.lengths)-1].size
}

func (c *content) last(i int64) *sector {
	if v := c.sectors[i]; len(v) > 0 {
		return v[len(v)-1].data
	}
	return nil
}

func (c *content) put(i int64, v version) {
	if c.sectors == nil {
		c.sectors, c.dirty = map[int64][]version{}, map[int64]struct{}{}
	}
	all := c.sectors[i]
	if all == nil {
		all = []version{{}}
	}
	if len(all) == maxVersions {
		if k := slices.IndexFunc(all[1:], func(v version) bool { return !v.cut }); k >= 0 {
			all = slices.Delete(slices.Clone(all), 1+k, 2+k)
		}
	}
	c.sectors[i] = append(all[:len(all):len(all)], v)
	c.dirty[i] = struct{}{}
}

func (c *content) setSize(seq uint64, size int64) {
	if len(c.lengths) == 0 {
		c.lengths = []length{{}}
	}
	if size != c.size() {
		c.lengths = append(c.lengths, length{seq, size})
	}
}

func (c *content) write(seq uint64, data []byte, off int64) {
	end := off + int64(len(data))
	for at := off; at < end; {
		i, from := at/SectorBytes, at%SectorBytes
		n := min(SectorBytes-from, end-at)
		part := data[at-off : at-off+n]
		var s *sector
		if old := c.last(i); old != nil || !isZero(part) {
			s = new(sector)
			if old != nil {
				*s = *old
			}
			copy(s[from:], part)
			if isZero(s[:]) {
				s = nil
			}
		}
		c.put(i, version{seq: seq, data: s})
		at += n
	}
	if end > c.size() {
		c.setSize(seq, end)
	}
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

func (c *content) read(p []byte, off int64) int {
	n := int(max(0, min(int64(len(p)), c.size()-off)))
	for done := 0; done < n; {
		at := off + int64(done)
		i, from := at/SectorBytes, at%SectorBytes
		k := min(SectorBytes-int(from), n-done)
		if s := c.last(i); s != nil {
			copy(p[done:done+k], s[from:])
		} else {
			clear(p[done : done+k])
		}
		done += k
	}
	return n
}

// resize sets the length. What is cut off is gone: it reads as zeros if the
// file grows again.
func (c *content) resize(seq uint64, size int64) {
	if size < c.size() {
		for i := range c.sectors {
			old := c.last(i)
			start := i * SectorBytes
			if old == nil || start+SectorBytes <= size {
				continue
			}
			var s *sector
			if start < size {
				s = new(sector)
				copy(s[:size-start], old[:])
			}
			c.put(i, version{seq: seq, cut: true, data: s})
		}
	}
	c.setSize(seq, size)
}

// sync makes everything up to a moment durable, and tells whether that changed the length.
func (c *content) sync(upTo uint64) (resized bool) {
	for i := range c.dirty {
		all := c.sectors[i]
		k := len(all) - 1
		for ; k > 0 && all[k].seq > upTo; k-- {
		}
		all = all[k:]
		all[0].cut = false
		c.sectors[i] = slices.Clone(all)
		if len(all) == 1 {
			delete(c.dirty, i)
			if all[0].data == nil {
				delete(c.sectors, i)
			}
		}
	}
	k := len(c.lengths) - 1
	for ; k > 0 && c.lengths[k].seq > upTo; k-- {
	}
	if k > 0 {
		c.lengths = slices.Clone(c.lengths[k:])
	}
	return k > 0
}

// crash draws what is left of a file.
func (c *content) crash(r *rand.Rand, data, lengths float64) content {
	var out content
	if len(c.lengths) == 0 {
		return out
	}
	kept := drawPrefix(r, len(c.lengths)-1, lengths)
	size := c.lengths[kept].size
	firstLost := uint64(math.MaxUint64)
	if kept+1 < len(c.lengths) {
		firstLost = c.lengths[kept+1].seq
	}
	out.lengths = []length{{0, size}}
	out.sectors, out.dirty = map[int64][]version{}, map[int64]struct{}{}
	numbers := make([]int64, 0, len(c.sectors))
	for i := range c.sectors {
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	for _, i := range numbers {
		s := draw(r, c.sectors[i], firstLost, data)
		if start := i * SectorBytes; s != nil && start < size {
			if size-start < SectorBytes {
				whole := s
				s = new(sector)
				copy(s[:size-start], whole[:])
			}
			out.sectors[i] = []version{{data: s}}
		}
	}
	return out
}

// draw picks the version of a sector that a cut leaves: one from the last truncation that survived on, and
// before the first that did not.
func draw(r *rand.Rand, all []version, firstLost uint64, keep float64) *sector {
	from, to := 0, len(all)
	for k, v := range all {
		if v.cut && v.seq < firstLost {
			from = k
		}
		if v.cut && v.seq >= firstLost {
			to = k
			break
		}
	}
	pick := to - 1
	if pick > from && r.Float64() >= keep {
		if keep == 0 {
			pick = from
		} else {
			pick = from + r.IntN(pick-from)
		}
	}
	return all[pick].data
}
