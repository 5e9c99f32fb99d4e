// Package wal is the write-ahead log: what a member promised, in the order in
// which it promised it, in etcd's own format to the byte. etcd opens a log
// written here, and the other way round.
//
//	w, err := wal.Create(fs, "member/wal", metadata, wal.Options{})
//	err = w.Append(hardState, entries) // into the page cache, one write call
//	err = w.Sync()                     // durable: now it may be promised
//
//	w, log, err := wal.Open(fs, "member/wal", snapshot, wal.Options{})
//
// # Format
//
// A log is a directory of segments, <sequence>-<first index>.wal in hexadecimal.
// A segment is a chain of records, each framed by its length:
//
//	 0      1      2      3      4      5      6      7
//	+------+------+------+------+------+------+------+------+
//	| length of the record, little endian, 7 bytes   | pad  |  pad = 0, or 0x80 | bytes of padding
//	+------+------+------+------+------+------+------+------+
//	| 08 type | 10 crc (varint) | 1a length | data ...      |  a protobuf message: type, crc, data
//	|                                       | padding zeros |  to a multiple of 8 bytes
//	+-------------------------------------------------------+
//
// Types are 1 metadata, 2 entry, 3 hard state, 4 checksum, 5 snapshot. The
// checksum is CRC32-Castagnoli over the data of this record and all before it,
// so a record cannot be lost, moved or doubled unnoticed. The chain crosses
// files: a segment opens with a checksum record that repeats the last value.
//
//	segment 0                              segment 1, cut at 64,000,000 bytes
//	+-----+----------+----------+----+     +-----+----------+-------+----+
//	| crc | metadata | snapshot | .. | --> | crc | metadata | state | .. |  zeros
//	|  0  |          | 0, 0     |    |     |  x  |          |       |    |
//	+-----+----------+----------+----+     +-----+----------+-------+----+
//
// Of two entries with one index the later one counts.
//
// # The end of a log
//
// Behind the last record there is nothing but zeros, on disk, before the first
// byte is ever written there. Therefore a crash in the middle of a write, which
// loses any of the 512-byte sectors that were not synced, leaves one of:
//
//   - a length of zero: the end, whatever comes after it;
//   - a record in the last segment with a sector of zeros, or one that reaches
//     beyond the end of a file that was growing: torn. Open copies the file to
//     .broken and drops it.
//
// Damage can look the same: a block of zeros, a file that was cut off. So an end
// is believed only if nothing tells that the log was once longer. It is corrupt,
// with file and offset, if
//
//   - a sync point stands behind it: the first write after a sync opens with a
//     checksum record that says where it is, and by being there says that all
//     before it was durable;
//   - the file is shorter than it was made, of which its first record tells, or
//     than Options.SegmentBytes, if that is less or the record has no such thing,
//     being etcd's. No step of a WAL leaves so short a last segment, not even for
//     a moment;
//   - the store has applied more (Options.Applied), or the log's own hard state
//     has committed more: both were durable here before;
//   - something other than zeros follows in the sector of the end.
//
// Everything else that is not a log is a CorruptError as well, and nobody should
// guess.
//
//	       group, synced      group, synced     group         zeros, written   reserved
//	+-------------------+--+----------------+--+------------+----------------+----------+
//	| records ......... |sp| records ...... |sp| ....... end| 1 MiB ahead    | to 64 MB |
//	+-------------------+--+----------------+--+------------+----------------+----------+
//	                      ^ a sync point: a checksum record whose data is its own
//	                        offset and segment number, two varints; 24 to 32 bytes.
//	                        At offset 0 the size of the file follows as a third.
//
// etcd checks the checksum of such a record and passes over its data. It costs no
// write of its own: it rides in the first one that comes after the sync.
//
// What can be told. Any damage to what a sync point stands behind: all but the
// last group that was synced, and with Close that, too. Any cut of the file below
// the size that it was made with. Any damage that changes bytes into others than
// zeros, wherever it is (a checksum covers all but the type of a record, and that
// gives itself away).
//
// What cannot be told: zeros that take the place of the end of the log, so that
// no sync point behind them is left, look like a group that was never synced. That
// is the last group before a kill or a power loss, or, if a block larger than a
// sector is lost, the groups in that block. Of these only the entries are known
// that the store has applied and made durable, which it does within 100 ms; a
// vote in it is lost. In a log that etcd wrote there are no sync points until this
// package has opened it once: there only size, store and hard state tell. The same
// is true of a cut in what the last group has made the file longer than it was
// made, until the next group begins another segment. A last segment that is gone,
// file and name, is known by the store alone.
//
// Four rules keep it so.
//
//  1. A new segment is reserved (zeros), gets its head, is synced, and only
//     then renamed to a name that anybody reads.
//  2. Opening a log overwrites what follows the end with zeros and syncs them
//     before the first append: leftovers of a torn write must not meet new
//     records, nor their sync points. It does not truncate.
//  3. A recycled segment loses its name, durably, before its contents are
//     overwritten with zeros. It is used again only when all of it is zeros,
//     and the sync of its head makes them durable before it gets a new name.
//     etcd reads such a directory as any other; spare.tmp it passes over.
//  4. A sync point is written only when a sync has returned and nothing was
//     written since. Without syncs (UnsafeNoSync) there is none.
//
// In all this a log is read more strictly than by etcd, which takes any length
// beyond the end of the file, and any record with a sector of zeros, for a torn
// write, and any length of zero for the end: a flipped bit in a length, or a bad
// block, must not cut off what was promised. The price: etcd truncates a log for
// a moment when it opens it, and a process that is killed just then leaves a
// file that is refused here; etcd itself puts it right at its next start.
//
// Reserved space is not enough for fast syncs: writing into it converts extents,
// which is metadata, which is a journal commit. So the log stays a stretch of
// physical zeros ahead of itself, a megabyte at a time.
//
// # After a failure
//
// A write or sync that failed may have lost anything, and a second fsync that
// succeeds proves nothing. After the first error a WAL refuses everything.
package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

