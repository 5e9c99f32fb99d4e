package sim

// State is a picture of the world: everything the page draws and a test
// asserts. Its slices belong to the caller and are reused by StateInto.
// Times are nanoseconds since the world began.
type State struct {
	Now    int64  `json:"now"`
	Seed   uint64 `json:"seed"`
	Hash   string `json:"hash"`   // running hash of all events, 16 hex digits
	Events uint64 `json:"events"` // events so far
	Leader uint64 `json:"leader"` // the running leader with the highest term, 0 = none
	Term   uint64 `json:"term"`   // the highest term of any running member
	Commit uint64 `json:"commit"` // the highest commit index anywhere

	LogFirst uint64 `json:"logFirst"` // the log window, the same for all members
	LogLast  uint64 `json:"logLast"`

	Members    []MemberState    `json:"members"`
	Links      []LinkState      `json:"links"`
	Messages   []MessageState   `json:"messages"`
	Clients    []ClientState    `json:"clients"`
	Requests   []RequestState   `json:"requests"` // oldest first; the pending and the last finished ones
	Watches    []WatchState     `json:"watches"`
	Invariants []InvariantState `json:"invariants"`
	Faults     []Count          `json:"faults"` // faults injected so far by class, sorted
	Violation  *Violation       `json:"violation,omitempty"`
	Dials      Dials            `json:"dials"`
}

// Dials are the settings that a set command turns.
type Dials struct {
	Loss      float64 `json:"loss"`
	Duplicate float64 `json:"duplicate"`
	Latency   int64   `json:"latency"` // fixed one-way part, ns
	Jitter    int64   `json:"jitter"`
	Fsync     int64   `json:"fsync"`
	Rate      float64 `json:"rate"`
}

// Roles of a member as State names them.
const (
	RoleFollower     = "follower"
	RoleCandidate    = "candidate"
	RolePreCandidate = "pre-candidate"
	RoleLeader       = "leader"
)

// What a process is doing.
const (
	Running  = "running"
	Paused   = "paused"
	Crashed  = "crashed"  // unsynced data lost
	Killed   = "killed"   // page cache kept
	Stopped  = "stopped"  // by itself, after a failed disk or damage; see Reason
	Starting = "starting" // recovering
)

// MemberState is all that can be seen of one member. Of a dead one the
// figures are the last that it had, and Written is what its disk holds.
type MemberState struct {
	ID          uint64 `json:"id"`
	Name        string `json:"name"`
	Role        string `json:"role"`
	Learner     bool   `json:"learner"`
	Alive       bool   `json:"alive"`   // running or paused
	Process     string `json:"process"` // Running, Paused, ...
	Reason      string `json:"reason,omitempty"`
	Incarnation int    `json:"incarnation"` // 1 = never restarted

	Term    uint64 `json:"term"`
	Vote    uint64 `json:"vote"`
	Lead    uint64 `json:"lead"`
	First   uint64 `json:"first"`   // first index in the log
	Last    uint64 `json:"last"`    // last index appended in memory
	Written uint64 `json:"written"` // last index in the file, synced or not
	Synced  uint64 `json:"synced"`  // last index that survives a crash
	Commit  uint64 `json:"commit"`
	Applied uint64 `json:"applied"`
	Durable uint64 `json:"durable"`  // applied index of the backend on disk
	Snap    uint64 `json:"snapshot"` // index of the newest local snapshot, 0 = none

	Elapsed       int   `json:"elapsed"` // ticks since it last heard from a leader or campaigned
	Timeout       int   `json:"timeout"` // ticks after which it campaigns
	ElectionAt    int64 `json:"electionAt"`
	HeardAt       int64 `json:"heardAt"`       // when it last received anything from its leader (a leader: from any peer)
	QuorumHeardAt int64 `json:"quorumHeardAt"` // leader only: when it last had heard from a quorum
	NextTickAt    int64 `json:"nextTickAt"`

	Revision   int64  `json:"revision"`
	CompactRev int64  `json:"compactRevision"`
	Keys       int    `json:"keys"`
	HashKV     uint32 `json:"hashKV"` // refreshed at most every 100 ms
	DBSize     int64  `json:"dbSize"`
	DBInUse    int64  `json:"dbSizeInUse"`
	Buffered   int    `json:"buffered"` // operations in the write buffer
	Watchers   int    `json:"watchers"`

	Disk       string `json:"disk"` // idle, writing, syncing, committing, stalled
	DiskSince  int64  `json:"diskSince"`
	DiskUntil  int64  `json:"diskUntil"`
	LogQueue   int    `json:"logQueue"`   // log writes waiting
	ApplyQueue int    `json:"applyQueue"` // apply batches waiting
	Inbox      int    `json:"inbox"`      // inputs waiting while paused
	Segments   int    `json:"segments"`   // WAL files
	WALBytes   int64  `json:"walBytes"`

	Votes    []VoteState     `json:"votes"`    // candidates: who answered
	Progress []ProgressState `json:"progress"` // leaders: one a peer
	Log      []EntryState    `json:"log"`      // the part inside the log window
}

