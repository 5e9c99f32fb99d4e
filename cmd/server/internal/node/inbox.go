package node

import (
	"runtime"
	"sync"

	"vitrine/core/member"
)

// item is one thing for the core loop: an input, and the call that waits for the answer if it is a request.
type item struct {
	in   member.Input
	call *call
	// stream is the queue of a watch stream that opens.
	stream *stream
	// image: a database has come with the message, and is on the disk.
	image bool
	// bytes are what a peer's message takes of the memory; a call's are the caller's.
	bytes int
}

// inbox is the core loop's queue. Many goroutines put, one takes everything at
// once. Its bounds are for requests and peer messages, which may be refused; what the
// lanes report is always taken, and is bounded by what the lanes were given.
type inbox struct {
	mu     sync.Mutex
	items  []item
	bytes  int
	wake   chan struct{}
	closed bool

	limit, limitBytes int
}

func newInbox(limit, limitBytes int) *inbox {
	return &inbox{wake: make(chan struct{}, 1), limit: limit, limitBytes: limitBytes}
}

// put appends an input of the driver's own; false after close.
func (b *inbox) put(in member.Input) bool { return b.add(item{in: in}, false) }

// offer appends an input that may be refused when there is too much already.
func (b *inbox) offer(it item) bool { return b.add(it, true) }

func (b *inbox) add(it item, bounded bool) bool {
	b.mu.Lock()
	if b.closed || bounded && (len(b.items) >= b.limit || it.bytes > 0 && b.bytes >= b.limitBytes) {
		b.mu.Unlock()
		return false
	}
	b.items = append(b.items, it)
	b.bytes += it.bytes
	first := len(b.items) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take waits for items and returns all of them; the slice given back is used for
// the next ones. Nil means closed and empty.
func (b *inbox) take(used []item) []item {
	clear(used)
	used = used[:0]
	for {
		b.mu.Lock()
		if len(b.items) > 0 {
			items := b.items
			b.items, b.bytes = used, 0
			b.mu.Unlock()
			return items
		}
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return nil
		}
		<-b.wake
		// Whoever is about to put something else in may do so first: what arrives together
		// shares a poll, a write and a sync.
		runtime.Gosched()
	}
}

// close refuses further items. What is queued is still taken.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// isClosed tells a refused caller why.
func (b *inbox) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
