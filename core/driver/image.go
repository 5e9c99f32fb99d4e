package driver

import (
	"errors"
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// ErrImageTooLarge is wrapped when a peer sends a database that is larger than a
// member may have.
var ErrImageTooLarge = errors.New("driver: the received database is too large")

// Receipt is a database on its way from a peer to the disk. Whoever receives it
// writes all of it, then syncs it, then keeps it; only when Keep has returned may
// the member hear of the message that came with it, since from then on it may
// promise to have it. An error of any of them ends the receipt, which leaves
// nothing behind.
type Receipt struct {
	disk  *Disk
	index uint64
	name  string
	file  vfs.File
	size  int64
	limit int64
	tell  func(size int64) // may be nil
}

// Told has a receipt tell of its progress: who sends the database, by which event, and how many bytes it has, 0 =
// nobody knows. pen gives the tracer of the moment.
func (r *Receipt) Told(pen func(cause uint64) *trace.Tracer, cause, from uint64, total int64) {
	told, every := int64(-1), max(total/imageTold, 1)
	if total == 0 {
		every = imageToldBytes
	}
	r.tell = func(size int64) {
		if told >= 0 && size < told+every && size != total {
			return
		}
		told = size
		e := trace.Event{Kind: trace.SnapshotReceived, Peer: from, Index: r.index, A: uint64(size), B: uint64(total)}
		pen(cause).Emit(e)
	}
	r.tell(0)
}

// A receipt tells of its progress so often, or as often as so many bytes have come where it does not know how many
// will.
const (
	imageTold      = 32
	imageToldBytes = 4 << 20
)

// Receive begins to receive a database that stands at index. Receipts that exist
// at one time have different numbers n. The database may have limit bytes.
func (d *Disk) Receive(index, n uint64, limit int64) (*Receipt, error) {
	invariant.Assert(index > 0 && limit > 0, "driver: a database of nothing is received")
	r := &Receipt{disk: d, index: index, name: d.Layout.received(n), limit: limit}
	if err := d.step(ImageCreate); err != nil {
		return nil, err
	}
	var err error
	r.file, err = d.FS.Create(r.name)
	return r, err
}

// Write implements io.Writer.
func (r *Receipt) Write(p []byte) (int, error) {
	invariant.Assert(r.file != nil, "driver: a receipt that is over is written to")
	if r.size+int64(len(p)) > r.limit {
		return 0, r.fail(fmt.Errorf("%w: more than %d bytes", ErrImageTooLarge, r.limit))
	}
	if err := r.disk.step(ImageWrite); err != nil {
		return 0, r.fail(err)
	}
	n, err := r.file.Write(p)
	r.size += int64(n)
	if err != nil {
		return n, r.fail(err)
	}
	if r.tell != nil {
		r.tell(r.size)
	}
	return n, nil
}

// Size is how many bytes have come.
func (r *Receipt) Size() int64 { return r.size }

// Sync makes the bytes durable.
func (r *Receipt) Sync() error {
	if err := r.disk.step(ImageSync); err != nil {
		return r.fail(err)
	}
	if !r.disk.UnsafeNoSync && !mutant.On(mutant.ImageUnsynced) {
		if err := r.file.Sync(); err != nil {
			return r.fail(err)
		}
	}
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return r.fail(err)
	}
	return nil
}

// Keep looks into the database and gives it the name that says where in the log
// it stands, durably. What is no database gets no name.
func (r *Receipt) Keep() error {
	invariant.Assert(r.file == nil, "driver: a received database is kept before it is synced")
	if !mutant.On(mutant.ImageUnchecked) {
		s, err := r.disk.openImage(ImageCheck, r.name, r.index)
		if err == nil {
			err = s.Backend.Close()
		}
		if err != nil {
			return r.fail(err)
		}
	}
	name := r.disk.Layout.Image(r.index)
	if err := r.disk.rename(ImageRename, r.name, name); err != nil {
		return r.fail(err)
	}
	r.name = ""
	if mutant.On(mutant.ImageNameUnsynced) {
		return nil
	}
	if err := r.disk.syncDir(ImageDirSync, r.disk.Layout.Snap); err != nil {
		return r.fail(err)
	}
	if mutant.On(mutant.SnapshotTwice) {
		return r.dropOthers()
	}
	return nil
}

// Abort gives up.
func (r *Receipt) Abort() error { return r.fail(nil) }

// fail removes what is there, unless it is over. An image that has its name
// already but perhaps not durably stays: another receipt, or the log, may know
// one of the same name.
func (r *Receipt) fail(err error) error {
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
		r.file = nil
	}
	if r.name == "" {
		return err
	}
	err = r.disk.discard(r.name, err)
	r.name = ""
	return err
}

// dropOthers is a mutant.
func (r *Receipt) dropOthers() error {
	images, err := r.disk.Images()
	for _, index := range images {
		if index != r.index {
			err = errors.Join(err, r.disk.FS.Remove(r.disk.Layout.Image(index)))
		}
	}
	return err
}

// renamed is a Store that remembers the name of its file.
type renamed interface{ Renamed(path string) }

