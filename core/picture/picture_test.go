package picture

import (
	"slices"
	"testing"

	"vitrine/core/trace"
)

// fold makes the picture of some events, numbered and a nanosecond apart.
func fold(o Options, events ...trace.Event) *State {
	p := New(o)
	stream := trace.NewStream(p)
	for i := range events {
		if events[i].Now == 0 {
			events[i].Now = trace.Instant(i + 1)
		}
		stream.Emit(&events[i])
	}
	s := new(State)
	p.Into(s, 0)
	return s
}

func TestMessageTypes(t *testing.T) {
	for _, msg := range []uint8{
		msgApp, msgHeartbeat, msgHeartbeatResp, msgSnap, msgProp, msgVoteResp, msgPreVoteResp, msgReadIndex, msgReadIndexResp,
	} {
		if trace.MessageName(msg) == "" {
			t.Errorf("message type %d has no name", msg)
		}
	}
}

// A crash leaves what is synced: entries that were overwritten in memory, and on
// their way to the disk, come back.
func TestADeadMemberIsItsDisk(t *testing.T) {
	const me = 0xfeed_0000_0000_0001 // any id will do
	appended := func(index, term uint64) trace.Event {
		return trace.Event{Kind: trace.EntryAppended, Member: me, Index: index, Term: term, A: 100*term + index}
	}
	alive := []trace.Event{
		{Kind: trace.MemberStarted, Member: me, Term: 1, Peer: 7},
		appended(1, 1), appended(2, 1), appended(3, 1),
		{Kind: trace.LogWritten, Member: me, Index: 3, Term: 1, B: 7, C: 1},
		{Kind: trace.LogSynced, Member: me, Index: 3, Term: 1, B: 7, C: 1},
		{Kind: trace.TermChanged, Member: me, Term: 2},
		{Kind: trace.LogTruncated, Member: me, Index: 2},
		appended(2, 2),
		{Kind: trace.RoleChanged, Member: me, Term: 2, Peer: me, A: 2},
		{Kind: trace.LogWritten, Member: me, Index: 2, Term: 2, C: 2},
		{Kind: trace.CommitAdvanced, Member: me, Index: 1, Term: 2},
		{Kind: trace.EntryApplied, Member: me, Index: 1, Term: 1, Rev: 5},
	}
	terms := func(m *Member) (all []uint64) {
		for _, e := range m.Log {
			all = append(all, e.Term)
		}
		return all
	}
	for _, x := range []struct {
		name   string
		end    trace.Event
		terms  []uint64
		term   uint64
		synced bool // the last entry
	}{
		{"alive", trace.Event{Kind: trace.MemberPaused}, []uint64{1, 2}, 2, false},
		{"crashed", trace.Event{Kind: trace.MemberCrashed, A: 1}, []uint64{1, 1, 1}, 1, true},
		{"killed", trace.Event{Kind: trace.MemberCrashed}, []uint64{1, 2}, 2, false},
		{"crashed, with more left than was synced", trace.Event{Kind: trace.MemberCrashed, A: 1, C: 2, B: 2}, []uint64{1, 2},
			1, false},
	} {
		x.end.Member = me
		m := &fold(Options{}, append(slices.Clone(alive), x.end)...).Members[0]
		if !slices.Equal(terms(m), x.terms) || m.Term != x.term || m.Log[len(m.Log)-1].Synced != x.synced {
			t.Errorf("%s: term %d, log %+v", x.name, m.Term, m.Log)
		}
		if !m.Alive && (m.Role != RoleFollower || m.Lead != 0 || m.Commit != 0 || m.Revision != 0) {
			t.Errorf("%s: it still thinks: %+v", x.name, m)
		}
	}
}

// A stream that begins in the middle is drawn as far as it tells.
func TestAStreamMayBeginAnywhere(t *testing.T) {
	s := fold(Options{Names: map[uint64]string{5: "infra5"}},
		trace.Event{Kind: trace.LogSynced, Member: 5, Index: 70, Term: 3},
		trace.Event{Kind: trace.EntryAppended, Member: 5, Index: 71, Term: 3, A: 1},
		trace.Event{Kind: trace.RequestDone, Member: 5, Request: 9},
		trace.Event{Kind: trace.WatchCanceled, Member: 5, A: 1},
		trace.Event{Kind: trace.RequestArrived, Member: 5, Request: 10, A: 2},
		trace.Event{Kind: trace.RequestProposed, Member: 5, Request: 10, A: 77, B: 1, Text: "x"},
		trace.Event{Kind: trace.LogWritten, Member: 5, Index: 71, Term: 3, Rev: -1},
	)
	m := s.Members[0]
	if m.Name != "infra5" || m.Last != 71 || m.Synced != 70 || m.Watchers != 0 || m.Disk != "syncing" {
		t.Errorf("%+v", m)
	}
	if len(m.Log) != 1 || m.Log[0].Text != "x" || m.Log[0].Synced {
		t.Errorf("log %+v", m.Log)
	}
	if len(s.Requests) != 1 || s.Requests[0].Op != "put" || s.Requests[0].Client != Outside ||
		s.Requests[0].Status != StatusPending {
		t.Errorf("requests %+v", s.Requests)
	}
}

// A second copy of a message is a message of its own.
func TestCopiesOfAMessage(t *testing.T) {
	sent := []trace.Event{
		{Kind: trace.MessageSent, Member: 1, Peer: 2, Msg: msgApp, Term: 1, Rev: 50},
		{Kind: trace.MessageDoubled, Member: 1, Peer: 2, Rev: 90, Cause: 1},
		{Kind: trace.MessageDelivered, Member: 2, Peer: 1, Msg: msgApp, Term: 1, Cause: 1, Now: 50},
	}
	if s := fold(Options{}, sent[:2]...); len(s.Messages) != 2 || s.Messages[0].ID == s.Messages[1].ID {
		t.Errorf("%+v", s.Messages)
	}
	if s := fold(Options{}, sent...); len(s.Messages) != 1 || s.Messages[0].Arrives != 90 {
		t.Errorf("%+v", s.Messages)
	}
}
