package sim

import (
	"bytes"
	"errors"
	"time"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/mutant"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/disk"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
)

// Images: databases that members send to those whom the log cannot help. They
// are taken while applying goes on, and received through the files.

// image is a member's state on its way: the durable pairs. The message says where in the log they stand.
type image struct{ snapshot backend.Snapshot }

// wantedImage is a message that waits for its image: all that was applied when
// it was asked for is to be durable first.
type wantedImage struct {
	send consensus.Send
	mark uint64
}

// wantImage takes an image for a message as soon as the database has what is
// applied now.
func (l *transfers) wantImage(s *consensus.Send) {
	n := l.of
	n.wanted = append(n.wanted, wantedImage{send: *s, mark: n.state.Mark()})
	n.takeImages()
}

// takeImages serves those who wait for one, and hastens the commit for those who
// must wait on.
func (l *transfers) takeImages() {
	n := l.of
	rest := n.wanted[:0]
	for i := range n.wanted {
		if wi := n.wanted[i]; n.state.Durable(wi.mark) {
			n.takeImage(&wi.send)
		} else {
			rest = append(rest, wi)
		}
	}
	clear(n.wanted[len(rest):])
	if n.wanted = rest; len(rest) > 0 {
		n.beginCommit()
	}
}

// takeImage fills a MsgSnap and sends it.
func (l *transfers) takeImage(s *consensus.Send) {
	n, w := l.of, l.of.world
	m, to := s.Message, w.byID(s.To)
	snapshot, _, err := n.state.ImageFor(n.pen(0), m)
	if err != nil {
		w.network.report(n, to, member.SnapshotStatus, false, s.Cause)
		return
	}
	w.network.convey(n, to, s, &image{snapshot})
}

// imageParts is in how many writes a received image reaches the disk, imageLimit
// how many bytes it may have.
const (
	imageParts = 3
	imageLimit = 64 << 20
)

// receiveImage begins to write an image to the disk; only when it has its name
// there does the member hear of the message.
func (l *transfers) receiveImage(from *node, m *raftpb.Message, img *image, cause uint64) {
	n, w := l.of, l.of.world
	st := n.member.Status()
	standing := driver.Standing{Term: st.Term, Commit: st.Commit, Members: n.store.Members, LimitBytes: imageLimit}
	if err := n.Begin(m, img.snapshot.Size(), standing); err != nil {
		w.network.report(from, n, member.SnapshotStatus, false, cause)
		if errors.Is(err, driver.ErrCommitted) {
			n.step(&member.Input{Kind: member.Receive, Message: m, Cause: cause})
		}
		return
	}
	n.receipts++
	receipt, err := n.files.Receive(m.GetSnapshot().GetMetadata().GetIndex(), n.receipts, imageLimit)
	if err != nil {
		n.Failed()
		w.network.report(from, n, member.SnapshotStatus, false, cause)
		return
	}
	var data bytes.Buffer
	if _, err := img.snapshot.WriteTo(&data); err != nil {
		w.judge.Broken(invariant.NoPanic, "member %d: an image cannot be written: %v", from.id, err)
		return
	}
	disk.Garble(data.Bytes(), n.garbled)
	n.garbled = nil
	receipt.Told(n.pen, cause, from.id, int64(data.Len()))
	slot := w.network.flights.Take()
	*w.network.flights.At(slot) = flight{msg: m, image: img, from: from.id, to: n.id, receipt: receipt, life: n.life,
		data: data.Bytes()}
	w.clock.Push(clock.Event{At: n.diskAt(int64(n.dial.Write)), Kind: evImage, Slot: slot, Member: uint32(n.id),
		Life: n.life, Cause: cause})
}

// diskAt is when a disk will have done what takes so long.
func (n *node) diskAt(took int64) int64 { return max(n.world.clock.Now, n.busy.hungUntil) + took }

// imageArrives writes the next part of an image, or syncs it, or keeps it.
func (l *transfers) imageArrives(e *clock.Event) {
	n, w := l.of, l.of.world
	f, took, err := w.network.flights.At(e.Slot), int64(n.dial.Write), error(nil)
	switch {
	case f.receipt.Size() > 0 && mutant.On(mutant.ImageHeardEarly):
		n.imageKept(e)
		return
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
			n.imageKept(e)
			return
		}
	}
	if err != nil {
		n.imageRefused(e)
		return
	}
	e.At = n.diskAt(took)
	w.clock.Push(*e)
}

func (l *transfers) imageRefused(e *clock.Event) {
	n, w := l.of, l.of.world
	f := w.network.land(e.Slot)
	n.Failed()
	w.network.report(w.byID(f.from), n, member.SnapshotStatus, false, e.Cause)
}

// imageKept lets the member hear of the message.
func (l *transfers) imageKept(e *clock.Event) {
	n, w := l.of, l.of.world
	f := w.network.land(e.Slot)
	n.images = true
	w.chaos.ImageKept(n.id, time.Duration(max(0, n.commitAt-w.clock.Now)), n.commitTimer || n.commit != nil)
	w.network.report(w.byID(f.from), n, member.SnapshotStatus, true, e.Cause)
	n.Arrived(f.msg.GetSnapshot().GetMetadata().GetIndex())
	n.step(&member.Input{Kind: member.Receive, Message: f.msg, Cause: e.Cause})
}

// judgeImage removes a database that has arrived and that raft does not want after all.
func (l *transfers) judgeImage() {
	n := l.of
	if index := n.Unwanted(n.out.Log); index > 0 && n.out.Halt == nil {
		_ = n.files.DropImage(index) // the next commit tries again
		n.End()
	}
}

// dropImages removes received databases that nobody can want any more.
func (l *transfers) dropImages() {
	n := l.of
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
func (l *transfers) installImage(s *raftpb.Snapshot) *store.Result {
	n, w := l.of, l.of.world
	index := s.GetMetadata().GetIndex()
	fresh, err := n.files.Adopt(index)
	if err == nil {
		_, err = n.state.Exchange(fresh)
	}
	if err != nil {
		if !n.wear.Struck() && n.wear.Hit == nil {
			w.judge.Broken(invariant.NoPanic, "member %d cannot install the snapshot at %d: %v", n.id, index, err)
		}
		n.logFailed(err, 0)
		return nil
	}
	n.have(n.state)
	n.End()
	w.judge.Jumped(n.id, n.store.Backend.Applied().Index)
	n.tellStore()
	n.commitTimer, n.keeping = false, false
	n.era++ // commits and housekeeping of the old state are void
	n.compactions = nil
	n.dropImages()
	return driver.Installed(fresh)
}
