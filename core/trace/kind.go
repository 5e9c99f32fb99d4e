package trace

import "fmt"

// Kind says what happened. Numbers are stable: replay files hold them. Each
// group has room to grow.
type Kind uint8

// Members as processes.
const (
	// MemberStarted: a process came up with what its disk held. Term and Peer =
	// term and vote of its hard state, Index = applied, Rev = revision of its store;
	// C = last index of its log, A = term of that entry, B = index of the snapshot
	// below the log.
	MemberStarted Kind = 1
	// MemberCrashed: a process died. A = 1 when unsynced data is lost with it
	// (power), 0 when the page cache survives (kill). What its disk holds at least:
	// Term and Peer = term and vote, Index = applied index of its database,
	// C = last index of its log, B = term of that entry. Rev = index of a received
	// snapshot that its log has a record of without the state that commits it, 0 = none.
	MemberCrashed Kind = 2
	// MemberStopped: a process ended by its own decision. Text = the reason; Term,
	// Peer, Index, C, B and Rev as MemberCrashed.
	MemberStopped Kind = 3
	// MemberPaused: a process stopped running but keeps its memory.
	MemberPaused Kind = 4
	// MemberResumed: a paused process runs again.
	MemberResumed Kind = 5
	// MemberStarting: a process has begun to recover.
	MemberStarting Kind = 6
	// ClockSet: raft's clock ticks next at A, and from then on each B ns while the
	// process runs.
	ClockSet Kind = 7
	// ClockTicked: the one tick that waited while the process was paused has come,
	// and the next one comes at A.
	ClockTicked Kind = 16
	// RecordingBegan: from here on events tell of Member, which runs. RecordingEnded:
	// from here on nothing does. Whoever puts recordings together emits them.
	RecordingBegan Kind = 8
	RecordingEnded Kind = 9
)

// Messages between members.
const (
	// MessageSent: Member = from, Peer = to, Msg, Term, Index; A = commit,
	// B = log term, C = number of entries, with bit 32 set for a rejection. Who knows
	// the future, as simulators do, tells it: Rev = when it arrives or is seen to be
	// lost, Text = "loss" or "cut" for one that will be.
	MessageSent Kind = 10
	// MessageDelivered: Member = to, Peer = from, the rest as sent; Cause = the sending.
	MessageDelivered Kind = 11
	// MessageDropped: Member = to, Peer = from, Msg; Text = "loss", "cut", "down",
	// "hand", "full" (no room in a queue) or "unseen" (nobody tells what became of it).
	MessageDropped Kind = 12
	// LinkCut: nothing passes from Member to Peer any more.
	LinkCut Kind = 13
	// LinkHealed: messages pass from Member to Peer again.
	LinkHealed Kind = 14
	// MessageDoubled: the network carries a second copy of the message that Cause
	// sent, from Member to Peer. Rev as MessageSent.
	MessageDoubled Kind = 15
	// MessageHandled: somebody has laid hands on the message of the event Request, from Member to Peer. A = 0 held where
	// it is, 1 let go: it arrives at Rev, 2 dropped.
	MessageHandled Kind = 17
)

// What is done to a message, in A of MessageHandled.
const (
	HandHeld    = 0
	HandLetGo   = 1
	HandDropped = 2
)

// Raft.
const (
	// RoleChanged: A = 0 follower, 1 candidate, 2 leader, 3 pre-candidate (raft's
	// StateType); Term, Peer = the leader known, 0 = none.
	RoleChanged Kind = 20
	// TermChanged: Term = the new one.
	TermChanged Kind = 21
	// VoteCast: Member gave Peer its vote in Term; raft has decided, the disk may
	// not have it yet.
	VoteCast Kind = 22
	// CommitAdvanced: Index is committed as far as Member knows; Term is its own.
	CommitAdvanced Kind = 23
	// ConfChanged: the configuration in force at Member changed by the entry at
	// Index. Peer = the member concerned, A = raft's ConfChangeType (0 add,
	// 1 remove, 2 update, 3 add learner), B = voters after, C = learners after.
	ConfChanged Kind = 24
	// ElectionTimer: Member stands for election after A ticks without a leader,
	// counted from now.
	ElectionTimer Kind = 25
	// ProgressChanged: what the leader Member knows of Peer in Term. Index = match,
	// A = next, C = index of the snapshot on its way; B = state (0 probe,
	// 1 replicate, 2 snapshot) with bits of ProgressPaused, ProgressActive and
	// ProgressLearner.
	ProgressChanged Kind = 26
	// VoteIgnored: Member has not answered Peer, who asked for its vote in Term by a
	// message Msg, because it hears a leader, A.
	VoteIgnored Kind = 27
)