// VoteState is one answer to a candidate.
type VoteState struct {
	ID      uint64 `json:"id"`
	Granted bool   `json:"granted"`
}

// ProgressState is what a leader believes of one peer.
type ProgressState struct {
	ID       uint64 `json:"id"`
	Match    uint64 `json:"match"`
	Next     uint64 `json:"next"`
	State    string `json:"state"`    // probe, replicate, snapshot
	Inflight int    `json:"inflight"` // entries sent and not answered
	Snapshot uint64 `json:"snapshot"` // index of the one on its way, 0 = none
	Paused   bool   `json:"paused"`
	Active   bool   `json:"active"` // heard from since the last quorum check
	Learner  bool   `json:"learner"`
}

// EntryState is one cell of the log matrix.
type EntryState struct {
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	Text      string `json:"text"` // at most a few characters: "x=1", "del x", "no-op", "conf"
	Written   bool   `json:"written"`
	Synced    bool   `json:"synced"`
	Committed bool   `json:"committed"`
	Applied   bool   `json:"applied"`
}

// LinkState is one direction between two members.
type LinkState struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Cut  bool   `json:"cut"`
}

// MessageState is a message between two members that is on its way, or was
// lost a moment ago.
type MessageState struct {
	ID      uint64 `json:"id"`  // the same in every picture
	Seq     uint64 `json:"seq"` // of the event that sent it
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	Type    string `json:"type"` // raft's name: MsgApp, MsgVote ...
	Term    uint64 `json:"term"`
	Index   uint64 `json:"index"`
	Commit  uint64 `json:"commit"`
	LogTerm uint64 `json:"logTerm"`
	Entries int    `json:"entries"`
	Reject  bool   `json:"reject"`
	Sent    int64  `json:"sent"`
	Arrives int64  `json:"arrives"`        // a lost one: when it would have
	Lost    string `json:"lost,omitempty"` // loss, cut, down; lost ones stay in the picture until Arrives
}

// ClientState is one simulated client.
type ClientState struct {
	ID       int    `json:"id"`       // 0 is the visitor, whose requests are commands
	Endpoint uint64 `json:"endpoint"` // the member it speaks to next
	Request  uint64 `json:"request"`  // the request it waits for, 0 = none
	Done     int    `json:"done"`
	Failed   int    `json:"failed"`
}

// What became of a request.
const (
	StatusPending = "pending"
	StatusOK      = "ok"
	StatusError   = "error"
	StatusUnknown = "unknown" // it may have happened or may yet happen
)

// RequestState follows one client request from station to station.
type RequestState struct {
	ID       uint64         `json:"id"`
	Client   int            `json:"client"`
	Op       string         `json:"op"`   // put, get, delete, txn, watch, compact
	Text     string         `json:"text"` // the request in words
	Key      string         `json:"key"`
	Member   uint64         `json:"member"` // of the last attempt
	Attempts int            `json:"attempts"`
	Status   string         `json:"status"`
	Error    string         `json:"error,omitempty"`
	Result   string         `json:"result,omitempty"` // the answer in words
	Revision int64          `json:"revision,omitempty"`
	Issued   int64          `json:"issued"`
	Done     int64          `json:"done,omitempty"`
	Stations []StationState `json:"stations"`
}

// StationState is a stop on a request's way; names are etcd's trace steps.
type StationState struct {
	Name   string `json:"name"`
	At     int64  `json:"at"`
	Member uint64 `json:"member"` // 0 = at the client or on the wire
	Note   string `json:"note,omitempty"`
}

// WatchState is one watch of a client with the last events it received.
type WatchState struct {
	ID       uint64       `json:"id"` // the request that opened it
	Client   int          `json:"client"`
	Key      string       `json:"key"`
	End      string       `json:"end,omitempty"`
	Member   uint64       `json:"member"`
	Open     bool         `json:"open"`
	Reason   string       `json:"reason,omitempty"` // why it was canceled
	Next     int64        `json:"next"`             // revision from which it would resume
	Received int          `json:"received"`
	Events   []WatchEvent `json:"events"` // newest last
}

// WatchEvent is one change that a watch delivered.
type WatchEvent struct {
	At    int64  `json:"at"`
	Rev   int64  `json:"revision"`
	Type  string `json:"type"` // PUT, DELETE
	Key   string `json:"key"`
	Value string `json:"value"`
}

// InvariantState is one light: the invariants of core/check by number.
type InvariantState struct {
	ID   string `json:"id"`   // "I1"
	Name string `json:"name"` // "Election safety"
	OK   bool   `json:"ok"`
}

// Count is a name with a number.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}
