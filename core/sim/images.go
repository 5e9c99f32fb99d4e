package sim

import (
	"bytes"
	"time"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/sim/clock"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
)

// Images: databases that members send to those whom the log cannot help. They
// are taken while applying goes on, and received through the files.

// image is a member's state on its way: the durable pairs, and where in the log
// they stand.
type image struct {
	snapshot backend.Snapshot
	applied  backend.Applied
}

// wantedImage is a message that waits for its image: all that was applied when
// it was asked for is to be durable first.
type wantedImage struct {
	send consensus.Send
	mark uint64
}

// wantImage takes an image for a message as soon as the database has what is
// applied now.
func (w *World) wantImage(n *node, s *consensus.Send) {
	n.wanted = append(n.wanted, wantedImage{send: *s, mark: n.state.Mark()})
	w.takeImages(n)
}

// takeImages serves those who wait for one, and hastens the commit for those who
// must wait on.
func (w *World) takeImages(n *node) {
	rest := n.wanted[:0]
	for i := range n.wanted {
		if wi := n.wanted[i]; n.state.Durable(wi.mark) {
			w.takeImage(n, &wi.send)
		} else {
			rest = append(rest, wi)
		}
	}
	clear(n.wanted[len(rest):])
	if n.wanted = rest; len(rest) > 0 {
		w.beginCommit(n)
	}
}

// takeImage fills a MsgSnap and sends it.
func (w *World) takeImage(n *node, s *consensus.Send) {
	m, to := s.Message, w.byID(s.To)
	snapshot, at, err := n.state.ImageFor(w.pen(n, 0), m)
	if err != nil {
		w.report(n, to, member.SnapshotStatus, false, s.Cause)
		return
	}
	w.convey(n, to, s, &image{snapshot: snapshot, applied: at})
}

// imageParts is in how many writes a received image reaches the disk, imageLimit
// how many bytes it may have.
const (
	imageParts = 3
	imageLimit = 64 << 20
)

// receiveImage begins to write an image to the disk; only when it has its name
// there does the member hear of the message.
func (w *World) receiveImage(n, from *node, m *raftpb.Message, img *image, cause uint64) {
	n.receipts++
	receipt, err := n.files.Receive(img.applied.Index, n.receipts, imageLimit)
	if err != nil {
		w.report(from, n, member.SnapshotStatus, false, cause)
		return
	}
	var data bytes.Buffer
	if _, err := img.snapshot.WriteTo(&data); err != nil {
		w.judge.Broken(invariant.NoPanic, "member %d: an image cannot be written: %v", from.id, err)
		return
	}
	w.garble(n, data.Bytes())
	slot := w.flights.Take()
	*w.flights.At(slot) = flight{msg: m, image: img, from: uint8(from.ix), to: uint8(n.ix), receipt: receipt, data: data.Bytes()}
	w.clock.Push(clock.Event{At: w.diskAt(n, int64(n.dial.Write)), Kind: evImage, Slot: slot, Member: uint32(n.id), Life: n.life, Cause: cause})
}

// diskAt is when a disk will have done what takes so long.
func (w *World) diskAt(n *node, took int64) int64 { return max(w.clock.Now, n.busy.hungUntil) + took }

// imageArrives writes the next part of an image, or syncs it, or keeps it.
func (w *World) imageArrives(n *node, e *clock.Event) {
	f := w.flights.At(e.Slot)
	var err error
	took := int64(n.dial.Write)
	switch {
	case len(f.data) > 0:
		part := min(len(f.data), (int(f.receipt.Size())+len(f.data)+imageParts-1)/imageParts)
		if _, err = f.receipt.Write(f.data[:part]); err == nil {
			f.data = f.data[part:]
		}
		if len(f.data) == 0 {
			took = n.fsyncTime()
		}
	case !f.synced:
		f.synced = true
		err = f.receipt.Sync()
	default:
		if err = f.receipt.Keep(); err == nil {
			w.imageKept(n, e)
			return
		}
	}
	if err != nil {
		w.imageRefused(n, e)
		return
	}
	e.At = w.diskAt(n, took)
	w.clock.Push(*e)
}

func (w *World) imageRefused(n *node, e *clock.Event) {
	f := *w.flights.At(e.Slot)
	*w.flights.At(e.Slot) = flight{}
	w.flights.Give(e.Slot)
	w.report(w.nodes[f.from], n, member.SnapshotStatus, false, e.Cause)
}

// imageKept lets the member hear of the message.
func (w *World) imageKept(n *node, e *clock.Event) {
	f := *w.flights.At(e.Slot)
	*w.flights.At(e.Slot) = flight{}
	w.flights.Give(e.Slot)
	n.images = true
	w.chaos.ImageKept(n.id, time.Duration(max(0, n.commitAt-w.clock.Now)), n.commitTimer || n.commit != nil)
	w.report(w.nodes[f.from], n, member.SnapshotStatus, true, e.Cause)
	w.step(n, &member.Input{Kind: member.Receive, Message: f.msg, Cause: e.Cause})
}

// dropImages removes received databases that nobody can want any more.
func (w *World) dropImages(n *node) {
	if !n.images {
		return
	}
	if err := n.files.DropImages(n.backend.Durable().Index); err != nil {
		return // the next commit tries again
	}
	left, err := n.files.Images()
	n.images = err != nil || len(left) > 0
}

// installImage makes a received image the state of a member, nil if it cannot be.
func (w *World) installImage(n *node, s *raftpb.Snapshot) *store.Result {
	index := s.GetMetadata().GetIndex()
	fresh, err := n.files.Adopt(index)
	if err == nil {
		_, err = n.state.Exchange(fresh)
	}
	if err != nil {
		if !n.wear.Struck() && n.wear.Hit == nil {
			w.judge.Broken(invariant.NoPanic, "member %d cannot install the snapshot at %d: %v", n.id, index, err)
		}
		w.logFailed(n, err, 0)
		return nil
	}
	n.have(n.state)
	w.tellStore(n)
	n.commitTimer, n.keeping = false, false
	n.era++ // commits and housekeeping of the old state are void
	n.compactions = nil
	w.dropImages(n)
	return driver.Installed(fresh)
}
