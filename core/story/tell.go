package story

import (
	"strconv"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/settle"
	"vitrine/core/trace"
)

// Line is an event as a person would tell it: Kind is the key of a sentence in
// the message catalogues ("feed.leader"), the rest fills its blanks.
type Line struct {
	Seq    uint64   `json:"seq"`
	At     int64    `json:"at"`
	Kind   string   `json:"kind"`
	Member uint64   `json:"member,omitempty"`
	Peer   uint64   `json:"peer,omitempty"`
	Term   uint64   `json:"term,omitempty"`
	Index  uint64   `json:"index,omitempty"`
	Rev    int64    `json:"rev,omitempty"`
	N      uint64   `json:"n,omitempty"`
	From   []uint64 `json:"from,omitempty"`
	To     []uint64 `json:"to,omitempty"`
	Text   string   `json:"text,omitempty"`
	Name   string   `json:"name,omitempty"` // of what was turned or failed; of a lease

	// Request is the one that a line is about, Client who asked, 0 = the visitor of a
	// page, and Asks what, in words; "" if nothing told who asked.
	Request uint64 `json:"request,omitempty"`
	Client  int    `json:"client,omitempty"`
	Asks    string `json:"asks,omitempty"`
}

// Teller turns events into lines. It remembers what a sentence needs to know of
// earlier events: who led, who voted.
type Teller struct {
	roles    map[uint64]uint64 // by member
	votes    map[ballot][]uint64
	requests map[uint64]asked // under way; for look-ups only
	leases   uint64           // index of the last entry about a lease that was told
	changes  uint64           // and of the last one about members
	led      bool             // somebody has led: the members that a cluster begins with are no news
}

type ballot struct{ candidate, term uint64 }

// asked is what a client wants.
type asked struct {
	client int
	words  string
	member uint64 // of the last attempt
}

// openRequests bounds those that are remembered: beyond it something has ended
// without a word, and all are forgotten.
const openRequests = 4096

// NewTeller returns one that has seen nothing.
func NewTeller() *Teller {
	return &Teller{roles: map[uint64]uint64{}, votes: map[ballot][]uint64{}, requests: map[uint64]asked{}}
}

// Tell returns the line of an event, if it is one that a person would mention:
// nothing that happens a hundred times a second.
func (t *Teller) Tell(e *trace.Event) (Line, bool) {
	line := Line{Seq: e.Seq, At: int64(e.Now), Member: e.Member, Peer: e.Peer, Term: e.Term, Index: e.Index, Rev: e.Rev}
	switch e.Kind {
	case trace.RoleChanged:
		t.role(e, &line)
	case trace.VoteCast:
		key := ballot{e.Peer, e.Term}
		t.votes[key] = append(t.votes[key], e.Member)
		if e.Member != e.Peer {
			line.Kind = "vote"
		}
	case trace.MemberStarted:
		if e.Now > 0 {
			line.Kind = "restarted"
		}
		if e.Now > 0 && e.C == 0 { // it has never run
			line.Kind = "began"
		}
	case trace.MemberCrashed:
		t.forget(e.Member)
		line.Kind = "killed"
		if e.A == 1 {
			line.Kind = "crashed"
		}
		if e.Text != "" { // before that step
			line.Kind, line.Text = line.Kind+"At", e.Text
		}
	case trace.MemberStopped:
		t.forget(e.Member)
		line.Kind, line.Text = "stopped", e.Text
	case trace.LogFailed, trace.Violated:
		line.Kind, line.Text = simple[e.Kind], e.Text
	case trace.RequestIssued, trace.RequestSent, trace.RequestDone:
		t.request(e, &line)
	case trace.VoteIgnored:
		line.Kind, line.From = "voteIgnored", []uint64{e.A}
	case trace.LeaseGranted, trace.LeaseRevoked, trace.LeaseExpired, trace.LessorPromoted:
		t.lease(e, &line)
	case trace.MemberChanged:
		t.changed(e, &line)
	case trace.MessageHandled:
		line.Kind = hands[min(e.A, uint64(len(hands)-1))]
	case trace.Command, trace.Fault:
		t.command(e, &line)
	default:
		line.Kind = simple[e.Kind]
	}
	return line, line.Kind != ""
}

// simple are the kinds whose line is always the same.
var simple = [256]string{
	trace.MemberPaused: "paused", trace.MemberResumed: "resumed", trace.LogTruncated: "truncated",
	trace.SnapshotSaved: "snapshotSaved", trace.SnapshotSent: "snapshotSent", trace.SnapshotInstalled: "snapshotInstalled",
	trace.LeaseGranted: "leaseGranted", trace.LeaseRevoked: "leaseRevoked",
	trace.MemberLeft: "memberLeft",
	trace.LogFailed:  "logFailed", trace.Violated: "violated",
	trace.Compacted: "compacted", trace.CompactionDue: "compactionDue",
}

