// Package tasks gives goroutines an owner: somebody who bounds their number, refuses new ones while it stops, and waits
// for those that run before it closes what they use.
//
// A bare go statement has none of this. Whatever such a goroutine reads may be closed under it, and nobody knows when a
// stop is over.
//
//	var g tasks.Group
//	ok := g.Go(work)        // false: the group is closed, nothing runs
//	if g.Enter() {          // the same for a goroutine that is somebody else's
//		defer g.Leave()
//		read(db)
//	}
//	g.Close()               // nobody gets in any more
//	g.Wait()                // nobody is in any more
//	db.Close()
//
// A Pool runs tasks of one kind on a bounded number of a group's goroutines.
package tasks

import (
	"sync"
	"time"
)

// Group is a set of running tasks. The zero value is open and empty. Its methods may be called from any goroutine, Wait
// only after Close.
type Group struct {
	mu     sync.RWMutex // held to write by Close, so that no task begins beside Wait
	closed bool
	wg     sync.WaitGroup
}

// Enter counts the calling goroutine as a task until Leave; false means that the group is closed.
func (g *Group) Enter() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return false
	}
	g.wg.Add(1)
	return true
}

// Leave ends what Enter began.
func (g *Group) Leave() { g.wg.Done() }

// Go runs f on a goroutine of its own; false means that the group is closed and f does not run.
func (g *Group) Go(f func()) bool {
	if !g.Enter() {
		return false
	}
	go func() {
		defer g.Leave()
		f()
	}()
	return true
}

// Close refuses further tasks. Those that run go on.
func (g *Group) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// Closed tells a long task that it should end.
func (g *Group) Closed() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.closed
}

// Wait returns when no task runs.
func (g *Group) Wait() { g.wg.Wait() }

// Pool runs tasks in the order in which they came, at most limit at a time.
type Pool struct {
	group *Group
	limit int

	mu      sync.Mutex
	running int
	queue   []func()
}

// NewPool makes a pool whose goroutines are g's. It has none while there is nothing to do.
func NewPool(g *Group, limit int) *Pool { return &Pool{group: g, limit: limit} }

// Go queues f. What waits when the group is closed is dropped.
func (p *Pool) Go(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, f)
	if p.running == p.limit {
		return
	}
	if !p.group.Go(p.work) {
		p.queue = nil
		return
	}
	p.running++
}

func (p *Pool) work() {
	for f := p.next(); f != nil; f = p.next() {
		f()
	}
}

// next takes the oldest task; nil ends the goroutine that asks.
func (p *Pool) next() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group.Closed() {
		p.queue = nil
	}
	if len(p.queue) == 0 {
		p.running--
		return nil
	}
	f := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	return f
}

// Sleep waits; false means that stopping was closed meanwhile.
func Sleep(d time.Duration, stopping <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stopping:
		return false
	}
}
