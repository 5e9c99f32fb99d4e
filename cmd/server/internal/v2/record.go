package v2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"vitrine/core/pb"
)

// action is what wrote a node, or took it away. Numbers are those of records.
type action byte

const (
	byTheWay action = iota // a directory that was made for what is in it; nobody hears of it
	set
	create
	update
	compareAndSwap
	remove
	compareAndDelete
	expire
)

var actionNames = [...]string{"", "set", "create", "update", "compareAndSwap", "delete", "compareAndDelete", "expire"}

func (a action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// record is the value of a node's key:
//
//	byte     1 file, 2 directory
//	byte     the action; +128: it has only refreshed the time to live
//	uvarint  created: the index; 0 = that of the write
//	varint   expires: nanoseconds since 1970; 0 = never
//	...      the value
type record struct {
	dir     bool
	action  action
	refresh bool
	created int64
	expires int64
	value   string
}

const (
	fileByte, dirByte = 1, 2
	refreshBit        = 128
)

var errRecord = errors.New("it is no record")

func (r *record) encode() []byte {
	b := make([]byte, 2, 22+len(r.value))
	if b[0] = fileByte; r.dir {
		b[0] = dirByte
	}
	if b[1] = byte(r.action); r.refresh {
		b[1] |= refreshBit
	}
	b = binary.AppendUvarint(b, uint64(r.created))
	b = binary.AppendVarint(b, r.expires)
	return append(b, r.value...)
}

func decode(b []byte) (r record, err error) {
	if len(b) < 2 || b[0] != fileByte && b[0] != dirByte {
		return r, errRecord
	}
	r.dir, r.action, r.refresh = b[0] == dirByte, action(b[1]&^refreshBit), b[1]&refreshBit != 0
	created, n := binary.Uvarint(b[2:])
	if n <= 0 || int64(created) < 0 || r.action > compareAndSwap {
		return r, errRecord
	}
	b = b[2+n:]
	if r.expires, n = binary.Varint(b); n <= 0 || r.dir && len(b) > n {
		return r, errRecord
	}
	r.created, r.value = int64(created), string(b[n:])
	return r, nil
}

// entry is a node as it is in the store.
type entry struct {
	record
	path     string
	incarned int64 // the revision since which the key exists
	modified int64
	lease    int64
}

// entryOf reads a node. Whoever has put anything else there is named.
func entryOf(p string, kv *pb.KeyValue) (*entry, error) {
	r, err := decode(kv.Value)
	if err != nil {
		return nil, fmt.Errorf("the key %q: %w", kv.Key, err)
	}
	return &entry{record: r, path: p, incarned: kv.CreateRevision, modified: kv.ModRevision, lease: kv.Lease}, nil
}

// createdAt is the index at which the node was created.
func (e *entry) createdAt() int64 {
	if e.created != 0 {
		return e.created
	}
	return e.modified
}

// node is how the entry is shown.
func (e *entry) node(now time.Time) *Node {
	n := &Node{Key: e.path, Dir: e.dir, ModifiedIndex: uint64(e.modified), CreatedIndex: uint64(e.createdAt())}
	if !e.dir {
		n.Value = &e.value
	}
	n.expiring(e.expires, now)
	return n
}

// note is what a directory's note says: which entry was removed last, and how.
type note struct {
	action action
	name   string
}

func (n note) encode() []byte { return append([]byte{byte(n.action)}, n.name...) }

func decodeNote(b []byte) note {
	if len(b) == 0 {
		return note{}
	}
	return note{action(b[0]), string(b[1:])}
}
