package sim

import (
	"errors"
	"fmt"
	"slices"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/wal"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// clusterID is every simulated cluster's: ids have no meaning here.
const clusterID = 0x76697472696e65

const walDir = "member/wal"

// image is a member's state as another one sent it: the durable bytes and
// their position in the log.
type image struct {
	db      *backend.Mem
	applied backend.Applied
}

// format gives a node the disk that every first member starts from: a log
// that names all members, in etcd's form.
func (w *World) format(n *node, peers []consensus.Peer) error {
	n.fs, n.db = vfs.NewMem(), backend.NewMem()
	meta, err := (&pb.WALMetadata{NodeID: new(n.id), ClusterID: new(uint64(clusterID))}).MarshalVT()
	if err != nil {
		return err
	}
	log, err := wal.Create(n.fs, walDir, meta, w.walOptions())
	if err != nil {
		return err
	}
	entries, hs, err := consensus.Bootstrap(peers)
	if err != nil {
		return err
	}
	if err := log.Append(hs, entries); err != nil {
		return err
	}
	if err := log.Sync(); err != nil {
		return err
	}
	return log.Close()
}

func (w *World) walOptions() wal.Options { return wal.Options{SegmentBytes: w.cfg.SegmentBytes} }

// firstPeers are the members that a new cluster's log begins with.
func (w *World) firstPeers() []consensus.Peer {
	peers := make([]consensus.Peer, len(w.nodes))
	for i, n := range w.nodes {
		m := &membership.Member{ID: n.id, PeerURLs: []string{fmt.Sprintf("http://s%d:2380", n.id)}}
		peers[i] = consensus.Peer{ID: n.id, Context: m.Bootstrap()}
	}
	return peers
}

func nodeName(id uint64) string { return fmt.Sprintf("s%d", id) }

// boot starts a process on what its disk holds: a real recovery. A disk that
// cannot be read is a reason to stop, and a broken invariant unless the damage
// was planted.
func (w *World) boot(n *node) {
	n.life++
	cause := uint64(0)
	if err := w.recover(n); err != nil {
		w.bootFailed(n, err)
		return
	}
	n.process = running
	cause = w.emit(trace.Event{
		Kind: trace.MemberStarted, Member: n.id, Term: n.synced.inTerm, Peer: n.synced.vote,
		Index: n.backend.Applied().Index, A: n.synced.term, B: n.bootMark, C: n.synced.index,
		Rev: n.store.KV.Revision(),
	})
	n.tracer.At(trace.Instant(w.now), cause)
	w.rand.use(n)
	m, err := member.New(w.memberConfig(n), n.bootLog, w.storeInfo(n), trace.Instant(w.now))
	w.rand.use(nil)
	n.bootLog = consensus.Boot{}
	if err != nil {
		w.stop(n, err)
		w.broken(11, "member %d does not boot after a crash: %v", n.id, err)
		return
	}
	n.member, n.led = m, w.now
	n.nextTick = w.now + 1 + int64(n.disk.Uint64N(uint64(n.tickEvery)))
	w.q.push(event{at: n.nextTick, kind: evTick, node: uint8(n.ix), life: n.life})
	n.member.Poll(&n.out)
	w.dispatch(n)
	w.needHousekeeping(n)
}

// recover opens the disk as the server does. A log that begins at a received
// snapshot which is not the database yet finds its image beside it.
func (w *World) recover(n *node) error {
	n.wear.hit, n.wear.unsynced = nil, nil
	var missing *member.MissingImageError
	err := w.tryRecover(n)
	if errors.As(err, &missing) {
		img := n.imageAt(missing.Index)
		if img == nil {
			return err
		}
		n.db = img.db.Clone()
		err = w.tryRecover(n)
	}
	if err == nil {
		n.images = nil
	}
	return err
}

func (w *World) tryRecover(n *node) error {
	b, err := backend.New(n.db)
	if err != nil {
		return err
	}
	fs := vfs.WithFaults(n.fs, func(op vfs.Op) error { return w.doubt(n, op) })
	log, found, boot, err := member.Recover(fs, walDir, b, w.walOptions())
	if err != nil {
		return err
	}
	st, err := store.Open(b, store.Config{}, n.tracer)
	if err != nil {
		return err
	}
	n.wal, n.backend, n.store, n.bootLog = log, b, st, boot
	n.starts++
	n.bootMark = found.Snapshot.GetIndex()
	n.written = position{
		index: found.Snapshot.GetIndex(), term: found.Snapshot.GetTerm(),
		vote: found.HardState.GetVote(), inTerm: found.HardState.GetTerm(),
	}
	if k := len(found.Entries); k > 0 {
		n.written.index, n.written.term = found.Entries[k-1].GetIndex(), found.Entries[k-1].GetTerm()
	}
	n.synced = n.written
	n.mirror = mirror{snap: n.bootMark}
	n.mirror.append(found.Entries)
	return nil
}

func (n *node) imageAt(index uint64) *image {
	for _, img := range n.images {
		if img.applied.Index == index {
			return img
		}
	}
	return nil
}

func (w *World) memberConfig(n *node) member.Config {
	return member.Config{
		ID: n.id, ClusterID: clusterID, TickInterval: w.cfg.TickEvery,
		ElectionTicks: w.cfg.ElectionTicks, HeartbeatTicks: w.cfg.HeartbeatTicks,
		SnapshotCount: w.cfg.SnapshotCount, CatchUpEntries: w.cfg.SnapshotCatchUp, CompactEntries: w.cfg.CompactEntries, SlowRequest: -1,
		Name: n.name, ClientURLs: []string{"http://" + n.name + ":2379"}, ClusterVersion: "3.7.0",
		Epoch: w.epoch(n),
		Watch: watch.Config{
			ProgressInterval: w.cfg.Progress, NoEncoding: true, StreamPushes: w.cfg.Watch.Pushes,
			RecentRevisions: w.cfg.Watch.Recent, ScanRevisions: int64(w.cfg.Watch.Revisions), ScanBytes: w.cfg.Watch.ScanBytes,
			ResponseBytes: w.cfg.Watch.ResponseBytes, FragmentBytes: w.cfg.Watch.FragmentBytes,
		},
		Tracer: n.tracer,
	}
}

func (w *World) storeInfo(n *node) member.StoreInfo {
	return member.StoreInfo{
		Revision: n.store.KV.Revision(), CompactRevision: n.store.KV.CompactRevision(),
		Members: n.store.Members.Clone(), Alarms: n.store.Alarms.List(pb.AlarmType_NONE),
	}
}

// takeImage fills a MsgSnap: the sender's whole state as of now, and where in
// the log that is.
func (w *World) takeImage(n *node, m *raftpb.Message) *image {
	if err := w.flush(n); err != nil {
		return nil
	}
	snap, applied, err := n.store.Image()
	if err != nil {
		return nil
	}
	mem, ok := snap.(*backend.MemSnapshot)
	if !ok || applied.Index < m.GetSnapshot().GetMetadata().GetIndex() {
		return nil
	}
	defer mem.Close()
	w.emit(trace.Event{Kind: trace.SnapshotSent, Member: n.id, Peer: m.GetTo(), Index: applied.Index, Term: applied.Term})
	m.Snapshot.Metadata = &raftpb.SnapshotMetadata{ConfState: applied.ConfState, Index: &applied.Index, Term: &applied.Term}
	return &image{db: mem.Mem(), applied: applied}
}

// flush makes everything that is applied durable: an image waits for the disk.
func (w *World) flush(n *node) error {
	if c := n.commit; c != nil {
		n.backend.EndCommit(c, c.Run())
		n.commit, n.commitTimer, n.keeping = nil, false, false
		n.era++ // its event is void, and so are the others
	}
	err := n.backend.Flush()
	w.needCommit(n)
	w.needHousekeeping(n)
	return err
}

// receiveImage writes an image to the disk; only then does the member hear of
// the message.
func (w *World) receiveImage(n, from *node, m *raftpb.Message, img *image, cause uint64) {
	slot := w.flights.take()
	*w.flights.at(slot) = flight{msg: m, image: img, from: uint8(from.ix), to: uint8(n.ix)}
	w.q.push(event{at: max(w.now, n.busy.hungUntil) + n.fsyncTime(), kind: evImage, slot: slot, node: uint8(n.ix), life: n.life, cause: cause})
}

func (w *World) imageSaved(n *node, e *event) {
	f := w.flights.at(e.slot)
	m, img, from := f.msg, f.image, w.nodes[f.from]
	*f = flight{}
	w.flights.give(e.slot)
	if mutant.On(mutant.SnapshotTwice) {
		n.images = n.images[:0]
	}
	n.images = append(n.images, img)
	w.moment(n)
	w.report(from, n, member.SnapshotStatus, true, e.cause)
	w.step(n, &member.Input{Kind: member.Receive, Message: m, Cause: e.cause})
}

// install makes a received image the state of a member.
func (w *World) install(n *node, s *raftpb.Snapshot) *store.Result {
	index := s.GetMetadata().GetIndex()
	img := n.imageAt(index)
	if img == nil {
		w.broken(30, "member %d installs a snapshot at %d whose image it never received", n.id, index)
		return &store.Result{Index: index}
	}
	db := img.db.Clone()
	b, err := backend.New(db)
	if err != nil {
		w.broken(30, "member %d: a received image at %d does not open: %v", n.id, index, err)
		return &store.Result{Index: index}
	}
	st, err := store.Open(b, store.Config{}, n.tracer)
	if err != nil {
		w.broken(30, "member %d: a received image at %d does not open: %v", n.id, index, err)
		return &store.Result{Index: index}
	}
	n.db, n.backend, n.store = db, b, st
	n.images = slices.DeleteFunc(n.images, func(i *image) bool {
		return i.applied.Index <= index
	})
	n.commit, n.commitTimer, n.keeping = nil, false, false
	n.era++ // commits and housekeeping of the old state are void
	at := b.Applied()
	return &store.Result{
		Index: at.Index, Term: at.Term, Revision: st.KV.Revision(), CompactRevision: st.KV.CompactRevision(),
		Members: st.Members.Clone(),
	}
}

// markOf is the snapshot record of a received snapshot.
func markOf(s *raftpb.Snapshot) *pb.WALSnapshot {
	m := s.GetMetadata()
	return &pb.WALSnapshot{Index: new(m.GetIndex()), Term: new(m.GetTerm()), ConfState: m.GetConfState()}
}