// Bits of B in ProgressChanged, above raft's StateType.
const (
	ProgressPaused  = 4 // no appends are sent until it answers
	ProgressActive  = 8 // heard from since the last check of the quorum
	ProgressLearner = 16
)

// The log on disk.
const (
	// EntryAppended: the entry (Index, Term) joined Member's log in memory.
	// A = HashData of its data, B = raft's EntryType (0 normal).
	EntryAppended Kind = 30
	// LogTruncated: entries from Index on were removed by a conflict.
	LogTruncated Kind = 31
	// LogWritten: the log up to Index is in the file but not synced. Term = term
	// of the entry at Index, A = ticket, B = vote and C = term of the hard state
	// written with it (C = 0: none was). Rev = when a sync that has begun will be
	// done, -1 if nobody can know, 0 if none has to follow.
	LogWritten Kind = 32
	// LogSynced: the log up to Index survives a power loss. Fields as LogWritten but
	// Rev.
	LogSynced Kind = 33
	// LogFailed: the disk refused. Text = the error.
	LogFailed Kind = 34
	// LogCompacted: entries below Index are no longer kept in memory.
	LogCompacted Kind = 35
	// SnapshotSaved: a snapshot at (Index, Term) can replace the log before it.
	SnapshotSaved Kind = 36
	// SnapshotSent: Member sends Peer its state at (Index, Term), of A bytes.
	SnapshotSent Kind = 37
	// SnapshotInstalled: Member's state is now that of (Index, Term), at revision Rev.
	SnapshotInstalled Kind = 38
	// SnapshotRestored: raft has taken a received snapshot at (Index, Term) in place
	// of its log; the disk and the state machine follow.
	SnapshotRestored Kind = 39
	// EntryRecovered: a process that starts has found the entry (Index, Term) on
	// its disk. A and B as EntryAppended, Text = what it does, in a few characters.
	// Only the newest entries are told.
	EntryRecovered Kind = 40
	// LogMeasured: A = segments, B = bytes of the log's files in use.
	LogMeasured Kind = 41
	// DiskStalled: the disk of Member does nothing until A.
	DiskStalled Kind = 42
	// SnapshotAdopted: a received database of (Index, Term), at revision Rev,
	// compacted at A, with B keys, is about to take the place of Member's own: from
	// here on the next process may find it.
	SnapshotAdopted Kind = 43
	// SnapshotReceived: of the state at Index that Peer sends Member has A bytes of B in a file; B = 0: nobody knows.
	// Told now and then.
	SnapshotReceived Kind = 44
)

// The state machine.
const (
	// EntryApplied: (Index, Term), A = HashData of the data, Rev = revision after,
	// Request = id of the proposal (0 = none), B = keys after, C = operations in
	// the write buffer after.
	EntryApplied Kind = 50
	// BackendCommitted: everything applied up to Index is durable. A = operations.
	BackendCommitted Kind = 51
	// BackendCommitting: a commit of A operations has begun.
	BackendCommitting Kind = 52
	// StoreMeasured: Rev = compact revision, A = keys, B = operations in the write
	// buffer, C = size of the database, Index = bytes of that in use.
	StoreMeasured Kind = 53
	// StoreHashed: HashKV of the store at revision Rev is A.
	StoreHashed Kind = 54
)

// Linearizable reads.
const (
	// ReadIndexAsked: A = batch id.
	ReadIndexAsked Kind = 60
	// ReadIndexReady: reads of batch A may be served once Index is applied.
	ReadIndexReady Kind = 61
	// ReadIndexRetried: no answer came in time; A = the fresh batch id, B = the old.
	ReadIndexRetried Kind = 62
)

