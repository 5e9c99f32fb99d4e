package peer

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"vitrine/core/limits"
)

func testIntake() *intake { return newIntake(limits.MaxPeerMessageBytes, limits.PeerMessages) }

func entryOf(index, term uint64, data string) *raftpb.Entry {
	return &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Term: &term, Index: &index, Data: []byte(data)}
}

func appendOf(term, logTerm, index, commit uint64, entries ...*raftpb.Entry) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: new(uint64(2)), From: new(uint64(1)),
		Term: &term, LogTerm: &logTerm, Index: &index, Commit: &commit, Entries: entries,
	}
}

func sampleMessages() []*raftpb.Message {
	return []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(7)),
			Commit: new(uint64(300)), Context: []byte("ctx")},
		{Type: raftpb.MsgAppResp.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(7)),
			Index: new(uint64(9)), Reject: new(true), RejectHint: new(uint64(5)), LogTerm: new(uint64(3))},
		{Type: raftpb.MsgVote.Enum(), To: new(uint64(2)), From: new(uint64(1)), Vote: new(uint64(0)), Reject: new(false)},
		appendOf(7, 7, 10, 9, entryOf(11, 7, "a"), entryOf(12, 7, strings.Repeat("b", 300)),
			&raftpb.Entry{Index: new(uint64(13))}),
		{Type: raftpb.MsgSnap.Enum(), To: new(uint64(2)), From: new(uint64(1)), Snapshot: &raftpb.Snapshot{
			Data: []byte("x"), Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(4)), Term: new(uint64(2)),
				ConfState: &raftpb.ConfState{Voters: []uint64{1, 2}, AutoLeave: new(false)}},
		}},
		{},
	}
}

func TestWireIsProto(t *testing.T) {
	for _, m := range sampleMessages() {
		want, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendMessage(nil, m)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: encoded %x, want %x (%v)", m.GetType(), got, want, err)
		}
		if n := messageSize(m); n != len(want) {
			t.Errorf("%v: size %d, want %d", m.GetType(), n, len(want))
		}
		back, err := decodeMessage(want)
		if err != nil || !proto.Equal(back, m) {
			t.Errorf("decoded %v, want %v (%v)", back, m, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, m := range sampleMessages() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x3a, 0x05, 0x08})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeMessage(b)
		want := &raftpb.Message{}
		if werr := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, want); werr != nil {
			return // ours may be more patient: a length is checked, a nested message of another kind is skipped
		}
		if err != nil {
			t.Fatalf("refused what protobuf reads: %v", err)
		}
		want.Responses = nil
		if !proto.Equal(got, want) && !hasOddities(b) {
			t.Fatalf("decoded %v, want %v", got, want)
		}
		if got.Snapshot == nil {
			again, err := appendMessage(nil, got)
			if err != nil || len(again) != messageSize(got) {
				t.Fatalf("encoded %d bytes, size said %d (%v)", len(again), messageSize(got), err)
			}
		}
	})
}

// hasOddities: enums are 32 bits wide in protobuf, which no sender of ours or etcd's exceeds.
func hasOddities(b []byte) bool {
	m, err := decodeMessage(b)
	if err != nil {
		return true
	}
	unknown := &raftpb.Message{}
	if proto.Unmarshal(b, unknown) == nil && len(unknown.Snapshot.GetMetadata().ProtoReflect().GetUnknown()) > 0 {
		return true
	}
	if m.Snapshot != nil {
		return true // unknown fields inside are kept by one side and not the other
	}
	return false
}