var (
	// ErrClosed is returned by a closed log.
	ErrClosed = errors.New("wal: closed")
	// ErrSnapshotNotFound: the log has no record of the snapshot to start from.
	ErrSnapshotNotFound = errors.New("wal: snapshot not found")
	// ErrSnapshotMismatch: it has, but with another term. The cause of a CorruptError.
	ErrSnapshotMismatch = errors.New("wal: snapshot mismatch")
	// ErrMetadataConflict: two segments belong to different members. The cause of a
	// CorruptError.
	ErrMetadataConflict = errors.New("wal: conflicting metadata found")

	errNoSegments = fmt.Errorf("wal: file not found: %w", fs.ErrNotExist)
)

// Options says how a log is kept. The zero value is etcd's way.
type Options struct {
	// SegmentBytes is the size from which on a segment is closed and the next
	// one begun; 0 means limits.WALSegmentBytes, as in etcd.
	SegmentBytes int64
	// Recycle keeps one released segment and overwrites it with zeros for
	// the next cut, which then needs no new blocks from the file system.
	Recycle bool
	// Applied is an index that Open is told of: a store has applied the log up to
	// there, so it was durable, and a log that ends before it is damaged.
	Applied uint64
	// UnsafeNoSync makes Sync and all other syncs do nothing.
	UnsafeNoSync bool
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = limits.WALSegmentBytes
	}
	return o
}

// WAL is a log open for appending. It is for one goroutine at a time.
type WAL struct {
	fs  vfs.FS
	dir string
	o   Options

	metadata  []byte
	state     state // repeated at the head of each segment
	hasState  bool
	lastIndex uint64 // of the last entry or snapshot

	segments []segment // the last one is the tail
	tail     vfs.File
	offset   int64 // where the next record goes
	zeroed   int64 // the tail is physically zero from offset to here
	bytes    int64 // written since it was opened
	unsynced bool
	synced   int64 // the tail is durable up to here
	noted    int64 // and says so itself up to here: by a sync point, or by its head
	spare    *spare

	enc encoder
	err error // the first failure; it stays
}

// state is a hard state by value.
type state struct{ term, vote, commit uint64 }

func (s *state) message() *raftpb.HardState {
	return &raftpb.HardState{Term: &s.term, Vote: &s.vote, Commit: &s.commit}
}