// The life of a client's request; Request = its id, Member = the serving
// member or 0 while it is at the client.
const (
	// RequestIssued: Peer = the endpoint chosen, A = operation code, Text = the
	// operation in words, B = client. With a Peer it is sent there at once.
	RequestIssued Kind = 70
	// RequestArrived: the member has it; A = operation code, B = 1 if a member asks, itself or another, and no client.
	// Peer = the member that it is to change, 0 = none.
	RequestArrived Kind = 71
	// RequestProposed: it went to raft; A = proposal id, B = HashData of the entry
	// to be, Text = what that does, in a few characters; Index and Term 0. Request =
	// 0 for what the member proposes of its own. Of a change of the members Peer = the one concerned, C = one more than
	// A of MemberChanged.
	RequestProposed Kind = 72
	// Station: Text = a step of the request, in the words of etcd's trace.
	Station Kind = 73
	// RequestDone: Rev = header revision, Text = error or "". At a member: the
	// reply left, Index = the entry it acknowledges (0 = none). At the client
	// (Member 0): the answer came from Peer (0 = nobody's word) to client A over
	// connection B; C = when the request was issued. One that failed there has no
	// Peer, and C = 1 if it may have happened, or may yet.
	RequestDone Kind = 74
	// RequestSent: a later attempt, number C of client B, leaves for Peer.
	RequestSent Kind = 75
	// RequestAnswered: what the answer says, in words; RequestDone at the client
	// follows.
	RequestAnswered Kind = 76
	// ClientJoined: there is a client B; 0 is the visitor of a page.
	ClientJoined Kind = 77
	// RequestDenied: who asks may not, at Member. A = what is lacking; Text = the name of the user, the first B bytes,
	// the first key of the range that is not permitted, C bytes, and its end. Index = the entry at which that was
	// judged, 0 if it was asked before. Of a watch Request = 0: it is the one that led to this.
	RequestDenied Kind = 78
)

// What is lacking, in A of RequestDenied.
const (
	DeniedRead  = 0 // to read the range
	DeniedWrite = 1 // to write it
	DeniedRoot  = 2 // the role root
)

// Revisions.
const (
	// RevisionAdvanced: Rev wrote key Text; A = 0 put, 1 delete.
	RevisionAdvanced Kind = 90
	// Compacted: history below Rev is gone.
	Compacted Kind = 91
	// KeyIndexed: the index knows key Text at Rev.
	KeyIndexed Kind = 92
	// CompactionDue: Member proposes by itself that history below Rev goes: B = proposal.
	CompactionDue Kind = 93
)

// Watches; A = watch id, B = stream.
const (
	// WatchCreated: Rev = first revision wanted, Text = key.
	WatchCreated Kind = 100
	// WatchPushed: C = events in the response, Rev = revision of its header.
	WatchPushed Kind = 101
	// WatchCanceled: Text = reason.
	WatchCanceled Kind = 102
	// WatchReceived: a response is at its client. A = the request
	// that opened the watch, B = the client, C = events in it, Rev = revision of its
	// header; Index = 1 for a fragment that others follow, 2 where the watch was
	// created, 3 where it was canceled.
	WatchReceived Kind = 103
	// WatchAsked: the client asks Peer for the watch from revision Rev on (0 = now).
	// A and B as WatchReceived; Text = the key and the end of its range, the first C
	// bytes being the key.
	WatchAsked Kind = 104
	// WatchChange: one change has reached the client. A and B as WatchReceived, Rev =
	// its revision, Index = 1 for a deletion, Text = key and value (cut short), the
	// first C bytes being the key.
	WatchChange Kind = 105
	// WatchMoved: told how far its stream is, the client would go on at revision Rev.
	// A and B as WatchReceived.
	WatchMoved Kind = 106
	// WatchEnded: the watch is over for its client, Text = why. A and B as
	// WatchReceived.
	WatchEnded Kind = 107
	// WatchStreamClosed: the stream B of Member has ended with C watches on it.
	WatchStreamClosed Kind = 108
)

