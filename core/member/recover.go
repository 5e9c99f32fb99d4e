package member

import (
	"cmp"
	"errors"
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

// A MissingImageError: the log begins at a snapshot that was received from the leader, but the store is older. Its
// image was durable before the log took note of it (see Receive), and the note is durable now, so the driver has the
// image: it makes the one of Index the store and recovers again.
type MissingImageError struct{ Index uint64 }

func (e *MissingImageError) Error() string {
	return fmt.Sprintf("member: the store is behind the received snapshot at index %d", e.Index)
}

// Recover reads a member's log and says where its life goes on, given its store, which nothing was written to yet. It
// starts at the newest mark, which is never ahead of the store unless it is a received snapshot. The members are those
// of the store's members bucket, with which the log must agree (see consensus.New): what meta/confState says is
// written for etcd and never read, because tools that restore a snapshot leave there what it was before.
func Recover(fs vfs.FS, dir string, b *backend.Backend, o wal.Options) (
	*wal.WAL, *wal.Recovered, consensus.Boot, error,
) {
	var boot consensus.Boot
	durable := b.Durable()
	members, err := membership.Load(b, 0)
	if err != nil {
		return nil, nil, boot, fmt.Errorf("member: %w", err)
	}
	marks, err := wal.Snapshots(fs, dir, o)
	if err != nil {
		return nil, nil, boot, fmt.Errorf("member: read marks: %w", err)
	}
	var from *pb.WALSnapshot
	for _, m := range marks { // the newest is the one with the highest index, wherever it stands
		if m.GetIndex() >= from.GetIndex() || mutant.On(mutant.MarkBehindSnapshot) {
			from = m
		}
	}
	// To open the log is to sync it. What was read may have been in the page cache only: a store that ran ahead of it
	// would be worthless if the log then lost its end.
	o.Applied = durable.Index
	w, r, err := wal.Open(fs, dir, from, o)
	if err != nil {
		return nil, nil, boot, fmt.Errorf("member: open log: %w", err)
	}
	if r.Stale {
		if err := again(w, from); err != nil {
			return nil, nil, boot, errors.Join(fmt.Errorf("member: write mark: %w", err), w.Close())
		}
	}
	if from.GetIndex() > durable.Index {
		return nil, nil, boot, cmp.Or(w.Close(), error(&MissingImageError{Index: from.GetIndex()}))
	}
	boot = consensus.Boot{
		HardState: r.HardState, Entries: r.Entries, Snapshot: from,
		Applied: durable.Index, ConfState: members.ConfState(),
	}
	if mutant.On(mutant.EntryTwice) {
		boot.Applied = from.GetIndex()
	}
	return w, r, boot, nil
}

// again writes the mark that a member starts from behind one that does not count (see wal.Snapshots). A later process
// of etcd would take that one for good when its index is committed, and ask for its image.
func again(w *wal.WAL, from *pb.WALSnapshot) error {
	if err := w.SaveSnapshot(from); err != nil {
		return err
	}
	return w.Sync()
}
