package trace

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"vitrine/core/limits"
)

func noLock() Locker { return NoLock{} }

func header() Header {
	return Header{Cluster: 0xcdf818194e3a8c32, Member: 0x8e9e05c52164694d, Name: "s1", Began: 1764453600000000000,
		Version: "3.7.3", Commit: "abc"}
}

// read is what a recorder has, read back.
func read(t *testing.T, r *Recorder) *Recording {
	t.Helper()
	var file bytes.Buffer
	if err := r.Write(&file, header()); err != nil {
		t.Fatal(err)
	}
	rec, err := ReadRecording(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := header()
	want.First = rec.Header.First
	if rec.Header != want {
		t.Fatalf("header %+v, want %+v", rec.Header, want)
	}
	return rec
}

func TestRecorderKeepsAll(t *testing.T) {
	r := NewRecorder(limits.FlightRecorderLeastBytes, 3, noLock)
	var want []Event
	for i := range 300 {
		pen := r.Lane(i % 3).Pen()
		e := full()
		e.Cause, e.Now = uint64(i), Instant(i-100)
		seq := pen.Emit(e)
		if seq != uint64(i+1) {
			t.Fatalf("event %d has number %d", i, seq)
		}
		e.Seq = seq
		want = append(want, e)
	}
	rec := read(t, r)
	if rec.Header.First != 1 || len(rec.Events) != len(want) {
		t.Fatalf("%d events from %d on", len(rec.Events), rec.Header.First)
	}
	for i, e := range rec.Events {
		if e != want[i] {
			t.Fatalf("event %d is %+v, want %+v", i, e, want[i])
		}
	}
}

// TestRecorderGivesUpTheOldest: the room is bounded; what is left has no gap, ends with the last event, and is behind
// the newest of those events that tell how things stood.
func TestRecorderGivesUpTheOldest(t *testing.T) {
	for _, room := range []int{limits.FlightRecorderLeastBytes, 300_000, 3 << 20} {
		r := NewRecorder(room, 4, noLock)
		d := rand.New(rand.NewPCG(uint64(room), 2))
		core, log := r.Lane(0).Pen(), r.Lane(1).Pen()
		core.Emit(Event{Kind: RoleChanged, Term: 1})
		role := core.Emit(Event{Kind: RoleChanged, Term: 7})
		synced := uint64(0)
		quiet := r.Lane(3).Pen() // never fills a chunk
		confed := quiet.Emit(Event{Kind: ConfChanged, Peer: 1 << 60, Index: 3})
		quiet.Emit(Event{Kind: ConfChanged, Peer: 1, Index: 4})
		again := quiet.Emit(Event{Kind: ConfChanged, Peer: 1, Index: 5})
		core.Emit(Event{Kind: ProgressChanged, Peer: 1 << 60, Index: 3})
		core.Emit(Event{Kind: ProgressChanged, Cause: 1, Member: 4, Peer: 2, Index: 3})
		moved := core.Emit(Event{Kind: ProgressChanged, Peer: 1 << 60, Index: 4})
		n := 0
		for ; n < room/8; n++ {
			switch d.IntN(3) {
			case 0:
				core.Emit(Event{Kind: MessageSent, Index: uint64(n),
					Text: strings.Repeat("x", d.IntN(2*limits.FlightRecorderText))})
			case 1:
				synced = log.Emit(Event{Kind: LogSynced, Index: uint64(n)})
			default:
				pen := r.Lane(2).Pen()
				pen.EmitKey(Event{Kind: KeyIndexed, Rev: int64(n)}, []byte("key"))
			}
		}
		if used := r.made * r.size; used > room {
			t.Errorf("%d bytes of %d", used, room)
		}
		rec := read(t, r)
		first := rec.Header.First
		if len(rec.Events) < room/200 || first < 2 {
			t.Fatalf("room %d: %d events from %d on", room, len(rec.Events), first)
		}
		var stood []uint64
		at := first
		for _, e := range rec.Events {
			if e.Seq < first {
				stood = append(stood, e.Seq)
				continue
			}
			if e.Seq != at {
				t.Fatalf("event %d stands where %d should", e.Seq, at)
			}
			if len(e.Text) > limits.FlightRecorderText || e.Member != header().Member {
				t.Fatalf("event %+v", e)
			}
			at++
		}
		if at != r.seq.Load()+1 {
			t.Errorf("the last event is %d of %d", at-1, r.seq.Load())
		}
		want := []uint64{role, confed, again, moved - 1, moved}
		if len(stood) != 6 || !slices.Equal(stood[:5], want) || stood[5] >= first || stood[5] > synced {
			t.Errorf("what stood before %d: %d, want %d and a sync", first, stood, want)
		}
	}
}

func TestRecorderOnManyGoroutines(t *testing.T) {
	r := NewRecorder(limits.FlightRecorderLeastBytes, 4, func() Locker { return &sync.Mutex{} })
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		writers.Go(func() {
			pen := r.Lane(i).Pen()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					pen.Emit(Event{Kind: EntryApplied, Index: uint64(n), A: uint64(i)})
				}
			}
		})
	}
	for range 50 {
		rec := read(t, r)
		last := map[uint64]uint64{}
		for _, e := range rec.Events {
			if before, ok := last[e.A]; ok && e.Seq > rec.Header.First && e.Index != before+1 {
				t.Fatalf("lane %d goes from %d to %d", e.A, before, e.Index)
			}
			if e.Seq >= rec.Header.First {
				last[e.A] = e.Index
			}
		}
	}
	close(stop)
	writers.Wait()
}

