// Package limits holds every bound of the system, with its unit, in one place.
//
// A queue without a bound is a fault that waits for load, so each queue takes
// its bound from here, and a reader finds in one page what the system may hold.
// Where etcd has the same bound the value is etcd's default; flags may change
// some of them, and then the flag's default is the constant.
//
//	if len(txn.Success) > limits.MaxTxnOps { return api.ErrTooManyOps }
package limits

import (
	"math"
	"time"
)

// Use is how much of a bound is taken at the moment, of things with that name.
type Use struct {
	Name        string
	Have, Limit int
}

// Requests.
const (
	// MaxRequestBytes bounds one marshalled request in the raft log.
	MaxRequestBytes = 1_572_864
	// RequestOverheadBytes is what a message on the wire may be larger than the
	// request in it. A watch response is cut into fragments at the sum of both.
	RequestOverheadBytes = 512 << 10
	// RecommendedRequestBytes is the largest MaxRequestBytes without a warning.
	RecommendedRequestBytes = 10 << 20
	// MaxTxnOps bounds compares, success and failure operations of a txn, each; a
	// nested txn has what its parent left.
	MaxTxnOps = 128
	// MaxApplyLag is how many committed entries may wait to be applied before
	// writes are refused as too many requests.
	MaxApplyLag = 5_000
	// MaxRequestsPending bounds the client requests that one member holds.
	MaxRequestsPending = 100_000
	// RequestTimeout is how long a write or read may take in a healthy cluster;
	// two election timeouts come on top.
	RequestTimeout = 5 * time.Second
	// HealthInterval is how long a member must have been connected to a peer before a change of members counts on it.
	HealthInterval = 5 * time.Second
	// LeaveDelay is how long a member goes on after its removal, so that the others hear of it.
	LeaveDelay = time.Second
	// LearnerReadyPercent is how much of the leader's log a learner must have before it may vote.
	LearnerReadyPercent = 90
	// SlowApply is the apply time from which a request is called slow.
	SlowApply = 100 * time.Millisecond
	// SlowRequest is the time from which a unary request is logged as slow.
	SlowRequest = 300 * time.Millisecond
)

// Raft.
const (
	// Tick is the heartbeat interval and raft's unit of time.
	Tick = 100 * time.Millisecond
	// ElectionTicks is the election timeout; raft adds up to as much again by dice.
	ElectionTicks = 10
	// MaxElectionTimeout is the longest election timeout that is accepted.
	MaxElectionTimeout = 50 * time.Second
	// MaxAppendBytes bounds the entries of one append message.
	MaxAppendBytes = 1 << 20
	// MaxInflightAppends bounds the append messages on their way to one follower.
	MaxInflightAppends = 512
	// MaxInflightBytes bounds the bytes in them.
	MaxInflightBytes = 256 << 20
	// MaxUncommittedBytes bounds the entries that a leader has proposed and not
	// yet committed; beyond it proposals are dropped.
	MaxUncommittedBytes = 256 << 20
	// MaxCommittedBytesPerReady bounds the entries handed to apply at once.
	MaxCommittedBytesPerReady = 64 << 20
	// SnapshotCount is the number of entries applied between two snapshots.
	SnapshotCount = 10_000
	// SnapshotCatchUpEntries is how many entries before a snapshot stay in memory
	// for followers that lag.
	SnapshotCatchUpEntries = 5_000
	// LogCompactEntries is after how many applied entries the log in memory is
	// compacted again.
	LogCompactEntries = 100
	// ReadIndexRetry is when an unanswered read index is asked for again.
	ReadIndexRetry = 500 * time.Millisecond
	// PeerTimeout is how long, at least, a connection to a peer may be silent, or a write to it take.
	PeerTimeout = 5 * time.Second
	// MaxPeerQueue bounds the messages that wait for one peer.
	MaxPeerQueue = 4_096
	// MaxPeerMessageBytes bounds one peer message that is not a database, or four requests of the largest size that a
	// flag allows, if that is more: an append has a megabyte of entries or one entry. etcd takes 512 MiB, from anyone.
	MaxPeerMessageBytes = 64 << 20
	// PeerMessages is how many messages of the largest size may be held while they are received, over all connections
	// of members; strangers, of whom some may be members that this one has not heard of, have room for one.
	PeerMessages = 2
	// MaxPeerEntries bounds the entries of one message: each costs memory, also an empty one.
	MaxPeerEntries = 256 << 10
	// MaxSnapshotMessageBytes bounds a snapshot message without its database. What is in it takes up to eight times
	// as much in memory.
	MaxSnapshotMessageBytes = 8 << 20
	// MaxMessageContext bounds the context of a message, in bytes. Raft's longest has 16.
	MaxMessageContext = 1 << 10
	// PeerSmallMessageBytes is what a stream may have in memory beside that, so that a heartbeat never waits for an
	// append of another peer.
	PeerSmallMessageBytes = 1 << 20
	// PeerPosts bounds the messages that wait for one peer while there is no stream, PeerPostWorkers those under way.
	PeerPosts       = 64
	PeerPostWorkers = 4
	// PeerFlushBytes is how much a stream encodes before it writes.
	PeerFlushBytes = 256 << 10
	// PeerAnswerBytes bounds what is read of an answer that is not raft's.
	PeerAnswerBytes = 1 << 10
	// MembersAnswerBytes bounds what is read of a peer's list of members.
	MembersAnswerBytes = 16 << 20
	// ImagesSent bounds the databases that are on their way to peers at one time.
	ImagesSent = 16
	// PeerInboxBytes bounds the messages that wait for the core loop: a peer's first one beyond it is dropped, and raft
	// sends it again.
	PeerInboxBytes = 128 << 20
	// MaxMembers bounds the voters, and the learners, of a configuration that a peer sends. Clusters have less than ten.
	MaxMembers = 1_024
)

