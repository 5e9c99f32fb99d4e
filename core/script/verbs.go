package script

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The verbs.
const (
	Crash      = "crash"
	Restart    = "restart"
	Pause      = "pause"
	Resume     = "resume"
	Campaign   = "campaign"
	Transfer   = "transfer"
	Stall      = "stall"
	Fail       = "fail"
	Rot        = "rot"
	Clock      = "clock"
	Strike     = "strike"
	Defragment = "defragment"
	Garble     = "garble"

	Hold      = "hold"
	Release   = "release"
	Drop      = "drop"
	Duplicate = "duplicate"

	Isolate = "isolate"
	Cut     = "cut"
	Heal    = "heal"
	HealAll = "heal-all"
	Set     = "set"

	Put         = "put"
	Get         = "get"
	Delete      = "delete"
	Txn         = "txn"
	Compact     = "compact"
	Watch       = "watch"
	Alarm       = "alarm"
	MoveLeader  = "move-leader"
	Status      = "status"
	Hash        = "hash"
	HashKV      = "hash-kv"
	Members     = "members"
	LeaseGrant  = "lease-grant"
	LeaseRevoke = "lease-revoke"
	KeepAlive   = "keep-alive"
	TimeToLive  = "time-to-live"
	Leases      = "leases"
	AddMember   = "add-member"
	AddLearner  = "add-learner"
	Promote     = "promote"
	Remove      = "remove"

	UserAdd    = "user-add"
	UserDelete = "user-delete"
	GrantRole  = "grant-role"
	RevokeRole = "revoke-role"
	RoleAdd    = "role-add"
	RoleDelete = "role-delete"
	Grant      = "grant"
	Revoke     = "revoke"
	Auth       = "auth"
	Login      = "login"
	Password   = "password"

	CancelWatch = "cancel-watch"
	EndStream   = "end-stream"
	HangUp      = "hang-up"
	Vanish      = "vanish"
	AskProgress = "ask-progress"
)

// A Verb is all that is known of a command's verb without a world.
type Verb struct {
	Name  string
	Reads string // which fields it reads, and what they mean

	Op        Op   // of what a client asks and a member answers; 0 = it is no request
	Operation bool // a client, simulated or not, does it: to a Shrinker an operation, not a fault

	member  bool // it is about the member Member, which must be given
	client  bool // so with Client
	check   func(c *Command) error
	request func(c *Command, newest int64) (any, error)
	undo    string                             // the verb that takes it back
	same    func(later, earlier *Command) bool // if these agree; nil = if Member does
	simpler func(c *Command) []Command         // what could stand in for it, the plainest first
	milder  func(c *Command)                   // makes it do less harm
	rename  func(c *Command, number int)       // calls what it writes by a number
}

// rows is the table of verbs. It is a function because rows parse and print
// transactions, which look up verbs.
func rows() []Verb {
	return slices.Concat(memberRows(), linkRows(), requestRows(), streamRows(), userRows())
}

// memberRows are what happens to a member, its disk and its clock.
func memberRows() []Verb {
	return []Verb{
		{Name: Crash, member: true, check: checkTorn, undo: Restart, milder: func(c *Command) { c.Torn, c.Keep = 0, false },
			Reads: "Member; the power fails: what was not synced is lost, but for each block of it with a chance of Torn " +
				"percent; Keep = kill: only the process dies, the page cache survives"},
		{Name: Restart, member: true, Reads: "Member"},
		{Name: Pause, member: true, undo: Resume, Reads: "Member"},
		{Name: Resume, member: true, Reads: "Member"},
		{Name: Campaign, member: true, Reads: "Member times out now"},
		{Name: Transfer, member: true, Reads: "Member: the leader hands over to it"},
		{Name: Stall, member: true, check: checkStall, milder: zeroValue,
			Reads: "Member: its disk hangs for Value (a duration)"},
		{Name: Fail, member: true, check: checkFail,
			Reads: "Member: an operation of its disk fails: Name (write, full, sync, read, commit), after Rev that do not"},
		{Name: Rot, member: true, check: checkRot,
			Reads: "Member: its log decays: Name (bit, misdirected, zeros, cut) at byte Rev of what is in use; Limit = which " +
				"bit, how far astray, or 1 for zeros of 4 KiB instead of a sector; cut only while the member is down"},
		{Name: Clock, member: true, check: checkClock, undo: Clock, same: sameClock,
			Reads: "Member: it ticks at Value times the rate; Name = step: its time of day jumps by Value (a duration)"},
		{Name: Strike, member: true, check: checkStrike, simpler: simplerStrike,
			Reads: "Member: before its step Name of package driver, after Rev that are let pass, Value: power fails (of what " +
				"was not synced Torn percent survive), its process dies (kill), the disk refuses (error), or it is full: Torn " +
				"percent of a write get there"},
		{Name: Defragment, member: true, Reads: "Member: its database is rewritten"},
		{Name: Garble, member: true, check: checkGarble,
			Reads: "Member: of the next database that it receives the byte Rev has bit Limit changed"},
	}
}

