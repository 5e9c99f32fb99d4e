package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// notes keeps what tracers are told.
type notes []trace.Event

// Emit implements trace.Sink.
func (n *notes) Emit(e *trace.Event) { *n = append(*n, *e) }

// pen is a tracer that tells the notes, and what it tells is caused by event 7.
func (n *notes) pen() *trace.Tracer {
	t := trace.NewTracer(trace.NewStream(n), self)
	t.At(0, 7)
	return t
}

// take are the notes of some kinds, without number, cause and member, which are gone then.
func (n *notes) take(kinds ...trace.Kind) (es []trace.Event) {
	for _, e := range *n {
		if slices.Contains(kinds, e.Kind) {
			e.Seq, e.Cause, e.Member = 0, 0, 0
			es = append(es, e)
		}
	}
	*n = nil
	return es
}

// TestTelling: what each event says, whether what follows is caused by it, and that a tracer that is not on costs
// nothing.
func TestTelling(t *testing.T) {
	m := &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(uint64(5)), LogTerm: new(uint64(4)),
		Index: new(uint64(9)), Commit: new(uint64(8)), Entries: []*raftpb.Entry{{}, {}},
	}
	refusal := &raftpb.Message{Type: raftpb.MsgAppResp.Enum(), To: new(uint64(2)), Reject: new(true)}
	app, resp := uint8(raftpb.MsgApp)+1, uint8(raftpb.MsgAppResp)+1
	broken := errors.New("broken")
	const unnumbered = 99
	answer := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 12}}
	for name, c := range map[string]struct {
		tell func(p *trace.Tracer) uint64
		want trace.Event
		lead bool
	}{
		"sent": {func(p *trace.Tracer) uint64 { return Sent(p, m) }, trace.Event{
			Kind: trace.MessageSent, Msg: app, Member: self, Peer: 2, Term: 5, Index: 9, A: 8, B: 4, C: 2,
		}, false},
		"sent, and lost": {func(p *trace.Tracer) uint64 { return SentUntil(p, refusal, 44, "cut") }, trace.Event{
			Kind: trace.MessageSent, Msg: resp, Member: self, Peer: 2, Rev: 44, Text: "cut", C: trace.Rejected,
		}, false},
		"delivered": {func(p *trace.Tracer) uint64 { return Delivered(p, 6, m) }, trace.Event{
			Kind: trace.MessageDelivered, Msg: app, Member: self, Peer: 6, Term: 5, Index: 9, A: 8, B: 4, C: 2,
		}, true},
		"dropped": {func(p *trace.Tracer) uint64 { return Dropped(p, 6, m, "full") }, trace.Event{
			Kind: trace.MessageDropped, Msg: app, Member: 2, Peer: 6, Text: "full",
		}, false},
		"stopped": {func(p *trace.Tracer) uint64 {
			Stopped(p, broken, Position{Index: 30, Term: 4, Vote: 2, InTerm: 5, Noting: 25}, 20)
			return unnumbered
		}, trace.Event{
			Kind: trace.MemberStopped, Member: self, Text: "broken", Term: 5, Peer: 2, Index: 20, Rev: 25, C: 30, B: 4,
		}, false},
		"asked": {func(p *trace.Tracer) uint64 { Asked(p, 77, &pb.RangeRequest{}); return unnumbered }, trace.Event{
			Kind: trace.RequestArrived, Member: self, Request: 77, A: uint64(api.OperationOf(&pb.RangeRequest{})),
		}, false},
		"answered": {func(p *trace.Tracer) uint64 { Answered(p, 77, answer, nil); return unnumbered }, trace.Event{
			Kind: trace.RequestDone, Member: self, Request: 77, Rev: 12,
		}, false},
		"refused": {func(p *trace.Tracer) uint64 { Answered(p, 77, nil, broken); return unnumbered }, trace.Event{
			Kind: trace.RequestDone, Member: self, Request: 77, Text: "broken",
		}, false},
	} {
		var told notes
		p := told.pen()
		seq := c.tell(p)
		p.Emit(trace.Event{Kind: trace.MemberStarted})
		c.want.Seq, c.want.Cause = 1, 7
		if seq != 1 && seq != unnumbered || len(told) != 2 || told[0] != c.want {
			t.Errorf("%s: number %d, told %+v, want %+v", name, seq, told, c.want)
			continue
		}
		if led := told[1].Cause == 1; led != c.lead {
			t.Errorf("%s: what follows is caused by it: %v", name, led)
		}
		for _, off := range []*trace.Tracer{nil, {}} {
			if seq := c.tell(off); seq != 0 && seq != unnumbered {
				t.Errorf("%s: number %d without a trace", name, seq)
			}
		}
	}
}

