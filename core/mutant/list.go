package mutant

import (
	"fmt"
	"slices"
)

// ID is a mutant's number in this build; its name is what lasts.
type ID uint8

// The mutants. Each is explained in table.
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
	HistoryLingers
	EntryUncleared

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
	RequestReused
	StreamLeftBehind
	NeverExpires
	HeaderTermStale
	TxnReadLocal

	// What a damaged log tells.
	EndBelieved

	// Users.
	AuthCacheCold
	AuthRevisionUnsaved
	AuthOldRevisionTaken
	RangeEndUnasked
	CompareUnasked
	PreviousUnasked
	ReadUnasked
	WatchUnasked
	RoleLingers

	// Leases.
	RevokeUnfenced
	RevokeUnordered
	LeaseKept
	LeaseCutShort
	LeaseImmortal

	// What a cluster does by itself.
	RetentionIgnored

	// Members that come and go.
	MemberSecondSource
	RemovedCounts
	LearnerCounts
	LearnerRushed
	IDReused
	RemovedGoesOn
	ConfStateStale

	// What a log says of snapshots.
	StaleMarkCounts

	// Databases that are received.
	ImagesAtOnce
	ImageTokenKept
	ImageMisplaced
	ImageHeardEarly

	// Members that differ.
	HistoriesMixedUp
	DifferenceOverlooked
	MajorityBlamed
	StartUnchecked

	// Ids.
	IDsByClock

	// Logins.
	TokenKept
	TokenOutlivesAuth
	TokenUnexpired
	TokenEarlyRefused
	LoginUnrepeated
	WatchTokenKept

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
	Needs    Need
}

// Need is what must often happen in a run for a mutant to show.
type Need uint8

// What mutants need.
const (
	Nothing    Need = iota
	Snapshots       // members are often sent snapshots: many writes, many watches, a short log
	Installs        // so, and a received one waits for a commit of the old store
	Elections       // leaders follow one another before they have done anything
	Users           // users are told apart, in a cluster that has time for them
	UsersCrash      // so, and members crash
	Changes         // members come and go, and are often sent a snapshot
	Segments        // the log is short and in small segments, and members are struck
	Defrags         // databases are defragmented, and disks refuse a step of that
	Notes           // as Snapshots, and processes end in the middle of noting a received one
	Logins          // as Users, who log in, and whose passwords change
	Signatures      // so, and tokens are signed, and run out
	Audits          // members are compared, and last one is given a pair that the others do not have
	Starts          // members that start compare themselves, and last one has a pair that the others do not have
	Clocks          // clocks are wrong, and members crash under load
)

// Convicted tells whether the invariant of that number may catch the mutant.
func (i Info) Convicted(number int) bool { return slices.Contains(i.Convicts, number) }

// Find returns the mutant of that name. The empty name is None.
func Find(name string) (ID, error) {
	if name == "" {
		return None, nil
	}
	for id := range table {
		if table[id].Name == name {
			return ID(id), nil
		}
	}
	return None, fmt.Errorf("mutant: none is called %q", name)
}

func (id ID) String() string {
	if id == None || id >= count {
		return "none"
	}
	return table[id].Name
}

// List returns all mutants in the order of their numbers.
func List() []Info { return slices.Clone(table[1:]) }