// linkRows are what happens between members, and to the world's measures.
func linkRows() []Verb {
	return []Verb{
		{Name: Isolate, member: true, undo: Heal, Reads: "Member: cut from and to everyone else"},
		{Name: Cut, check: checkCut, undo: Heal, same: sameLinks,
			Reads: "From, To; both directions, or only From to To with OneWay"},
		{Name: Heal, Reads: "From, To, OneWay as cut; neither From nor To: with Member everything that touches it"},
		{Name: HealAll, Reads: "every cut link is healed, everyone resumed"},
		{Name: Hold, check: checkMessage, undo: Release, same: sameID,
			Reads: "ID: the message between members with this number (of the event that sent or doubled it) stays where it is"},
		{Name: Release, check: checkMessage, Reads: "ID: a message that is held goes on"},
		{Name: Drop, check: checkMessage, Reads: "ID: a message between members is lost"},
		{Name: Duplicate, check: checkMessage, Reads: "ID: a second copy of a message between members leaves now"},
		{Name: Set, milder: zeroValue,
			Reads: "Name, Value: see Settings; one of disks or of applying, with Member, turns that member's only"},
	}
}

// requestRows are what clients ask.
func requestRows() []Verb {
	return []Verb{
		{Name: Put, Op: OpPut, Operation: true, request: putOf, simpler: simplerPut,
			rename: func(c *Command, number int) { c.Value = strconv.Itoa(number) },
			Reads:  "Key, Value, Lease, PrevKV, IgnoreValue; Member = endpoint, 0 = the client's choice"},
		{Name: Get, Op: OpGet, Operation: true, request: getOf, simpler: simplerGet,
			Reads: "Key, End, Rev, Limit, Serializable, KeysOnly, CountOnly, Order (ascend, descend), By (version, create, " +
				"mod, value), MinMod, MaxMod, MinCreate, MaxCreate"},
		{Name: Delete, Op: OpDelete, Operation: true, request: deleteOf, simpler: simplerDelete, Reads: "Key, End, PrevKV"},
		{Name: Txn, Op: OpTxn, Operation: true, request: txnOf, simpler: simplerTxn, Reads: "If, Then, Else"},
		{Name: Compact, Op: OpCompact, Operation: true, request: compactOf,
			Reads: "Rev, Physical; negative = so many behind the newest revision that the client saw"},
		{Name: Watch, Op: OpWatch, Operation: true, request: watchOf, simpler: simplerWatch,
			Reads: "Key, End, Rev, PrevKV, Progress, Fragment, Filter (no-put, no-delete, or both with a comma), ID (the " +
				"watch id that it asks for, 0 = any); Leader: its stream wants a member that has a leader; a client's watches " +
				"share a stream; answered by a request id"},
		{Name: Alarm, Op: OpAlarm, request: alarmOf,
			Reads: "Name (get, activate, deactivate), Value (nospace, corrupt, none at all), ID: whose"},
		{Name: MoveLeader, Op: OpMoveLeader, request: moveLeaderOf, Reads: "ID: to whom; asked of Member, which must lead"},
		{Name: Status, Op: OpStatus, request: statusOf, Reads: "asked of Member, as are the next three"},
		{Name: Hash, Op: OpHash, request: hashOf, Reads: "nothing"},
		{Name: HashKV, Op: OpHashKV, request: hashKVOf, Reads: "Rev"},
		{Name: Members, Op: OpMembers, request: membersOf, Reads: "Serializable"},
		{Name: LeaseGrant, Op: OpLeaseGrant, Operation: true, request: leaseGrantOf, Reads: "Lease, TTL in seconds"},
		{Name: LeaseRevoke, Op: OpLeaseRevoke, Operation: true, request: leaseRevokeOf, Reads: "Lease"},
		{Name: KeepAlive, Op: OpKeepAlive, Operation: true, request: keepAliveOf, Reads: "Lease"},
		{Name: TimeToLive, Op: OpTimeToLive, request: timeToLiveOf, Reads: "Lease; KeysOnly = without its keys"},
		{Name: Leases, Op: OpLeases, request: leasesOf, Reads: "nothing"},
		{Name: AddMember, Op: OpAddMember, request: addMemberOf,
			Reads: "ID: the number of the machine, 1 to 64, which starts when the change is applied; Member = endpoint"},
		{Name: AddLearner, Op: OpAddLearner, request: addMemberOf, Reads: "ID, Member; the same, without a vote"},
		{Name: Promote, Op: OpPromote, request: promoteOf, Reads: "ID: the learner that is to vote; Member = endpoint"},
		{Name: Remove, Op: OpRemove, request: removeOf, Reads: "ID: who leaves for good; Member = endpoint"},
	}
}