// TestReceiptTells of its first byte and its last, and between them as often as is worth a look.
func TestReceiptTells(t *testing.T) {
	const mega = 1 << 20
	for _, c := range []struct {
		name   string
		total  int64
		writes []int
		want   string
	}{
		{"a byte at a time", 5, []int{1, 1, 1, 1, 1}, "[0 1 2 3 4 5]"},
		{"parts of several steps", 64, []int{16, 16, 32}, "[0 16 32 64]"},
		{"a step at least", 64, []int{1, 1, 1, 1, 1, 1, 1}, "[0 2 4 6]"},
		{"a longer step", 96, []int{1, 1, 1, 1, 2}, "[0 3 6]"},
		{"its end", 67, []int{65, 1, 1}, "[0 65 67]"},
		{"its end, before a step is full", 99, []int{97, 1, 1}, "[0 97 99]"},
		{"more than was said", 5, []int{3, 3, 3}, "[0 3 6 9]"},
		{"nobody knows how much", 0, []int{3 * mega, mega - 1, 1, mega, 3 * mega}, fmt.Sprint([]int{0, 4 * mega, 8 * mega})},
	} {
		d := diskOn(vfs.NewMem())
		born(t, d).Close()
		r, err := d.Receive(40, 1, 100*mega)
		if err != nil {
			t.Fatal(err)
		}
		var told notes
		pen := told.pen()
		r.Told(func(cause uint64) *trace.Tracer { pen.At(5, cause); return pen }, 3, 2, c.total)
		for _, part := range c.writes {
			if n, err := r.Write(make([]byte, part)); n != part || err != nil {
				t.Fatal(n, err)
			}
		}
		var sizes []uint64
		for i, e := range told {
			want := trace.Event{
				Kind: trace.SnapshotReceived, Seq: uint64(i + 1), Cause: 3, Now: 5, Member: self, Peer: 2, Index: 40, A: e.A,
				B: uint64(c.total),
			}
			if e != want {
				t.Errorf("%s: %+v, want %+v", c.name, e, want)
			}
			sizes = append(sizes, e.A)
		}
		if got := fmt.Sprint(sizes); got != c.want {
			t.Errorf("%s: told at %s, want %s", c.name, got, c.want)
		}
	}
}

// TestLogTells how far it is written and synced, and when a sync that begins now will be done: -1 where nobody can
// know.
func TestLogTells(t *testing.T) {
	var told notes
	d := diskOn(vfs.NewMem())
	d.LogTracer = told.pen()
	l := living(t, d)
	log := l.started.Log
	first := Position{Index: 1, Term: 1, InTerm: 1}
	if log.Written() != first || log.Synced() != first {
		t.Errorf("at the start written %+v, synced %+v", log.Written(), log.Synced())
	}
	written := func(until int64, group ...consensus.LogWrite) {
		t.Helper()
		before := log.Synced()
		if _, err := log.Append(group); err != nil {
			t.Fatal(err)
		}
		last, p := group[len(group)-1].Ticket, log.Written()
		want := trace.Event{
			Kind: trace.LogWritten, Index: p.Index, Term: p.Term, Rev: until, A: last, B: p.Vote, C: p.InTerm,
		}
		if got := told.take(trace.LogWritten, trace.LogSynced); !slices.Equal(got, []trace.Event{want}) {
			t.Errorf("written: %+v, want %+v", got, want)
		}
		if log.Synced() != before {
			t.Errorf("synced up to %+v before it is", log.Synced())
		}
	}
	e := putEntry(t, 2, 10)
	written(-1, consensus.LogWrite{Ticket: 4, Entries: []*raftpb.Entry{e}, MustSync: true})
	written(0, consensus.LogWrite{Ticket: 5, HardState: hardAt(1)}, consensus.LogWrite{Ticket: 6, HardState: hardAt(2)})
	log.Forecast = func() int64 { return 1234 }
	written(0, consensus.LogWrite{Ticket: 7, HardState: hardAt(2)})
	written(1234, consensus.LogWrite{Ticket: 8, HardState: &raftpb.HardState{
		Term: new(uint64(3)), Vote: new(uint64(2)), Commit: new(uint64(2)),
	}, MustSync: true})
	want := Position{Index: 2, Term: 1, Vote: 2, InTerm: 3}
	if log.Written() != want {
		t.Errorf("written %+v, want %+v", log.Written(), want)
	}
	l.check(log.Sync())
	if log.Synced() != want {
		t.Errorf("synced %+v, want %+v", log.Synced(), want)
	}
	synced := trace.Event{Kind: trace.LogSynced, Index: 2, Term: 1, A: 8, B: 2, C: 3}
	if got := told.take(trace.LogWritten, trace.LogSynced); !slices.Equal(got, []trace.Event{synced}) {
		t.Errorf("synced: %+v, want %+v", got, synced)
	}
	_, meta := imageAt(t, 40)
	_, err := log.Append([]consensus.LogWrite{{Snapshot: &raftpb.Snapshot{Metadata: meta}, MustSync: true}})
	l.check(err)
	if image := (Position{Index: 40, Term: 1, Vote: 2, InTerm: 3}); log.Written() != image {
		t.Errorf("after a received snapshot written %+v, want %+v", log.Written(), image)
	}
	d = diskOn(vfs.NewMem())
	l = &life{t: t, disk: d, promised: &promises{}}
	l.start()
	_, err = l.started.Log.Append([]consensus.LogWrite{{Entries: []*raftpb.Entry{e}, HardState: &raftpb.HardState{
		Term: new(uint64(3)), Vote: new(uint64(2)), Commit: new(uint64(2)),
	}, MustSync: true}})
	l.check(err)
	l.check(l.started.Close())
	again := born(t, d)
	if again.Log.Written() != want || again.Log.Synced() != want {
		t.Errorf("at the next start written %+v, synced %+v", again.Log.Written(), again.Log.Synced())
	}
}

