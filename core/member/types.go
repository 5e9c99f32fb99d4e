package member

import (
	"vitrine/core/api"
	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// InputKind says which fields of an Input count.
type InputKind uint8

// What can happen to a member.
const (
	Tick    InputKind = iota + 1 // Config.TickInterval has passed
	Receive                      // a message from a peer: Message. The image of a MsgSnap must be durable by then.
	LogDone                      // the write with Ticket, and all before it, are done (and durable where MustSync)
	// LogFailed: a write or sync of the WAL, or a commit of the backend, has failed with Err. The member halts.
	LogFailed
	Applied // the batch with Ticket is applied: Result
	// the snapshot of the batch with Ticket is the store now: Result with Index, Term, Revision, CompactRevision, Members,
	// Alarms, Auth, AllLeases
	SnapshotApplied
	Request   // a client asks: Call
	Cancel    // the client of the request with id ID no longer waits; there will be no reply
	WorkDone  // the driver has done a piece of Work: Done
	WatchOpen // a watch stream begins: Stream, and Call for its Identity; OK = its client requires a leader
	// a message on a watch stream: Stream, Watch; Revision = the store's, if that may be ahead of this core; Call, if not
	// nil, for the Identity of the stream's client as its token is read now: a signed one runs out
	WatchRequest
	WatchClose // the client's side of the stream has ended: Stream
	WatchSent  // N pushes of the stream have left: Stream, N
	Scanned    // the answer to a Scan: Scan
	// PeerUnreachable: a message to Peer could not be sent.
	PeerUnreachable
	PeerConnected  // the connection to Peer is whole (OK) or broken
	Expelled       // Peer says that this member was removed: it knows of changes that have not come here
	SnapshotStatus // a snapshot sent to Peer has arrived (OK) or not
	Backed         // the backend has made everything up to Backed durable
	Compacted      // no compaction is pending in the store any more: those up to revision Revision are finished
	Campaign       // stand for election now
	// TransferLeadership hands leadership to Peer, or, if that is 0, to the voter that is most up to date.
	TransferLeadership
	// Versions: the servers of all members are of release Version or newer, and of Newest or older; nil = not all have
	// said what they are. A driver that can ask them does so now and then while this member leads, and at the beginning
	// of its leadership.
	Versions
	Forwarded // another member's answer to a Forward: ID, Response, or Err if there is none
)

// Input is one thing that happens to a member.
type Input struct {
	Kind     InputKind
	Cause    uint64 // trace: the event that this input is, or follows from
	Message  *raftpb.Message
	Ticket   uint64
	Result   *store.Result
	Call     *api.Call
	Done     *auth.Done
	ID       uint64 // of the request to cancel
	Stream   uint64
	Watch    *pb.WatchRequest
	Scan     *watch.ScanResult
	Peer     uint64
	OK       bool
	N        int
	Backed   backend.Applied
	Revision int64
	Version  *membership.Version
	Newest   *membership.Version
	Response any
	Err      error
}

// Output is everything a member wants done. The driver owns it and hands the same one in again: Poll empties the
// slices before it fills them. What they point to is shared and immutable.
type Output struct {
	Sends   []consensus.Send       // to peers; best effort
	Log     []consensus.LogWrite   // ordered lane to the WAL
	Applies []consensus.ApplyBatch // ordered lane to the store, independent of Log
	Replies []api.Reply
	Reads   []api.ReadReady
	// Forwards are calls for other members. Each is answered by an input Forwarded, or never.
	Forwards []api.Forward
	Pushes   []watch.Push // to watch streams
	Scans    []watch.Scan // history that watchers need from the store
	Ends     []StreamEnd
	Works    []auth.Work // secret, and slow: not for the goroutine of this member
	// Refused is why the newest of the peers' messages that were refused was, nil if none was.
	Refused error
	// Halt, if not nil, says why the member has stopped for good. It wants nothing done any more.
	Halt error
}

// A StreamEnd tells the driver to end a watch stream with an error; it need not step WatchClose for it.
type StreamEnd struct {
	Stream uint64
	Err    error
}

// StoreInfo is what a member must know about the store that it boots with.
type StoreInfo struct {
	Revision, CompactRevision int64
	Members                   *membership.Members // a copy
	Alarms                    []*pb.AlarmMember   // Store.Alarms.List
	Auth                      *auth.State         // a copy; nil = nobody is known and all may do all
	Leases                    []lease.Lease       // Store.Leases.All
}