// Leases; A = the lease's id, as unsigned.
const (
	// LeaseGranted: the entry at Index made the lease, at Member. C = TTL in seconds.
	LeaseGranted Kind = 110
	// LeaseRevoked: the entry at Index, of proposal B, ended it, and deleted its keys, C of them, at Rev.
	LeaseRevoked Kind = 111
	// LeaseCheckpointed: the entry at Index says that C seconds are left; 0 = all of its TTL.
	LeaseCheckpointed Kind = 112
	// LeaseRenewed: Member, the leader of Term, gave it C seconds from now on, by request Request.
	LeaseRenewed Kind = 113
	// LeaseExpired: it has run out at Member, the leader of Term, who proposes to revoke it: B = proposal.
	LeaseExpired Kind = 114
	// LessorPromoted: Member leads Term and counts the time of all leases from now on, A of them.
	LessorPromoted Kind = 115
	// LessorDemoted: Member does not lead Term any more, and has stopped.
	LessorDemoted Kind = 116
)

// Members that come and go.
const (
	// MemberChanged: the entry at Index, applied at Member, is a change of the members. Peer = the one concerned, A = what
	// it does (0 adds a voter, 1 removes, 2 gives other URLs, 3 adds a learner, 4 promotes), Text = why it was refused, ""
	// if it was not.
	MemberChanged Kind = 117
	// MemberLeft: Member knows that it was removed, by its own log or because Peer says so, and stops soon.
	MemberLeft Kind = 118
)

// The world around the cluster.
const (
	// Command: Text = the user's command in its canonical form.
	Command Kind = 120
	// Fault: Text = what the dice did.
	Fault Kind = 121
	// Violated: A = number of the invariant, Text = how; Cause = the event that
	// broke it.
	Violated Kind = 122
)

