package node

import "sync"

// lane is an ordered queue between the core loop and one goroutine that works it off, group by group.
type lane[T any] struct {
	mu     sync.Mutex
	items  []T
	wake   chan struct{}
	closed bool
}

func newLane[T any]() *lane[T] { return &lane[T]{wake: make(chan struct{}, 1)} }

func (l *lane[T]) push(items []T) {
	if len(items) == 0 {
		return
	}
	l.mu.Lock()
	first := len(l.items) == 0
	l.items = append(l.items, items...)
	l.mu.Unlock()
	if first {
		l.signal()
	}
}

func (l *lane[T]) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take waits for items and returns all of them; nil means closed and empty.
func (l *lane[T]) take(used []T) []T {
	clear(used)
	used = used[:0]
	for {
		l.mu.Lock()
		if len(l.items) > 0 {
			items := l.items
			l.items = used
			l.mu.Unlock()
			return items
		}
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return nil
		}
		<-l.wake
	}
}

// close ends the lane once its queue is worked off.
func (l *lane[T]) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
}

// abandon ends the lane without the rest of its queue.
func (l *lane[T]) abandon() {
	l.mu.Lock()
	l.closed, l.items = true, nil
	l.mu.Unlock()
	l.signal()
}
