package node

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/peer"
	"vitrine/core/limits"
	"vitrine/core/member"
)

// A database from a peer is the largest thing that anybody can send to a member. So there is one at a time, it is
// wanted before it is read, it has a bound, and it goes as soon as raft does not want it after all.

var (
	errReceiving = fmt.Errorf("%w: another one is being received", peer.ErrUnwanted)
	errStranger  = fmt.Errorf("%w: its sender is a member of neither configuration", peer.ErrUnwanted)
)

// wantImage takes the token for a database that this member needs, or says why it needs none.
func (n *peerSide) wantImage(m *raftpb.Message, declared int64) error {
	meta := m.GetSnapshot().GetMetadata()
	limit := limits.ImageBytes(n.cfg.Disk.QuotaBytes)
	switch {
	case meta.GetIndex() == 0 || meta.GetTerm() == 0 || meta.GetTerm() > m.GetTerm():
		return fmt.Errorf("%w: no log has an entry (index %d, term %d) in term %d", peer.ErrUnwanted, meta.GetIndex(),
			meta.GetTerm(), m.GetTerm())
	case m.GetTerm() < n.term.Load():
		return fmt.Errorf("%w: term %d is over", peer.ErrUnwanted, m.GetTerm())
	case !n.mayLead(m.GetFrom(), meta.GetConfState()):
		return errStranger
	case declared > limit:
		return fmt.Errorf("%w: %w: %d bytes, the limit is %d", peer.ErrUnwanted, disk.ErrImageSize, declared, limit)
	case meta.GetIndex() <= n.commitIndex.Load():
		// raft needs no database to answer this: it tells the leader how far this member is.
		n.Receive(m)
		return fmt.Errorf("%w: it stands at %d, and %d is committed here", peer.ErrUnwanted, meta.GetIndex(),
			n.commitIndex.Load())
	}
	select {
	case n.receiving <- struct{}{}:
		return nil
	default:
		return errReceiving
	}
}

// mayLead tells whether a member can be the leader that sends a snapshot: a member that we know of, or, as we may have
// been away while the others were replaced, a voter of the configuration in the snapshot, which its leader always is.
func (n *peerSide) mayLead(id uint64, cs *raftpb.ConfState) bool {
	return n.members.Load().Get(id) != nil || slices.Contains(cs.GetVoters(), id) ||
		slices.Contains(cs.GetVotersOutgoing(), id)
}

// judgeArrived finds the databases that have arrived and that raft does not want after all: it has not asked for a
// record of them in the log in the round that has stepped their messages. Only the core loop calls it.
func (n *Node) judgeArrived(out *member.Output) {
	for _, index := range n.arrived {
		wanted := false
		for i := range out.Log {
			s := out.Log[i].Snapshot
			wanted = wanted || s != nil && s.GetMetadata().GetIndex() == index
		}
		if wanted || out.Halt != nil {
			continue
		}
		n.log.Warn("removing a database that a peer has sent and raft does not want", zap.Uint64("snapshot-index", index))
		if !n.tasks.Go(func() { n.forgetImage(index) }) {
			n.received() // the next start removes it
		}
	}
	n.arrived = n.arrived[:0]
}

// forgetImage removes a database that nobody wants. It can be large, so that it takes a while.
func (n *Node) forgetImage(index uint64) {
	if err := n.disk.DropImage(index); err != nil {
		n.log.Warn("cannot remove a database", zap.Error(err))
	}
	n.received()
}

// received gives the token back.
func (n *Node) received() {
	select {
	case <-n.receiving:
	default:
	}
}
