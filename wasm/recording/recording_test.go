package recording

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/trace"
	"vitrine/wasm/player"
)

const msgApp = 4 // raft's MsgApp, one up

// process records events of a member that began at a time of day.
func process(t *testing.T, h trace.Header, events ...trace.Event) []byte {
	t.Helper()
	r := trace.NewRecorder(0, 1, func() trace.Locker { return trace.NoLock{} })
	pen := r.Lane(0).Pen()
	for _, e := range events {
		pen.Emit(e)
	}
	var file bytes.Buffer
	if err := r.Write(&file, h); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

const (
	alpha = 0xbeef_0000_0000_0001
	beta  = 0x0123_4567_89ab_cdef
	gamma = 0xffff_ffff_0000_0000 // of whom there is no file
)

func header(member uint64, name string, began time.Duration) trace.Header {
	return trace.Header{Cluster: 7, Member: member, Name: name, Began: 1_700_000_000_000_000_000 + int64(began)}
}

// ms is a moment of a process.
func ms(n int) trace.Instant { return trace.Instant(time.Duration(n) * time.Millisecond) }

// opened plays files to a moment.
func opened(t *testing.T, until time.Duration, files ...[]byte) (*picture.State, player.Facts, []trace.Event) {
	t.Helper()
	var p *picture.Picture
	src, err := Open(files)(func(f player.Facts) trace.Sink {
		p = picture.New(f.Picture)
		return p
	})
	if err != nil {
		t.Fatal(err)
	}
	src.RunUntil(trace.Instant(until), 0)
	s := new(picture.State)
	p.Into(s, src.Now())
	return s, src.Facts(), src.(*source).events
}

func sent(at int, to, index uint64) trace.Event {
	return trace.Event{Kind: trace.MessageSent, Now: ms(at), Peer: to, Msg: msgApp, Term: 2, Index: index, C: 1}
}

func delivered(at int, from, index uint64) trace.Event {
	return trace.Event{Kind: trace.MessageDelivered, Now: ms(at), Peer: from, Msg: msgApp, Term: 2, Index: index, C: 1}
}

func pair(t *testing.T) [][]byte {
	return [][]byte{
		process(t, header(alpha, "alpha", 5*time.Second),
			trace.Event{Kind: trace.MemberStarted, Now: 1, Term: 1},
			trace.Event{Kind: trace.RoleChanged, Now: ms(10), Term: 2, Peer: alpha, A: 2},
			sent(20, beta, 1), sent(30, beta, 2), sent(40, gamma, 2), sent(900, beta, 3)),
		// It began 4 s before the other, and was read 5 s after.
		process(t, header(beta, "beta", time.Second),
			trace.Event{Kind: trace.MemberStarted, Now: ms(3900), Term: 1},
			delivered(4023, alpha, 1),
			trace.Event{Kind: trace.RoleChanged, Now: ms(4024), Term: 2, Peer: alpha},
			delivered(4906, alpha, 3),
			trace.Event{Kind: trace.CommitAdvanced, Now: ms(9000), Term: 2, Index: 3}),
	}
}

func TestTwoFilesAreOneStory(t *testing.T) {
	_, facts, events := opened(t, 0, pair(t)...)
	if facts.Kind != player.Recording || len(facts.Files) != 2 || facts.Files[0].Name != "alpha" ||
		facts.Files[0].ID != "beef000000000001" {
		t.Errorf("%+v", facts)
	}
	if n := facts.Picture.Names; n[1] != "alpha" || n[2] != "beta" || n[3] != "ffffffff00000000" {
		t.Errorf("names %v", n)
	}
	arrivals, last := map[uint64]string{}, trace.Instant(0)
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Now < last || e.Cause >= e.Seq {
			t.Fatalf("event %d: %+v after %v", i, e, last)
		}
		last = e.Now
		if e.Kind == trace.MessageSent {
			arrivals[e.Index<<8|e.Peer] = e.Text + " " + time.Duration(e.Rev-int64(e.Now)).String()
		}
		if e.Kind == trace.MessageDelivered && (e.Cause == 0 || events[e.Cause-1].Kind != trace.MessageSent) {
			t.Errorf("nobody has sent %+v", e)
		}
	}
	for key, want := range map[uint64]string{1<<8 | 2: " 3ms", 3<<8 | 2: " 6ms", 2<<8 | 2: "unseen 6ms",
		2<<8 | 3: "unseen 6ms"} {
		if arrivals[key] != want {
			t.Errorf("message %d to %d: %q, want %q", key>>8, key&0xff, arrivals[key], want)
		}
	}
}

func TestWhoIsNotRecordedIsUnknown(t *testing.T) {
	for at, want := range map[time.Duration][3]string{
		0:                       {"unknown", "unknown", "unknown"},
		110 * time.Millisecond:  {"running", "running", "unknown"},
		2 * time.Second:         {"unknown", "running", "unknown"},
		1000 * time.Millisecond: {"running", "running", "unknown"},
	} {
		s, _, _ := opened(t, at, pair(t)...)
		got := [3]string{}
		for i, m := range s.Members {
			got[i] = m.Process
		}
		if got != want {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
		if at == 1000*time.Millisecond && (s.Leader != 1 || s.Members[1].Lead != 1 || s.Term != 2) {
			t.Errorf("leader %d, %+v", s.Leader, s.Members[1])
		}
	}
}

func TestFilesOfOneProcessAreJoined(t *testing.T) {
	events := []trace.Event{{Kind: trace.MemberStarted, Now: 1, Term: 1}, sent(1, beta, 1), sent(2, beta, 2), sent(3, beta,
		3)}
	h := header(alpha, "alpha", 0)
	later := h
	later.Began += int64(time.Millisecond) // the clock was adjusted
	_, facts, all := opened(t, 0, process(t, later, events...), process(t, h, events[:2]...))
	n := 0
	for _, e := range all {
		if e.Kind == trace.MessageSent {
			n++
		}
	}
	if len(facts.Files) != 1 || n != 3 {
		t.Errorf("%d files, %d messages", len(facts.Files), n)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := pair(t)
	strange := header(beta, "beta", 0)
	strange.Cluster = 8
	for name, files := range map[string][][]byte{
		"nothing": nil, "no recording": {[]byte("vitrine replay 1\n")}, "no events": {process(t, header(alpha, "alpha", 0))},
		"two clusters": {good[0], process(t, strange, sent(1, alpha, 1))},
	} {
		_, err := Open(files)(func(player.Facts) trace.Sink { t.Errorf("%s: events are wanted", name); return nil })
		if err == nil || name == "two clusters" && !errors.Is(err, ErrMixed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut := slices.Clone(good[0][:len(good[0])-9])
	if _, facts, _ := opened(t, 0, cut, good[1]); !facts.Files[0].Lost {
		t.Errorf("a file that was cut off: %+v", facts.Files)
	}
}
