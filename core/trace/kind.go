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
	// (power), 0 when the page cache survives (kill).
	MemberCrashed Kind = 2
	// MemberStopped: a process ended by its own decision. Text = the reason.
	MemberStopped Kind = 3
	// MemberPaused: a process stopped running but keeps its memory.
	MemberPaused Kind = 4
	// MemberResumed: a paused process runs again.
	MemberResumed Kind = 5
)

// Messages between members.
const (
	// MessageSent: Member = from, Peer = to, Msg, Term, Index; A = commit,
	// B = log term, C = number of entries, with bit 32 set for a rejection.
	MessageSent Kind = 10
	// MessageDelivered: Member = to, Peer = from, the rest as sent; Cause = the sending.
	MessageDelivered Kind = 11
	// MessageDropped: Member = to, Peer = from, Msg; Text = "loss", "cut", "down" or
	// "full" (no room in a queue).
	MessageDropped Kind = 12
	// LinkCut: nothing passes from Member to Peer any more.
	LinkCut Kind = 13
	// LinkHealed: messages pass from Member to Peer again.
	LinkHealed Kind = 14
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
)

// The log on disk.
const (
	// EntryAppended: the entry (Index, Term) joined Member's log in memory.
	// A = HashData of its data.
	EntryAppended Kind = 30
	// LogTruncated: entries from Index on were removed by a conflict.
	LogTruncated Kind = 31
	// LogWritten: the log up to Index is in the file but not synced. Term = term
	// of the entry at Index, A = ticket, B = vote and C = term of the hard state
	// written with it (C = 0: none was).
	LogWritten Kind = 32
	// LogSynced: the log up to Index survives a power loss. Fields as LogWritten.
	LogSynced Kind = 33
	// LogFailed: the disk refused. Text = the error.
	LogFailed Kind = 34
	// LogCompacted: entries below Index are no longer kept in memory.
	LogCompacted Kind = 35
	// SnapshotSaved: a snapshot at (Index, Term) can replace the log before it.
	SnapshotSaved Kind = 36
	// SnapshotSent: Member sends Peer its state at (Index, Term).
	SnapshotSent Kind = 37
	// SnapshotInstalled: Member's state is now that of (Index, Term), at revision Rev.
	SnapshotInstalled Kind = 38
)

// The state machine.
const (
	// EntryApplied: (Index, Term), A = HashData of the data, Rev = revision after,
	// Request = id of the proposal (0 = none).
	EntryApplied Kind = 50
	// BackendCommitted: everything applied up to Index is durable. A = operations.
	BackendCommitted Kind = 51
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
	// operation in words.
	RequestIssued Kind = 70
	// RequestArrived: the member has it; A = operation code.
	RequestArrived Kind = 71
	// RequestProposed: it went to raft; A = proposal id, Index and Term 0.
	RequestProposed Kind = 72
	// Station: Text = a step of the request, in the words of etcd's trace.
	Station Kind = 73
	// RequestDone: Rev = header revision, Text = error or "". At a member: the
	// reply left, Index = the entry it acknowledges (0 = none). At the client
	// (Member 0): the answer came from Peer (0 = nobody's word) to client A over
	// connection B; C = when the request was issued.
	RequestDone Kind = 74
)

// Revisions.
const (
	// RevisionAdvanced: Rev wrote key Text; A = 0 put, 1 delete.
	RevisionAdvanced Kind = 90
	// Compacted: history below Rev is gone.
	Compacted Kind = 91
	// KeyIndexed: the index knows key Text at Rev.
	KeyIndexed Kind = 92
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
	// header.
	WatchReceived Kind = 103
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
	MessageSent:       {"message-sent", "network"},
	MessageDelivered:  {"message-delivered", "network"},
	MessageDropped:    {"message-dropped", "network"},
	LinkCut:           {"link-cut", "network"},
	LinkHealed:        {"link-healed", "network"},
	RoleChanged:       {"role-changed", "raft"},
	TermChanged:       {"term-changed", "raft"},
	VoteCast:          {"vote-cast", "raft"},
	CommitAdvanced:    {"commit-advanced", "raft"},
	ConfChanged:       {"conf-changed", "raft"},
	EntryAppended:     {"entry-appended", "log"},
	LogTruncated:      {"log-truncated", "log"},
	LogWritten:        {"log-written", "log"},
	LogSynced:         {"log-synced", "log"},
	LogFailed:         {"log-failed", "log"},
	LogCompacted:      {"log-compacted", "log"},
	SnapshotSaved:     {"snapshot-saved", "log"},
	SnapshotSent:      {"snapshot-sent", "log"},
	SnapshotInstalled: {"snapshot-installed", "log"},
	EntryApplied:      {"entry-applied", "apply"},
	BackendCommitted:  {"backend-committed", "apply"},
	ReadIndexAsked:    {"read-index-asked", "read"},
	ReadIndexReady:    {"read-index-ready", "read"},
	ReadIndexRetried:  {"read-index-retried", "read"},
	RequestIssued:     {"request-issued", "request"},
	RequestArrived:    {"request-arrived", "request"},
	RequestProposed:   {"request-proposed", "request"},
	Station:           {"station", "request"},
	RequestDone:       {"request-done", "request"},
	RevisionAdvanced:  {"revision-advanced", "mvcc"},
	Compacted:         {"compacted", "mvcc"},
	KeyIndexed:        {"key-indexed", "mvcc"},
	WatchCreated:      {"watch-created", "watch"},
	WatchPushed:       {"watch-pushed", "watch"},
	WatchCanceled:     {"watch-canceled", "watch"},
	WatchReceived:     {"watch-received", "watch"},
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
