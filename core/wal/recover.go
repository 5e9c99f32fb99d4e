package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Recovered is what a log held when it was opened.
type Recovered struct {
	Metadata  []byte
	HardState *raftpb.HardState // never nil; empty when none was ever saved
	Entries   []*raftpb.Entry   // all after Snapshot, committed or not
	Snapshot  pb.WALSnapshot    // the one started from
	Repaired  bool              // the last record was torn and dropped
	Truncated int64             // bytes of it that had reached the disk
}

// Open reads a log from a snapshot on (nil: from its beginning) and prepares it
// for appending. A torn tail is repaired. The error is ErrSnapshotNotFound, a
// *CorruptError, vfs.ErrLocked, or one of the file system.
func Open(fsys vfs.FS, dir string, from *pb.WALSnapshot, o Options) (*WAL, *Recovered, error) {
	segments, err := listSegments(fsys, dir)
	if err != nil {
		return nil, nil, err
	}
	start, err := segmentsFrom(dir, segments, from.GetIndex())
	if err != nil {
		return nil, nil, err
	}
	w := &WAL{fs: fsys, dir: dir, o: o.withDefaults()}
	if err := w.adopt(segments); err != nil {
		return nil, nil, err
	}
	log, err := w.recover(segments[start:], from)
	if err != nil {
		return nil, nil, errors.Join(err, w.release())
	}
	return w, log, nil
}

// segmentsFrom returns the position of the segment in which a snapshot's
// entries begin. From there on no segment may be missing.
func segmentsFrom(dir string, segments []Segment, index uint64) (int, error) {
	start := len(segments) - 1
	for start >= 0 && segments[start].Index > index {
		start--
	}
	if start < 0 {
		return 0, &CorruptError{File: dir, Reason: fmt.Sprintf("no segment begins at or before index %d", index)}
	}
	for i := start + 1; i < len(segments); i++ {
		if segments[i].Seq != segments[i-1].Seq+1 {
			return 0, &CorruptError{File: dir, Reason: fmt.Sprintf("the segment after %s is missing", segments[i-1].Name)}
		}
	}
	return start, nil
}

