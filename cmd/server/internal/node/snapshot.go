package node

import (
	"errors"
	"io"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/driver"
	"vitrine/core/member"
	"vitrine/core/trace"
)

// startImage begins to send an image, if there are not too many under way.
func (n *Node) startImage(m *raftpb.Message) {
	select {
	case n.images <- struct{}{}:
		if n.tasks.Go(func() { defer func() { <-n.images }(); n.sendImage(m) }) {
			return
		}
		<-n.images
	default:
	}
	(*peerSide)(n).SnapshotSent(m.GetTo(), false)
}

// sendImage takes an image of the store for a follower that the log cannot help any more, and sends it.
func (n *Node) sendImage(m *raftpb.Message) {
	t := n.aside()
	image, err := n.disk.ImageFor(&t, m)
	if err != nil {
		n.log.Warn("cannot take an image of the database", zap.Error(err))
		(*peerSide)(n).SnapshotSent(m.GetTo(), false)
		return
	}
	n.transport.SendSnapshot(m, image)
}

// ReceiveImage saves a database that a leader has sent, under a name that says where in
// the log it stands, and durably, before the member hears of the message: from then on
// the member may promise to have it.
func (n *peerSide) ReceiveImage(m *raftpb.Message, declared int64, image io.Reader) (int64, error) {
	if err := n.wantImage(m, declared); err != nil {
		return 0, err
	}
	t := (*Node)(n).aside()
	cause := driver.Delivered(&t, m.GetFrom(), m)
	pen := func(cause uint64) *trace.Tracer { return (*Node)(n).begin(&t, cause) }
	size, err := n.disk.Save(pen, cause, m, max(declared, 0), image)
	if err == nil && !n.inbox.offer(item{in: member.Input{Kind: member.Receive, Message: m, Cause: cause}, image: true}) {
		err = errors.Join(errors.New("too many messages wait"), n.disk.DropImage(m.GetSnapshot().GetMetadata().GetIndex()))
	}
	if err != nil {
		(*Node)(n).received()
	}
	return size, err
}

// peerSide is the node as its transport sees it.
type peerSide Node

// Receive takes a message from a peer, if there is room.
func (n *peerSide) Receive(m *raftpb.Message) bool {
	taken := n.inbox.offer(item{in: member.Input{Kind: member.Receive, Message: m}, bytes: weight(m)})
	if t := (*Node)(n).aside(); !taken && t.On() {
		driver.Dropped(&t, m.GetFrom(), m, "full")
	}
	return taken
}

// weight is about what a message takes of the memory, in bytes.
func weight(m *raftpb.Message) int {
	const message, entry = 300, 150
	bytes := message + len(m.GetContext())
	for _, e := range m.GetEntries() {
		bytes += entry + len(e.GetData())
	}
	if s := m.GetSnapshot(); s != nil {
		bytes += len(s.GetData()) + 8*len(s.GetMetadata().GetConfState().GetVoters())
	}
	return bytes
}

// Removed tells whether a member has left for good.
func (n *peerSide) Removed(id uint64) bool { return n.members.Load().IsRemoved(id) }

// Unreachable reports that messages to a peer are lost.
func (n *peerSide) Unreachable(id uint64) {
	n.inbox.offer(item{in: member.Input{Kind: member.PeerUnreachable, Peer: id}})
}

// SnapshotSent reports how sending a database ended.
func (n *peerSide) SnapshotSent(id uint64, ok bool) {
	n.inbox.put(member.Input{Kind: member.SnapshotStatus, Peer: id, OK: ok})
}

// Expelled: a peer says that this member was removed. It may have applied our removal before us, who were away.
func (n *peerSide) Expelled(by uint64) {
	n.inbox.put(member.Input{Kind: member.Expelled, Peer: by})
}

// Connected reports that the connection to a peer is whole, or broken.
func (n *peerSide) Connected(id uint64, ok bool) {
	n.inbox.put(member.Input{Kind: member.PeerConnected, Peer: id, OK: ok})
}
