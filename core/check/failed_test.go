package check

import (
	"testing"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

func TestNothingFollowsAFailedSync(t *testing.T) {
	refuses := trace.Event{Kind: trace.LogFailed, Member: 1, Text: "input/output error"}
	stops := trace.Event{Kind: trace.MemberStopped, Member: 1, Text: "input/output error"}
	for name, e := range map[string]trace.Event{
		"write":   {Kind: trace.LogWritten, Member: 1, Index: 1, Term: 1},
		"sync":    synced(1, 1, 1, 0, 1),
		"commit":  {Kind: trace.BackendCommitted, Member: 1},
		"message": {Kind: trace.MessageSent, Member: 1, Peer: 2, Msg: msgVote + 2},
		"answer":  {Kind: trace.RequestDone, Member: 1, Request: 7},
	} {
		p := newPlay(t).emit(started(1, 1, 0, 0, end{}), started(2, 1, 0, 0, end{}), refuses, e)
		if p.checker.Holds(invariant.FailedDisk) {
			t.Errorf("%s: nothing is noticed", name)
		}
		if v := p.checker.Violations()[0]; v.Number != invariant.FailedDisk || v.Member != 1 {
			t.Errorf("%s: %v", name, v)
		}
	}
	p := newPlay(t).emit(started(1, 1, 0, 0, end{}), started(2, 1, 0, 0, end{}), refuses,
		trace.Event{Kind: trace.RequestDone, Member: 1, Request: 7, Text: "etcdserver: server stopped"},
		trace.Event{Kind: trace.RequestDone, Request: 7},
		trace.Event{Kind: trace.MessageSent, Member: 2, Peer: 1, Msg: msgVote + 2},
		stops, started(1, 1, 0, 0, end{}),
		trace.Event{Kind: trace.MessageSent, Member: 1, Peer: 2, Msg: msgVote + 2})
	if v := p.checker.Violations(); len(v) > 0 {
		t.Errorf("a false alarm: %v", v)
	}
}