// Exists reports whether dir holds a log. A directory that cannot be read may hold one.
func Exists(fsys vfs.FS, dir string) (bool, error) {
	_, err := listSegments(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Create makes a log in dir, which must not hold one already. It is built
// aside and renamed, so a crash leaves all of it or nothing.
func Create(fsys vfs.FS, dir string, metadata []byte, o Options) (*WAL, error) {
	if there, err := Exists(fsys, dir); err != nil {
		return nil, err
	} else if there {
		return nil, &fs.PathError{Op: "create", Path: dir, Err: fs.ErrExist}
	}
	dir = path.Clean(dir)
	tmp := dir + ".tmp"
	created, err := makeDirs(fsys, path.Dir(dir))
	if err != nil {
		return nil, err
	}
	if err := fsys.RemoveAll(tmp); err != nil {
		return nil, err
	}
	if err := fsys.MkdirAll(tmp); err != nil {
		return nil, err
	}
	w := &WAL{fs: fsys, dir: tmp, o: o.withDefaults(), metadata: metadata}
	first := Segment{Name: segmentName(0, 0)}
	f, err := fsys.Create(w.path(first.Name))
	if err != nil {
		return nil, err
	}
	err = f.Preallocate(w.o.SegmentBytes)
	if err == nil {
		w.offset, err = w.writeHead(f, first.Seq)
	}
	if err == nil {
		err = w.syncDir()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fsys.RemoveAll(dir)
	}
	if err == nil {
		err = fsys.Rename(tmp, dir)
	}
	for _, d := range append(created, path.Dir(dir)) {
		if err == nil {
			err = w.syncDirectory(d)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("wal: create %s: %w", dir, err)
	}
	w.dir, w.zeroed, w.synced, w.noted = dir, w.offset, w.offset, w.offset
	if err := w.adopt([]Segment{first}); err != nil {
		return nil, err
	}
	return w, nil
}

// makeDirs makes dir and returns the directories whose entries that changed.
func makeDirs(fsys vfs.FS, dir string) (changed []string, err error) {
	for d := dir; d != path.Dir(d); d = path.Dir(d) {
		if _, err := fsys.Stat(d); err == nil {
			break
		}
		changed = append(changed, path.Dir(d))
	}
	return changed, fsys.MkdirAll(dir)
}

// adopt locks the segments and opens the last one for appending.
func (w *WAL) adopt(segments []Segment) (err error) {
	invariant.Assert(len(segments) > 0 && w.tail == nil, "wal: a log without segments, or opened twice")
	for _, s := range segments {
		lock, lockErr := w.fs.Lock(w.path(s.Name))
		if lockErr != nil {
			w.release()
			return lockErr
		}
		w.segments = append(w.segments, segment{s, lock})
	}
	if w.tail, err = w.fs.OpenReadWrite(w.path(w.last().Name)); err != nil {
		w.release()
	}
	return err
}

func (w *WAL) last() Segment { return w.segments[len(w.segments)-1].Segment }

// Segments returns the files of the log, oldest first.
func (w *WAL) Segments() []Segment {
	out := make([]Segment, len(w.segments))
	for i, s := range w.segments {
		out[i] = s.Segment
	}
	return out
}

// Bytes is how much was written since the log was opened.
func (w *WAL) Bytes() int64 { return w.bytes }

// Size returns how many bytes of the last segment are in use.
func (w *WAL) Size() int64 { return w.offset }

// Append writes entries and, unless it is nil or empty, a hard state to the
// page cache, and cuts the segment when it has become large enough. It keeps
// nothing of its arguments. They are durable after Sync.
func (w *WAL) Append(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if w.err != nil {
		return w.err
	}
	withState := hs.GetTerm() != 0 || hs.GetVote() != 0 || hs.GetCommit() != 0
	if len(entries) == 0 && !withState {
		return nil
	}
	w.begin()
	last := w.lastIndex
	for _, e := range entries {
		invariant.Assert(e.GetIndex() > 0 && e.GetIndex() <= last+1, "wal: an entry is appended behind a gap")
		w.enc.entry(e)
		last = e.GetIndex()
	}
	if withState {
		w.enc.state(hs)
		w.state, w.hasState = state{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}, true
	}
	w.lastIndex = last
	if err := w.flush(); err != nil || w.offset < w.o.SegmentBytes {
		return err
	}
	if err := w.cut(); err != nil {
		return w.fail("cut", err)
	}
	return nil
}

// SaveSnapshot records that a snapshot of this index and term is on disk. It is
// durable after Sync.
func (w *WAL) SaveSnapshot(s *pb.WALSnapshot) error {
	if w.err != nil {
		return w.err
	}
	whole := &pb.WALSnapshot{Index: new(s.GetIndex()), Term: new(s.GetTerm()), ConfState: s.ConfState}
	data, err := whole.MarshalVT()
	if err != nil {
		return err
	}
	w.begin()
	w.enc.record(snapshotRecord, data, nil)
	w.lastIndex = max(w.lastIndex, s.GetIndex())
	return w.flush()
}

// begin empties the encoder for the records of one write. The first one after
// a sync opens with a sync point.
func (w *WAL) begin() {
	invariant.Assert(w.noted <= w.synced, "wal: a sync point stands behind what was not synced")
	invariant.Assert(w.synced <= w.offset, "wal: more is synced than was written")
	w.enc.buf = w.enc.buf[:0]
	if w.offset == w.synced && w.synced > w.noted {
		w.enc.syncPoint(w.offset, w.last().Seq)
		w.noted = w.synced
	}
}

// flush writes the encoded records in one call.
func (w *WAL) flush() error {
	if len(w.enc.buf) == 0 {
		return nil
	}
	invariant.Assert(len(w.enc.buf)%frameBytes == 0, "wal: a write ends within a frame")
	invariant.Assert(w.tail != nil && len(w.segments) > 0, "wal: a write to a log that is closed")
	end := w.offset + int64(len(w.enc.buf))
	if err := w.zeroAhead(end); err != nil {
		return w.fail("write", err)
	}
	if _, err := w.tail.WriteAt(w.enc.buf, w.offset); err != nil {
		return w.fail("write", errors.Join(err, w.takeBack(end)))
	}
	invariant.Assert(w.zeroed >= min(end, w.o.SegmentBytes), "wal: a record stands behind what was written ahead")
	w.bytes += end - w.offset
	w.offset, w.unsynced = end, true
	if cap(w.enc.buf) > keepBytes {
		w.enc.buf = nil
	}
	return nil
}

// takeBack undoes a write up to end that failed: half a record without a missing
// sector would look like corruption. The file is not truncated for it: a process
// that is killed before it has its size again would leave one that is refused.
func (w *WAL) takeBack(end int64) error {
	invariant.Assert(end > w.offset, "wal: nothing is taken back")
	info, err := w.tail.Stat()
	if err != nil {
		return err
	}
	return writeZeros(w.tail, w.offset, min(end, info.Size))
}

// keepBytes bounds the encoding buffer that is kept between two appends.
const keepBytes = 4 << 20

// Sync makes everything appended so far durable (fdatasync).
func (w *WAL) Sync() error {
	if w.err != nil {
		return w.err
	}
	invariant.Assert(w.unsynced || w.o.UnsafeNoSync || w.synced == w.offset,
		"wal: something was written that no sync waits for")
	if !w.unsynced {
		return nil
	}
	switch err := w.syncFile(w.tail); {
	case err != nil && mutant.On(mutant.FsyncRetried):
		return err
	case err != nil:
		return w.fail("sync", err)
	}
	w.unsynced = false
	if !w.o.UnsafeNoSync {
		w.synced = w.offset
	}
	return nil
}

func (w *WAL) syncFile(f vfs.File) error {
	if w.o.UnsafeNoSync {
		return nil
	}
	return f.SyncData()
}

func (w *WAL) syncDir() error { return w.syncDirectory(w.dir) }

func (w *WAL) syncDirectory(dir string) error {
	if w.o.UnsafeNoSync {
		return nil
	}
	return w.fs.SyncDir(dir)
}

// fail remembers the first failure; from then on nothing is accepted.
func (w *WAL) fail(what string, err error) error {
	w.err = fmt.Errorf("wal: %s: %w (the log accepts nothing more)", what, err)
	return w.err
}

// Close syncs the log, ends it with a sync point, and gives up its files.
func (w *WAL) Close() error {
	if errors.Is(w.err, ErrClosed) {
		return ErrClosed
	}
	err := w.Sync()
	if err == nil {
		w.begin()
		err = w.flush()
	}
	if err == nil {
		err = w.Sync()
	}
	w.err = ErrClosed
	return errors.Join(err, w.release())
}

// release closes files and locks.
func (w *WAL) release() error {
	var errs []error
	if w.tail != nil {
		errs = append(errs, w.tail.Close())
	}
	for _, s := range w.segments {
		errs = append(errs, s.lock.Close())
	}
	if w.spare != nil {
		errs = append(errs, w.spare.file.Close(), w.fs.Remove(w.path(spareName)))
	}
	w.tail, w.segments, w.spare = nil, nil, nil
	return errors.Join(errs...)
}