// Storage.
const (
	// WALSegmentBytes is the size from which a log segment is followed by the next.
	WALSegmentBytes = 64_000_000
	// WALSegmentLeastBytes is the least size that a flag may ask for.
	WALSegmentLeastBytes = 64 << 10
	// QuotaBackendBytes is the space from which writes raise the NOSPACE alarm.
	QuotaBackendBytes = 2 << 30
	// RecommendedQuotaBytes is the largest quota without a warning.
	RecommendedQuotaBytes = 8 << 30
	// BackendInterval and BackendOps: whichever comes first commits the write buffer.
	BackendInterval = 100 * time.Millisecond
	BackendOps      = 10_000
	// CommitBacklog is how many commits' worth of operations may wait in memory before applying waits for the disk.
	CommitBacklog = 20
	// CompactionBatch is the number of revisions that one step of a compaction
	// looks at, CompactionPause the rest between steps.
	CompactionBatch = 1_000
	CompactionPause = 10 * time.Millisecond
	// AutoCompactionInterval is how often a leader that keeps a number of revisions looks.
	AutoCompactionInterval = 5 * time.Minute
	// AutoCompactionPeriodMin is the shortest period that a flag may ask for: its tenth is some ticks.
	AutoCompactionPeriodMin = time.Second
	// MinImageLimit is the least size of a database that a member takes from a leader, whatever its own quota.
	MinImageLimit = 16 << 30
	// ImageReserveBytes is the space on the disk that a database on its way leaves free: a log that cannot go on stops
	// the member.
	ImageReserveBytes = 256 << 20
	// SnapshotChunkBytes is the size of a piece of a snapshot stream to a client.
	SnapshotChunkBytes = 32 << 10
)

// The API of version 2.
const (
	// V2Depth bounds the parts of a path: a request looks at each directory on the way, in one txn.
	V2Depth = 63
	// V2Waits bounds the requests that wait for something to happen.
	V2Waits = 10_000
	// V2ResultNodes and V2ResultBytes bound what one answer lists.
	V2ResultNodes = 100_000
	V2ResultBytes = 64 << 20
	// V2FirstPage and V2Page are the keys that are read at once to begin with and at most, V2PageBytes about what they
	// have.
	V2FirstPage = 16
	V2Page      = 1_000
	V2PageBytes = 1 << 20
	// V2Logins bounds the logins that are kept so that not each request compares a password.
	V2Logins = 1_000
	// V2Tidiers bounds the leases that are revoked at once because nothing hangs on them any more, V2Untidy those that
	// wait for it; others end by themselves.
	V2Tidiers = 4
	V2Untidy  = 10_000
)

