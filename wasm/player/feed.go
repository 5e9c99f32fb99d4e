package player

import (
	"vitrine/core/sim"
	"vitrine/core/trace"
)

// Item is one line of the feed. The page puts it into words: Kind is the key
// of a sentence ("feed.leader"), the rest fills its blanks.
type Item struct {
	Seq    uint64   `json:"seq"`
	At     int64    `json:"at"`
	Kind   string   `json:"kind"`
	Member uint64   `json:"member,omitempty"`
	Peer   uint64   `json:"peer,omitempty"`
	Term   uint64   `json:"term,omitempty"`
	Index  uint64   `json:"index,omitempty"`
	Rev    int64    `json:"rev,omitempty"`
	From   []uint64 `json:"from,omitempty"`
	To     []uint64 `json:"to,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// feedBound is how many lines wait for the page at most; at high speed the
// oldest are of no use to a reader.
const feedBound = 60

// feed turns events into lines: what a person would tell, nothing that repeats
// a hundred times a second.
type feed struct {
	items []Item
	roles [10]uint64
	votes map[vote][]uint64

	compacted int64 // the highest revision told
}

type vote struct{ candidate, term uint64 }

func newFeed() feed { return feed{votes: map[vote][]uint64{}} }

func (f *feed) add(e *trace.Event, kind string) *Item {
	if len(f.items) >= feedBound {
		f.items = append(f.items[:0], f.items[1:]...)
	}
	f.items = append(f.items, Item{Seq: e.Seq, At: int64(e.Now), Kind: kind, Member: e.Member, Peer: e.Peer, Term: e.Term, Index: e.Index, Rev: e.Rev})
	return &f.items[len(f.items)-1]
}

// take turns an event into a line, if it is worth one.
func (f *feed) take(e *trace.Event) {
	switch e.Kind {
	case trace.RoleChanged:
		f.role(e)
	case trace.VoteCast:
		f.voted(e)
	case trace.MemberStarted:
		if e.A > 1 {
			f.add(e, "restarted")
		}
	case trace.MemberCrashed:
		f.forget(e.Member)
		if e.A == 1 {
			f.add(e, "crashed")
		} else {
			f.add(e, "killed")
		}
	case trace.MemberStopped:
		f.forget(e.Member)
		f.add(e, "stopped").Text = e.Text
	case trace.MemberPaused:
		f.add(e, "paused")
	case trace.MemberResumed:
		f.add(e, "resumed")
	case trace.LogTruncated:
		f.add(e, "truncated")
	case trace.SnapshotSaved:
		f.add(e, "snapshotSaved")
	case trace.SnapshotSent:
		f.add(e, "snapshotSent")
	case trace.SnapshotInstalled:
		f.add(e, "snapshotInstalled")
	case trace.LogFailed:
		f.add(e, "logFailed").Text = e.Text
	case trace.Compacted:
		if e.Rev > f.compacted { // every member does it; the first one tells
			f.compacted = e.Rev
			f.add(e, "compacted")
		}
	case trace.Violated:
		f.add(e, "violated").Text = e.Text
	case trace.RequestDone:
		if e.Member == 0 && e.Text != "" {
			f.add(e, "requestFailed").Text = e.Text
		}
	case trace.Command:
		f.command(e)
	}
}

func (f *feed) forget(member uint64) {
	if member < uint64(len(f.roles)) {
		f.roles[member] = 0
	}
}

// role tells of elections and of leaders that step down.
func (f *feed) role(e *trace.Event) {
	if e.Member >= uint64(len(f.roles)) {
		return
	}
	before := f.roles[e.Member]
	f.roles[e.Member] = e.A
	switch e.A {
	case 1:
		f.add(e, "candidate")
	case 2:
		f.add(e, "leader").From = f.votes[vote{e.Member, e.Term}]
		clear(f.votes)
	case 3:
		f.add(e, "preCandidate")
	case 0:
		if before == 2 {
			f.add(e, "stepDown")
		}
	}
}

func (f *feed) voted(e *trace.Event) {
	key := vote{e.Peer, e.Term}
	f.votes[key] = append(f.votes[key], e.Member)
	if e.Member != e.Peer {
		f.add(e, "vote")
	}
}

// command tells what the visitor did to the network; other commands show by
// their own events.
func (f *feed) command(e *trace.Event) {
	c, err := sim.ParseCommand(e.Text)
	if err != nil {
		return
	}
	switch c.Cmd {
	case "cut", "heal":
		kind := c.Cmd
		if c.OneWay {
			kind += "OneWay"
		}
		if len(c.From) == 0 && len(c.To) == 0 {
			kind = "healMember"
		}
		it := f.add(e, kind)
		it.Member, it.From, it.To = c.Member, c.From, c.To
	case "isolate":
		f.add(e, "isolated").Member = c.Member
	case "heal-all":
		f.add(e, "healAll")
	case "campaign":
		f.add(e, "timedOut").Member = c.Member
	case "transfer":
		f.add(e, "transfer").Member = c.Member
	case "stall":
		it := f.add(e, "stalled")
		it.Member, it.Text = c.Member, c.Value
	}
}
