package backend

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/google/btree"
)

// MemSnapshot is an image of a Mem. Within one process Mem hands it over
// without copying; WriteTo serialises it:
//
//	"vitrine mem 1\n"                                magic, 14 bytes
//	{ bucket+1 : byte                                one record a pair, in
//	  key length : uvarint, key                      bucket and key order
//	  value length : uvarint, value }*
//	0 : byte                                         end
//	CRC-32C of all bytes before it : little-endian uint32
type MemSnapshot struct{ image *memImage }

const memMagic = "vitrine mem 1\n"

// ErrBadSnapshot is wrapped by every error of OpenMemSnapshot that is the
// fault of the bytes.
var ErrBadSnapshot = errors.New("backend: bad memory snapshot")

func newMemSnapshot(i *memImage) *MemSnapshot { return &MemSnapshot{image: i} }

// Mem is the image as a store of its own, sharing all data.
func (s *MemSnapshot) Mem() *Mem {
	m := &Mem{}
	m.image.Store(s.image)
	return m
}

// Size is the number of bytes that WriteTo writes.
func (s *MemSnapshot) Size() int64 {
	n := int64(len(memMagic) + 1 + crc32.Size)
	s.each(func(_ Bucket, p pair) bool {
		n += int64(1 + uvarintLen(len(p.key)) + len(p.key) + uvarintLen(len(p.value)) + len(p.value))
		return true
	})
	return n
}

func uvarintLen(n int) int {
	var buf [binary.MaxVarintLen64]byte
	return binary.PutUvarint(buf[:], uint64(n))
}

func (s *MemSnapshot) each(fn func(Bucket, pair) bool) {
	more := true
	for b := Key; b < buckets && more; b++ {
		if tree := s.image.trees[b]; tree != nil {
			tree.Ascend(func(p pair) bool {
				more = fn(b, p)
				return more
			})
		}
	}
}

// WriteTo implements Snapshot.
func (s *MemSnapshot) WriteTo(w io.Writer) (int64, error) {
	out := &summer{w: w, crc: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	buf := bufio.NewWriter(out)
	buf.WriteString(memMagic)
	var num [binary.MaxVarintLen64]byte
	blob := func(b []byte) error {
		buf.Write(num[:binary.PutUvarint(num[:], uint64(len(b)))])
		_, err := buf.Write(b)
		return err
	}
	var err error
	s.each(func(b Bucket, p pair) bool {
		buf.WriteByte(byte(b) + 1)
		if err = blob(p.key); err == nil {
			err = blob(p.value)
		}
		return err == nil
	})
	buf.WriteByte(0)
	// bufio keeps the first error and returns it from Flush.
	if err = buf.Flush(); err != nil {
		return out.n, err
	}
	n, err := w.Write(binary.LittleEndian.AppendUint32(nil, out.crc.Sum32()))
	return out.n + int64(n), err
}

// Close implements Snapshot.
func (s *MemSnapshot) Close() error { return nil }

// summer counts and sums what passes through it.
type summer struct {
	w   io.Writer
	crc hash.Hash32
	n   int64
}

func (s *summer) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	s.crc.Write(p[:n])
	return n, err
}

// OpenMemSnapshot builds a store from the bytes that MemSnapshot.WriteTo
// wrote. The store shares memory with data, which must not change.
func OpenMemSnapshot(data []byte) (*Mem, error) {
	rest, ok := bytes.CutPrefix(data, []byte(memMagic))
	if !ok {
		return nil, fmt.Errorf("%w: no magic", ErrBadSnapshot)
	}
	if len(rest) < 1+crc32.Size {
		return nil, fmt.Errorf("%w: cut short", ErrBadSnapshot)
	}
	body, sum := data[:len(data)-crc32.Size], data[len(data)-crc32.Size:]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: checksum mismatch", ErrBadSnapshot)
	}
	r := snapshotReader{data: rest[:len(rest)-crc32.Size]}
	image := &memImage{}
	for {
		b, p, err := r.next()
		if err != nil {
			return nil, err
		}
		if b == buckets {
			break
		}
		if image.trees[b] == nil {
			image.trees[b] = btree.NewG(imageDegree, pairLess)
		}
		if last, ok := image.trees[b].Max(); ok && !pairLess(last, p) {
			return nil, fmt.Errorf("%w: bucket %s: keys out of order", ErrBadSnapshot, b)
		}
		image.trees[b].ReplaceOrInsert(p)
		image.inUse += cost(p.key, p.value)
	}
	image.size = image.sizeInUse()
	m := &Mem{}
	m.image.Store(image)
	return m, nil
}

type snapshotReader struct{ data []byte }

// next returns the next pair, or the bucket value buckets at the end.
func (r *snapshotReader) next() (Bucket, pair, error) {
	if len(r.data) == 0 {
		return 0, pair{}, fmt.Errorf("%w: cut short", ErrBadSnapshot)
	}
	tag := r.data[0]
	r.data = r.data[1:]
	if tag == 0 {
		if len(r.data) != 0 {
			return 0, pair{}, fmt.Errorf("%w: %d bytes after the end", ErrBadSnapshot, len(r.data))
		}
		return buckets, pair{}, nil
	}
	if Bucket(tag) > buckets {
		return 0, pair{}, fmt.Errorf("%w: unknown bucket %d", ErrBadSnapshot, tag-1)
	}
	var p pair
	for _, to := range []*[]byte{&p.key, &p.value} {
		n, w := binary.Uvarint(r.data)
		if w <= 0 || n > uint64(len(r.data)-w) {
			return 0, pair{}, fmt.Errorf("%w: bad length", ErrBadSnapshot)
		}
		end := w + int(n)
		*to = r.data[w:end:end]
		r.data = r.data[end:]
	}
	if len(p.key) == 0 {
		return 0, pair{}, fmt.Errorf("%w: empty key", ErrBadSnapshot)
	}
	return Bucket(tag - 1), p, nil
}
