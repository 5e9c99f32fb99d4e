package backend

import (
	"errors"
	"io"
)

// ErrFull is wrapped by Commit when the file would outgrow its memory mapping.
// Nothing was changed; the Store is a Grower and the same commit succeeds
// after Grow.
var ErrFull = errors.New("backend: the file would outgrow its memory mapping")

// ErrBusy is Grow's answer while readers are in its way.
var ErrBusy = errors.New("backend: the store has open views")

var errNoView = errors.New("backend: the store failed")

// Grower is a Store whose file is mapped with a bound.
type Grower interface {
	// Grow maps the file anew with more room. With a view or snapshot still
	// open it does nothing and returns ErrBusy.
	Grow() error
}

// Store is the durable half of a Backend.
//
// Commit may run on another goroutine beside open StoreViews and beside the
// other methods, but never beside another Commit.
type Store interface {
	// Commit applies ops in one atomic durable transaction. Within a bucket the
	// keys ascend and none appears twice. After an error the state on disk is
	// unknown and the process must not go on.
	Commit(ops []Op) error
	// View is a stable image of what is committed. It must be closed.
	View() (StoreView, error)
	// Size is the space taken on disk, in bytes; SizeInUse leaves out what is
	// free for reuse.
	Size() int64
	SizeInUse() int64
	// Snapshot is a consistent image of what is committed. It must be closed.
	Snapshot() (Snapshot, error)
	Close() error
}

// StoreView is a stable image of a Store, safe for concurrent readers. Keys
// and values it returns are valid until Close and must not be changed.
type StoreView interface {
	// Get returns the value of key, nil if there is none. A present empty
	// value is empty and not nil.
	Get(b Bucket, key []byte) []byte
	// Range calls fn for the pairs in [start, end) in key order until it
	// returns false. A nil end means to the end of the bucket.
	Range(b Bucket, start, end []byte, fn func(k, v []byte) bool)
	// Retain is the same image once more, to be closed on its own.
	Retain() StoreView
	// Snapshot is the same image for sending away; it outlives the view.
	Snapshot() (Snapshot, error)
	Close()
}

// Snapshot is a consistent image of a Store on its way to a file or a peer.
type Snapshot interface {
	Size() int64
	// WriteTo writes the image: a bolt file's bytes, or the memory store's own
	// form (see OpenMemSnapshot).
	WriteTo(w io.Writer) (int64, error)
	Close() error
}
