package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/vfs"
)

// CorruptError says that a log holds something that no crash can explain.
type CorruptError struct {
	File   string // path
	Offset int64  // of the record, in bytes
	Reason string
	Cause  error // ErrMetadataConflict or ErrSnapshotMismatch, nil for damage of no such kind
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: %s is corrupt at offset %d: %s", e.File, e.Offset, e.Reason)
}

// errTorn is the end of a log whose last record was being written when the
// machine died.
var errTorn = errors.New("wal: torn record")

// readBytes is how much is read from a file at once.
const readBytes = 64 << 10

// decoder reads the records of consecutive files.
type decoder struct {
	files  []vfs.File // the rest, the one being read first
	full   int64      // bytes that the last file was made with at least; 0 = not known
	made   int64      // the same of the file being read, as it says itself; 0 = it does not
	seq    uint64     // of that file
	size   int64      // of that file
	offset int64      // in that file, behind the last valid record
	at     int64      // in that file, of the last valid record
	used   int64      // in the last file, once its end was judged: behind the last byte that is not zero
	crc    uint32
	first  bool // no record read yet: the first checksum is taken on trust

	buf   []byte // file bytes from bufAt on
	bufAt int64
	place []byte // what a sync point must say
}

func newDecoder(files []vfs.File, full int64) (*decoder, error) {
	d := &decoder{files: files, full: full, first: true}
	return d, d.open()
}

// open starts reading the first of the files that are left.
func (d *decoder) open() error {
	segment, _ := parseSegmentName(strings.TrimSuffix(path.Base(d.files[0].Name()), brokenSuffix))
	info, err := d.files[0].Stat()
	d.seq, d.made, d.size, d.offset, d.buf, d.bufAt = segment.Seq, 0, info.Size, 0, d.buf[:0], 0
	return err
}

// tornEnd tells whether an error is the end of a log that a crash has cut off.
func (d *decoder) tornEnd(err error) bool {
	return errors.Is(err, errTorn) || mutant.On(mutant.TailLenient) && d.last() && errors.As(err, new(*CorruptError))
}

func (d *decoder) last() bool { return len(d.files) == 1 }

func (d *decoder) corrupt(format string, args ...any) error {
	return &CorruptError{File: d.files[0].Name(), Offset: d.offset, Reason: fmt.Sprintf(format, args...)}
}

// peek returns the n bytes at an offset, or as many as the file has. They are
// valid until the next call.
func (d *decoder) peek(at, n int64) ([]byte, error) {
	invariant.Assert(at >= 0 && n >= 0, "wal: a read before the beginning of a file")
	n = max(0, min(n, d.size-at))
	if at < d.bufAt || at+n > d.bufAt+int64(len(d.buf)) {
		want := min(max(n, readBytes), d.size-at)
		if int64(cap(d.buf)) < want {
			d.buf = make([]byte, want)
		}
		d.buf, d.bufAt = d.buf[:want], at
		if got, err := d.files[0].ReadAt(d.buf, at); err != nil && (err != io.EOF || int64(got) < want) {
			d.buf = d.buf[:0]
			return nil, fmt.Errorf("wal: read %s at %d: %w", d.files[0].Name(), at, err)
		}
	}
	return d.buf[at-d.bufAt : at-d.bufAt+n], nil
}

// next returns the next record, io.EOF at the end of the last file, errTorn
// when the last file ends within a record, or a *CorruptError.
func (d *decoder) next() (record, error) {
	for {
		field, err := d.field()
		var rec record
		if err == nil && field != 0 {
			rec, err = d.body(field)
		}
		switch {
		case errors.Is(err, errTorn):
			return record{}, d.end(errTorn)
		case err != nil || field != 0:
			return rec, err
		case d.last():
			return record{}, d.end(io.EOF)
		}
		d.files = d.files[1:]
		if err := d.open(); err != nil {
			return record{}, err
		}
	}
}

// field reads a length field; 0 is the end of the file.
func (d *decoder) field() (uint64, error) {
	if d.offset == 0 {
		if err := d.head(); err != nil {
			return 0, err
		}
	}
	p, err := d.peek(d.offset, frameBytes)
	switch {
	case err != nil:
		return 0, err
	case zero(p):
		return d.sector()
	case len(p) < frameBytes && !d.last():
		return 0, d.corrupt("the file ends within a length field")
	case len(p) < frameBytes:
		return 0, errTorn
	}
	return binary.LittleEndian.Uint64(p), nil
}

// sector looks at the rest of the sector in which a length of zero stands. A
// disk writes a sector entirely or not at all. So if this one was never written
// its rest is zero too; if not, a length was erased.
func (d *decoder) sector() (end uint64, err error) {
	rest, err := d.peek(d.offset, vfs.BlockSize-d.offset%vfs.BlockSize)
	if err == nil && !zero(rest) {
		err = d.corrupt("a length field of zero is followed by data in the same sector")
	}
	return 0, err
}