// Adopt makes the received database that stands at index the database, and opens
// it. The log has its record already, so a crash between any two steps finds one
// of the two files that it needs: the image by its own name, or the image as the
// database. It is opened, and all of it is loaded, before it takes that place: an
// image that cannot be read must not cost the member the database that can.
func (d *Disk) Adopt(index uint64) (*store.Store, error) {
	invariant.Assert(index > 0, "driver: a database of nothing is installed")
	image := d.imageFor(index)
	if !d.exists(image) { // to open it would create it
		return nil, fmt.Errorf("failed to find database snapshot file %s (snap: snapshot file doesn't exist)", image)
	}
	s, err := d.openImage(AdoptCheck, image, index)
	if err != nil {
		return nil, fmt.Errorf("cannot read the snapshot at %d: %w", index, err)
	}
	adopting(d.Tracer, s)
	if err := d.rename(AdoptRename, image, d.Layout.DB()); err != nil {
		return nil, errors.Join(fmt.Errorf("failed to rename database snapshot file: %w", err), s.Backend.Close())
	}
	if r, ok := s.Backend.Store().(renamed); ok {
		r.Renamed(d.Layout.DB())
	}
	if mutant.On(mutant.AdoptNameUnsynced) {
		return s, nil
	}
	if err := d.syncDir(AdoptDirSync, d.Layout.Snap); err != nil {
		return nil, errors.Join(err, s.Backend.Close())
	}
	d.opened(d.Layout.DB(), s.Backend)
	return s, nil
}

// imageFor is the name of the image that stands at index.
func (d *Disk) imageFor(index uint64) string {
	if mutant.On(mutant.NewestImageInstalled) {
		if images, err := d.Images(); err == nil && len(images) > 0 {
			return d.Layout.Image(images[len(images)-1])
		}
	}
	return d.Layout.Image(index)
}

// DropImages removes the received databases that nobody can want any more: the
// member's own database is durable up to durable, so no record in the log asks
// for an image up to there, and raft takes none.
func (d *Disk) DropImages(durable uint64) error {
	images, err := d.Images()
	if err != nil {
		return err
	}
	for _, index := range images {
		if index > durable && !mutant.On(mutant.ImageDroppedEarly) {
			break
		}
		if err := d.remove(DropImage, d.Layout.Image(index)); err != nil {
			return err
		}
	}
	return nil
}

// DropImage removes one that raft did not want. The caller knows that nothing in
// the log asks for it, and that nobody receives another of its name.
func (d *Disk) DropImage(index uint64) error { return d.remove(DropImage, d.Layout.Image(index)) }

// Installed is what a member is told of a state that replaced its own.
func Installed(s *store.Store) *store.Result {
	at := s.Backend.Applied()
	invariant.Assert(at.Index > 0, "driver: the received database stands nowhere")
	return &store.Result{
		Index: at.Index, Term: at.Term, Revision: s.KV.Revision(), CompactRevision: s.KV.CompactRevision(),
		Compacting: s.Compacting(), Members: s.Members.Clone(), Alarms: s.Alarms.List(pb.AlarmType_NONE),
		Auth: s.Auth.Clone(), AllLeases: s.Leases.All(),
	}
}

// Info is what a member is told at boot of the state that it has.
func Info(s *store.Store) member.StoreInfo {
	return member.StoreInfo{
		Revision: s.KV.Revision(), CompactRevision: s.KV.CompactRevision(),
		Members: s.Members.Clone(), Alarms: s.Alarms.List(pb.AlarmType_NONE), Auth: s.Auth.Clone(),
		Leases: s.Leases.All(),
	}
}

// ImageFor takes an image for a message that a follower is sent because the log
// cannot help it any more, and writes into the message where the image stands.
func (s *State) ImageFor(t *trace.Tracer, m *raftpb.Message) (backend.Snapshot, backend.Applied, error) {
	invariant.Assert(m.GetSnapshot() != nil && m.GetTo() != 0, "driver: an image for a message that needs none")
	image, at, err := s.Image(m.GetSnapshot().GetMetadata().GetIndex())
	if err != nil {
		return nil, at, err
	}
	if !mutant.On(mutant.ImageMisplaced) {
		m.Snapshot.Metadata = &raftpb.SnapshotMetadata{ConfState: at.ConfState, Index: &at.Index, Term: &at.Term}
	}
	t.Emit(trace.Event{Kind: trace.SnapshotSent, Peer: m.GetTo(), Index: at.Index, Term: at.Term,
		A: uint64(image.Size())})
	return image, at, nil
}

// Image is a consistent copy of what is durable, to be sent, with its position.
// It asks for one that stands at least at index: the owner makes durable what is
// applied before.
func (s *State) Image(index uint64) (backend.Snapshot, backend.Applied, error) {
	if err := s.disk.step(ImageTake); err != nil {
		return nil, backend.Applied{}, err
	}
	image, at, err := s.Store.Image()
	if err != nil {
		return nil, at, err
	}
	if at.Index < index {
		return nil, at, errors.Join(fmt.Errorf("the database stands at %d, raft asks for %d", at.Index, index), image.Close())
	}
	return image, at, nil
}
