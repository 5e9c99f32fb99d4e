package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/vfs"
)

const (
	// nextName is a segment in the making, spareName a released one waiting for
	// its next life. etcd passes over names that end in .tmp, and does not use
	// these two for its own.
	nextName  = "next.tmp"
	spareName = "spare.tmp"

	brokenSuffix = ".broken"

	// aheadBytes is how far, in bytes, the file is kept written with zeros
	// ahead of the records.
	aheadBytes = 1 << 20
)

var zeros [128 << 10]byte

// Segment is one file of a log.
type Segment struct {
	Name  string // in the log's directory
	Seq   uint64 // counts files, from 0
	Index uint64 // of the first entry that may be in it
}

type segment struct {
	Segment
	lock io.Closer
}

func segmentName(seq, index uint64) string { return fmt.Sprintf("%016x-%016x.wal", seq, index) }

func parseSegmentName(name string) (Segment, bool) {
	if len(name) != 37 || name[16] != '-' || name[33:] != ".wal" {
		return Segment{}, false
	}
	seq, err1 := strconv.ParseUint(name[:16], 16, 64)
	index, err2 := strconv.ParseUint(name[17:33], 16, 64)
	return Segment{Name: name, Seq: seq, Index: index}, err1 == nil && err2 == nil
}

// listSegments returns the segments in a directory in order. Other files are
// passed over.
func listSegments(fsys vfs.FS, dir string) ([]Segment, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var out []Segment
	for _, name := range names {
		if s, ok := parseSegmentName(name); ok {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errNoSegments}
	}
	return out, nil
}

// writeHead writes the records that open a segment into a file that reads as
// zeros, and makes them durable.
func (w *WAL) writeHead(f vfs.File, seq uint64) (int64, error) {
	head := encoder{buf: w.enc.buf[:0], crc: w.enc.crc}
	if mutant.On(mutant.ChecksumUnchained) {
		head.crc = 0
	}
	head.first(seq, w.o.SegmentBytes)
	head.record(metadataRecord, w.metadata, nil)
	if seq == 0 {
		head.record(snapshotRecord, []byte{1 << 3, 0, 2 << 3, 0}, nil) // index 0, term 0
	}
	if w.hasState {
		head.state(w.state.message())
	}
	w.enc.crc, w.enc.buf = head.crc, head.buf[:0]
	if _, err := f.WriteAt(head.buf, 0); err != nil {
		return 0, err
	}
	return int64(len(head.buf)), w.syncFile(f)
}

// cut closes the tail and opens the next segment. Everything written so far
// is durable when it returns, and so is the new name.
func (w *WAL) cut() error {
	if err := w.tail.Truncate(w.offset); err != nil {
		return err
	}
	if err := w.syncFile(w.tail); err != nil {
		return err
	}
	f, zeroed, err := w.blank()
	if err != nil {
		return err
	}
	next := Segment{Seq: w.last().Seq + 1, Index: w.lastIndex + 1}
	next.Name = segmentName(next.Seq, next.Index)
	head, err := w.begun(f, next)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := w.tail.Close(); err != nil {
		return err
	}
	if w.tail, err = w.fs.OpenReadWrite(w.path(next.Name)); err != nil {
		return err
	}
	lock, err := w.fs.Lock(w.path(next.Name))
	if err != nil {
		return err
	}
	w.segments = append(w.segments, segment{next, lock})
	w.offset, w.zeroed, w.unsynced = head, max(zeroed, head), false
	w.synced, w.noted = head, head
	return nil
}

// begun writes the head of a segment, and gives the file its name when that is durable.
func (w *WAL) begun(f vfs.File, next Segment) (head int64, err error) {
	if head, err = w.writeHead(f, next.Seq); err != nil {
		return 0, err
	}
	invariant.Assert(head > 0 && head%frameBytes == 0, "wal: a segment without a head")
	if err := w.fs.Rename(f.Name(), w.path(next.Name)); err != nil {
		return 0, err
	}
	return head, w.syncDir()
}

