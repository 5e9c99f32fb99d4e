package mutant

import (
	"fmt"
	"slices"

	"vitrine/core/invariant"
)

// ID is a mutant's number in this build; its name is what lasts.
type ID uint8

// The mutants. Each is explained in List.
const (
	None ID = iota

	// Log and votes.
	AckBeforeFsync
	VoteForgotten
	TermForgotten
	VoteRequestEarly
	FsyncLies
	FsyncRetried
	DiskReorders
	QuorumOffByOne
	CommitByCounting
	AckUnheld
	AppendWithoutTruncation
	ApplyBeforeCommit
	NoPreVote

	// The log on disk, and snapshots.
	TailStrict
	TailLenient
	ChecksumUnchained
	SegmentReleasedEarly
	MarkBehindSnapshot
	SnapshotWithoutConfState
	SnapshotTwice

	// State.
	AppliedFirst
	EntryTwice
	CompactRevisionLost
	CompactEatsTombstone
	CompactEatsLatest
	CompactedReadable
	TxnCompactedRead
	TxnStaleCompare
	VersionSurvivesDelete
	MoreForgotten

	// Reads and answers.
	ReadIndexReused
	ReadWithoutQuorum
	ReadOnLease
	ReplyBeforeApply
	ReadFromOldView
	ClientRetries

	// Watches.
	ProgressUnsynced
	WatchBackInTime
	EventTwice
	SlowWatcherDropped
	ResumeSkipsCompaction
	FutureWatchEarly
	CursorOffByOne
	RevisionTorn
	PreviousStale
	StreamUnbounded

	// The driver: what happens between two steps on the disk.
	GroupSyncForgotten
	GroupStateFirst
	SpareUnclean
	SpareNameUnsynced
	DirectoriesUnsynced
	StoreNameUnsynced
	StoreReadUnsynced
	LeftoverTaken
	ImageUnsynced
	ImageNameUnsynced
	ImageUnchecked
	ImageDroppedEarly
	NewestImageInstalled
	AdoptNameUnsynced
	CommitReportedEarly
	DefragUnsynced
	DefragRenamedEarly
	DefragNameUnsynced
	DefragKeepsOld
	LongReadUnpinned

	// The simulator's own promise.
	MapOrder

	// Canary is no bug of the core: it breaks an invariant on purpose, so that a
	// run that does not fail by it proves the checks to be cut off.
	Canary

	// Transactions of all shapes.
	TxnOtherBranch
	TxnSiblingsSwapped
	TxnOwnWriteUnseen
	TxnFirstKeyCompared
	EventsMerged

	// Streams and what is asked on them.
	FragmentDropped
	WatchIDReused
	WatchIDIgnored
	CancelIgnored
	EventAfterCancel
	ScanCutLoses
	ScanCutRepeats
	LeaderNotRequired
	StreamUnfenced
	ProgressBeforeStart
	ProgressNever
	ProgressUnanswered
	ProgressStarved
	PreviousInside

	// Calls, alarms, and what is left behind.
	NoSpaceLetThrough
	AlarmNotLifted
	SpaceAlarmForgotten
	MoveSelfHangs
	MoveAnsweredEarly
	MoveLeftBehind
	ProposalLeftBehind
	StreamLeftBehind
	NeverExpires
	HeaderTermStale
	TxnReadLocal

	// What a damaged log tells.
	EndBelieved

	count
)

// Info is what is known of one mutant.
type Info struct {
	ID       ID
	Name     string // stable, in kebab case
	Story    string // what is wrong, in a sentence
	Source   string // where it happened, or who warns of it
	Convicts []int  // the invariants that may catch it
	Seeds    int    // budget: so many seeds must suffice
}

// Convicted tells whether the invariant of that number may catch the mutant.
func (i Info) Convicted(number int) bool { return slices.Contains(i.Convicts, number) }

// Snapshots tells whether the mutant shows only where members are often sent
// snapshots: many writes, many watches, a short log.
func (i Info) Snapshots() bool {
	switch i.ID {
	case WatchBackInTime, SnapshotWithoutConfState, SnapshotTwice, MarkBehindSnapshot,
		ImageUnsynced, ImageNameUnsynced, ImageUnchecked, ImageDroppedEarly, NewestImageInstalled, AdoptNameUnsynced:
		return true
	}
	return false
}

// Elections tells whether the mutant shows only where leaders follow one another
// before they have done anything.
func (i Info) Elections() bool { return i.ID == CommitByCounting }

// Find returns the mutant of that name. The empty name is None.
func Find(name string) (ID, error) {
	if name == "" {
		return None, nil
	}
	for _, info := range List() {
		if info.Name == name {
			return info.ID, nil
		}
	}
	return None, fmt.Errorf("mutant: none is called %q", name)
}

