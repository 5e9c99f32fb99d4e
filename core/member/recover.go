package member

import (
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

// A MissingImageError: the log begins at a snapshot that was received from the leader, but the store is older. Its
// image was durable before the log took note of it (see Receive), so the driver has it: it makes the image of Index
// the store and recovers again.
type MissingImageError struct{ Index uint64 }

func (e *MissingImageError) Error() string {
	return fmt.Sprintf("member: the store is behind the received snapshot at index %d", e.Index)
}

// Recover reads a member's log and says where its life goes on, given how far its store is durable. It starts at the
// newest mark, which is never ahead of the store unless it is a received snapshot.
func Recover(fs vfs.FS, dir string, durable backend.Applied, o wal.Options) (*wal.WAL, *wal.Recovered, consensus.Boot, error) {
	var boot consensus.Boot
	marks, err := wal.Snapshots(fs, dir)
	if err != nil {
		return nil, nil, boot, fmt.Errorf("member: read marks: %w", err)
	}
	var from *pb.WALSnapshot
	for _, m := range marks { // the newest is the one with the highest index, wherever it stands
		if m.GetIndex() >= from.GetIndex() || mutant.On(mutant.MarkBehindSnapshot) {
			from = m
		}
	}
	if from.GetIndex() > durable.Index {
		return nil, nil, boot, &MissingImageError{Index: from.GetIndex()}
	}
	w, r, err := wal.Open(fs, dir, from, o)
	if err != nil {
		return nil, nil, boot, fmt.Errorf("member: open log: %w", err)
	}
	boot = consensus.Boot{
		HardState: r.HardState, Entries: r.Entries, Snapshot: from,
		Applied: durable.Index, ConfState: durable.ConfState,
	}
	if mutant.On(mutant.EntryTwice) {
		boot.Applied = from.GetIndex()
	}
	return w, r, boot, nil
}
