package mutant

import "vitrine/core/invariant"

// ofDisk are the mutants of what lies on a disk, and the order in which it came there.
var ofDisk = []Info{
	{
		ID: TailStrict, Name: "tail-strict", Source: "etcd #14098", Seeds: 50,
		Story:    "a log whose last record was torn by a crash is refused at boot",
		Convicts: []int{invariant.Boot},
	},
	{
		ID: TailLenient, Name: "tail-lenient", Source: "found by this simulator", Seeds: 50,
		Story:    "damage in the last segment is taken for a torn tail, and what had been promised is cut off",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: ChecksumUnchained, Name: "checksum-unchained", Source: "etcd WAL format", Seeds: 50,
		Story:    "a new segment forgets the running checksum of the last",
		Convicts: []int{invariant.Boot},
	},
	{
		ID: SegmentReleasedEarly, Name: "segment-released-early", Source: "mutation of wal", Seeds: 50, Needs: Segments,
		Story:    "a segment of the log goes before the mark that makes it superfluous is durable",
		Convicts: []int{invariant.Boot},
	},
	{
		ID: MarkBehindSnapshot, Name: "mark-behind-snapshot", Source: "found by this simulator", Seeds: 200, Needs: Installs,
		Story:    "a mark of the old store is written behind a received snapshot, and the last mark counts",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	{
		ID:   SnapshotWithoutConfState,
		Name: "snapshot-without-conf-state", Source: "raft thesis 4.2", Seeds: 100, Needs: Snapshots,
		Story:    "a snapshot is sent without the configuration it stands for",
		Convicts: []int{invariant.Liveness},
	},
	{
		ID: SnapshotTwice, Name: "snapshot-twice", Source: "etcd #18055", Seeds: 300, Needs: Snapshots,
		Story:    "a second received snapshot takes the image of the first, which is still to be installed",
		Convicts: []int{invariant.Boot, invariant.NoPanic},
	},
	{
		ID: GroupSyncForgotten, Name: "group-sync-forgotten", Source: "mutation of driver", Seeds: 50,
		Story:    "of a group of log writes only the last one decides whether the group is synced",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable},
	},
	{
		ID: GroupStateFirst, Name: "group-state-first", Source: "mutation of driver", Seeds: 100,
		Story: "where hard states of a group are merged the first one is kept instead of the last",
		Convicts: []int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability,
			invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: SpareUnclean, Name: "spare-unclean", Source: "raft-wal, recycled segments", Seeds: 100,
		Story:    "a released segment is used again with its old records in it",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: SpareNameUnsynced, Name: "spare-name-unsynced", Source: "mutation of wal", Seeds: 300,
		Story:    "a released segment is overwritten before its old name is gone from the disk",
		Convicts: []int{invariant.Boot},
	},
	{
		ID: DirectoriesUnsynced, Name: "directories-unsynced", Source: "found by this simulator", Seeds: 50,
		Story: "the directories of a new member are not made durable, and with them goes all that is " +
			"synced in them",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: StoreNameUnsynced, Name: "store-name-unsynced", Source: "found by this simulator", Seeds: 50,
		Story:    "the name of a new database is not made durable before anything relies on it",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: StoreReadUnsynced, Name: "store-read-unsynced", Source: "found by this simulator", Seeds: 300,
		Story:    "after a kill a start relies on a commit that is in the page cache only",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: LeftoverTaken, Name: "leftover-taken", Source: "mutation of driver", Seeds: 300,
		Story:    "a copy that a defragmentation left half-made is taken for the database at the next start",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: ImageUnsynced, Name: "image-unsynced", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a received database is not synced before the member promises to have it",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: ImageNameUnsynced, Name: "image-name-unsynced", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a received database gets its name, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: ImageUnchecked, Name: "image-unchecked", Source: "found by use", Seeds: 100, Needs: Snapshots,
		Story:    "nobody looks into a received database before the log begins at it",
		Convicts: []int{invariant.AckedDurable, invariant.Boot, invariant.FailedDisk, invariant.NoPanic},
	},
	{
		ID: ImageDroppedEarly, Name: "image-dropped-early", Source: "mutation of driver", Seeds: 300, Needs: Snapshots,
		Story:    "a received database that is still to be installed is taken for a leftover",
		Convicts: []int{invariant.Boot, invariant.NoPanic},
	},
	{
		ID: NewestImageInstalled, Name: "newest-image-installed", Source: "etcd #18055", Seeds: 300, Needs: Snapshots,
		Story: "of several received databases the newest is installed, whatever the log says",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.AtomicApply, invariant.Boot, invariant.Bounded, invariant.NoPanic},
	},
	{
		ID: AdoptNameUnsynced, Name: "adopt-name-unsynced", Source: "mutation of driver", Seeds: 200, Needs: Snapshots,
		Story:    "a received database becomes the database, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: CommitReportedEarly, Name: "commit-reported-early", Source: "etcd 3.5 data inconsistency", Seeds: 50,
		Story:    "a commit of the database is reported before it ran",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: DefragUnsynced, Name: "defrag-unsynced", Source: "etcd #11728", Seeds: 100,
		Story:    "a defragmented copy is not synced before it replaces the database",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: DefragRenamedEarly, Name: "defrag-renamed-early", Source: "mutation of driver", Seeds: 300, Needs: Defrags,
		Story:    "a defragmented copy is renamed first and synced then",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: DefragNameUnsynced, Name: "defrag-name-unsynced", Source: "mutation of driver", Seeds: 100,
		Story:    "a defragmented copy replaces the database, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: DefragKeepsOld, Name: "defrag-keeps-old", Source: "mutation of driver", Seeds: 50,
		Story: "after a defragmentation the member goes on committing to the old file, which has no " +
			"name any more",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: LongReadUnpinned, Name: "long-read-unpinned", Source: "mutation of driver", Seeds: 100,
		Story:    "a long range says at which revision it began and answers from the store as it ends",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	{
		ID: EndBelieved, Name: "end-believed", Source: "found by this simulator", Seeds: 100,
		Story: "zeros, or the end of the file, in the middle of a log are taken for its end, whatever " +
			"tells of more",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	{
		ID: StaleMarkCounts, Name: "stale-mark-counts", Source: "found by this simulator", Seeds: 300, Needs: Notes,
		Story: "the record of a received snapshot that was never committed counts once its index is committed by " +
			"other means",
		Convicts: []int{invariant.Boot},
	},
	{
		ID: ImagesAtOnce, Name: "images-at-once", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a member receives every database that is sent to it, however many there are",
		Convicts: []int{invariant.Bounded},
	},
	{
		ID: ImageTokenKept, Name: "image-token-kept", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a member that could not keep a database takes no other any more",
		Convicts: []int{invariant.Liveness},
	},
	{
		ID: ImageMisplaced, Name: "image-misplaced", Source: "mutation of driver", Seeds: 50, Needs: Snapshots,
		Story:    "a database is sent as one that stands where raft has asked for it, and not where it stands",
		Convicts: []int{invariant.AtomicApply},
	},
	{
		ID: ImageHeardEarly, Name: "image-heard-early", Source: "mutation of driver", Seeds: 20, Needs: Snapshots,
		Story:    "raft hears of a snapshot before all of its database has come",
		Convicts: []int{invariant.AckedDurable},
	},
}
