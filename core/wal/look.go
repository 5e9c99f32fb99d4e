package wal

import (
	"errors"
	"io"
	"path"
	"strings"

	"vitrine/core/vfs"
)

// Seen is a record as it stands in its file.
type Seen struct {
	Offset, Bytes int64 // with the length field and the padding
	Kind          RecordKind
	CRC           uint32 // of the data of all records up to this one
	Data          []byte // valid during the call
}

// RecordKind is the type of a record; the numbers are etcd's.
type RecordKind uint8

// Types of records.
const (
	Metadata RecordKind = metadataRecord
	Entry    RecordKind = entryRecord
	State    RecordKind = stateRecord
	Checksum RecordKind = crcRecord
	Snapshot RecordKind = snapshotRecord
)

// End is how the records of a file end.
type End struct {
	Offset int64 // behind the last record
	Torn   bool  // what stands there is a record of which a crash has left a part
	Beyond int64 // bytes from there on that are not zero, up to the last of them
}

// Files lists the segments of a log, oldest first, and the copies that recoveries
// have kept of files with a torn tail.
func Files(fsys vfs.FS, dir string) (segments []Segment, broken []string, err error) {
	if segments, err = listSegments(fsys, dir); err != nil {
		return nil, nil, err
	}
	names, err := fsys.List(dir)
	for _, name := range names {
		if strings.HasSuffix(name, brokenSuffix) {
			broken = append(broken, name)
		}
	}
	return segments, broken, err
}

// Walk visits the records of one file of a log until fn returns false. It changes
// nothing and may be called while the log is open elsewhere. The error is a
// *CorruptError or one of the file system.
func Walk(fsys vfs.FS, dir, name string, fn func(Seen) bool) (end End, err error) {
	f, err := fsys.Open(path.Join(dir, name))
	if err != nil {
		return end, err
	}
	defer f.Close()
	d, err := newDecoder([]vfs.File{f}, 0)
	if err != nil {
		return end, err
	}
	for {
		at := d.offset
		rec, err := d.next()
		if err != nil {
			end = End{Offset: d.offset, Torn: errors.Is(err, errTorn), Beyond: max(0, d.used-d.offset)}
			if err == io.EOF || end.Torn {
				err = nil
			}
			return end, err
		}
		if !fn(Seen{Offset: at, Bytes: d.offset - at, Kind: RecordKind(rec.kind), CRC: rec.crc, Data: rec.data}) {
			return End{Offset: d.offset}, nil
		}
	}
}