// The bytes of the append stream, as etcd's rafthttp writes them.
func TestAppendStreamGolden(t *testing.T) {
	enc := appends.encoder()
	var got []byte
	var err error
	for _, m := range []*raftpb.Message{
		appendOf(5, 4, 10, 9, entryOf(11, 5, "k")), // full: the stream knows nothing yet
		appendOf(5, 5, 11, 11, entryOf(12, 5, "l"), entryOf(13, 5, "m")),
		appendOf(5, 5, 13, 13),
		appendOf(5, 5, 12, 13), // full: not where the stream stands
	} {
		if got, err = enc.append(got, m); err != nil {
			t.Fatal(err)
		}
	}
	got = enc.heartbeat(got)
	want := strings.Join([]string{
		"02", "0000000000000019", "08031002180120052804300a3a0908001005180b22016b4009",
		"01", "0000000000000002", "0000000000000009", "08001005180c22016c", "0000000000000009", "08001005180d22016d",
		"000000000000000b",
		"01", "0000000000000000", "000000000000000d",
		"02", "000000000000000e", "08031002180120052805300c400d",
		"00",
	}, "")
	if hex.EncodeToString(got) != want {
		t.Errorf("stream is\n%x, want\n%s", got, want)
	}

	dec := appends.decoder(t.Context(), bufio.NewReader(bytes.NewReader(got)), testIntake(), 2, 1)
	for i, want := range []*raftpb.Message{
		appendOf(5, 4, 10, 9, entryOf(11, 5, "k")),
		appendOf(5, 5, 11, 11, entryOf(12, 5, "l"), entryOf(13, 5, "m")),
		appendOf(5, 5, 13, 13),
		appendOf(5, 5, 12, 13),
	} {
		m, err := dec.next()
		if err != nil || !proto.Equal(m, want) {
			t.Errorf("message %d: %v, want %v (%v)", i, m, want, err)
		}
	}
	if m, err := dec.next(); m != nil || err != nil {
		t.Errorf("heartbeat: %v, %v", m, err)
	}
	if _, err := dec.next(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

func TestMessageStreamGolden(t *testing.T) {
	enc := messages.encoder()
	got := enc.heartbeat(nil)
	got, err := enc.append(got, &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), To: new(uint64(2)), From: new(uint64(1)),
		Term: new(uint64(5))})
	if err != nil {
		t.Fatal(err)
	}
	if want := "0000000000000002" + "0808" + "0000000000000008" + "0808100218012005"; hex.EncodeToString(got) != want {
		t.Errorf("stream is %x, want %s", got, want)
	}
	dec := messages.decoder(t.Context(), bufio.NewReader(bytes.NewReader(got)), testIntake(), 2, 1)
	if m, err := dec.next(); m != nil || err != nil {
		t.Errorf("heartbeat: %v, %v", m, err)
	}
	if m, err := dec.next(); err != nil || m.GetTerm() != 5 {
		t.Errorf("message: %v, %v", m, err)
	}
}

func TestDecodersRefuseNonsense(t *testing.T) {
	long := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for name, test := range map[string]struct {
		k    kind
		in   []byte
		want error
	}{
		"endless message":   {messages, long, errTooLong},
		"endless entries":   {appends, append([]byte{1}, long...), errTooLong},
		"torn message":      {messages, []byte{0, 0, 0, 0, 0, 0, 0, 9, 8}, io.ErrUnexpectedEOF},
		"false length":      {messages, []byte{0, 0, 0, 0, 0x02, 0, 0, 0, 8}, io.ErrUnexpectedEOF},
		"torn field":        {messages, []byte{0, 0, 0, 0, 0, 0, 0, 1, 8}, errMalformed},
		"full, torn length": {appends, []byte{2, 0, 0}, io.ErrUnexpectedEOF},
	} {
		d := test.k.decoder(t.Context(), bufio.NewReader(bytes.NewReader(test.in)), testIntake(), 2, 1)
		if _, err := d.next(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	d := appends.decoder(t.Context(), bufio.NewReader(bytes.NewReader([]byte{9})), testIntake(), 2, 1)
	if _, err := d.next(); err == nil || !strings.Contains(err.Error(), "unknown frame 9") {
		t.Errorf("unknown frame: %v", err)
	}
}