func (w *WAL) recover(segments []Segment, from *pb.WALSnapshot) (*Recovered, error) {
	for _, name := range []string{nextName, spareName} {
		if err := w.fs.Remove(w.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	files, err := openAll(w.fs, w.dir, segments)
	defer closeAll(files)
	if err != nil {
		return nil, err
	}
	d, err := newDecoder(files)
	if err != nil {
		return nil, err
	}
	s := newScan(from)
	switch err := s.run(d); {
	case d.tornEnd(err) && mutant.On(mutant.TailStrict):
		return nil, d.corrupt("the last record is torn")
	case d.tornEnd(err):
		s.Repaired = true
		if s.Truncated, err = w.saveBroken(d); err != nil {
			return nil, fmt.Errorf("wal: repair: %w", err)
		}
	case err != nil:
		return nil, err
	}
	if !s.found {
		return nil, ErrSnapshotNotFound
	}
	w.metadata, w.lastIndex, w.enc.crc = s.Metadata, s.last, d.crc
	if hs := s.HardState; hs.GetTerm() != 0 || hs.GetVote() != 0 || hs.GetCommit() != 0 {
		w.state, w.hasState = state{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}, true
	}
	return &s.Recovered, w.blankFrom(d.offset)
}

// blankFrom makes the tail end at offset, followed by zeros, durably.
func (w *WAL) blankFrom(offset int64) error {
	if err := w.tail.Truncate(offset); err != nil {
		return err
	}
	if err := w.tail.Preallocate(w.o.SegmentBytes); err != nil {
		return err
	}
	w.offset, w.zeroed = offset, offset
	return w.syncFile(w.tail)
}

// saveBroken keeps a copy of a file with a torn tail and returns how many
// bytes that tail has.
func (w *WAL) saveBroken(d *decoder) (int64, error) {
	end := d.offset
	f, err := w.fs.Create(w.path(w.last().Name + brokenSuffix))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for at := int64(0); at < d.size; {
		p, err := d.peek(at, readBytes)
		if err != nil {
			return 0, err
		}
		if trimmed := bytes.TrimRight(p, "\x00"); len(trimmed) > 0 {
			if _, err := f.WriteAt(p, at); err != nil {
				return 0, err
			}
			end = max(end, at+int64(len(trimmed)))
		}
		at += int64(len(p))
	}
	if err := f.Truncate(d.size); err != nil {
		return 0, err
	}
	if err := w.syncFile(f); err != nil {
		return 0, err
	}
	return end - d.offset, w.syncDir()
}

func openAll(fsys vfs.FS, dir string, segments []Segment) (files []vfs.File, err error) {
	w := WAL{dir: dir}
	for _, s := range segments {
		f, err := fsys.Open(w.path(s.Name))
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []vfs.File) {
	for _, f := range files {
		f.Close()
	}
}

// scan takes in the records of a log.
type scan struct {
	Recovered
	found         bool   // the snapshot to start from
	last          uint64 // index of the last entry or snapshot
	startTerm     uint64 // of the entry that the snapshot ends with; 0 if there is none
	snapshots     []*pb.WALSnapshot
	snapshotsOnly bool // entries are not wanted
}

func newScan(from *pb.WALSnapshot) *scan {
	s := &scan{Recovered: Recovered{HardState: &raftpb.HardState{}}}
	s.Snapshot = pb.WALSnapshot{Index: new(from.GetIndex()), Term: new(from.GetTerm()), ConfState: from.GetConfState()}
	return s
}

// run reads to the end. It returns nil, errTorn, or what is wrong.
func (s *scan) run(d *decoder) error {
	for {
		rec, err := d.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.record(rec); err != nil {
			var reason *badRecord
			if errors.As(err, &reason) {
				return &CorruptError{File: d.files[0].Name(), Offset: d.at, Reason: reason.text, Cause: reason.cause}
			}
			return err
		}
	}
}

// badRecord is a record with a valid checksum that makes no sense.
type badRecord struct {
	text  string
	cause error
}

func (e *badRecord) Error() string { return e.text }

func (s *scan) record(rec record) error {
	switch rec.kind {
	case crcRecord:
		return nil
	case metadataRecord:
		if s.Metadata != nil && !bytes.Equal(s.Metadata, rec.data) {
			return &badRecord{"the metadata is not that of the segment before", ErrMetadataConflict}
		}
		s.Metadata = append([]byte{}, rec.data...)
		return nil
	case stateRecord:
		before := s.HardState.GetTerm()
		s.HardState = &raftpb.HardState{}
		if err := decode(rec, "hard state", s.HardState); err != nil {
			return err
		}
		if term := s.HardState.GetTerm(); term < before {
			return &badRecord{text: fmt.Sprintf("the hard state goes back from term %d to %d", before, term)}
		}
		return nil
	case entryRecord:
		if s.snapshotsOnly {
			return nil
		}
		return s.entry(rec)
	case snapshotRecord:
		return s.snapshot(rec)
	}
	return &badRecord{text: fmt.Sprintf("unexpected record type %d", rec.kind)}
}

// decode takes no fields that nobody knows: the checksum does not cover a
// record's type, and an entry is well-formed as a hard state.
func decode(rec record, what string, m proto.Message) error {
	if err := proto.Unmarshal(rec.data, m); err != nil {
		return &badRecord{text: fmt.Sprintf("the %s cannot be decoded: %v", what, err)}
	}
	if n := len(m.ProtoReflect().GetUnknown()); n > 0 {
		return &badRecord{text: fmt.Sprintf("the %s has %d bytes that mean nothing", what, n)}
	}
	return nil
}

// entry adds an entry, which takes the place of all earlier ones of the same
// and higher indexes. That is also true of one that the snapshot covers: what
// followed the entry it replaces is not part of the log any more, even if
// nothing new was ever written there. (etcd keeps such leftovers, which puts an
// old term behind a newer one.)
func (s *scan) entry(rec record) error {
	e := &raftpb.Entry{}
	if err := decode(rec, "entry", e); err != nil {
		return err
	}
	// A hard state that is called an entry is one of the type of its term, and
	// without data.
	if e.GetType() != raftpb.EntryNormal && (e.GetType() > raftpb.EntryConfChangeV2 || len(e.GetData()) == 0) {
		return &badRecord{text: fmt.Sprintf("entry %d of type %d has %d bytes of data", e.GetIndex(), e.GetType(), len(e.GetData()))}
	}
	s.last = e.GetIndex()
	start := s.Snapshot.GetIndex()
	if e.GetIndex() <= start {
		s.Entries, s.startTerm = s.Entries[:0], 0
		if e.GetIndex() == start {
			s.startTerm = e.GetTerm()
		}
		return nil
	}
	at := e.GetIndex() - start - 1
	if at > uint64(len(s.Entries)) {
		return &badRecord{text: fmt.Sprintf("entry %d follows entry %d", e.GetIndex(), start+uint64(len(s.Entries)))}
	}
	if mutant.On(mutant.AppendWithoutTruncation) && at < uint64(len(s.Entries)) {
		s.Entries[at] = e
		return nil
	}
	s.Entries = append(s.Entries[:at], e)
	return nil
}

// snapshot finds the one to start from. A member that took it of its own log
// keeps the entries that follow. One that was sent it, because its own
// log said something else there, dropped all it had.
func (s *scan) snapshot(rec record) error {
	snap := &pb.WALSnapshot{}
	if err := snap.UnmarshalVT(rec.data); err != nil {
		return &badRecord{text: fmt.Sprintf("the snapshot cannot be decoded: %v", err)}
	}
	s.snapshots = append(s.snapshots, snap)
	s.last = max(s.last, snap.GetIndex())
	if s.snapshotsOnly || snap.GetIndex() != s.Snapshot.GetIndex() {
		return nil
	}
	if snap.GetTerm() != s.Snapshot.GetTerm() {
		return &badRecord{fmt.Sprintf("the snapshot at %d has term %d, not %d", snap.GetIndex(), snap.GetTerm(), s.Snapshot.GetTerm()), ErrSnapshotMismatch}
	}
	if s.startTerm != snap.GetTerm() {
		s.Entries = s.Entries[:0]
	}
	s.found = true
	return nil
}

// Snapshots returns the snapshots that a log knows and may be opened at: those
// with an index that is known to be committed, oldest first. It changes nothing
// and may be called while the log is open elsewhere.
func Snapshots(fsys vfs.FS, dir string) ([]*pb.WALSnapshot, error) {
	segments, err := listSegments(fsys, dir)
	if err != nil {
		return nil, err
	}
	first := len(segments) - 1
	for first > 0 && segments[first-1].Seq+1 == segments[first].Seq {
		first--
	}
	files, err := openAll(fsys, dir, segments[first:])
	defer closeAll(files)
	if err != nil {
		return nil, err
	}
	d, err := newDecoder(files)
	if err != nil {
		return nil, err
	}
	s := newScan(nil)
	s.snapshotsOnly = true
	if err := s.run(d); err != nil && !d.tornEnd(err) {
		return nil, err
	}
	var valid []*pb.WALSnapshot
	for _, snap := range s.snapshots {
		if snap.GetIndex() <= s.HardState.GetCommit() {
			valid = append(valid, snap)
		}
	}
	return valid, nil
}
