package mvcc

import (
	"encoding/binary"
	"fmt"
)

// Revision is one change: Main counts the transactions that changed something,
// Sub the changes inside one, from 0.
type Revision struct{ Main, Sub int64 }

// Before says whether r is older than other.
func (r Revision) Before(other Revision) bool {
	return r.Main < other.Main || (r.Main == other.Main && r.Sub < other.Sub)
}

func (r Revision) text() string { return fmt.Sprintf("%d.%d", r.Main, r.Sub) }

// A revision as a key of the key bucket, so that byte order is revision order:
//
//	0        8   9        17  18
//	| main   |'_'| sub    |'t'|   big-endian; 't' only for a tombstone
const (
	revisionBytes  = 17
	tombstoneBytes = revisionBytes + 1
	separator      = '_'
	tombstoneMark  = 't'
)

// AppendRevision appends the 17-byte form of r to dst.
func AppendRevision(dst []byte, r Revision) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Main))
	dst = append(dst, separator)
	return binary.BigEndian.AppendUint64(dst, uint64(r.Sub))
}

// ParseRevision reads a key of the key bucket.
func ParseRevision(key []byte) (r Revision, tombstone bool, err error) {
	tombstone = len(key) == tombstoneBytes && key[revisionBytes] == tombstoneMark
	if (len(key) != revisionBytes && !tombstone) || key[8] != separator {
		return Revision{}, false, fmt.Errorf("mvcc: bad revision %x in the key bucket", key)
	}
	r.Main = int64(binary.BigEndian.Uint64(key))
	r.Sub = int64(binary.BigEndian.Uint64(key[9:]))
	if r.Main < 0 || r.Sub < 0 {
		return Revision{}, false, fmt.Errorf("mvcc: negative revision %x in the key bucket", key)
	}
	return r, tombstone, nil
}
