package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"

	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Log is the log of a member, in its files.
type Log struct {
	Files   []File   `json:"files"`   // oldest first
	Broken  []File   `json:"broken"`  // copies of files of which a start has cut a torn tail
	File    string   `json:"file"`    // the one that is shown
	Records []Record `json:"records"` // a window of it, oldest first
	First   int      `json:"first"`   // the number of the first of them in its file, from 0
	Count   int      `json:"count"`   // records in the file
	End     int64    `json:"end"`     // where they end, in bytes
	Torn    bool     `json:"torn"`    // there begins a record of which a crash has left a part
	Beyond  int64    `json:"beyond"`  // bytes of what stands there
	Reason  string   `json:"reason"`  // why the file cannot be read, "" = it can
	Last    Ends     `json:"last"`
}

// File is one file of the log.
type File struct {
	Name  string `json:"name"`
	Seq   uint64 `json:"seq"`
	Index uint64 `json:"index"` // of the first entry that may be in it
	Bytes int64  `json:"bytes"`
	Named bool   `json:"named"` // its name survives a loss of power
}

// Record is one record of it.
type Record struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Kind   string `json:"kind"` // metadata, entry, state, checksum, snapshot
	CRC    string `json:"crc"`
	Synced bool   `json:"synced"` // a loss of power leaves it
	Index  uint64 `json:"index"`
	Term   uint64 `json:"term"`
	Vote   uint64 `json:"vote"`
	Commit uint64 `json:"commit"`
	Op     string `json:"op,omitempty"`
	Key    string `json:"key,omitempty"`
	Value  string `json:"value,omitempty"`
}

// WAL looks at the records of Query.File, or of the last segment, in front of
// record Query.Until.
func WAL(s *Subject, q Query) (*Log, error) {
	dir := s.Layout.WAL
	segments, broken, err := wal.Files(s.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	left := s.Left()
	l := &Log{Files: []File{}, Broken: []File{}, Records: []Record{}, Last: s.Last, File: segments[len(segments)-1].Name}
	for _, seg := range segments[max(0, len(segments)-mostListed):] {
		l.Files = append(l.Files, fileOf(s.FS, left, dir, seg.Name, seg))
	}
	for _, name := range broken[max(0, len(broken)-mostListed):] {
		l.Broken = append(l.Broken, fileOf(s.FS, left, dir, name, wal.Segment{}))
	}
	if q.File != "" {
		if !slices.ContainsFunc(slices.Concat(l.Files, l.Broken), func(f File) bool { return f.Name == q.File }) {
			return nil, fmt.Errorf("inspect: the log has no file %q", q.File)
		}
		l.File = q.File
	}
	return l, l.read(s, left, q)
}

func fileOf(now, left vfs.FS, dir, name string, seg wal.Segment) File {
	f := File{Name: name, Seq: seg.Seq, Index: seg.Index}
	if info, err := now.Stat(path.Join(dir, name)); err == nil {
		f.Bytes = info.Size
	}
	_, err := left.Stat(path.Join(dir, name))
	f.Named = err == nil
	return f
}

// read walks through the file and keeps the records of the window.
func (l *Log) read(s *Subject, left vfs.FS, q Query) error {
	name := path.Join(s.Layout.WAL, l.File)
	until := math.MaxInt
	if q.Until > 0 {
		until = q.Until
	}
	window := make([]wal.Seen, q.limit()) // record n at n modulo its length, with data of its own
	end, err := wal.Walk(s.FS, s.Layout.WAL, l.File, func(seen wal.Seen) bool {
		if l.Count < until {
			slot := &window[l.Count%len(window)]
			seen.Data = append(slot.Data[:0], seen.Data...)
			*slot = seen
		}
		l.Count++
		return true
	})
	last := min(l.Count, until)
	l.First = max(0, last-len(window))
	same, done := sameBytes(s.FS, left, name)
	defer done()
	for n := l.First; n < last; n++ {
		seen := window[n%len(window)]
		r := recordOf(seen)
		r.Synced = same(seen.Offset, seen.Bytes)
		l.Records = append(l.Records, r)
	}
	l.End, l.Torn, l.Beyond = end.Offset, end.Torn, end.Beyond
	var corrupt *wal.CorruptError
	if errors.As(err, &corrupt) {
		l.Reason = corrupt.Reason
		return nil
	}
	return err
}

// sameBytes compares parts of a file on two disks. What one of them has not is not the same.
func sameBytes(now, left vfs.FS, name string) (same func(at, n int64) bool, done func()) {
	a, errA := now.Open(name)
	b, errB := left.Open(name)
	var one, other []byte
	same = func(at, n int64) bool {
		if errA != nil || errB != nil {
			return false
		}
		one, other = slices.Grow(one[:0], int(n))[:n], slices.Grow(other[:0], int(n))[:n]
		_, errOne := io.ReadFull(io.NewSectionReader(a, at, n), one)
		_, errOther := io.ReadFull(io.NewSectionReader(b, at, n), other)
		return errOne == nil && errOther == nil && bytes.Equal(one, other)
	}
	return same, func() {
		if errA == nil {
			a.Close()
		}
		if errB == nil {
			b.Close()
		}
	}
}

var recordKinds = map[wal.RecordKind]string{
	wal.Metadata: "metadata", wal.Entry: "entry", wal.State: "state", wal.Checksum: "checksum", wal.Snapshot: "snapshot",
}

func recordOf(s wal.Seen) Record {
	r := Record{Offset: s.Offset, Bytes: s.Bytes, Kind: recordKinds[s.Kind], CRC: fmt.Sprintf("%08x", s.CRC)}
	switch s.Kind {
	case wal.Entry:
		e := new(raftpb.Entry)
		if proto.Unmarshal(s.Data, e) == nil {
			p := pendingOf(e)
			r.Index, r.Term, r.Op, r.Key, r.Value = p.Index, p.Term, p.Op, p.Key, p.Value
		}
	case wal.State:
		h := new(raftpb.HardState)
		if proto.Unmarshal(s.Data, h) == nil {
			r.Term, r.Vote, r.Commit = h.GetTerm(), h.GetVote(), h.GetCommit()
		}
	case wal.Snapshot:
		m := new(pb.WALSnapshot)
		if m.UnmarshalVT(s.Data) == nil {
			r.Index, r.Term = m.GetIndex(), m.GetTerm()
		}
	}
	return r
}

// logged are the newest entries in the last file of the log behind index, of a
// process that is not there.
func (s *Subject) logged(index uint64) (all []*raftpb.Entry) {
	segments, _, err := wal.Files(s.FS, s.Layout.WAL)
	if err != nil {
		return nil
	}
	wal.Walk(s.FS, s.Layout.WAL, segments[len(segments)-1].Name, func(seen wal.Seen) bool {
		e := new(raftpb.Entry)
		if seen.Kind == wal.Entry && proto.Unmarshal(seen.Data, e) == nil && e.GetIndex() > index {
			e.Data = slices.Clone(e.Data)
			all = append(before(all, e.GetIndex()), e)
		}
		return true
	})
	return all
}