// kinds maps a number to its name and group.
var kinds = [256]struct{ name, group string }{
	MemberStarted:     {"member-started", "process"},
	MemberCrashed:     {"member-crashed", "process"},
	MemberStopped:     {"member-stopped", "process"},
	MemberPaused:      {"member-paused", "process"},
	MemberResumed:     {"member-resumed", "process"},
	MemberStarting:    {"member-starting", "process"},
	ClockSet:          {"clock-set", "process"},
	ClockTicked:       {"clock-ticked", "process"},
	RecordingBegan:    {"recording-began", "process"},
	RecordingEnded:    {"recording-ended", "process"},
	MessageSent:       {"message-sent", "network"},
	MessageDelivered:  {"message-delivered", "network"},
	MessageDropped:    {"message-dropped", "network"},
	LinkCut:           {"link-cut", "network"},
	LinkHealed:        {"link-healed", "network"},
	MessageDoubled:    {"message-doubled", "network"},
	MessageHandled:    {"message-handled", "network"},
	RoleChanged:       {"role-changed", "raft"},
	TermChanged:       {"term-changed", "raft"},
	VoteCast:          {"vote-cast", "raft"},
	CommitAdvanced:    {"commit-advanced", "raft"},
	ConfChanged:       {"conf-changed", "raft"},
	ElectionTimer:     {"election-timer", "raft"},
	ProgressChanged:   {"progress-changed", "raft"},
	VoteIgnored:       {"vote-ignored", "raft"},
	EntryAppended:     {"entry-appended", "log"},
	LogTruncated:      {"log-truncated", "log"},
	LogWritten:        {"log-written", "log"},
	LogSynced:         {"log-synced", "log"},
	LogFailed:         {"log-failed", "log"},
	LogCompacted:      {"log-compacted", "log"},
	SnapshotSaved:     {"snapshot-saved", "log"},
	SnapshotSent:      {"snapshot-sent", "log"},
	SnapshotInstalled: {"snapshot-installed", "log"},
	SnapshotRestored:  {"snapshot-restored", "log"},
	SnapshotAdopted:   {"snapshot-adopted", "log"},
	SnapshotReceived:  {"snapshot-received", "log"},
	EntryRecovered:    {"entry-recovered", "log"},
	LogMeasured:       {"log-measured", "log"},
	DiskStalled:       {"disk-stalled", "log"},
	EntryApplied:      {"entry-applied", "apply"},
	BackendCommitted:  {"backend-committed", "apply"},
	BackendCommitting: {"backend-committing", "apply"},
	StoreMeasured:     {"store-measured", "apply"},
	StoreHashed:       {"store-hashed", "apply"},
	ReadIndexAsked:    {"read-index-asked", "read"},
	ReadIndexReady:    {"read-index-ready", "read"},
	ReadIndexRetried:  {"read-index-retried", "read"},
	RequestIssued:     {"request-issued", "request"},
	RequestArrived:    {"request-arrived", "request"},
	RequestProposed:   {"request-proposed", "request"},
	Station:           {"station", "request"},
	RequestDone:       {"request-done", "request"},
	RequestSent:       {"request-sent", "request"},
	RequestAnswered:   {"request-answered", "request"},
	RequestDenied:     {"request-denied", "request"},
	ClientJoined:      {"client-joined", "request"},
	RevisionAdvanced:  {"revision-advanced", "mvcc"},
	Compacted:         {"compacted", "mvcc"},
	KeyIndexed:        {"key-indexed", "mvcc"},
	CompactionDue:     {"compaction-due", "mvcc"},
	WatchCreated:      {"watch-created", "watch"},
	WatchPushed:       {"watch-pushed", "watch"},
	WatchCanceled:     {"watch-canceled", "watch"},
	WatchReceived:     {"watch-received", "watch"},
	WatchAsked:        {"watch-asked", "watch"},
	WatchChange:       {"watch-change", "watch"},
	WatchMoved:        {"watch-moved", "watch"},
	WatchEnded:        {"watch-ended", "watch"},
	WatchStreamClosed: {"watch-stream-closed", "watch"},
	LeaseGranted:      {"lease-granted", "lease"},
	LeaseRevoked:      {"lease-revoked", "lease"},
	LeaseCheckpointed: {"lease-checkpointed", "lease"},
	LeaseRenewed:      {"lease-renewed", "lease"},
	LeaseExpired:      {"lease-expired", "lease"},
	LessorPromoted:    {"lessor-promoted", "lease"},
	LessorDemoted:     {"lessor-demoted", "lease"},
	MemberChanged:     {"member-changed", "raft"},
	MemberLeft:        {"member-left", "raft"},
	Command:           {"command", "world"},
	Fault:             {"fault", "world"},
	Violated:          {"violated", "world"},
}

// Valid reports whether k is a kind of this version.
func (k Kind) Valid() bool { return kinds[k].name != "" }

// String gives the kind in kebab case: "vote-cast".
func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("kind-%d", uint8(k))
	}
	return kinds[k].name
}

// Group names the part of the system the kind belongs to: "raft", "log", ...
func (k Kind) Group() string { return kinds[k].group }

// messages names the values of Event.Msg: raft's message types, one up.
var messages = [...]string{"",
	"MsgHup", "MsgBeat", "MsgProp", "MsgApp", "MsgAppResp", "MsgVote", "MsgVoteResp", "MsgSnap",
	"MsgHeartbeat", "MsgHeartbeatResp", "MsgUnreachable", "MsgSnapStatus", "MsgCheckQuorum",
	"MsgTransferLeader", "MsgTimeoutNow", "MsgReadIndex", "MsgReadIndexResp", "MsgPreVote", "MsgPreVoteResp",
	"MsgStorageAppend", "MsgStorageAppendResp", "MsgStorageApply", "MsgStorageApplyResp", "MsgForgetLeader",
}

// MessageName names a value of Event.Msg in raft's words; "" for 0.
func MessageName(msg uint8) string {
	if int(msg) < len(messages) {
		return messages[msg]
	}
	return fmt.Sprintf("Msg%d", msg-1)
}

// MessageOf finds the value of Event.Msg by raft's name.
func MessageOf(name string) (uint8, bool) {
	for i, n := range messages {
		if n == name {
			return uint8(i), true
		}
	}
	return 0, false
}