func (d *decoder) body(field uint64) (record, error) {
	n, padding := unframe(field)
	if whole, _ := frame(int(n)); whole != field {
		return record{}, d.corrupt("length field %016x is malformed", field)
	}
	end := d.offset + frameBytes + n + int64(padding)
	if end > d.size {
		return record{}, d.beyond(n)
	}
	p, err := d.peek(d.offset+frameBytes, n+int64(padding))
	if err != nil {
		return record{}, err
	}
	rec, ok := parseRecord(p[:n])
	switch {
	case !ok:
		return record{}, d.damaged(n, p, "the record cannot be decoded")
	case d.offset == 0 && rec.kind != crcRecord:
		return record{}, d.corrupt("it begins with a record of type %d instead of a checksum", rec.kind)
	case rec.kind == crcRecord && !d.first && rec.crc != d.crc:
		return record{}, d.corrupt("checksum %08x does not continue %08x of what is before", rec.crc, d.crc)
	case rec.kind == crcRecord && !d.saysPlace(rec.data):
		return record{}, d.damaged(n, p, "the sync point belongs to another place")
	case rec.kind == crcRecord:
		d.crc = rec.crc
	default:
		if crc := castagnoli(d.crc, rec.data); crc != rec.crc {
			return record{}, d.damaged(n, p, fmt.Sprintf("checksum is %08x, the record says %08x", crc, rec.crc))
		}
		d.crc = rec.crc
	}
	d.first = false
	invariant.Assert(end > d.offset && end <= d.size, "wal: a record that was read ends outside its file")
	invariant.Assert(end%frameBytes == 0, "wal: a record that was read ends within a frame")
	d.at, d.offset = d.offset, end
	return rec, nil
}

// beyond judges a length field that points beyond the end of the file: in the
// last one, a crash that lost the size of a growing file leaves one.
func (d *decoder) beyond(n int64) error {
	if d.short() {
		return d.cutOff()
	}
	p, err := d.peek(d.offset+frameBytes, d.size)
	if err != nil {
		return err
	}
	// What is there of the record may be whole, and then its header says the same.
	promised, head := promisedLen(p)
	if d.missingSector(p) || promised == n || head == 0 && len(p) < headBytes {
		return d.torn(n, p, fmt.Sprintf("a record of %d bytes reaches beyond the end of the file", n))
	}
	return d.corrupt("a record of %d bytes reaches beyond the end of the file", n)
}

// damaged judges a record with a wrong checksum: it is torn if one of its
// sectors was never written, and else corrupt.
func (d *decoder) damaged(n int64, p []byte, reason string) error {
	if d.missingSector(p) {
		return d.torn(n, p, reason)
	}
	return d.corrupt("%s", reason)
}

// torn is for records that look torn. They are corrupt all the same where no
// write can have been under way: in a file that is not the last, or at the
// start of one, which is synced before the file gets its name; and if the
// record's own header tells of another length, for certain: the header lies in one
// sector, or the checksum of as many bytes is right.
func (d *decoder) torn(n int64, p []byte, reason string) error {
	if !d.last() || d.offset == 0 {
		return d.corrupt("%s", reason)
	}
	if promised, ok := d.promise(p); ok && promised != n {
		return d.corrupt("length field says %d bytes, the record itself %d", n, promised)
	}
	promised, head := promisedLen(p)
	// The rest of the sector of a length field was written with it; if there is none, the header has a sector of its
	// own, and a write that was under way has left it as it was, or whole.
	beside := vfs.BlockSize - (d.offset+frameBytes)%vfs.BlockSize
	written := beside < vfs.BlockSize || !zero(p[:min(len(p), vfs.BlockSize)])
	if head == 0 && written && beside >= headBytes && int64(len(p)) >= headBytes {
		return d.corrupt("%s, and no record begins behind its length field", reason)
	}
	if head == 0 || promised == n {
		return errTorn
	}
	whole, err := d.peek(d.offset+frameBytes, promised)
	if err != nil {
		return err
	}
	if rec, ok := parseRecord(whole); ok && d.continues(rec) {
		return d.corrupt("length field says %d bytes, the record itself %d", n, promised)
	}
	return errTorn
}

// continues tells whether a record, whatever its length field says, is one that was written here.
func (d *decoder) continues(rec record) bool {
	if rec.kind == crcRecord {
		return rec.crc == d.crc && d.isPlace(rec.data, d.offset)
	}
	return castagnoli(d.crc, rec.data) == rec.crc
}

// headBytes is the most that a record has in front of its data.
const headBytes = 2 + 6 + 1 + 10

// promise returns the length that a record, of which p is the beginning,
// claims by the lengths in its own header, if that header is whole: it could
// be decoded and lies in one sector.
func (d *decoder) promise(p []byte) (n int64, ok bool) {
	n, head := promisedLen(p)
	first := (d.offset + frameBytes) / vfs.BlockSize
	last := (d.offset + frameBytes + int64(head) - 1) / vfs.BlockSize
	return n, head > 0 && first == last
}

// missingSector reports whether p, the bytes behind the current length field,
// has nothing but zeros in one of the sectors it touches.
func (d *decoder) missingSector(p []byte) bool {
	at := d.offset + frameBytes
	for len(p) > 0 {
		n := min(vfs.BlockSize-at%vfs.BlockSize, int64(len(p)))
		if zero(p[:n]) {
			return true
		}
		p, at = p[n:], at+n
	}
	return false
}

// zero tells whether a piece of a file, of readBytes at most, is zeros only.
func zero(p []byte) bool { return bytes.Equal(p, zeros[:len(p)]) }
