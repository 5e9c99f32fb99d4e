package wal

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"vitrine/core/mutant"
	"vitrine/core/vfs"

	"google.golang.org/protobuf/encoding/protowire"
)

// head looks at how a file begins. A segment has its head, durably, before it
// has its name: what begins otherwise was never a part of a log, or is not one
// any more.
func (d *decoder) head() error {
	p, err := d.peek(0, readBytes)
	if err != nil {
		return err
	}
	field := uint64(0)
	if len(p) >= frameBytes {
		field = binary.LittleEndian.Uint64(p)
	}
	n, _ := unframe(field)
	whole, _ := frame(int(n))
	start := p[:min(len(p), 24)]
	switch {
	case len(p) == 0:
		return d.corrupt("the file is empty")
	case int64(len(p)) == d.size && zero(p):
		return d.corrupt("the file has nothing but %d zeros", len(p))
	case zero(p[:min(len(p), frameBytes)]):
		return d.corrupt("the file begins with zeros instead of a record")
	case whole == field && frameBytes+n > d.size:
		return d.corrupt("the file ends at offset %d, within its first record", d.size)
	case whole == field:
		return nil
	case isText(start):
		return d.corrupt("the file is text, not a log: it begins with %q", start)
	}
	return d.corrupt("the file is not a log: it begins with % x", start)
}

func isText(p []byte) bool {
	for _, b := range p {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' || b > '~' {
			return false
		}
	}
	return true
}

// end judges the end of the log, which was found to be clean (io.EOF) or torn,
// by what else the file tells of where it was. See "The end of a log".
func (d *decoder) end(found error) error {
	if mutant.On(mutant.EndBelieved) {
		_, err := d.rest()
		return cmp.Or(err, found)
	}
	if d.short() {
		return d.cutOff()
	}
	point, err := d.rest()
	if err != nil {
		return err
	}
	if point > 0 {
		return d.corrupt("the log ends here, but all up to offset %d was durable when the sync point there was written",
			point)
	}
	return found
}

// least is how many bytes the last file has at least: as many as it was made
// with, or those from which on a segment is closed, if they are fewer now.
func (d *decoder) least() int64 {
	if d.made > 0 {
		return min(d.made, d.full)
	}
	return d.full
}

// short tells whether the last file has lost bytes at its end.
func (d *decoder) short() bool { return d.last() && d.size < d.least() }

func (d *decoder) cutOff() error {
	return d.corrupt("the file ends at offset %d, though it was made with %d bytes", d.size, d.least())
}

// saysPlace tells whether the data of a checksum record is right for the place
// where it stands, and notes what the first of a file says of its size. Those
// of etcd have none.
func (d *decoder) saysPlace(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	if d.offset > 0 {
		return d.isPlace(data, d.offset)
	}
	d.place = appendPlace(d.place[:0], 0, d.seq)
	size, ok := bytes.CutPrefix(data, d.place)
	made, n := protowire.ConsumeVarint(size)
	d.made = int64(made)
	return ok && n == len(size) && d.made > 0
}

// pointBytes is more than a sync point takes, in bytes, and a multiple of 8.
const pointBytes = 64

// rest reads what follows the end of the log, sets used, and returns the offset
// of the first sync point that is there, 0 if there is none.
func (d *decoder) rest() (point int64, err error) {
	for at := d.offset; at < d.size; {
		p, err := d.peek(at, readBytes)
		if err != nil {
			return 0, err
		}
		step := int64(len(p))
		if at+step < d.size {
			step -= pointBytes // a sync point may begin here and end in the next piece
		}
		trimmed := int64(0)
		if !zero(p) {
			trimmed = int64(len(bytes.TrimRight(p, "\x00")))
			d.used = max(d.used, at+trimmed)
		}
		for i := int64(0); i < min(step, trimmed) && point == 0; i += frameBytes {
			if d.isPoint(p[i:], at+i) {
				point = at + i
			}
		}
		at += step
	}
	return point, nil
}

// Durable returns the path of the last segment and the offset of the last sync
// point in it: all before that was durable, whatever has become of it since. The
// offset is 0 if there is none. It reads what is there, damaged or not.
func Durable(fsys vfs.FS, dir string) (name string, offset int64, err error) {
	segments, err := listSegments(fsys, dir)
	if err != nil {
		return "", 0, err
	}
	files, err := openAll(fsys, dir, segments[len(segments)-1:])
	defer closeAll(files)
	if err != nil {
		return "", 0, err
	}
	d, err := newDecoder(files, 0)
	if err != nil {
		return "", 0, err
	}
	for {
		point, err := d.rest()
		if err != nil || point == 0 {
			return files[0].Name(), offset, err
		}
		offset, d.offset = point, point+frameBytes
	}
}

// isPoint tells whether p, which stands at offset at, begins with a sync point
// of this place.
func (d *decoder) isPoint(p []byte, at int64) bool {
	if len(p) < frameBytes {
		return false
	}
	field := binary.LittleEndian.Uint64(p)
	n, _ := unframe(field)
	if whole, _ := frame(int(n)); n == 0 || n > pointBytes || whole != field || int64(len(p)) < frameBytes+n {
		return false
	}
	rec, ok := parseRecord(p[frameBytes : frameBytes+n])
	return ok && rec.kind == crcRecord && d.isPlace(rec.data, at)
}

func (d *decoder) isPlace(data []byte, at int64) bool {
	d.place = appendPlace(d.place[:0], at, d.seq)
	return bytes.Equal(data, d.place)
}