// streamRows are what clients do with their watch streams.
func streamRows() []Verb {
	return []Verb{
		{Name: CancelWatch, Operation: true,
			Reads: "Request; 0 = the newest watch; with Client: that client asks to cancel the watch with the id ID"},
		{Name: EndStream, client: true, Reads: "Client: its watch stream ends, and all watches with it"},
		{Name: HangUp, Operation: true, client: true, Reads: "Client: the connection under its watches ends"},
		{Name: Vanish, Operation: true, client: true, Reads: "Client: the same, and the member hears of it late"},
		{Name: AskProgress, Operation: true, client: true, Reads: "Client: it asks how far its watches have come"},
	}
}

// verbs are the rows by name. Only init writes it.
var verbs = map[string]*Verb{}

func init() {
	for _, v := range rows() {
		verbs[v.Name] = &v
	}
}

// Verbs lists the table.
func Verbs() []Verb { return rows() }

var errUnknown = errors.New("script: unknown command")

func verbNamed(name string) (*Verb, error) {
	if v := verbs[name]; v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%w %q", errUnknown, name)
}

// Check refuses a command that makes sense in no world at all.
func (c *Command) Check() error {
	v, err := verbNamed(c.Cmd)
	switch {
	case err != nil:
		return err
	case v.member && c.Member == 0:
		return fmt.Errorf("script: %s: which member?", c.Cmd)
	case v.client && c.Client == 0:
		return fmt.Errorf("script: %s: which client?", c.Cmd)
	case v.check != nil:
		return v.check(c)
	case v.request != nil:
		_, err = v.request(c, 0)
	}
	return err
}

// Operation reports whether a client, simulated or not, does it.
func (c *Command) Operation() bool {
	v := verbs[c.Cmd]
	return v != nil && v.Operation
}

// Undoes reports whether a command takes back an earlier one.
func (c *Command) Undoes(earlier *Command) bool {
	v := verbs[earlier.Cmd]
	if v == nil || v.undo == "" || v.undo != c.Cmd {
		return false
	}
	if v.same != nil {
		return v.same(c, earlier)
	}
	return c.Member == earlier.Member
}

// Simpler lists what could stand in for a command, the plainest first.
func (c *Command) Simpler() []Command {
	if v := verbs[c.Cmd]; v != nil && v.simpler != nil {
		return v.simpler(c)
	}
	return nil
}

// Soften makes a command do as little harm as its kind can.
func (c *Command) Soften() {
	if v := verbs[c.Cmd]; v != nil && v.milder != nil {
		v.milder(c)
	}
}

// Number calls what a command writes by a number.
func (c *Command) Number(n int) {
	if v := verbs[c.Cmd]; v != nil && v.rename != nil {
		v.rename(c, n)
	}
}

func sameClock(later, earlier *Command) bool {
	return later.Member == earlier.Member && later.Name == earlier.Name
}

func sameID(later, earlier *Command) bool { return later.ID == earlier.ID }

func sameLinks(later, earlier *Command) bool {
	return slices.Equal(later.From, earlier.From) && slices.Equal(later.To, earlier.To) && later.OneWay == earlier.OneWay
}

func zeroValue(c *Command) { c.Value = "0" }
