package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"vitrine/core/invariant"
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
	// Stale: the last record of a snapshot in the log is not that of Snapshot, and does not count. See Snapshots.
	Stale     bool
	Repaired  bool  // the last record was torn and dropped
	Truncated int64 // bytes of it that had reached the disk
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
	d, err := newDecoder(files, w.o.SegmentBytes)
	if err != nil {
		return nil, err
	}
	s := newScan(from)
	end := s.run(d)
	if d.tornEnd(end) && mutant.On(mutant.TailStrict) {
		return nil, d.corrupt("the last record is torn")
	}
	if end != nil && !d.tornEnd(end) {
		return nil, end
	}
	if !s.found {
		return nil, ErrSnapshotNotFound
	}
	if err := s.promised(d, w.o.Applied); err != nil {
		return nil, err
	}
	if end != nil {
		s.Repaired, s.Truncated = true, max(0, d.used-d.offset)
		if err := w.saveBroken(d); err != nil {
			return nil, fmt.Errorf("wal: repair: %w", err)
		}
	}
	invariant.Assert(s.last() >= from.GetIndex(), "wal: a log ends before the snapshot that it was opened at")
	w.metadata, w.lastIndex, w.enc.crc = s.Metadata, s.last(), d.crc
	if hs := s.HardState; hs.GetTerm() != 0 || hs.GetVote() != 0 || hs.GetCommit() != 0 {
		w.state, w.hasState = state{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}, true
	}
	if err := w.blankRest(d); err != nil {
		return nil, err
	}
	// A process that was killed may have left the name of the last segment in the
	// page cache only: what is appended from here on would go with it.
	return &s.Recovered, w.syncDir()
}

// promised compares where the log ends with what is known of it from elsewhere:
// the commit index that it tells itself, and what a store has applied, which
// was durable here before.
func (s *scan) promised(d *decoder, applied uint64) error {
	switch last := s.last(); {
	case mutant.On(mutant.EndBelieved):
	case applied > last:
		return d.corrupt("the log ends at index %d, but the store has applied what followed, up to index %d", last, applied)
	case s.HardState.GetCommit() > max(last, s.highest):
		return d.corrupt("the log ends at index %d, but says that index %d is committed", last, s.HardState.GetCommit())
	}
	return nil
}

// blankRest overwrites what follows the end with zeros, durably. The file never
// becomes shorter, not even for a moment: see "The end of a log".
func (w *WAL) blankRest(d *decoder) error {
	if err := writeZeros(w.tail, d.offset, d.used); err != nil {
		return err
	}
	if err := w.tail.Preallocate(w.o.SegmentBytes); err != nil {
		return err
	}
	invariant.Assert(d.offset > 0 && d.offset%frameBytes == 0, "wal: the end of a log is within a frame")
	w.offset, w.zeroed = d.offset, max(d.offset, d.used)
	if err := w.syncFile(w.tail); err != nil {
		return err
	}
	if !w.o.UnsafeNoSync {
		w.synced = w.offset
	}
	return nil
}

// saveBroken keeps a copy of a file with a torn tail.
func (w *WAL) saveBroken(d *decoder) error {
	f, err := w.fs.Create(w.path(w.last().Name + brokenSuffix))
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(0); at < d.size; {
		p, err := d.peek(at, readBytes)
		if err != nil {
			return err
		}
		if !zero(p) {
			if _, err := f.WriteAt(p, at); err != nil {
				return err
			}
		}
		at += int64(len(p))
	}
	if err := f.Truncate(d.size); err != nil {
		return err
	}
	if err := w.syncFile(f); err != nil {
		return err
	}
	return w.syncDir()
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
	found         bool              // the snapshot to start from
	startTerm     uint64            // of the entry that the snapshot ends with; 0 if there is none
	snapshots     []*pb.WALSnapshot // that count
	pending       []*pb.WALSnapshot // of which that has yet to be said
	highest       uint64            // index of those that count
	snapshotsOnly bool              // entries are not wanted
}

// last is the index at which the log ends.
func (s *scan) last() uint64 { return s.Snapshot.GetIndex() + uint64(len(s.Entries)) }

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
		s.confirm()
		return nil
	case entryRecord:
		if s.snapshotsOnly && len(s.pending) == 0 {
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
		return &badRecord{text: fmt.Sprintf("entry %d of type %d has %d bytes of data", e.GetIndex(), e.GetType(),
			len(e.GetData()))}
	}
	s.refute(e.GetIndex())
	if s.snapshotsOnly {
		return nil
	}
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
	s.pending = append(s.pending, snap)
	s.confirm()
	if s.Stale = snap.GetIndex() != s.Snapshot.GetIndex(); s.Stale {
		return nil
	}
	if snap.GetTerm() != s.Snapshot.GetTerm() {
		return &badRecord{fmt.Sprintf("the snapshot at %d has term %d, not %d", snap.GetIndex(), snap.GetTerm(),
			s.Snapshot.GetTerm()), ErrSnapshotMismatch}
	}
	if s.startTerm != snap.GetTerm() {
		s.Entries, s.startTerm = s.Entries[:0], snap.GetTerm()
	}
	s.found = true
	return nil
}

// confirm takes the records for good that the hard state covers.
func (s *scan) confirm() {
	s.pending = slices.DeleteFunc(s.pending, func(snap *pb.WALSnapshot) bool {
		covered := snap.GetIndex() <= s.HardState.GetCommit()
		if covered {
			s.snapshots = append(s.snapshots, snap)
			s.highest = max(s.highest, snap.GetIndex())
		}
		return covered
	})
}

// refute gives up the records of snapshots that did not become the log, since
// an entry that they would cover was written behind them.
func (s *scan) refute(entry uint64) {
	if mutant.On(mutant.StaleMarkCounts) {
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(snap *pb.WALSnapshot) bool { return snap.GetIndex() >= entry })
}

// Snapshots returns the snapshots that a log knows and may be opened at, oldest
// first. It changes nothing and may be called while the log is open elsewhere.
//
// A record counts if its index was known to be committed when it was written,
// or becomes so by the first hard state behind it that says so, with no entry
// at or below its index in between. The record of a received snapshot and the
// hard state that commits it are two, and a crash can come between them. Then
// the next process goes on without the snapshot, with entries or another
// snapshot below that index; when they are committed one day, the old record
// must not count again, since its image is gone.
//
// etcd counts every record whose index is committed in the end, and starts from
// the last of them. For its sake a process that starts from another one than
// the last in the log writes it again (Recovered.Stale).
func Snapshots(fsys vfs.FS, dir string, o Options) ([]*pb.WALSnapshot, error) {
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
	d, err := newDecoder(files, o.withDefaults().SegmentBytes)
	if err != nil {
		return nil, err
	}
	s := newScan(nil)
	s.snapshotsOnly = true
	if err := s.run(d); err != nil && !d.tornEnd(err) {
		return nil, err
	}
	return s.snapshots, nil
}