// blank returns a file that reads as zeros up to a segment's size, and how much
// of it is physically written: the spare if it is ready, else a new one.
func (w *WAL) blank() (vfs.File, int64, error) {
	if s := w.spare; s != nil && s.cleaned >= s.size {
		invariant.Assert(s.cleaned == s.size, "wal: more of a spare is clean than there is")
		w.spare = nil
		if s.size < w.o.SegmentBytes {
			if err := s.file.Preallocate(w.o.SegmentBytes); err != nil {
				return nil, 0, errors.Join(err, s.file.Close())
			}
		}
		return s.file, s.size, nil // writeHead syncs all of it
	}
	f, err := w.fs.Create(w.path(nextName))
	if err != nil {
		return nil, 0, err
	}
	if err := f.Preallocate(w.o.SegmentBytes); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, 0, nil
}

// spare is a released segment that is being overwritten with zeros, a stretch
// at a time while the tail grows. Under its .tmp name nobody reads it.
type spare struct {
	file    vfs.File
	size    int64
	cleaned int64
}

// zeroAhead keeps the file physically written beyond the next records, which
// end at end: an fdatasync that only overwrites blocks has no metadata to
// journal. The same step cleans as much of the spare.
func (w *WAL) zeroAhead(end int64) error {
	invariant.Assert(end >= w.offset && w.zeroed >= 0, "wal: a write ends before it begins")
	limit := w.o.SegmentBytes
	if w.zeroed >= limit || end+aheadBytes/2 < w.zeroed {
		return w.cleanSpare(end)
	}
	to := min(max(w.zeroed, end)+aheadBytes, limit)
	if err := writeZeros(w.tail, max(w.zeroed, w.offset), to); err != nil {
		return err
	}
	w.zeroed = max(w.zeroed, to)
	return w.cleanSpare(end)
}

func (w *WAL) cleanSpare(end int64) error {
	s := w.spare
	if s == nil || s.cleaned >= s.size || end < s.cleaned-aheadBytes {
		return nil
	}
	to := min(s.cleaned+aheadBytes, s.size)
	if err := writeZeros(s.file, s.cleaned, to); err != nil {
		return err
	}
	invariant.Assert(to > s.cleaned, "wal: a spare is not becoming cleaner")
	s.cleaned = to
	return nil
}

func writeZeros(f vfs.File, from, to int64) error {
	for from < to {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		invariant.Assert(n > 0, "wal: zeros are written without an end")
		from += int64(n)
	}
	return nil
}

// Release gives up the segments that hold nothing but entries below index:
// the log can from now on only be opened at a snapshot of at least that index.
// The youngest of them becomes the spare if recycling is on and there is none;
// the others are removed, oldest first.
func (w *WAL) Release(index uint64) error {
	if w.err != nil {
		return w.err
	}
	for len(w.segments) > 1 && w.segments[1].Index < index {
		invariant.Assert(w.segments[0].Seq < w.segments[1].Seq, "wal: segments are out of order")
		if err := w.retire(w.segments[0]); err != nil {
			return w.fail("release", err)
		}
		w.segments = w.segments[1:]
	}
	return nil
}

// retire takes a segment out of the log. Its name is gone from the disk before
// its contents change: a half-erased file must never come back as a segment.
func (w *WAL) retire(s segment) error {
	invariant.Assert(s.Name != w.last().Name, "wal: the segment that is written to is given up")
	name := w.path(s.Name)
	recycle := w.o.Recycle && w.spare == nil
	var err error
	if recycle {
		err = w.fs.Rename(name, w.path(spareName))
	} else {
		err = w.fs.Remove(name)
	}
	if err != nil {
		return err
	}
	if !recycle || !mutant.On(mutant.SpareNameUnsynced) {
		if err := w.syncDir(); err != nil {
			return err
		}
	}
	if err := s.lock.Close(); err != nil || !recycle {
		return err
	}
	f, err := w.fs.OpenReadWrite(w.path(spareName))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	w.spare = &spare{file: f, size: info.Size}
	if mutant.On(mutant.SpareUnclean) {
		w.spare.cleaned = info.Size
	}
	return err
}

func (w *WAL) path(name string) string { return path.Join(w.dir, name) }
