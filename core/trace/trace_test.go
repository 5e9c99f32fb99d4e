package trace

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// full has a value in every field.
func full() Event {
	return Event{Seq: 1 << 60, Cause: 9, Now: -5, Kind: MessageSent, Msg: 4, Member: 1, Peer: 2, Term: 3, Index: 4,
		Rev: -7, Request: 8, A: math.MaxUint64, B: 10, C: Rejected | 1, Text: "a\"\\\x00\n\x7fé世"}
}

type collect struct{ events []Event }

func (c *collect) Emit(e *Event) { c.events = append(c.events, *e) }

func TestStreamNumbersAndFillsIn(t *testing.T) {
	sink := &collect{}
	s := NewStream(sink)
	pen := NewTracer(s, 3)
	pen.At(50, 0)
	first := pen.Emit(Event{Kind: TermChanged, Term: 2})
	pen.At(60, first)
	pen.Emit(Event{Kind: VoteCast, Term: 2, Peer: 1})
	pen.Emit(Event{Kind: LinkCut, Member: 9, Cause: 7, Now: 61})
	want := []Event{
		{Seq: 1, Now: 50, Member: 3, Kind: TermChanged, Term: 2},
		{Seq: 2, Now: 60, Member: 3, Cause: 1, Kind: VoteCast, Term: 2, Peer: 1},
		{Seq: 3, Now: 61, Member: 9, Cause: 7, Kind: LinkCut},
	}
	if !reflect.DeepEqual(sink.events, want) {
		t.Fatalf("got %+v\nwant %+v", sink.events, want)
	}
	if pen.Caused() != first || pen.Now() != 60 || s.Seq() != 3 {
		t.Errorf("caused %d, now %d, seq %d", pen.Caused(), pen.Now(), s.Seq())
	}
}

func TestNilTracerDoesNothing(t *testing.T) {
	var pen *Tracer
	pen.At(1, 2)
	if pen.Emit(Event{Kind: Fault}) != 0 || pen.Caused() != 0 || pen.Now() != 0 || pen.On() {
		t.Error("a nil tracer left a mark")
	}
}

// echo emits a violation for each fault that it sees.
type echo struct{ s *Stream }

func (x echo) Emit(e *Event) {
	if e.Kind == Fault {
		x.s.Emit(&Event{Kind: Violated, Cause: e.Seq})
	}
}

func TestSinksMayEmit(t *testing.T) {
	s := NewStream()
	last := &collect{}
	s.Attach(echo{s})
	s.Attach(last)
	s.Emit(&Event{Kind: Fault})
	s.Emit(&Event{Kind: Fault})
	var got []Kind
	for i, e := range last.events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has seq %d", i, e.Seq)
		}
		got = append(got, e.Kind)
	}
	if want := []Kind{Fault, Violated, Fault, Violated}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHashSeesEveryField(t *testing.T) {
	hash := func(e Event) uint64 {
		s := NewStream()
		s.Emit(&e)
		s.Emit(&Event{Kind: Fault})
		return s.Hash()
	}
	base := hash(Event{})
	seen := map[uint64]string{base: "nothing"}
	typ := reflect.TypeFor[Event]()
	for i := range typ.NumField() {
		if typ.Field(i).Name == "Seq" {
			continue // the stream's own
		}
		var e Event
		switch f := reflect.ValueOf(&e).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int64:
			f.SetInt(1)
		default:
			f.SetUint(1)
		}
		h := hash(e)
		if other, dup := seen[h]; dup {
			t.Errorf("a change of %s hashes like %s", typ.Field(i).Name, other)
		}
		seen[h] = typ.Field(i).Name
	}
	for _, text := range []string{"ab", "ba", "abcdefgh", "abcdefgi", "abcdefghi", "abcdefgh\x00", "\x00", "\x00\x00"} {
		h := hash(Event{Text: text})
		if other, dup := seen[h]; dup {
			t.Errorf("text %q hashes like %s", text, other)
		}
		seen[h] = text
	}
}

// The same numbers must come out in js/wasm and on every processor, forever:
// replay files hold them.
func TestHashIsStable(t *testing.T) {
	s := NewStream()
	e := full()
	for i := range 1000 {
		e.Index = uint64(i)
		s.Emit(&e)
	}
	if got, want := s.Hash(), uint64(0x02a9e86988d0f501); got != want {
		t.Errorf("stream hash %#x, want %#x", got, want)
	}
	if got, want := HashData([]byte("vitrine keeps its word")), uint64(0x7aa268904c9be6f8); got != want {
		t.Errorf("data hash %#x, want %#x", got, want)
	}
	if HashData(nil) == 0 || HashData(nil) == HashData([]byte{0}) {
		t.Error("hashes of nothing and of a zero byte")
	}
}

