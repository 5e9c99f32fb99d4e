package mutant

import "vitrine/core/invariant"

// table is what is known of each mutant, by its number. Nobody writes it.
var table = [count]Info{
	AckBeforeFsync: {
		Name: "ack-before-fsync", Source: "etcd #14370", Seeds: 20,
		Story:    "a member says that it has an entry when the entry is only in its page cache",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable},
	},
	VoteForgotten: {
		Name: "vote-forgotten", Source: "raft thesis 3.8", Seeds: 100,
		Story:    "a vote in a term that the member knew already is not synced before it leaves",
		Convicts: []int{invariant.ElectionSafety, invariant.VoteDurability},
	},
	TermForgotten: {
		Name: "term-forgotten", Source: "raft thesis 3.8", Seeds: 50,
		Story:    "a term and a vote that come without entries are not written to disk",
		Convicts: []int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability},
	},
	VoteRequestEarly: {
		Name: "vote-request-early", Source: "found by this simulator", Seeds: 300,
		Story: "a candidate asks for votes before its own term is durable, crashes as leader and wins " +
			"the same term again",
		Convicts: []int{invariant.VoteDurability},
	},
	FsyncLies: {
		Name: "fsync-lies", Source: "bbolt #562", Seeds: 50,
		Story:    "fdatasync sometimes answers before the data is safe",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	FsyncRetried: {
		Name: "fsync-retried", Source: "fsyncgate, PostgreSQL 2018", Seeds: 50,
		Story:    "a failed fdatasync is tried again, and the member goes on when the second try succeeds",
		Convicts: []int{invariant.AckedDurable, invariant.FailedDisk},
	},
	DiskReorders: {
		Name: "disk-reorders", Source: "raft, AsyncStorageWrites contract", Seeds: 20,
		Story: "the log lane answers a later ticket before an earlier one is on disk",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.VoteDurability,
			invariant.Monotonic, invariant.AckedDurable},
	},
	QuorumOffByOne: {
		Name: "quorum-off-by-one", Source: "raft thesis 3.5", Seeds: 50,
		Story: "the leader counts one acknowledgement that it never got",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.AckedDurable,
			invariant.Bounded, invariant.Liveness},
	},
	CommitByCounting: {
		Name: "commit-by-counting", Source: "raft thesis 3.6.2, figure 3.7", Seeds: 300, Needs: Elections,
		Story:    "an entry of an earlier term counts as committed when a majority has it",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic},
	},
	AckUnheld: {
		Name: "ack-unheld", Source: "raft thesis 3.5", Seeds: 50,
		Story: "a follower acknowledges all of its log, also what the leader has not matched",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.NoPanic},
	},
	AppendWithoutTruncation: {
		Name: "append-without-truncation", Source: "raft thesis 3.5", Seeds: 100,
		Story: "a conflicting tail of the log is kept on disk when it is overwritten",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.Boot},
	},
	ApplyBeforeCommit: {
		Name: "apply-before-commit", Source: "raft thesis 3.5", Seeds: 20,
		Story: "a leader tells its followers that what it sends them is committed",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.Linearizable},
	},
	NoPreVote: {
		Name: "no-prevote", Source: "raft thesis 9.6", Seeds: 20,
		Story:    "a member that was cut off comes back with a higher term and deposes a healthy leader",
		Convicts: []int{invariant.Liveness},
	},

	TailStrict: {
		Name: "tail-strict", Source: "etcd #14098", Seeds: 50,
		Story:    "a log whose last record was torn by a crash is refused at boot",
		Convicts: []int{invariant.Boot},
	},
	TailLenient: {
		Name: "tail-lenient", Source: "found by this simulator", Seeds: 50,
		Story:    "damage in the last segment is taken for a torn tail, and what had been promised is cut off",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	ChecksumUnchained: {
		Name: "checksum-unchained", Source: "etcd WAL format", Seeds: 50,
		Story:    "a new segment forgets the running checksum of the last",
		Convicts: []int{invariant.Boot},
	},
	SegmentReleasedEarly: {
		Name: "segment-released-early", Source: "mutation of wal", Seeds: 50, Needs: Segments,
		Story:    "a segment of the log goes before the mark that makes it superfluous is durable",
		Convicts: []int{invariant.Boot},
	},
	MarkBehindSnapshot: {
		Name: "mark-behind-snapshot", Source: "found by this simulator", Seeds: 200, Needs: Installs,
		Story:    "a mark of the old store is written behind a received snapshot, and the last mark counts",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	SnapshotWithoutConfState: {
		Name: "snapshot-without-conf-state", Source: "raft thesis 4.2", Seeds: 100, Needs: Snapshots,
		Story:    "a snapshot is sent without the configuration it stands for",
		Convicts: []int{invariant.Liveness},
	},
	SnapshotTwice: {
		Name: "snapshot-twice", Source: "etcd #18055", Seeds: 300, Needs: Snapshots,
		Story:    "a second received snapshot takes the image of the first, which is still to be installed",
		Convicts: []int{invariant.Boot, invariant.NoPanic},
	},

	AppliedFirst: {
		Name: "applied-first", Source: "etcd #13766", Seeds: 20,
		Story:    "the applied index reaches the disk before the data",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder, invariant.Membership},
	},
	EntryTwice: {
		Name: "entry-twice", Source: "etcd consistent index", Seeds: 20,
		Story: "after a restart the entries behind the last mark are applied to a store that has them",
		Convicts: []int{invariant.Monotonic, invariant.AtomicApply, invariant.RevisionOrder, invariant.Boot,
			invariant.NoPanic},
	},
	CompactRevisionLost: {
		Name: "compact-revision-lost", Source: "etcd #17780", Seeds: 100,
		Story: "a restarted member forgets the revisions that compaction has emptied",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.WatchReliable,
			invariant.WatchResumable, invariant.WatchBookmarkable, invariant.NoPanic},
	},
	CompactEatsTombstone: {
		Name: "compact-eats-tombstone", Source: "etcd #18089", Seeds: 100,
		Story: "compaction at the revision of a delete drops the delete",
		Convicts: []int{invariant.AtomicApply, invariant.WatchReliable, invariant.WatchResumable,
			invariant.WatchBookmarkable, invariant.Compaction},
	},
	CompactEatsLatest: {
		Name: "compact-eats-latest", Source: "mutation of mvcc", Seeds: 50,
		Story: "compaction removes the newest revision of a key that it should keep",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.WatchReliable, invariant.Compaction, invariant.NoPanic},
	},
	CompactedReadable: {
		Name: "compacted-readable", Source: "mutation of mvcc", Seeds: 20,
		Story: "a revision that is compacted still gets an answer",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.Compaction, invariant.NoPanic},
	},
	TxnCompactedRead: {
		Name: "txn-compacted-read", Source: "etcd #18667", Seeds: 200,
		Story: "a transaction that reads a compacted revision fails on one member and not on another",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder,
			invariant.Linearizable},
	},
	TxnStaleCompare: {
		Name: "txn-stale-compare", Source: "mutation of mvcc", Seeds: 20,
		Story: "a transaction compares against the revision before the last write",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable},
	},
	VersionSurvivesDelete: {
		Name: "version-survives-delete", Source: "mutation of mvcc", Seeds: 20,
		Story: "a key that was deleted and is put again goes on counting its versions",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.Compaction},
	},
	MoreForgotten: {
		Name: "more-forgotten", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a range with a limit does not say that there is more",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},

	ReadIndexReused: {
		Name: "read-index-reused", Source: "etcd #20418", Seeds: 300,
		Story:    "a late answer to an earlier question releases the reads of a later one",
		Convicts: []int{invariant.Linearizable},
	},
	ReadWithoutQuorum: {
		Name: "read-without-quorum", Source: "raft thesis 6.4, etcd #741", Seeds: 100,
		Story: "a leader answers linearizable reads by its own commit index, and asks nobody whether it " +
			"still leads",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	ReadOnLease: {
		Name: "read-on-lease", Source: "raft thesis 6.4.1", Seeds: 100,
		Story:    "a leader answers linearizable reads on a lease, with clocks that differ",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	ReplyBeforeApply: {
		Name: "reply-before-apply", Source: "raft thesis 6.4", Seeds: 50,
		Story:    "a read is served when its index is known, not when it is applied",
		Convicts: []int{invariant.Linearizable},
	},
	ReadFromOldView: {
		Name: "read-from-old-view", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a serializable read is answered from a view that was opened before the last write",
		Convicts: []int{invariant.Serializable, invariant.Identity},
	},
	ClientRetries: {
		Name: "client-retries", Source: "jetcd 0.8.2, Jepsen", Seeds: 100,
		Story:    "a client repeats a write whose outcome it does not know",
		Convicts: []int{invariant.Linearizable},
	},

	ProgressUnsynced: {
		Name: "progress-unsynced", Source: "etcd #15220", Seeds: 100,
		Story:    "a progress notification overtakes the events it speaks of",
		Convicts: []int{invariant.WatchBookmarkable, invariant.Bounded},
	},
	WatchBackInTime: {
		Name: "watch-back-in-time", Source: "etcd #15271", Seeds: 200, Needs: Snapshots,
		Story: "after a snapshot is installed watchers see old events again",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable,
			invariant.WatchBookmarkable},
	},
	EventTwice: {
		Name: "event-twice", Source: "etcd #17247", Seeds: 50,
		Story: "an event is delivered live and once more by catching up",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchBookmarkable,
			invariant.Liveness},
	},
	SlowWatcherDropped: {
		Name: "slow-watcher-dropped", Source: "etcd #17529", Seeds: 100,
		Story: "events for a stream without credit are thrown away",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable,
			invariant.Liveness},
	},
	ResumeSkipsCompaction: {
		Name: "resume-skips-compaction", Source: "etcd #19179", Seeds: 200,
		Story:    "a watch that starts at the compact revision misses a delete",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable},
	},
	FutureWatchEarly: {
		Name: "future-watch-early", Source: "etcd #20221", Seeds: 100,
		Story:    "a watch that starts in the future hears of the present",
		Convicts: []int{invariant.WatchResumable, invariant.WatchBookmarkable, invariant.WatchFilter},
	},
	CursorOffByOne: {
		Name: "cursor-off-by-one", Source: "mutation of watch", Seeds: 50,
		Story:    "catching up begins one revision too late",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness},
	},
	RevisionTorn: {
		Name: "revision-torn", Source: "mutation of watch", Seeds: 20,
		Story: "a response ends in the middle of a revision",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic, invariant.Liveness,
			invariant.WatchProgress, invariant.WatchUnique, invariant.WatchBookmarkable},
	},
	PreviousStale: {
		Name: "previous-stale", Source: "mutation of mvcc", Seeds: 50,
		Story:    "the previous pair of an event is looked up one revision too early",
		Convicts: []int{invariant.WatchFilter},
	},
	StreamUnbounded: {
		Name: "stream-unbounded", Source: "etcd #16839", Seeds: 50,
		Story:    "responses to a client that does not read pile up without end",
		Convicts: []int{invariant.Bounded},
	},

	GroupSyncForgotten: {
		Name: "group-sync-forgotten", Source: "mutation of driver", Seeds: 50,
		Story:    "of a group of log writes only the last one decides whether the group is synced",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable},
	},
	GroupStateFirst: {
		Name: "group-state-first", Source: "mutation of driver", Seeds: 100,
		Story: "where hard states of a group are merged the first one is kept instead of the last",
		Convicts: []int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability,
			invariant.AckedDurable, invariant.Boot},
	},
	SpareUnclean: {
		Name: "spare-unclean", Source: "raft-wal, recycled segments", Seeds: 100,
		Story:    "a released segment is used again with its old records in it",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	SpareNameUnsynced: {
		Name: "spare-name-unsynced", Source: "mutation of wal", Seeds: 300,
		Story:    "a released segment is overwritten before its old name is gone from the disk",
		Convicts: []int{invariant.Boot},
	},
	DirectoriesUnsynced: {
		Name: "directories-unsynced", Source: "found by this simulator", Seeds: 50,
		Story: "the directories of a new member are not made durable, and with them goes all that is " +
			"synced in them",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	StoreNameUnsynced: {
		Name: "store-name-unsynced", Source: "found by this simulator", Seeds: 50,
		Story:    "the name of a new database is not made durable before anything relies on it",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	StoreReadUnsynced: {
		Name: "store-read-unsynced", Source: "found by this simulator", Seeds: 300,
		Story:    "after a kill a start relies on a commit that is in the page cache only",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	LeftoverTaken: {
		Name: "leftover-taken", Source: "mutation of driver", Seeds: 300,
		Story:    "a copy that a defragmentation left half-made is taken for the database at the next start",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	ImageUnsynced: {
		Name: "image-unsynced", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a received database is not synced before the member promises to have it",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	ImageNameUnsynced: {
		Name: "image-name-unsynced", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a received database gets its name, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.Boot},
	},
	ImageUnchecked: {
		Name: "image-unchecked", Source: "found by use", Seeds: 100, Needs: Snapshots,
		Story:    "nobody looks into a received database before the log begins at it",
		Convicts: []int{invariant.AckedDurable, invariant.Boot, invariant.FailedDisk, invariant.NoPanic},
	},
	ImageDroppedEarly: {
		Name: "image-dropped-early", Source: "mutation of driver", Seeds: 300, Needs: Snapshots,
		Story:    "a received database that is still to be installed is taken for a leftover",
		Convicts: []int{invariant.Boot, invariant.NoPanic},
	},
	NewestImageInstalled: {
		Name: "newest-image-installed", Source: "etcd #18055", Seeds: 300, Needs: Snapshots,
		Story: "of several received databases the newest is installed, whatever the log says",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.AtomicApply, invariant.Boot, invariant.Bounded, invariant.NoPanic},
	},
	AdoptNameUnsynced: {
		Name: "adopt-name-unsynced", Source: "mutation of driver", Seeds: 200, Needs: Snapshots,
		Story:    "a received database becomes the database, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	CommitReportedEarly: {
		Name: "commit-reported-early", Source: "etcd 3.5 data inconsistency", Seeds: 50,
		Story:    "a commit of the database is reported before it ran",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	DefragUnsynced: {
		Name: "defrag-unsynced", Source: "etcd #11728", Seeds: 100,
		Story:    "a defragmented copy is not synced before it replaces the database",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	DefragRenamedEarly: {
		Name: "defrag-renamed-early", Source: "mutation of driver", Seeds: 300, Needs: Defrags,
		Story:    "a defragmented copy is renamed first and synced then",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	DefragNameUnsynced: {
		Name: "defrag-name-unsynced", Source: "mutation of driver", Seeds: 100,
		Story:    "a defragmented copy replaces the database, and the directory is not synced",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	DefragKeepsOld: {
		Name: "defrag-keeps-old", Source: "mutation of driver", Seeds: 50,
		Story: "after a defragmentation the member goes on committing to the old file, which has no " +
			"name any more",
		Convicts: []int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},
	LongReadUnpinned: {
		Name: "long-read-unpinned", Source: "mutation of driver", Seeds: 100,
		Story:    "a long range says at which revision it began and answers from the store as it ends",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},

	MapOrder: {
		Name: "map-order", Source: "the classic of deterministic simulation", Seeds: 20,
		Story:    "responses leave in the order of a Go map",
		Convicts: []int{invariant.Deterministic},
	},

	Canary: {
		Name: "canary", Source: "coal mines", Seeds: 1,
		Story:    "nothing is wrong: an invariant is violated on purpose, and the run must fail",
		Convicts: []int{invariant.NoPanic},
	},

	TxnOtherBranch: {
		Name: "txn-other-branch", Source: "mutation of mvcc", Seeds: 50,
		Story: "a nested transaction whose branch is empty runs the other one",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder,
			invariant.Linearizable, invariant.Serializable},
	},
	TxnSiblingsSwapped: {
		Name: "txn-siblings-swapped", Source: "mutation of mvcc", Seeds: 100,
		Story: "of transactions nested side by side each takes the branch of its neighbour",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.WatchReliable, invariant.NoPanic},
	},
	TxnOwnWriteUnseen: {
		Name: "txn-own-write-unseen", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a read in a transaction does not see what the transaction wrote before it",
		Convicts: []int{invariant.Linearizable},
	},
	TxnFirstKeyCompared: {
		Name: "txn-first-key-compared", Source: "mutation of mvcc", Seeds: 50,
		Story: "a compare of a range looks at its first key only",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable},
	},
	EventsMerged: {
		Name: "events-merged", Source: "mutation of mvcc", Seeds: 50,
		Story:    "of a key that is changed twice at one revision watchers get the last change only",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic},
	},

	FragmentDropped: {
		Name: "fragment-dropped", Source: "mutation of watch", Seeds: 100,
		Story:    "the second fragment of a revision that is split is never sent",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic},
	},
	WatchIDReused: {
		Name: "watch-id-reused", Source: "mutation of watch", Seeds: 100,
		Story:    "a watcher without an id of its own gets one that another watcher had asked for",
		Convicts: []int{invariant.WatchAnswered},
	},
	WatchIDIgnored: {
		Name: "watch-id-ignored", Source: "mutation of watch", Seeds: 20,
		Story:    "a watcher that asks for an id gets another one",
		Convicts: []int{invariant.WatchAnswered},
	},
	CancelIgnored: {
		Name: "cancel-ignored", Source: "mutation of watch", Seeds: 20,
		Story:    "a request to cancel a watcher is read and forgotten",
		Convicts: []int{invariant.WatchAnswered},
	},
	EventAfterCancel: {
		Name: "event-after-cancel", Source: "mutation of watch", Seeds: 50,
		Story:    "a canceled watcher stays in the index, and hears of the next change",
		Convicts: []int{invariant.WatchAnswered, invariant.NoPanic, invariant.NothingLeft},
	},
	ScanCutLoses: {
		Name: "scan-cut-loses", Source: "mutation of mvcc", Seeds: 50,
		Story:    "a scan that its bytes cut short goes on after the revision that did not fit",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness},
	},
	ScanCutRepeats: {
		Name: "scan-cut-repeats", Source: "mutation of mvcc", Seeds: 50,
		Story: "a scan that its bytes cut short goes on at the last revision that did fit",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable,
			invariant.WatchBookmarkable, invariant.Liveness},
	},
	LeaderNotRequired: {
		Name: "leader-not-required", Source: "mutation of api", Seeds: 50,
		Story:    "a request that requires a leader is taken by a member without one",
		Convicts: []int{invariant.LeaderRequired},
	},
	StreamUnfenced: {
		Name: "stream-unfenced", Source: "mutation of member", Seeds: 50,
		Story:    "a stream that requires a leader is kept when the member has long lost its own",
		Convicts: []int{invariant.LeaderRequired},
	},
	ProgressBeforeStart: {
		Name: "progress-before-start", Source: "etcd #20221", Seeds: 100,
		Story:    "a watch that begins in the future is told how far it is",
		Convicts: []int{invariant.WatchProgress},
	},
	ProgressNever: {
		Name: "progress-never", Source: "mutation of watch", Seeds: 50,
		Story:    "the interval of progress notifications passes and nobody is notified",
		Convicts: []int{invariant.WatchProgress},
	},
	ProgressUnanswered: {
		Name: "progress-unanswered", Source: "mutation of watch", Seeds: 20,
		Story:    "a client that asks how far its watches are gets no answer",
		Convicts: []int{invariant.WatchProgress},
	},
	ProgressStarved: {
		Name: "progress-starved", Source: "found by this simulator", Seeds: 100,
		Story: "a round of progress notifications ends where the credit of the stream does, each time " +
			"with the same watchers",
		Convicts: []int{invariant.WatchProgress},
	},
	PreviousInside: {
		Name: "previous-inside", Source: "found by use", Seeds: 50,
		Story:    "of a key that is changed twice at one revision an event carries the pair in between",
		Convicts: []int{invariant.WatchFilter},
	},

	NoSpaceLetThrough: {
		Name: "no-space-let-through", Source: "mutation of store", Seeds: 100,
		Story:    "a transaction puts although the NOSPACE alarm is up",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Alarms},
	},
	AlarmNotLifted: {
		Name: "alarm-not-lifted", Source: "mutation of store", Seeds: 50,
		Story:    "an alarm is taken down in the answer only, and goes on refusing writes",
		Convicts: []int{invariant.AtomicApply, invariant.Linearizable, invariant.Liveness, invariant.Alarms},
	},
	SpaceAlarmForgotten: {
		Name: "space-alarm-forgotten", Source: "mutation of api", Seeds: 50,
		Story:    "a member that goes over its quota raises no alarm",
		Convicts: []int{invariant.Alarms, invariant.Bounded},
	},
	MoveSelfHangs: {
		Name: "move-self-hangs", Source: "mutation of api", Seeds: 20,
		Story:    "a leader that is asked to hand over to itself waits to become what it is",
		Convicts: []int{invariant.Timely},
	},
	MoveAnsweredEarly: {
		Name: "move-answered-early", Source: "mutation of api", Seeds: 20,
		Story:    "a change of leader is answered when it has begun",
		Convicts: []int{invariant.Identity},
	},
	MoveLeftBehind: {
		Name: "move-left-behind", Source: "found by this simulator", Seeds: 300,
		Story:    "a change of leader that never came about stays in the books until the leader changes",
		Convicts: []int{invariant.NothingLeft},
	},
	ProposalLeftBehind: {
		Name: "proposal-left-behind", Source: "mutation of api", Seeds: 50,
		Story:    "a write that nobody waits for any more stays in the book of proposals",
		Convicts: []int{invariant.NothingLeft},
	},
	StreamLeftBehind: {
		Name: "stream-left-behind", Source: "mutation of member", Seeds: 50,
		Story:    "a stream that required a leader stays on the list of those after it has ended",
		Convicts: []int{invariant.NothingLeft, invariant.LeaderRequired},
	},
	NeverExpires: {
		Name: "never-expires", Source: "mutation of api", Seeds: 100,
		Story:    "a member forgets to end what has waited too long",
		Convicts: []int{invariant.Timely, invariant.NothingLeft},
	},
	HeaderTermStale: {
		Name: "header-term-stale", Source: "mutation of api", Seeds: 20,
		Story:    "headers carry the term before the present one",
		Convicts: []int{invariant.Identity},
	},
	TxnReadLocal: {
		Name: "txn-read-local", Source: "mutation of api", Seeds: 100,
		Story:    "a transaction that only reads asks no quorum, whatever it was asked to do",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},

	EndBelieved: {
		Name: "end-believed", Source: "found by this simulator", Seeds: 100,
		Story: "zeros, or the end of the file, in the middle of a log are taken for its end, whatever " +
			"tells of more",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot},
	},

	AuthCacheCold: {
		Name: "auth-cache-cold", Source: "etcd #14571", Seeds: 50, Needs: UsersCrash,
		Story:    "after a restart a member has forgotten what users may, and refuses entries that others apply",
		Convicts: []int{invariant.RevisionOrder, invariant.Authorization},
	},
	AuthRevisionUnsaved: {
		Name: "auth-revision-unsaved", Source: "etcd #11651", Seeds: 20, Needs: UsersCrash,
		Story:    "the auth revision is not in the database, so that a restarted member decides by an older one",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Authorization},
	},
	AuthOldRevisionTaken: {
		Name: "auth-old-revision-taken", Source: "mutation of auth", Seeds: 50, Needs: Users,
		Story:    "a request is applied for somebody who was named before users changed",
		Convicts: []int{invariant.Authorization},
	},
	RangeEndUnasked: {
		Name: "range-end-unasked", Source: "etcd GHSA-xg4h-6gfc-h4m8", Seeds: 50, Needs: Users,
		Story:    "who may touch the first key of a range may touch all of it",
		Convicts: []int{invariant.Authorization},
	},
	CompareUnasked: {
		Name: "compare-unasked", Source: "mutation of auth", Seeds: 100, Needs: Users,
		Story:    "a transaction may compare what its user may not read",
		Convicts: []int{invariant.Authorization},
	},
	PreviousUnasked: {
		Name: "previous-unasked", Source: "mutation of auth", Seeds: 50, Needs: Users,
		Story:    "who may write a key is shown its previous value",
		Convicts: []int{invariant.Authorization},
	},
	ReadUnasked: {
		Name: "read-unasked", Source: "mutation of store", Seeds: 20, Needs: Users,
		Story:    "reads are let through without a look at who reads",
		Convicts: []int{invariant.Authorization},
	},
	WatchUnasked: {
		Name: "watch-unasked", Source: "mutation of api", Seeds: 100, Needs: Users,
		Story:    "a watcher is made without a look at who asks for it",
		Convicts: []int{invariant.Authorization},
	},
	RoleLingers: {
		Name: "role-lingers", Source: "mutation of auth", Seeds: 100, Needs: Users,
		Story:    "a role that was taken from a user goes on to permit",
		Convicts: []int{invariant.Authorization},
	},

	RevokeUnfenced: {
		Name: "revoke-unfenced", Source: "etcd #15247", Seeds: 300,
		Story:    "a leader that has lost its term counts on, and what it wants to end is passed on to its successor",
		Convicts: []int{invariant.LeaseFence, invariant.LeaseRemaining},
	},
	RevokeUnordered: {
		Name: "revoke-unordered", Source: "etcd #11689", Seeds: 50,
		Story:    "the keys of a lease are deleted in another order than that of keys",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.WatchReliable},
	},
	LeaseKept: {
		Name: "lease-kept", Source: "mutation of lease", Seeds: 50,
		Story:    "a key that is put without a lease, or is deleted, still hangs on the one that it had",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.NoPanic},
	},
	LeaseCutShort: {
		Name: "lease-cut-short", Source: "mutation of lease", Seeds: 50,
		Story:    "a lease runs a second less than it was granted for",
		Convicts: []int{invariant.LeaseFence, invariant.LeaseRemaining},
	},
	LeaseImmortal: {
		Name: "lease-immortal", Source: "mutation of lease", Seeds: 50,
		Story:    "no lease ever runs out",
		Convicts: []int{invariant.LeaseRemaining, invariant.Liveness},
	},
	RetentionIgnored: {
		Name: "retention-ignored", Source: "mutation of duty", Seeds: 50,
		Story:    "a leader that compacts by itself drops history that it was told to keep",
		Convicts: []int{invariant.Compaction},
	},

	MemberSecondSource: {
		Name: "member-second-source", Source: "etcd #20967", Seeds: 50, Needs: Changes,
		Story:    "who is removed stays in the database as a member, and is one again when it is read",
		Convicts: []int{invariant.Membership},
	},
	RemovedCounts: {
		Name: "removed-counts", Source: "mutation of consensus", Seeds: 50, Needs: Changes,
		Story:    "raft is not told that a member was removed, which goes on counting in quorums",
		Convicts: []int{invariant.Membership},
	},
	LearnerCounts: {
		Name: "learner-counts", Source: "mutation of consensus", Seeds: 50, Needs: Changes,
		Story:    "a learner votes and counts in quorums from the beginning",
		Convicts: []int{invariant.Membership},
	},
	LearnerRushed: {
		Name: "learner-rushed", Source: "mutation of api", Seeds: 50, Needs: Changes,
		Story:    "a learner may vote however little of the log it has",
		Convicts: []int{invariant.Membership},
	},
	IDReused: {
		Name: "id-reused", Source: "mutation of membership", Seeds: 100, Needs: Changes,
		Story:    "the id of a member that was removed may be that of a new one",
		Convicts: []int{invariant.Membership},
	},
	RemovedGoesOn: {
		Name: "removed-goes-on", Source: "mutation of member", Seeds: 50, Needs: Changes,
		Story:    "a member that has applied its own removal does not stop",
		Convicts: []int{invariant.Membership, invariant.Liveness, invariant.WatchProgress},
	},
	ConfStateStale: {
		Name: "conf-state-stale", Source: "mutation of store", Seeds: 100, Needs: Changes,
		Story:    "a snapshot is of a state after a change of members and names those before it",
		Convicts: []int{invariant.Boot, invariant.Membership, invariant.Liveness},
	},

	StaleMarkCounts: {
		Name: "stale-mark-counts", Source: "found by this simulator", Seeds: 300, Needs: Notes,
		Story: "the record of a received snapshot that was never committed counts once its index is committed by " +
			"other means",
		Convicts: []int{invariant.Boot},
	},

	ImagesAtOnce: {
		Name: "images-at-once", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a member receives every database that is sent to it, however many there are",
		Convicts: []int{invariant.Bounded},
	},
	ImageTokenKept: {
		Name: "image-token-kept", Source: "mutation of driver", Seeds: 100, Needs: Snapshots,
		Story:    "a member that could not keep a database takes no other any more",
		Convicts: []int{invariant.Liveness},
	},
	ImageMisplaced: {
		Name: "image-misplaced", Source: "mutation of driver", Seeds: 50, Needs: Snapshots,
		Story:    "a database is sent as one that stands where raft has asked for it, and not where it stands",
		Convicts: []int{invariant.AtomicApply},
	},
	ImageHeardEarly: {
		Name: "image-heard-early", Source: "mutation of driver", Seeds: 20, Needs: Snapshots,
		Story:    "raft hears of a snapshot before all of its database has come",
		Convicts: []int{invariant.AckedDurable},
	},

	TokenKept: {
		Name: "token-kept", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token outlives a change of the password, and its user",
		Convicts: []int{invariant.Authorization},
	},
	TokenOutlivesAuth: {
		Name: "token-outlives-auth", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token of before authentication was off is good when it is on again",
		Convicts: []int{invariant.Authorization},
	},
	TokenUnexpired: {
		Name: "token-unexpired", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token that nobody has used for its time is good all the same",
		Convicts: []int{invariant.Authorization},
	},
	TokenEarlyRefused: {
		Name: "token-early-refused", Source: "mutation of api", Seeds: 50, Needs: Logins,
		Story:    "a member that has not applied the entry of a token refuses it instead of waiting for the entry",
		Convicts: []int{invariant.Authorization},
	},
	LoginUnrepeated: {
		Name: "login-unrepeated", Source: "mutation of api", Seeds: 100, Needs: Logins,
		Story:    "a password that is changed while a member compares it lets in all the same",
		Convicts: []int{invariant.Authorization},
	},
	WatchTokenKept: {
		Name: "watch-token-kept", Source: "found by use", Seeds: 100, Needs: Signatures,
		Story:    "a signed token that was good when a stream began makes watchers on it when it has run out",
		Convicts: []int{invariant.Authorization},
	},

	HistoriesMixedUp: {
		Name: "histories-mixed-up", Source: "mutation of audit", Seeds: 50, Needs: Audits,
		Story:    "hashes of histories that begin at different revisions are compared",
		Convicts: []int{invariant.Corrupt},
	},
	DifferenceOverlooked: {
		Name: "difference-overlooked", Source: "mutation of audit", Seeds: 20, Needs: Audits,
		Story:    "members whose hashes differ are not told apart",
		Convicts: []int{invariant.Corrupt},
	},
	StartUnchecked: {
		Name: "start-unchecked", Source: "mutation of audit", Seeds: 20, Needs: Starts,
		Story:    "a member whose pairs are not those of the others starts all the same",
		Convicts: []int{invariant.Corrupt},
	},
	MajorityBlamed: {
		Name: "majority-blamed", Source: "mutation of audit", Seeds: 50, Needs: Audits,
		Story:    "of a compaction that members remember in two ways the more are blamed",
		Convicts: []int{invariant.Corrupt},
	},

	IDsByClock: {
		Name: "ids-by-clock", Source: "found by this simulator", Seeds: 100, Needs: Clocks,
		Story:    "the ids of a process's requests begin with the time of day",
		Convicts: []int{invariant.NoPanic, invariant.Linearizable},
	},
}
