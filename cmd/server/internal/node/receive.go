package node

import (
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/peer"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
)

// reception decides which databases are received. Transport, core loop and apply lane use it.
type reception struct {
	mu sync.Mutex
	driver.Reception
}

// wantImage begins to receive a database that this member needs, or says why it needs none.
func (n *peerSide) wantImage(m *raftpb.Message, declared int64) error {
	n.reception.mu.Lock()
	err := n.reception.Begin(m, declared, driver.Standing{
		Term: n.term.Load(), Commit: n.commitIndex.Load(), Members: n.members.Load(),
		LimitBytes: limits.ImageBytes(n.cfg.Disk.QuotaBytes),
	})
	n.reception.mu.Unlock()
	if errors.Is(err, driver.ErrCommitted) {
		n.Receive(m)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", peer.ErrUnwanted, err)
	}
	return nil
}

// judgeArrived finds the database that has arrived and that raft does not want after all. Only the core loop calls it.
func (n *Node) judgeArrived(out *member.Output) {
	n.reception.mu.Lock()
	index := n.reception.Unwanted(out.Log)
	n.reception.mu.Unlock()
	if index == 0 || out.Halt != nil {
		return
	}
	n.log.Warn("removing a database that a peer has sent and raft does not want", zap.Uint64("snapshot-index", index))
	if !n.tasks.Go(func() { n.forgetImage(index) }) {
		n.received() // the next start removes it
	}
}

// forgetImage removes a database that nobody wants. It can be large, so that it takes a while.
func (n *Node) forgetImage(index uint64) {
	if err := n.disk.DropImage(index); err != nil {
		n.log.Warn("cannot remove a database", zap.Error(err))
	}
	n.received()
}

// received lets the next database come.
func (n *Node) received() {
	n.reception.mu.Lock()
	n.reception.End()
	n.reception.mu.Unlock()
}
