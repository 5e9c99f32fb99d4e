package picture

// State is one picture. Its slices belong to the caller and are reused by Into.
// Times are nanoseconds since the stream began.
type State struct {
	Now    int64  `json:"now"`
	Events uint64 `json:"events"` // number of the last event
	Leader uint64 `json:"leader"` // the running leader with the highest term, 0 = none
	Term   uint64 `json:"term"`   // the highest term of any running member
	Commit uint64 `json:"commit"` // the highest commit index anywhere

	LogFirst uint64 `json:"logFirst"` // the log window, the same for all members
	LogLast  uint64 `json:"logLast"`

	Members    []Member   `json:"members"` // by id
	Conf       Conf       `json:"conf"`    // who decides
	Links      []Link     `json:"links"`
	Messages   []Message  `json:"messages"`
	Clients    []Client   `json:"clients"`
	Requests   []Request  `json:"requests"` // oldest first; the pending and the last finished ones
	Watches    []Watch    `json:"watches"`
	Invariants []Light    `json:"invariants"`
	Violation  *Violation `json:"violation,omitempty"`
}

// Roles of a member.
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
	Unknown  = "unknown"  // nothing tells
)

// Member is all that can be seen of one member. Of a process that is not there
// the figures are those of its disk.
type Member struct {
	ID          uint64 `json:"id"`
	Name        string `json:"name"`
	Role        string `json:"role"`
	Learner     bool   `json:"learner"`  // by its own view, as Voters
	Standing    string `json:"standing"` // StandingVoter, ... as State.Conf has it; "" = none, or nobody tells
	Joining     bool   `json:"joining"`  // it was added, and has not applied that yet
	Voters      int    `json:"voters"`   // as its raft counts them: a quorum is more than half
	Alive       bool   `json:"alive"`    // running or paused
	Process     string `json:"process"`  // Running, Paused, ...
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
	Snap    uint64 `json:"snapshot"` // index of the newest snapshot record in its log, 0 = none

	Elapsed       int   `json:"elapsed"` // ticks since it last heard from a leader or campaigned
	Timeout       int   `json:"timeout"` // ticks after which it campaigns, 0 = not known
	ElectionAt    int64 `json:"electionAt"`
	HeardAt       int64 `json:"heardAt"`       // when it last received anything from its leader (a leader: from any peer)
	QuorumHeardAt int64 `json:"quorumHeardAt"` // leader only: when it last had heard from a quorum
	NextTickAt    int64 `json:"nextTickAt"`

	Revision   int64  `json:"revision"`
	CompactRev int64  `json:"compactRevision"`
	Keys       int    `json:"keys"`
	HashKV     uint32 `json:"hashKV"`       // 0 = not known
	HashRev    int64  `json:"hashRevision"` // of HashKV
	DBSize     int64  `json:"dbSize"`
	DBInUse    int64  `json:"dbSizeInUse"`
	Buffered   int    `json:"buffered"` // operations in the write buffer
	Watchers   int    `json:"watchers"`

	Disk       string `json:"disk"` // idle, writing, syncing, committing, stalled
	DiskSince  int64  `json:"diskSince"`
	DiskUntil  int64  `json:"diskUntil"`
	LogQueue   int    `json:"logQueue"`   // entries in memory that are not synced
	ApplyQueue int    `json:"applyQueue"` // committed entries that are not applied
	Inbox      int    `json:"inbox"`      // messages waiting while it is paused
	Segments   int    `json:"segments"`   // WAL files
	WALBytes   int64  `json:"walBytes"`

	Image    *Image     `json:"image,omitempty"` // a snapshot that it is receiving
	Votes    []Vote     `json:"votes"`           // candidates: who answered
	Refusals []Refusal  `json:"refusals"`        // who did not vote for it when it asked last, and why
	Progress []Progress `json:"progress"`        // leaders: one a peer
	Log      []Entry    `json:"log"`             // the part inside the log window
}

// Image is how much of a snapshot has come.
type Image struct {
	From  uint64 `json:"from"`
	Index uint64 `json:"index"` // at which it stands
	Got   int64  `json:"got"`   // bytes in its file
	Size  int64  `json:"size"`  // that it will have, 0 = nobody knows
}

// Vote is one answer to a candidate.
type Vote struct {
	ID      uint64 `json:"id"`
	Granted bool   `json:"granted"`
}

// Refusal is a member that does not vote for a candidate.
type Refusal struct {
	ID  uint64 `json:"id"`
	Why string `json:"why"`           // WhyLeader, ...
	For uint64 `json:"for,omitempty"` // the leader that it hears, or whom it has voted for
	At  int64  `json:"at"`
}

// Progress is what a leader believes of one peer.
type Progress struct {
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

// Entry is one cell of the log matrix.
type Entry struct {
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	Text      string `json:"text"` // at most a few characters: "x=1", "del x", "no-op", "conf"; empty if nothing tells
	Written   bool   `json:"written"`
	Synced    bool   `json:"synced"`
	Committed bool   `json:"committed"`
	Applied   bool   `json:"applied"`
}

// Link is one direction between two members.
type Link struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Cut  bool   `json:"cut"`
}