// TestStartTells what was found, and of a received database that takes the place of the own one.
func TestStartTells(t *testing.T) {
	image, meta := imageAt(t, 40)
	var told, committed notes
	d := diskOn(vfs.NewMem())
	d.Tracer, d.CommitTracer = told.pen(), committed.pen()
	started := trace.Event{Kind: trace.MemberStarted, Term: 1, Index: 0, A: 1, C: 1, Rev: 1}
	l := living(t, d)
	if got := told.take(trace.MemberStarted, trace.SnapshotAdopted); !slices.Equal(got, []trace.Event{started}) {
		t.Errorf("a first start: %+v, want %+v", got, started)
	}
	if got, want := fmt.Sprint(kindsOf(committed)), fmt.Sprint([]trace.Kind{
		trace.BackendCommitting, trace.BackendCommitted,
	}); got != want || committed[0].A == 0 || committed[0].A != committed[1].A || committed[1].Index != 1 ||
		committed[1].Term != 1 {
		t.Errorf("a commit: %s, want %s: %+v", got, want, committed)
	}
	l.receive(image, 40)
	group := []consensus.LogWrite{{MustSync: true, Snapshot: &raftpb.Snapshot{Metadata: meta}, HardState: hardAt(40)}}
	_, err := l.started.Log.Append(group)
	l.check(err)
	l.check(l.started.Close())
	adopted := trace.Event{ // never compacted: -1
		Kind: trace.SnapshotAdopted, Index: 40, Term: 1, Rev: 40, A: ^uint64(0), B: 5,
	}
	started = trace.Event{
		Kind: trace.MemberStarted, Term: 1, Peer: self, Index: 40, A: 1, B: 40, C: 40, Rev: 40,
	}
	l.started = born(t, d)
	if got := told.take(trace.MemberStarted, trace.SnapshotAdopted); !slices.Equal(got,
		[]trace.Event{adopted, started}) {
		t.Errorf("a start from an image: %+v, want %+v", got, []trace.Event{adopted, started})
	}
	m := &raftpb.Message{To: new(uint64(2)), Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		Index: new(uint64(39)), Term: new(uint64(1)),
	}}}
	taken, at, err := l.started.State.ImageFor(d.Tracer, m)
	l.check(err)
	if got := m.GetSnapshot().GetMetadata(); at.Index != 40 || got.GetIndex() != 40 || got.GetTerm() != 1 ||
		len(got.GetConfState().GetVoters()) != 1 {
		t.Errorf("the image stands at %d, its message says %v", at.Index, got)
	}
	sent := trace.Event{Kind: trace.SnapshotSent, Peer: 2, Index: 40, Term: 1, A: uint64(taken.Size())}
	if got := told.take(trace.SnapshotSent); !slices.Equal(got, []trace.Event{sent}) {
		t.Errorf("an image is sent: %+v, want %+v", got, sent)
	}
	l.check(taken.Close())
	m.Snapshot.Metadata.Index = new(uint64(41))
	if _, _, err := l.started.State.ImageFor(d.Tracer, m); err == nil || len(told.take(trace.SnapshotSent)) != 0 {
		t.Errorf("an image that is not there yet is sent: %v", err)
	}
}

func kindsOf(es notes) (kinds []trace.Kind) {
	for _, e := range es {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// TestAdoptedName: a database that has become the member's own knows its file by the new name.
func TestAdoptedName(t *testing.T) {
	image, meta := imageAt(t, 40)
	d := diskOn(vfs.NewMem())
	l := living(t, d)
	l.receive(image, 40)
	s, err := d.Adopt(meta.GetIndex())
	l.check(err)
	if got := s.Backend.Store().(*backend.MemFile).Path(); got != d.Layout.DB() {
		t.Errorf("its file is %s", got)
	}
	l.check(s.Backend.Close())
	l.receive(image, 40)
	d.Open = func(path string) (backend.Store, error) { // as one that has no name to remember
		db, err := backend.OpenMemFile(d.FS, path)
		return struct{ backend.Store }{db}, err
	}
	s, err = d.Adopt(meta.GetIndex())
	l.check(err)
	l.check(s.Backend.Close())
	if names, err := d.FS.List(d.Layout.Snap); err != nil || strings.Join(names, " ") != "db" {
		t.Errorf("left %v, %v", names, err)
	}
}
