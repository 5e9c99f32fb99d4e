package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
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
	size, err := n.disk.Save(m, image)
	if err == nil && !n.inbox.offer(item{in: member.Input{Kind: member.Receive, Message: m, Cause: cause}, image: true}) {
		err = errors.Join(errors.New("too many messages wait"), n.disk.DropImage(m.GetSnapshot().GetMetadata().GetIndex()))
	}
	if err != nil {
		(*Node)(n).received()
	}
	return size, err
}

// Snapshot sends a client the database in pieces, and the SHA-256 of it all in the end.
func (n *Node) Snapshot(ctx context.Context, c api.Call, send func(*pb.SnapshotResponse) error) error {
	if _, err := n.awaitRead(ctx, c); err != nil {
		return err
	}
	if !n.tasks.Enter() {
		return api.ErrStopped
	}
	defer n.tasks.Leave()
	image, err := n.disk.Image()
	if err != nil {
		return api.AsError(err)
	}
	defer image.Close()
	start, version := time.Now(), n.StorageVersion()
	n.log.Info("sending database snapshot to client", zap.Int64("total-bytes", image.Size()), zap.String("storage-version", version))
	w := &pieces{send: send, version: version, rest: image.Size(), hash: sha256.New()}
	if _, err := image.WriteTo(w); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.rest != 0 {
		return fmt.Errorf("the database has %d bytes more than were sent", w.rest)
	}
	if err := send(&pb.SnapshotResponse{Blob: w.hash.Sum(nil), Version: version}); err != nil {
		return err
	}
	n.metrics.ImageSend.Observe(time.Since(start).Seconds())
	n.log.Info("successfully sent database snapshot to client", zap.Int64("total-bytes", image.Size()), zap.Duration("took", time.Since(start)), zap.String("storage-version", version))
	return nil
}

// pieces cuts what is written to it into messages.
type pieces struct {
	send    func(*pb.SnapshotResponse) error
	version string
	rest    int64
	buf     []byte
	hash    hash.Hash
}

func (p *pieces) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 {
		if p.buf == nil {
			p.buf = make([]byte, 0, limits.SnapshotChunkBytes) // gRPC may still hold the one before
		}
		k := min(len(b), cap(p.buf)-len(p.buf))
		p.buf = append(p.buf, b[:k]...)
		b = b[k:]
		if len(p.buf) == cap(p.buf) {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (p *pieces) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	if _, err := p.hash.Write(p.buf); err != nil {
		return err
	}
	p.rest -= int64(len(p.buf))
	piece := &pb.SnapshotResponse{RemainingBytes: uint64(p.rest), Blob: p.buf, Version: p.version}
	p.buf = nil
	return p.send(piece)
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
	if ms := n.members.Load(); ms.Get(n.id) != nil && len(ms.List()) > 1 {
		(*Node)(n).fail(fmt.Errorf("%w (says member %s)", member.ErrRemoved, hexID(by)))
	}
}