func TestEmitAllocatesNothing(t *testing.T) {
	pen := NewTracer(NewStream(NewRing(64)), 1)
	if n := testing.AllocsPerRun(1000, func() {
		pen.Emit(Event{Kind: CommitAdvanced, Index: 7, Text: "a text"})
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestRing(t *testing.T) {
	r := NewRing(4)
	s := NewStream(r)
	for i := range 3 {
		s.Emit(&Event{Kind: Fault, Index: uint64(i + 1), Cause: uint64(i)})
	}
	if r.Len() != 3 || r.At(0).Index != 1 || r.Find(4) != nil {
		t.Fatalf("half full: len %d, first %+v", r.Len(), r.At(0))
	}
	for i := 3; i < 10; i++ {
		s.Emit(&Event{Kind: Fault, Index: uint64(i + 1), Cause: uint64(i)})
	}
	if r.Len() != 4 || r.At(0).Index != 7 || r.At(3).Index != 10 {
		t.Errorf("full: first %+v, last %+v", r.At(0), r.At(3))
	}
	if r.Find(6) != nil || r.Find(8) == nil || r.Find(8).Index != 8 || r.From(0) != 0 || r.From(99) != 4 {
		t.Error("events are not found by their seq")
	}
	chain := r.Causes(9)
	if len(chain) != 3 || chain[0].Seq != 7 || chain[2].Seq != 9 {
		t.Errorf("causes of 9: %+v", chain)
	}
}

func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for k := range 256 {
		kind := Kind(k)
		if !kind.Valid() {
			continue
		}
		if names[kind.String()] || kind.Group() == "" || strings.ToLower(kind.String()) != kind.String() {
			t.Errorf("kind %d: name %q, group %q", k, kind, kind.Group())
		}
		names[kind.String()] = true
	}
	if len(names) != 82 {
		t.Errorf("%d kinds", len(names))
	}
	if Kind(0).Valid() || Kind(255).String() != "kind-255" {
		t.Error("numbers without a meaning have names")
	}
}

func TestMessageNamesAreRafts(t *testing.T) {
	for n, name := range raftpb.MessageType_name {
		if got := MessageName(uint8(n + 1)); got != name {
			t.Errorf("message %d is called %q, raft says %q", n, got, name)
		}
	}
	if len(messages) != len(raftpb.MessageType_name)+1 {
		t.Errorf("%d names for %d types", len(messages)-1, len(raftpb.MessageType_name))
	}
}

func TestBinary(t *testing.T) {
	events := []Event{{Kind: Fault}, full(), {Kind: Station, Text: "\xff\xfe"}}
	var data []byte
	for i := range events {
		data = AppendBinary(data, &events[i])
	}
	for i, want := range events {
		got, n, err := DecodeBinary(data)
		if err != nil || got != want {
			t.Fatalf("event %d: %+v, %v", i, got, err)
		}
		for cut := range n {
			if _, m, err := DecodeBinary(data[:cut]); err == nil {
				t.Errorf("event %d cut to %d bytes is read as one of %d", i, cut, m)
			}
		}
		data = data[n:]
	}
	for name, bad := range map[string]string{
		"unknown kind": "\x00\x00\x00\x00", "unknown message": "\x01\xf0\x00\x00", "unknown field": "\x01\x00\x00\x20",
		"zero field": "\x01\x00\x01\x00\x00", "long number": "\x01\x00\x01\x00\x81\x00",
	} {
		if _, _, err := DecodeBinary([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestJSON(t *testing.T) {
	e := full()
	line := AppendJSON(nil, &e)
	want := `{"seq":"1152921504606846976","cause":9,"now":-5,"kind":"message-sent","msg":"MsgApp","member":1,"peer":2,` +
		`"term":3,"index":4,"rev":-7,"request":8,"a":"18446744073709551615","b":10,"c":4294967297,` +
		`"text":"a\"\\\u0000\u000a\u007fé世"}` + "\n"
	if string(line) != want {
		t.Errorf("got  %swant %s", line, want)
	}
	e = Event{Kind: Station, Text: "\xff"}
	if got, want := string(AppendJSON(nil, &e)), `{"seq":0,"now":0,"kind":"station","bytes":"/w=="}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzBinary(f *testing.F) {
	e := full()
	f.Add(AppendBinary(nil, &e))
	f.Add([]byte("\x79\x00\x00\x10\x03abc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, n, err := DecodeBinary(data)
		if err != nil {
			return
		}
		if again := AppendBinary(nil, &e); !bytes.Equal(again, data[:n]) {
			t.Fatalf("%x is written back as %x", data[:n], again)
		}
	})
}

func BenchmarkEmit(b *testing.B) {
	pen := NewTracer(NewStream(), 1)
	for b.Loop() {
		pen.Emit(Event{Kind: CommitAdvanced, Index: 7, Term: 3})
	}
}

func BenchmarkEmitText(b *testing.B) {
	pen := NewTracer(NewStream(NewRing(1024)), 1)
	for b.Loop() {
		pen.Emit(Event{Kind: RevisionAdvanced, Rev: 7, Text: "registry/pods/default/one"})
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	e := full()
	var buf []byte
	for b.Loop() {
		buf = AppendBinary(buf[:0], &e)
	}
}