func TestRecordingAllocatesNothing(t *testing.T) {
	r := NewRecorder(limits.FlightRecorderLeastBytes, 2, func() Locker { return &sync.Mutex{} })
	pen := r.Lane(0).Pen()
	key := []byte("a key")
	if n := testing.AllocsPerRun(20_000, func() {
		pen.Lead(Event{Kind: CommitAdvanced, Index: 7, Text: "a text"})
		pen.EmitKey(Event{Kind: KeyIndexed, Index: 7}, key)
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
	var none *Recorder
	pen = none.Lane(3).Pen()
	if pen.On() || pen.Emit(Event{Kind: Fault}) != 0 {
		t.Error("a recorder that is not there takes events")
	}
}

// TestRecordingIsAsItWas holds the format: a file of an earlier build is read, and this one writes the same bytes.
func TestRecordingIsAsItWas(t *testing.T) {
	const name = "testdata/one.recording"
	r := NewRecorder(limits.FlightRecorderLeastBytes, 2, noLock)
	core, log := r.Lane(0).Pen(), r.Lane(1).Pen()
	core.At(1_000_000, 0)
	core.Lead(Event{Kind: TermChanged, Term: 2})
	core.Emit(Event{Kind: MessageSent, Msg: 6, Peer: 3, Term: 2, Index: 4, C: Rejected})
	log.At(2_000_000, core.Caused())
	log.Emit(Event{Kind: LogSynced, Term: 2, Index: 4, A: 1})
	log.EmitKey(Event{Kind: RevisionAdvanced, Rev: 2}, []byte("a\xff"))
	var file bytes.Buffer
	if err := r.Write(&file, header()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name)
	if err != nil && os.Getenv("REWRITE") != "" {
		err, want = os.WriteFile(name, file.Bytes(), 0o644), file.Bytes()
	}
	if err != nil || !bytes.Equal(file.Bytes(), want) {
		t.Fatalf("%v: got %q, want %q", err, file.Bytes(), want)
	}
	rec, err := ReadRecording(want)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range rec.Events {
		e.Member = 0
		fmt.Fprintf(&text, "%s", AppendJSON(nil, &e))
	}
	if got, want := text.String(), `{"seq":1,"now":1000000,"kind":"term-changed","term":2}
{"seq":2,"cause":1,"now":1000000,"kind":"message-sent","msg":"MsgVote","peer":3,"term":2,"index":4,"c":4294967296}
{"seq":3,"cause":1,"now":2000000,"kind":"log-synced","term":2,"index":4,"a":1}
{"seq":4,"cause":1,"now":2000000,"kind":"revision-advanced","rev":2,"bytes":"Yf8="}
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestDamagedRecordings(t *testing.T) {
	file, err := os.ReadFile("testdata/one.recording")
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.IndexByte(file, '}') + 2
	for n := range file {
		rec, err := ReadRecording(file[:n])
		switch {
		case err == nil:
			t.Errorf("%d bytes of %d are a recording", n, len(file))
		case n >= head && (!errors.Is(err, ErrCutOff) || rec == nil):
			t.Errorf("%d bytes of %d: %v", n, len(file), err)
		case n < head && !errors.Is(err, ErrRecording):
			t.Errorf("%d bytes of %d: %v", n, len(file), err)
		}
		bad := bytes.Clone(file)
		bad[n] ^= 1
		if _, err := ReadRecording(bad); err == nil {
			t.Errorf("byte %d may be another", n)
		}
	}
	if _, err := ReadRecording(append(bytes.Clone(file), 0)); !errors.Is(err, ErrRecording) {
		t.Errorf("a byte behind the end: %v", err)
	}
}

func FuzzReadRecording(f *testing.F) {
	file, err := os.ReadFile("testdata/one.recording")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := ReadRecording(data)
		if err != nil && !errors.Is(err, ErrRecording) && !errors.Is(err, ErrCutOff) && !errors.Is(err, ErrEvent) {
			t.Fatal(err)
		}
		if err == nil && rec == nil {
			t.Fatal("nothing was read")
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(16<<20, 4, func() Locker { return &sync.Mutex{} })
	pen := r.Lane(0).Pen()
	pen.At(123456789012, 4567890)
	key := []byte("registry/pods/default/one")
	b.ReportAllocs()
	for b.Loop() {
		pen.Emit(Event{Kind: MessageSent, Msg: 4, Peer: 0x8e9e05c52164694d, Term: 3, Index: 1234567, A: 1234560, B: 3, C: 12})
		pen.EmitKey(Event{Kind: RevisionAdvanced, Rev: 1234567}, key)
	}
}
