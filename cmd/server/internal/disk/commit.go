package disk

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/driver"
	"vitrine/core/member"
	"vitrine/core/trace"
)

// commits is the commit lane's control: when to commit, and who waits for it.
type commits struct {
	now  chan struct{}      // commit without waiting for the interval
	ask  chan chan struct{} // closed after a commit of everything written before
	stop chan struct{}
	done chan struct{}
}

func newCommits() *commits {
	return &commits{
		now:  make(chan struct{}, 1),
		ask:  make(chan chan struct{}),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
}

func (c *commits) hurry() {
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// waitIdle returns when all that was written before the call is committed, or the lane has ended.
func (c *commits) waitIdle() {
	reply := make(chan struct{})
	select {
	case c.ask <- reply:
		select {
		case <-reply:
		case <-c.done:
		}
	case <-c.done:
	}
}

// Commit is the commit lane. It ends with Close, or with the first error.
func (d *Disk) Commit() {
	c := d.commits
	defer close(c.done)
	ticker := time.NewTicker(d.cfg.BackendInterval)
	defer ticker.Stop()
	for {
		var asked chan struct{}
		select {
		case <-c.stop:
			return
		case <-ticker.C:
		case <-c.now:
		case asked = <-c.ask:
		}
		for {
			whole, err := d.commit()
			if err != nil {
				d.report(member.Input{Kind: member.LogFailed, Err: err})
				return
			}
			if whole || asked == nil {
				break
			}
			if !d.sleep(growPause) {
				return
			}
		}
		if asked != nil {
			close(asked)
		}
	}
}

// growPause is the wait between two attempts while readers keep the file from growing.
const growPause = 20 * time.Millisecond

// commit makes what is written so far durable; whole is false if the file has to grow first,
// which open views can delay. The store may be replaced meanwhile only under commitMu.
func (d *Disk) commit() (whole bool, err error) {
	d.commitMu.Lock()
	defer d.commitMu.Unlock()
	d.mu.Lock()
	d.pens.begin(d.pens.Commit, 0)
	c, err := d.state.Begin()
	d.mu.Unlock()
	if c == nil || err != nil {
		return true, err
	}
	db := d.state.Store.Backend.Store() // it is exchanged under commitMu alone
	start, before := time.Now(), telemetry.Phases(db)
	runErr := c.Run()
	d.metrics.Committed(time.Since(start), before, telemetry.Phases(db))
	d.mu.Lock()
	d.pens.begin(d.pens.Commit, 0)
	durable, whole, err := d.state.End(c, runErr)
	d.measure()
	d.mu.Unlock()
	if err != nil {
		return false, err
	}
	d.report(member.Input{Kind: member.Backed, Backed: durable, Cause: d.pens.Commit.Caused()})
	return whole, nil
}

// measure notes how much of its quota the database takes. The caller holds mu.
func (d *Disk) measure() { d.size.Store(d.state.Store.Backend.Store().Size()) }

// Flush makes everything applied so far durable.
func (d *Disk) Flush() { d.commits.waitIdle() }

// WithImage calls f with a consistent copy of the database that has everything applied before the call. The database is
// not closed before f returns.
func (d *Disk) WithImage(f func(backend.Snapshot) error) error {
	if !d.readers.Enter() {
		return api.ErrStopped
	}
	defer d.readers.Leave()
	image, err := d.image()
	if err != nil {
		return api.AsError(err)
	}
	defer image.Close()
	return f(image)
}

func (d *Disk) image() (backend.Snapshot, error) {
	d.Flush()
	d.mu.RLock()
	defer d.mu.RUnlock()
	image, _, err := d.state.Image(0)
	return image, err
}

// ImageFor is such a copy for a follower, and writes into the message for it where the copy stands.
func (d *Disk) ImageFor(t *trace.Tracer, m *raftpb.Message) (backend.Snapshot, error) {
	d.Flush()
	d.mu.RLock()
	defer d.mu.RUnlock()
	image, _, err := d.state.ImageFor(t, m)
	if err == nil {
		driver.Sent(t, m)
	}
	return image, err
}