func (id ID) String() string {
	for _, info := range List() {
		if info.ID == id {
			return info.Name
		}
	}
	return "none"
}

// List returns all mutants in the order of their numbers.
func List() []Info {
	return []Info{
		{AckBeforeFsync, "ack-before-fsync", "a member says that it has an entry when the entry is only in its page cache", "etcd #14370",
			[]int{invariant.VoteDurability, invariant.AckedDurable}, 20},
		{VoteForgotten, "vote-forgotten", "a vote in a term that the member knew already is not synced before it leaves", "raft thesis 3.8",
			[]int{invariant.ElectionSafety, invariant.VoteDurability}, 100},
		{TermForgotten, "term-forgotten", "a term and a vote that come without entries are not written to disk", "raft thesis 3.8",
			[]int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability}, 50},
		{VoteRequestEarly, "vote-request-early", "a candidate asks for votes before its own term is durable, crashes as leader and wins the same term again", "found by this simulator",
			[]int{invariant.VoteDurability}, 400},
		{FsyncLies, "fsync-lies", "fdatasync sometimes answers before the data is safe", "bbolt #562",
			[]int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot}, 50},
		{FsyncRetried, "fsync-retried", "a failed fdatasync is tried again, and the member goes on when the second try succeeds", "fsyncgate, PostgreSQL 2018",
			[]int{invariant.AckedDurable, invariant.FailedDisk}, 50},
		{DiskReorders, "disk-reorders", "the log lane answers a later ticket before an earlier one is on disk", "raft, AsyncStorageWrites contract",
			[]int{invariant.LogMatching, invariant.StateMachineSafety, invariant.VoteDurability, invariant.Monotonic, invariant.AckedDurable}, 20},
		{QuorumOffByOne, "quorum-off-by-one", "the leader counts one acknowledgement that it never got", "raft thesis 3.5",
			[]int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.AckedDurable, invariant.Bounded}, 50},
		{CommitByCounting, "commit-by-counting", "an entry of an earlier term counts as committed when a majority has it", "raft thesis 3.6.2, figure 3.7",
			[]int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic}, 400},
		{AckUnheld, "ack-unheld", "a follower acknowledges all of its log, also what the leader has not matched", "raft thesis 3.5",
			[]int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic, invariant.AckedDurable, invariant.NoPanic}, 50},
		{AppendWithoutTruncation, "append-without-truncation", "a conflicting tail of the log is kept on disk when it is overwritten", "raft thesis 3.5",
			[]int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic, invariant.AckedDurable, invariant.Boot}, 100},
		{ApplyBeforeCommit, "apply-before-commit", "a leader tells its followers that what it sends them is committed", "raft thesis 3.5",
			[]int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic, invariant.AckedDurable, invariant.Linearizable}, 20},
		{NoPreVote, "no-prevote", "a member that was cut off comes back with a higher term and deposes a healthy leader", "raft thesis 9.6",
			[]int{invariant.Liveness}, 20},

		{TailStrict, "tail-strict", "a log whose last record was torn by a crash is refused at boot", "etcd #14098",
			[]int{invariant.Boot}, 50},
		{TailLenient, "tail-lenient", "damage in the last segment is taken for a torn tail, and what had been promised is cut off", "found by this simulator",
			[]int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 50},
		{ChecksumUnchained, "checksum-unchained", "a new segment forgets the running checksum of the last", "etcd WAL format",
			[]int{invariant.Boot}, 50},
		{SegmentReleasedEarly, "segment-released-early", "a segment of the log goes before the mark that makes it superfluous is durable", "mutation of wal",
			[]int{invariant.Boot}, 50},
		{MarkBehindSnapshot, "mark-behind-snapshot", "a mark of the old store is written behind a received snapshot, and the last mark counts", "found by this simulator",
			[]int{invariant.AckedDurable, invariant.Boot}, 500},
		{SnapshotWithoutConfState, "snapshot-without-conf-state", "a snapshot is sent without the configuration it stands for", "raft thesis 4.2",
			[]int{invariant.Liveness}, 100},
		{SnapshotTwice, "snapshot-twice", "a second received snapshot takes the image of the first, which is still to be installed", "etcd #18055",
			[]int{invariant.Boot, invariant.NoPanic}, 400},

		{AppliedFirst, "applied-first", "the applied index reaches the disk before the data", "etcd #13766",
			[]int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder}, 20},
		{EntryTwice, "entry-twice", "after a restart the entries behind the last mark are applied to a store that has them", "etcd consistent index",
			[]int{invariant.Monotonic, invariant.AtomicApply, invariant.RevisionOrder, invariant.Boot, invariant.NoPanic}, 20},
		{CompactRevisionLost, "compact-revision-lost", "a restarted member forgets the revisions that compaction has emptied", "etcd #17780",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable}, 100},
		{CompactEatsTombstone, "compact-eats-tombstone", "compaction at the revision of a delete drops the delete", "etcd #18089",
			[]int{invariant.AtomicApply, invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Compaction}, 100},
		{CompactEatsLatest, "compact-eats-latest", "compaction removes the newest revision of a key that it should keep", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable, invariant.WatchReliable, invariant.Compaction, invariant.NoPanic}, 50},
		{CompactedReadable, "compacted-readable", "a revision that is compacted still gets an answer", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable, invariant.Compaction, invariant.NoPanic}, 20},
		{TxnCompactedRead, "txn-compacted-read", "a transaction that reads a compacted revision fails on one member and not on another", "etcd #18667",
			[]int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable}, 200},
		{TxnStaleCompare, "txn-stale-compare", "a transaction compares against the revision before the last write", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable}, 20},
		{VersionSurvivesDelete, "version-survives-delete", "a key that was deleted and is put again goes on counting its versions", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable, invariant.Compaction}, 20},
		{MoreForgotten, "more-forgotten", "a range with a limit does not say that there is more", "mutation of mvcc",
			[]int{invariant.Linearizable, invariant.Serializable}, 20},

		{ReadIndexReused, "read-index-reused", "a late answer to an earlier question releases the reads of a later one", "etcd #20418",
			[]int{invariant.Linearizable}, 400},
		{ReadWithoutQuorum, "read-without-quorum", "a leader answers linearizable reads by its own commit index, and asks nobody whether it still leads", "raft thesis 6.4, etcd #741",
			[]int{invariant.Linearizable, invariant.Serializable}, 100},
		{ReadOnLease, "read-on-lease", "a leader answers linearizable reads on a lease, with clocks that differ", "raft thesis 6.4.1",
			[]int{invariant.Linearizable, invariant.Serializable}, 100},
		{ReplyBeforeApply, "reply-before-apply", "a read is served when its index is known, not when it is applied", "raft thesis 6.4",
			[]int{invariant.Linearizable}, 50},
		{ReadFromOldView, "read-from-old-view", "a serializable read is answered from a view that was opened before the last write", "mutation of mvcc",
			[]int{invariant.Serializable, invariant.Identity}, 20},
		{ClientRetries, "client-retries", "a client repeats a write whose outcome it does not know", "jetcd 0.8.2, Jepsen",
			[]int{invariant.Linearizable}, 100},

		{ProgressUnsynced, "progress-unsynced", "a progress notification overtakes the events it speaks of", "etcd #15220",
			[]int{invariant.WatchBookmarkable, invariant.Bounded}, 100},
		{WatchBackInTime, "watch-back-in-time", "after a snapshot is installed watchers see old events again", "etcd #15271",
			[]int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable, invariant.WatchBookmarkable}, 200},
		{EventTwice, "event-twice", "an event is delivered live and once more by catching up", "etcd #17247",
			[]int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchBookmarkable, invariant.Liveness}, 50},
		{SlowWatcherDropped, "slow-watcher-dropped", "events for a stream without credit are thrown away", "etcd #17529",
			[]int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness}, 100},
		{ResumeSkipsCompaction, "resume-skips-compaction", "a watch that starts at the compact revision misses a delete", "etcd #19179",
			[]int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable}, 200},
		{FutureWatchEarly, "future-watch-early", "a watch that starts in the future hears of the present", "etcd #20221",
			[]int{invariant.WatchResumable, invariant.WatchBookmarkable, invariant.WatchFilter}, 100},
		{CursorOffByOne, "cursor-off-by-one", "catching up begins one revision too late", "mutation of watch",
			[]int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable}, 50},
		{RevisionTorn, "revision-torn", "a response ends in the middle of a revision", "mutation of watch",
			[]int{invariant.WatchReliable, invariant.WatchAtomic, invariant.Liveness, invariant.WatchProgress}, 20},
		{PreviousStale, "previous-stale", "the previous pair of an event is looked up one revision too early", "mutation of mvcc",
			[]int{invariant.WatchFilter}, 50},
		{StreamUnbounded, "stream-unbounded", "responses to a client that does not read pile up without end", "etcd #16839",
			[]int{invariant.Bounded}, 50},

		{GroupSyncForgotten, "group-sync-forgotten", "of a group of log writes only the last one decides whether the group is synced", "mutation of driver",
			[]int{invariant.VoteDurability, invariant.AckedDurable}, 50},
		{GroupStateFirst, "group-state-first", "where hard states of a group are merged the first one is kept instead of the last", "mutation of driver",
			[]int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability, invariant.AckedDurable}, 100},
		{SpareUnclean, "spare-unclean", "a released segment is used again with its old records in it", "raft-wal, recycled segments",
			[]int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot}, 100},
		{SpareNameUnsynced, "spare-name-unsynced", "a released segment is overwritten before its old name is gone from the disk", "mutation of wal",
			[]int{invariant.Boot}, 300},
		{DirectoriesUnsynced, "directories-unsynced", "the directories of a new member are not made durable, and with them goes all that is synced in them", "found by this simulator",
			[]int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot}, 50},
		{StoreNameUnsynced, "store-name-unsynced", "the name of a new database is not made durable before anything relies on it", "found by this simulator",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 50},
		{StoreReadUnsynced, "store-read-unsynced", "after a kill a start relies on a commit that is in the page cache only", "found by this simulator",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 300},
		{LeftoverTaken, "leftover-taken", "a copy that a defragmentation left half-made is taken for the database at the next start", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 300},
		{ImageUnsynced, "image-unsynced", "a received database is not synced before the member promises to have it", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.Boot}, 100},
		{ImageNameUnsynced, "image-name-unsynced", "a received database gets its name, and the directory is not synced", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.Boot}, 100},
		{ImageUnchecked, "image-unchecked", "nobody looks into a received database before the log begins at it", "found by use",
			[]int{invariant.AckedDurable, invariant.Boot, invariant.FailedDisk, invariant.NoPanic}, 100},
		{ImageDroppedEarly, "image-dropped-early", "a received database that is still to be installed is taken for a leftover", "mutation of driver",
			[]int{invariant.Boot, invariant.NoPanic}, 300},
		{NewestImageInstalled, "newest-image-installed", "of several received databases the newest is installed, whatever the log says", "etcd #18055",
			[]int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot, invariant.Bounded, invariant.NoPanic}, 400},
		{AdoptNameUnsynced, "adopt-name-unsynced", "a received database becomes the database, and the directory is not synced", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 200},
		{CommitReportedEarly, "commit-reported-early", "a commit of the database is reported before it ran", "etcd 3.5 data inconsistency",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 50},
		{DefragUnsynced, "defrag-unsynced", "a defragmented copy is not synced before it replaces the database", "etcd #11728",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 100},
		{DefragRenamedEarly, "defrag-renamed-early", "a defragmented copy is renamed first and synced then", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 300},
		{DefragNameUnsynced, "defrag-name-unsynced", "a defragmented copy replaces the database, and the directory is not synced", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 100},
		{DefragKeepsOld, "defrag-keeps-old", "after a defragmentation the member goes on committing to the old file, which has no name any more", "mutation of driver",
			[]int{invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 50},
		{LongReadUnpinned, "long-read-unpinned", "a long range says at which revision it began and answers from the store as it ends", "mutation of driver",
			[]int{invariant.Linearizable, invariant.Serializable}, 100},

		{MapOrder, "map-order", "responses leave in the order of a Go map", "the classic of deterministic simulation",
			[]int{invariant.Deterministic}, 20},

		{Canary, "canary", "nothing is wrong: an invariant is violated on purpose, and the run must fail", "coal mines",
			[]int{invariant.NoPanic}, 1},

		{TxnOtherBranch, "txn-other-branch", "a nested transaction whose branch is empty runs the other one", "mutation of mvcc",
			[]int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable}, 50},
		{TxnSiblingsSwapped, "txn-siblings-swapped", "of transactions nested side by side each takes the branch of its neighbour", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.WatchReliable, invariant.NoPanic}, 100},
		{TxnOwnWriteUnseen, "txn-own-write-unseen", "a read in a transaction does not see what the transaction wrote before it", "mutation of mvcc",
			[]int{invariant.Linearizable}, 20},
		{TxnFirstKeyCompared, "txn-first-key-compared", "a compare of a range looks at its first key only", "mutation of mvcc",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Serializable}, 50},
		{EventsMerged, "events-merged", "of a key that is changed twice at one revision watchers get the last change only", "mutation of mvcc",
			[]int{invariant.WatchReliable, invariant.WatchAtomic}, 50},

		{FragmentDropped, "fragment-dropped", "the second fragment of a revision that is split is never sent", "mutation of watch",
			[]int{invariant.WatchReliable, invariant.WatchAtomic}, 100},
		{WatchIDReused, "watch-id-reused", "a watcher without an id of its own gets one that another watcher had asked for", "mutation of watch",
			[]int{invariant.WatchAnswered}, 100},
		{WatchIDIgnored, "watch-id-ignored", "a watcher that asks for an id gets another one", "mutation of watch",
			[]int{invariant.WatchAnswered}, 20},
		{CancelIgnored, "cancel-ignored", "a request to cancel a watcher is read and forgotten", "mutation of watch",
			[]int{invariant.WatchAnswered}, 20},
		{EventAfterCancel, "event-after-cancel", "a canceled watcher stays in the index, and hears of the next change", "mutation of watch",
			[]int{invariant.WatchAnswered, invariant.NoPanic, invariant.NothingLeft}, 50},
		{ScanCutLoses, "scan-cut-loses", "a scan that its bytes cut short goes on after the revision that did not fit", "mutation of mvcc",
			[]int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable}, 50},
		{ScanCutRepeats, "scan-cut-repeats", "a scan that its bytes cut short goes on at the last revision that did fit", "mutation of mvcc",
			[]int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness}, 50},
		{LeaderNotRequired, "leader-not-required", "a request that requires a leader is taken by a member without one", "mutation of api",
			[]int{invariant.LeaderRequired}, 50},
		{StreamUnfenced, "stream-unfenced", "a stream that requires a leader is kept when the member has long lost its own", "mutation of member",
			[]int{invariant.LeaderRequired}, 50},
		{ProgressBeforeStart, "progress-before-start", "a watch that begins in the future is told how far it is", "etcd #20221",
			[]int{invariant.WatchProgress}, 100},
		{ProgressNever, "progress-never", "the interval of progress notifications passes and nobody is notified", "mutation of watch",
			[]int{invariant.WatchProgress}, 50},
		{ProgressUnanswered, "progress-unanswered", "a client that asks how far its watches are gets no answer", "mutation of watch",
			[]int{invariant.WatchProgress}, 20},
		{ProgressStarved, "progress-starved", "a round of progress notifications ends where the credit of the stream does, each time with the same watchers", "found by this simulator",
			[]int{invariant.WatchProgress}, 100},
		{PreviousInside, "previous-inside", "of a key that is changed twice at one revision an event carries the pair in between", "found by use",
			[]int{invariant.WatchFilter}, 50},

		{NoSpaceLetThrough, "no-space-let-through", "a transaction puts although the NOSPACE alarm is up", "mutation of store",
			[]int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Alarms}, 100},
		{AlarmNotLifted, "alarm-not-lifted", "an alarm is taken down in the answer only, and goes on refusing writes", "mutation of store",
			[]int{invariant.AtomicApply, invariant.Linearizable, invariant.Liveness, invariant.Alarms}, 50},
		{SpaceAlarmForgotten, "space-alarm-forgotten", "a member that goes over its quota raises no alarm", "mutation of api",
			[]int{invariant.Alarms, invariant.Bounded}, 50},
		{MoveSelfHangs, "move-self-hangs", "a leader that is asked to hand over to itself waits to become what it is", "mutation of api",
			[]int{invariant.Timely}, 20},
		{MoveAnsweredEarly, "move-answered-early", "a change of leader is answered when it has begun", "mutation of api",
			[]int{invariant.Identity}, 20},
		{MoveLeftBehind, "move-left-behind", "a change of leader that never came about stays in the books until the leader changes", "found by this simulator",
			[]int{invariant.NothingLeft}, 300},
		{ProposalLeftBehind, "proposal-left-behind", "a write that nobody waits for any more stays in the book of proposals", "mutation of api",
			[]int{invariant.NothingLeft}, 50},
		{StreamLeftBehind, "stream-left-behind", "a stream that required a leader stays on the list of those after it has ended", "mutation of member",
			[]int{invariant.NothingLeft, invariant.LeaderRequired}, 50},
		{NeverExpires, "never-expires", "a member forgets to end what has waited too long", "mutation of api",
			[]int{invariant.Timely, invariant.NothingLeft}, 100},
		{HeaderTermStale, "header-term-stale", "headers carry the term before the present one", "mutation of api",
			[]int{invariant.Identity}, 20},
		{TxnReadLocal, "txn-read-local", "a transaction that only reads asks no quorum, whatever it was asked to do", "mutation of api",
			[]int{invariant.Linearizable, invariant.Serializable}, 100},

		{EndBelieved, "end-believed", "zeros, or the end of the file, in the middle of a log are taken for its end, whatever tells of more", "found by this simulator",
			[]int{invariant.VoteDurability, invariant.AckedDurable, invariant.AtomicApply, invariant.Boot}, 100},
	}
}
