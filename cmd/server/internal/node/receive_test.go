package node

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/cmd/server/internal/peer"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/membership"
)

// untouched fails the test when somebody reads it.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the database was read")
	return 0, io.EOF
}

func imageMessage(n *Node, from, term, index uint64, voters ...uint64) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), From: &from, To: new(n.id), Term: &term,
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: new(uint64(1)),
			ConfState: &raftpb.ConfState{Voters: voters}}},
	}
}

// received are the databases that lie beside the node's own.
func received(t *testing.T, n *Node) []string {
	t.Helper()
	files, err := os.ReadDir(n.disk.SnapDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if f.Name() != "db" {
			names = append(names, f.Name())
		}
	}
	return names
}

// What a member does not need is refused before it is read.
func TestUnwantedImagesAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, testConfig(t.TempDir()))
		term, ahead := n.term.Load(), n.commitIndex.Load()+100
		const stranger = 99
		for name, test := range map[string]struct {
			m        *raftpb.Message
			declared int64
			text     string
		}{
			"stale":             {imageMessage(n, n.id, term, 1, n.id), -1, "committed here"},
			"of an old term":    {imageMessage(n, n.id, term-1, ahead, n.id), -1, "is over"},
			"of no term":        {imageMessage(n, n.id, 0, ahead, n.id), -1, "no log has"},
			"of no index":       {imageMessage(n, n.id, term, 0, n.id), -1, "no log has"},
			"without a place":   {&raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: new(n.id)}, -1, "no log has"},
			"of a stranger":     {imageMessage(n, stranger, term, ahead, n.id), -1, "member of neither"},
			"larger than a log": {imageMessage(n, n.id, term, ahead, n.id), limits.ImageBytes(0) + 1, "the limit is"},
		} {
			size, err := (*peerSide)(n).ReceiveImage(test.m, test.declared, untouched{t})
			if !errors.Is(err, peer.ErrUnwanted) || !strings.Contains(err.Error(), test.text) || size != 0 {
				t.Errorf("%s: %d bytes, %v", name, size, err)
			}
		}
		if left := received(t, n); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// One database at a time: while it is under way another, also of the same place in the log, cannot replace it.
func TestImagesAreReceivedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, testConfig(t.TempDir()))
		term, ahead := n.term.Load(), n.commitIndex.Load()+100
		r, w := io.Pipe()
		first := make(chan error, 1)
		go func() {
			_, err := (*peerSide)(n).ReceiveImage(imageMessage(n, n.id, term, ahead, n.id), -1, r)
			first <- err
		}()
		synctest.Wait()
		if _, err := (*peerSide)(n).ReceiveImage(imageMessage(n, n.id, term, ahead, n.id), -1, untouched{t}); !errors.Is(err,
			driver.ErrReceiving) {
			t.Errorf("the second: %v", err)
		}
		w.CloseWithError(io.ErrUnexpectedEOF)
		if err := <-first; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the first: %v", err)
		}
		if left := received(t, n); len(left) > 0 || n.reception.Busy() {
			t.Errorf("%v are left, busy %v", left, n.reception.Busy())
		}
	})
}

// A database that raft does not want after all is removed at once, and the next one is taken.
func TestImageThatRaftRefusesIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, testConfig(t.TempDir()))
		term, ahead := n.term.Load(), n.commitIndex.Load()+100
		for range 3 { // the configuration has no place for this member, so raft refuses it
			body := bytes.NewReader(make([]byte, 100_000))
			_, err := (*peerSide)(n).ReceiveImage(imageMessage(n, 5, term, ahead, 5, 6), -1, body)
			if errors.Is(err, peer.ErrUnwanted) {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if left := received(t, n); len(left) > 0 || n.reception.Busy() {
				t.Fatalf("%v are left, busy %v", left, n.reception.Busy())
			}
		}
	})
}

// A stale one is still answered: the leader learns from raft how far this member is, and sends no other.
func TestStaleImageIsToldToRaft(t *testing.T) {
	n := newInbox(10, math.MaxInt)
	side := &peerSide{inbox: n}
	side.commitIndex.Store(50)
	m := imageMessage(&Node{id: 1}, 2, 3, 49, 2, 1)
	side.members.Store(&membership.Members{})
	if err := side.wantImage(m, -1); !errors.Is(err, peer.ErrUnwanted) {
		t.Fatal(err)
	}
	if len(n.items) != 1 || n.items[0].in.Message != m || n.items[0].image {
		t.Errorf("raft hears %v", n.items)
	}
}
