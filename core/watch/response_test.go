package watch

import (
	"bytes"
	"testing"

	"vitrine/core/mvcc"
	"vitrine/core/pb"

	"pgregory.net/rapid"
)

// TestWire: a response's bytes are those of the message, encoded or not, and its size bounds them closely.
func TestWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(0, 1<<62)
		batch := make([]*item, rapid.IntRange(0, 4).Draw(t, "events"))
		for i := range batch {
			ev := &mvcc.Event{HasPrev: true, Event: &pb.Event{
				Type: pb.Event_EventType(rapid.IntRange(0, 1).Draw(t, "type")),
				Kv:   randomPair(t),
			}}
			if rapid.Bool().Draw(t, "has prev") {
				ev.Prev = randomPair(t)
			}
			batch[i] = &item{event: ev}
		}
		e := encoder{skip: rapid.Bool().Draw(t, "skip")}
		r := &Response{
			WatchID: rapid.Int64Range(-1, 1<<62).Draw(t, "id"), Rev: number.Draw(t, "rev"),
			CompactRev: number.Draw(t, "compact"),
			Created:    rapid.Bool().Draw(t, "created"), Canceled: rapid.Bool().Draw(t, "canceled"),
			Fragment: rapid.Bool().Draw(t, "fragment"),
			Reason:   rapid.StringN(0, 200, -1).Draw(t, "reason"),
		}
		if len(batch) > 0 {
			r.Events = e.list(batch, rapid.Bool().Draw(t, "prev"))
		}
		h := &pb.ResponseHeader{ClusterId: rapid.Uint64().Draw(t, "cluster"), MemberId: rapid.Uint64().Draw(t, "member"),
			RaftTerm: rapid.Uint64().Draw(t, "term")}
		want, err := r.Message(h).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		got := r.AppendWire([]byte("before"), h)
		if !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("got\n%x\nwant\n%x", got[6:], want)
		}
		apart := r.AppendHead([]byte("before"), h)
		for _, part := range r.Parts() {
			apart = append(apart, part...)
		}
		if !bytes.Equal(apart, got) || len(r.Parts()) != len(batch) {
			t.Fatalf("in %d parts\n%x\nwant\n%x", len(r.Parts()), apart[6:], want)
		}
		if n := r.SizeWire(); n < len(want) || n > len(want)+maxHeaderBytes+16 {
			t.Fatalf("size %d of %d bytes", n, len(want))
		}
		if r.Message(h).Header.Revision != r.Rev {
			t.Fatal("header")
		}
	})
}

func randomPair(t *rapid.T) *pb.KeyValue {
	n := rapid.Int64Range(0, 1<<40)
	return &pb.KeyValue{
		Key: rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "key"), Value: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t,
			"value"),
		CreateRevision: n.Draw(t, "create"), ModRevision: n.Draw(t, "mod"), Version: n.Draw(t, "version"),
		Lease: n.Draw(t, "lease"),
	}
}

// TestEncodedOnce: watchers of the same events share one list, and one that sees a part of them shares its events.
func TestEncodedOnce(t *testing.T) {
	w := newWorld(Config{})
	for id := range uint64(4) {
		w.open(id + 1)
		w.create(id+1, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z"), PrevKv: id >= 2})
	}
	w.open(5)
	w.create(5, &pb.WatchCreateRequest{Key: []byte("b")})
	w.settle()
	w.write(true, op{"a", "0"}, op{"b", "0"})
	w.publish(1)
	w.settle()
	w.write(true, op{"a", "1"}, op{"b", "1"})
	w.publish(1)
	w.drain()
	of := func(stream uint64) *Encoded { return w.pushes[stream][len(w.pushes[stream])-1].Events }
	if of(1) != of(2) || of(3) != of(4) || of(1) == of(3) {
		t.Error("equal lists were made twice, or different lists once")
	}
	if &of(1).parts[1][0] != &of(5).parts[0][0] {
		t.Error("an event was encoded twice")
	}
	if of(3).Events[1].PrevKv == nil || of(1).Events[1].PrevKv != nil {
		t.Error("previous pairs")
	}
}

// TestSizeWire: the bound is the widest header, the three flags, and the rest to the byte.
func TestSizeWire(t *testing.T) {
	const header, flags = maxHeaderBytes, 6
	for _, c := range []struct {
		r    *Response
		want int
	}{
		{&Response{}, 0},
		{&Response{WatchID: 300}, 3},
		{&Response{CompactRev: 1}, 2},
		{&Response{Reason: "because"}, 2 + 7},
		{&Response{WatchID: -1, CompactRev: 1 << 20, Reason: string(make([]byte, 200))}, 11 + 4 + 3 + 200},
		{&Response{Events: &Encoded{size: 77}}, 77},
	} {
		if got := c.r.SizeWire(); got != header+flags+c.want {
			t.Errorf("%s: %d, want %d", describe(c.r), got, header+flags+c.want)
		}
	}
}

// TestCreateHasNoPreviousPair, whatever the store has found.
func TestCreateHasNoPreviousPair(t *testing.T) {
	ev := &mvcc.Event{HasPrev: true,
		Event: &pb.Event{Kv: &pb.KeyValue{Key: []byte("a"), CreateRevision: 3, ModRevision: 3}}}
	ev.Prev = &pb.KeyValue{Key: []byte("a")}
	e := encoder{}
	if got := e.list([]*item{{event: ev}}, true).Events[0]; got.PrevKv != nil {
		t.Errorf("previous pair %v", got.PrevKv)
	}
	if v := e.variant(&item{event: ev}, false); v.size != len(v.wire[0]) {
		t.Errorf("%d bytes are counted as %d", len(v.wire[0]), v.size)
	}
	ev.Kv.CreateRevision = 2
	if got := e.list([]*item{{event: ev}}, true).Events[0]; got.PrevKv == nil {
		t.Error("no previous pair")
	}
	if l := (&encoder{skip: true}).list([]*item{{event: ev}, {event: ev}}, true); l.parts != nil || l.SizeBytes() == 0 {
		t.Errorf("%d parts where nothing is to be encoded, %d bytes", len(l.parts), l.SizeBytes())
	}
}