// Watches.
const (
	// WatchStreamPushes bounds the responses on their way to one stream,
	// WatchStreamBytes their bytes; a stream that is full waits and catches up.
	WatchStreamPushes = 128
	WatchStreamBytes  = 16 << 20
	// WatchTotalBytes bounds the bytes on their way to all streams. When they are taken, by streams that nobody reads,
	// each still has WatchStreamLeastBytes, so that those which are read go on.
	WatchTotalBytes       = 64 << 20
	WatchStreamLeastBytes = 256 << 10
	// WatchControlPushes bounds, beside them, the answers to a client's own
	// requests: a driver takes no more requests from one who does not read.
	WatchControlPushes = 128
	// WatchResponseBytes is the size from which a response takes no further revision.
	WatchResponseBytes = 256 << 10
	// WatchScans bounds the catch-up reads under way for all watchers together.
	WatchScans = 8
	// WatchScanRevisions and WatchScanBytes bound one catch-up read.
	WatchScanRevisions = 1_000
	WatchScanBytes     = 4 << 20
	// WatchRecentRevisions and WatchRecentBytes bound the newest changes that are
	// kept in memory for watchers that lag a little.
	WatchRecentRevisions = 10_000
	WatchRecentBytes     = 16 << 20
	// MaxWatchersPerStream bounds the watchers of one stream.
	MaxWatchersPerStream = 100_000
	// WatchProgressInterval is the interval of progress notifications,
	// WatchProgressIntervalMin the shortest that a flag may ask for.
	WatchProgressInterval    = 10 * time.Minute
	WatchProgressIntervalMin = 100 * time.Millisecond
	// NoLeaderTimeouts is how long streams that require a leader live without one,
	// in election timeouts.
	NoLeaderTimeouts = 3
)

// Leases.
const (
	// MaxLeaseTTL bounds a lease, in seconds.
	MaxLeaseTTL = 9_000_000_000
	// LeaseRevokesPending bounds the revocations of expired leases under way.
	LeaseRevokesPending = 16
	// LeaseRevokesPerSecond bounds their rate.
	LeaseRevokesPerSecond = 1_000
	// LeaseCheckpointInterval is how long a lease runs before what is left of it is written to the log.
	LeaseCheckpointInterval = 5 * time.Minute
	// LeaseCheckpointBatch bounds the leases of one such entry; one entry a tick is proposed at most.
	LeaseCheckpointBatch = 1_000
	// LeaseClocksPerTick is how many leases a new leader takes over at a time, so that it does not miss a heartbeat.
	LeaseClocksPerTick = 20_000
)

// Users.
const (
	// TokenTTL is how long a simple token lives after its last use.
	TokenTTL = 300 * time.Second
	// MaxEarlyWatches bounds the requests for watchers whose tokens wait for entries, of one member.
	MaxEarlyWatches = 1_000
)

// The server around a member.
const (
	// InboxItems bounds the requests and messages that wait for the core loop.
	InboxItems = 200_000
	// SpareRequests bounds the records of answered requests that are kept to be used again.
	SpareRequests = 1_024
	// StepsPerPoll bounds the inputs that one round of the core loop takes before it hands out what they caused.
	StepsPerPoll = 1_024
	// ClientStreamWindow and ClientConnWindow are what a client may send unasked, in bytes.
	ClientStreamWindow = 1 << 20
	ClientConnWindow   = 4 << 20
	// QuestionBytes bounds what a member may send to ask something over HTTP, and the answer.
	QuestionBytes = 64 << 10
	// ReservedFiles is how many descriptors clients leave to the member's own files and its peers, as in etcd.
	ReservedFiles = 150
	// MetricsFiles is how many of those monitoring may take, which must find a way in beside a crowd of clients.
	MetricsFiles = 30
	// PeerFiles is how many descriptors the connections to the peer port may take, beside those: nine members have two
	// streams each, some posts and questions.
	PeerFiles = 100
)

// Watching the system.
const (
	// FlightRecorderLeastBytes and FlightRecorderMostBytes bound the room for the newest events.
	FlightRecorderLeastBytes = 64 << 10
	FlightRecorderMostBytes  = 1 << 30
	// FlightRecorderText is where the text of a recorded event (a key, an error) is cut, in bytes.
	FlightRecorderText = 256
)

// ImageBytes bounds the database that a leader may send to a member with this quota, in bytes; a quota of 0 is etcd's
// default, a negative one none. A database may be larger than the quota: the leader's own may be larger than ours (a
// cluster of quotas of 8 GiB, the largest that etcd advises, with one member left at the default), or lowered since,
// and alarms are disarmed to make room. Twice the own quota, or twice what etcd advises, is beyond all of these.
func ImageBytes(quota int64) int64 {
	if quota < 0 {
		return math.MaxInt64
	}
	return max(MinImageLimit, 2*min(quota, math.MaxInt64/2))
}
