package peer

import (
	"bufio"
	"bytes"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// fuzzLimit is small, so that inputs reach it.
const fuzzLimit = 4 << 10

// FuzzStream gives a decoder any bytes. It may not panic, nor hold more than the room; what it has read it has read as
// protobuf would, and it gives all of the room back.
func FuzzStream(f *testing.F) {
	for _, k := range []kind{messages, appends} {
		enc := k.encoder()
		var stream []byte
		for _, m := range sampleMessages() {
			var err error
			if stream, err = enc.append(stream, m); err != nil {
				f.Fatal(err)
			}
			stream = enc.heartbeat(stream)
		}
		f.Add(k == appends, stream)
	}
	f.Add(true, []byte{frameCompact, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 7})
	f.Add(true, []byte{frameCompact, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, ofAppends bool, stream []byte) {
		k := messages
		if ofAppends {
			k = appends
		}
		in := newIntake(fuzzLimit, 1)
		d := k.decoder(t.Context(), bufio.NewReader(bytes.NewReader(stream)), in, 2, 1)
		for {
			m, err := d.next()
			if err != nil {
				break
			}
			if m != nil && messageSize(m) > 8*fuzzLimit { // compact entries are written longer in a message
				t.Fatalf("a message of %d bytes passed", messageSize(m))
			}
		}
		d.release()
		if !in.room.TryAcquire(in.total) {
			t.Fatal("the room is not given back")
		}
	})
}

// FuzzPost gives the handlers any bodies. What reaches the member has come as the message that protobuf reads, from
// somebody who was not removed, for this member.
func FuzzPost(f *testing.F) {
	for _, m := range sampleMessages() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(false, uint64(3), b)
		framed, err := appendFrame(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(true, uint64(9), append(framed, "database"...))
	}
	f.Fuzz(func(t *testing.T, snapshot bool, from uint64, body []byte) {
		s := lone(t)
		s.t.members, s.t.strangers = newIntake(fuzzLimit, 2), newIntake(fuzzLimit, 1)
		path := "/raft"
		if snapshot {
			path = "/raft/snapshot"
		}
		length := int64(len(body))
		if from%2 == 0 {
			length = -1
		}
		w := s.post(path, from, length, bytes.NewReader(body))
		select {
		case m := <-s.received:
			if w.Code != 204 || m.GetTo() != 1 || s.removed[m.GetFrom()] || snapshot && m.GetType() != raftpb.MsgSnap {
				t.Fatalf("%v reached the member, answer %d", m, w.Code)
			}
		default:
			if w.Code < 400 {
				t.Fatalf("nothing reached the member, answer %d", w.Code)
			}
		}
		for _, in := range []*intake{s.t.members, s.t.strangers} {
			if !in.room.TryAcquire(in.total) {
				t.Fatal("the room is not given back")
			}
		}
	})
}