// request notes who asks what, and tells of what fails at its client.
func (t *Teller) request(e *trace.Event, line *Line) {
	switch r := t.requests[e.Request]; {
	case e.Kind == trace.RequestIssued:
		if len(t.requests) >= openRequests {
			clear(t.requests)
		}
		r = asked{int(e.B), e.Text, e.Peer}
		t.requests[e.Request] = r
		r.tell(e, line)
	case e.Kind == trace.RequestSent:
		r.member = e.Peer
		t.requests[e.Request] = r
	case e.Member == 0:
		delete(t.requests, e.Request)
		r.tell(e, line)
		if e.Text != "" {
			line.Kind, line.Text = "requestFailed", e.Text
		}
	}
}

// tell puts a request into a line.
func (r asked) tell(e *trace.Event, line *Line) {
	line.Request, line.Client, line.Asks, line.Member = e.Request, r.client, r.words, r.member
}

// lease tells of a lease once, though every member applies its entry.
func (t *Teller) lease(e *trace.Event, line *Line) {
	line.Name, line.N = strconv.FormatUint(e.A, 16), e.C
	switch {
	case e.Kind == trace.LeaseExpired:
		line.Kind = "leaseExpired"
	case e.Kind == trace.LessorPromoted:
		if line.N = e.A; e.A > 0 {
			line.Kind = "leasesRefilled"
		}
	case e.Index > t.leases:
		line.Kind, t.leases = simple[e.Kind], e.Index
	}
}

// changes of members by their numbers in events.
var changes = [...]string{"memberAdded", "memberRemoved", "memberUpdated", "learnerAdded", "memberPromoted"}

// changed tells once that members come and go.
func (t *Teller) changed(e *trace.Event, line *Line) {
	if e.Index <= t.changes || e.A >= uint64(len(changes)) {
		return
	}
	t.changes, line.Text = e.Index, e.Text
	switch {
	case e.Text != "":
		line.Kind = "memberRefused"
	case t.led:
		line.Kind = changes[e.A]
	}
}

func (t *Teller) forget(member uint64) {
	delete(t.roles, member)
}

// role tells of elections and of leaders that step down.
func (t *Teller) role(e *trace.Event, line *Line) {
	before := t.roles[e.Member]
	t.roles[e.Member] = e.A
	switch e.A {
	case 1:
		line.Kind = "candidate"
	case 2:
		t.led = true
		line.Kind, line.From = "leader", t.votes[ballot{e.Member, e.Term}]
		clear(t.votes)
	case 3:
		line.Kind = "preCandidate"
	case 0:
		if before == 2 {
			line.Kind = "stepDown"
		}
	}
}

// hands are the lines for what is done to a message.
var hands = [...]string{trace.HandHeld: "held", trace.HandLetGo: "letGo", trace.HandDropped: "handDropped"}

// rotKinds are the lines for what happens to a log on its disk.
var rotKinds = map[string]string{"bit": "rotBit", "misdirected": "rotMisdirected", "zeros": "rotZeros", "cut": "rotCut"}

// command tells what was done to the network and to clocks and disks; other
// commands show by their own events.
func (t *Teller) command(e *trace.Event, line *Line) {
	c, err := script.Parse(e.Text)
	if e.Text == settle.PairChanged {
		line.Kind, line.Member = "pairChanged", e.Member
	}
	if err != nil {
		return
	}
	line.Member, line.From, line.To = c.Member, c.From, c.To
	switch c.Cmd {
	case script.Cut, script.Heal:
		line.Kind = c.Cmd
		if c.OneWay {
			line.Kind += "OneWay"
		}
		if len(c.From) == 0 && len(c.To) == 0 {
			line.Kind = "healMember"
		}
	case script.Isolate:
		line.Kind = "isolated"
	case script.HealAll:
		line.Kind = "healAll"
	case script.Campaign:
		line.Kind = "timedOut"
	case script.Transfer:
		line.Kind = "transfer"
	case script.Stall:
		line.Kind, line.Text = "stalled", c.Value
	case script.Rot:
		line.Kind = rotKinds[c.Name]
	case script.Fail:
		line.Kind, line.Name = "fails", c.Name
	case script.Clock:
		line.Kind, line.Text = "clockRate", c.Value
		switch c.Name {
		case script.ClockStep:
			line.Kind = "clockStep"
		case script.ClockLost:
			line.Kind = "clockLost"
		}
	case script.Set:
		line.Kind, line.Name, line.Text = "set", c.Name, settingText(&c)
		if c.Member != 0 {
			line.Kind = "setOf"
		}
	case script.Duplicate:
		line.Kind = "duplicated"
	case script.Strike:
		if how := script.StrikeNamed(c.Value); how == script.StepFails || how == script.StepFillsUp {
			line.Kind, line.Text = "refuses", c.Name
		}
	case script.Defragment:
		line.Kind = "defragment"
	case script.Garble:
		line.Kind = "garbled"
	}
}

// settingText is the value of a setting as people write it.
func settingText(c *script.Command) string {
	number, d, err := c.Setting()
	switch {
	case err != nil || number == 0 && d == 0:
		return c.Value
	case d != 0:
		return roundDuration(d).String()
	}
	return strconv.FormatFloat(number, 'g', 3, 64)
}

// roundDuration leaves three digits.
func roundDuration(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