// Message is a message between two members that is on its way, or was lost a
// moment ago.
type Message struct {
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
	Size    int64  `json:"size,omitempty"` // of the snapshot that it brings, bytes
	Reject  bool   `json:"reject"`
	Sent    int64  `json:"sent"`
	Arrives int64  `json:"arrives"`          // 0 = not known; a lost one: when it would have
	Held    int64  `json:"held,omitempty"`   // since when somebody holds it, 0 = nobody does
	Waited  int64  `json:"waited,omitempty"` // how long it was held before
	Lost    string `json:"lost,omitempty"`   // loss, cut, hand; lost ones stay in the picture until Arrives
}

// Way is how much of its way a message has behind it at a moment, from 0 to 1.
// Of one whose arrival nobody knows it is a half.
func (m *Message) Way(now float64) float64 {
	if m.Arrives == 0 {
		return 0.5
	}
	if m.Held != 0 {
		now = float64(m.Held)
	}
	way := (now - float64(m.Sent+m.Waited)) / max(1, float64(m.Arrives-m.Sent-m.Waited))
	return max(0, min(1, way))
}

// Client is one client of the cluster that takes part in the stream.
type Client struct {
	ID     int `json:"id"` // 0 is the visitor of a page
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

// What became of a request.
const (
	StatusPending = "pending"
	StatusOK      = "ok"
	StatusError   = "error"
	StatusUnknown = "unknown" // it may have happened or may yet happen
)

// Outside is the Client of a request whose client takes no part in the stream.
const Outside = -1

// Request follows one client request from station to station.
type Request struct {
	ID       uint64    `json:"id"`
	Client   int       `json:"client"`
	Op       string    `json:"op"`     // put, get, delete, txn, watch, compact, ...
	Text     string    `json:"text"`   // the request in words
	Member   uint64    `json:"member"` // of the last attempt
	Attempts int       `json:"attempts"`
	Status   string    `json:"status"`
	Error    string    `json:"error,omitempty"`
	Result   string    `json:"result,omitempty"` // the answer in words
	Revision int64     `json:"revision,omitempty"`
	Issued   int64     `json:"issued"`
	Done     int64     `json:"done,omitempty"`
	Stations []Station `json:"stations"`
	Denied   *Denied   `json:"denied,omitempty"` // who asks lacked a permission

	Behind *Behind `json:"behind,omitempty"` // of a promotion that was refused

	Lack    Lack    `json:"lack"`             // what one that is pending waits for
	Missed  *Missed `json:"missed,omitempty"` // of a read that asked no leader: what it should have seen
	Fate    string  `json:"fate,omitempty"`   // of one whose client does not know: FateHappened, FateNever
	FateRev int64   `json:"fateRevision,omitempty"`

	Wire Wire `json:"-"`
}

// Denied is the permission that a request lacked, and where that was judged.
type Denied struct {
	User   string `json:"user"`
	Lacks  string `json:"lacks"` // read, write, root
	Key    string `json:"key,omitempty"`
	End    string `json:"end,omitempty"`
	Member uint64 `json:"member"`
	Index  uint64 `json:"index,omitempty"` // of the entry, 0 = before there was one
}

// Behind is how far a learner was, and its leader, when it was asked to vote.
type Behind struct {
	Member uint64 `json:"member"`
	Match  uint64 `json:"match"`
	Own    uint64 `json:"own"`
}

// Lack is what a request waits for, and of whom.
type Lack struct {
	Kind   string   `json:"kind"` // LackWay, ...; "" = it is over
	Member uint64   `json:"member,omitempty"`
	For    uint64   `json:"for,omitempty"`
	Index  uint64   `json:"index,omitempty"`
	Have   uint64   `json:"have,omitempty"`
	Need   int      `json:"need,omitempty"`
	Of     []uint64 `json:"of,omitempty"`
}

// Missed is a write that was acknowledged before a read began that did not see it.
type Missed struct {
	Rev  int64  `json:"revision"`
	Text string `json:"text"`
	At   int64  `json:"at"`
}

// Wire tells when the last attempt of a request left its client, reached its
// member and was answered there; 0 = not yet.
type Wire struct{ Sent, Arrived, Answered int64 }

// Station is a stop on a request's way; names are etcd's trace steps.
type Station struct {
	Name   string `json:"name"`
	At     int64  `json:"at"`
	Member uint64 `json:"member"`         // 0 = at the client or on the wire
	Note   string `json:"note,omitempty"` // a number: the index of an entry, or a revision
}

// Watch is one watch of a client with the last events it received.
type Watch struct {
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
	Pushes   []int64      `json:"pushes"` // when the responses with events left that are on their way
}

// WatchEvent is one change that a watch delivered.
type WatchEvent struct {
	At    int64  `json:"at"`
	Rev   int64  `json:"revision"`
	Type  string `json:"type"` // PUT, DELETE
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Light is one invariant.
type Light struct {
	ID   string `json:"id"`   // "I1"
	Name string `json:"name"` // "Election safety"
	OK   bool   `json:"ok"`
}

// Violation is the first broken invariant of a stream.
type Violation struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
	At     int64  `json:"at"`    // when it was found
	Since  int64  `json:"since"` // when it happened: a history is judged at the end
	Seq    uint64 `json:"seq"`   // the event at which it showed
}
