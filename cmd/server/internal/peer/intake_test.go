package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protowire"

	"vitrine/core/limits"
)

// lone is a transport that knows one peer, 3, and of which 7 was removed. Nothing of it touches the network.
func lone(t *testing.T) *side {
	t.Helper()
	s := &side{id: 1, received: make(chan *raftpb.Message, 100), images: make(chan string, 1), sent: make(chan bool, 1),
		expelled: make(chan uint64, 1), removed: map[uint64]bool{7: true}}
	s.t = New(Config{
		Self: 1, Cluster: 0xabc, Member: s, Log: zap.NewNop(), Metrics: NewMetrics(prometheus.NewRegistry()),
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
	})
	s.t.Add(3, []string{"http://peer"})
	t.Cleanup(s.t.Close)
	return s
}

// post is what a peer sends; length -1 leaves it open how long the body is.
func (s *side) post(path string, from uint64, length int64, body io.Reader) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, body)
	req.ContentLength = length
	for k, v := range map[string]string{"X-Server-From": ID(from), "X-Server-Version": "3.7.3",
		"X-Min-Cluster-Version": "3.0.0", "X-Etcd-Cluster-ID": "abc"} {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.t.Handler().ServeHTTP(w, req)
	return w
}

// endless gives zeros, counts them, and stops when there have been enough. A hold, if there is one, comes before them.
type endless struct {
	rest int64
	read atomic.Int64
	hold chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	if e.hold != nil {
		<-e.hold
	}
	if e.read.Load() >= e.rest {
		return 0, io.EOF
	}
	clear(p)
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// What is refused by its headers is refused before a byte of the body is read.
func TestStrangersAreRefusedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lone(t)
		for _, path := range []string{"/raft", "/raft/snapshot"} {
			body := &endless{rest: 1 << 30}
			if w := s.post(path, 7, 1<<30, body); w.Code != http.StatusForbidden || body.read.Load() > 0 {
				t.Errorf("%s of a removed member: %d after %d bytes", path, w.Code, body.read.Load())
			}
		}
		for _, from := range []uint64{3, 9} {
			body := &endless{rest: 1 << 30}
			if w := s.post("/raft", from, limits.MaxPeerMessageBytes+1, body); w.Code != http.StatusRequestEntityTooLarge ||
				body.read.Load() > 0 {
				t.Errorf("a message that is too large, of %d: %d after %d bytes", from, w.Code, body.read.Load())
			}
		}
		s.unwanted = true
		head, err := appendFrame(nil, snapshotTo(1))
		if err != nil {
			t.Fatal(err)
		}
		body := &endless{rest: 1 << 30}
		if w := s.post("/raft/snapshot", 3, -1, io.MultiReader(bytes.NewReader(head), body)); w.Code != http.StatusConflict ||
			body.read.Load() > 0 {
			t.Errorf("an unwanted database: %d %s after %d bytes", w.Code, w.Body, body.read.Load())
		}
	})
}

// The room bounds the bytes of all posts that are being received, and strangers have one of their own.
func TestRoomIsSharedByAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lone(t)
		const size = limits.MaxPeerMessageBytes
		var bodies []*endless
		codes := make(chan string, 10)
		begin := func(from uint64) {
			b := &endless{rest: size, hold: make(chan struct{})}
			bodies = append(bodies, b)
			go func() { codes <- fmt.Sprint(from, " ", s.post("/raft", from, size, b).Code) }()
			synctest.Wait()
		}
		for range limits.PeerMessages + 2 {
			begin(3)
		}
		begin(9)
		begin(9)
		time.Sleep(2 * roomTimeout) // those who find no room are sent away
		for range 3 {
			if got := <-codes; got != "3 503" && got != "9 503" {
				t.Errorf("without room: %s", got)
			}
		}
		small := message(raftpb.MsgHeartbeat, 3, 1, 4)
		for _, b := range bodies {
			close(b.hold)
		}
		for range limits.PeerMessages + 1 {
			if got := <-codes; got != "3 400" && got != "9 400" { // zeros are no message
				t.Errorf("with room: %s", got)
			}
		}
		b, err := appendMessage(nil, small)
		if err != nil {
			t.Fatal(err)
		}
		if w := s.post("/raft", 3, int64(len(b)), bytes.NewReader(b)); w.Code != http.StatusNoContent {
			t.Errorf("the room is not given back: %d %s", w.Code, w.Body)
		}
	})
}

// A body whose length is open is cut at the limit, and its memory is in the room, too.
func TestOpenBodiesAreBounded(t *testing.T) {
	s := lone(t)
	body := &endless{rest: 1 << 40}
	w := s.post("/raft", 3, -1, body)
	if w.Code != http.StatusRequestEntityTooLarge && w.Code != http.StatusServiceUnavailable {
		t.Errorf("answer %d", w.Code)
	}
	if got := body.read.Load(); got > 2*limits.MaxPeerMessageBytes {
		t.Errorf("%d bytes were read", got)
	}
	b, err := appendMessage(nil, appendOf(1, 1, 1, 1, entryOf(2, 1, strings.Repeat("x", 100_000))))
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, 3<<3, 3, 2<<3, 1) // from 3 to 1
	if w := s.post("/raft", 3, -1, bytes.NewReader(b)); w.Code != http.StatusNoContent {
		t.Errorf("a good one: %d %s", w.Code, w.Body)
	}
}

// Four posts of half a gigabyte at once, over real connections, cost little more than the room.
func TestLargePostsCostTheRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("moves some hundred megabytes")
	}
	s := lone(t)
	server := httptest.NewServer(s.t.Handler())
	defer server.Close()
	var most atomic.Uint64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	var posts sync.WaitGroup
	for i := range 8 {
		posts.Go(func() {
			req, err := http.NewRequest(http.MethodPost, server.URL+"/raft", io.LimitReader(&endless{rest: 1 << 40}, 512<<20))
			if err != nil {
				t.Error(err)
				return
			}
			if i%2 == 0 {
				req.ContentLength = 512 << 20
			}
			from := uint64(3 + i/4*6)
			for k, v := range map[string]string{"X-Server-From": ID(from), "X-Server-Version": "3.7.3",
				"X-Min-Cluster-Version": "3.0.0", "X-Etcd-Cluster-ID": "abc"} {
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return // cut off while it was sending
			}
			defer resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("answer %d", resp.StatusCode)
			}
		})
	}
	posts.Wait()
	close(done)
	watch.Wait()
	// More than the room, as the collector lets the heap grow to twice of what is in use.
	if bound := uint64(5 * (limits.PeerMessages + 1) * limits.MaxPeerMessageBytes / 2); most.Load() > bound {
		t.Errorf("the heap had %d MiB, bound %d", most.Load()>>20, bound>>20)
	}
	t.Logf("the heap had %d MiB at most", most.Load()>>20)
}

// Messages that would take much more memory than they have bytes are refused while they are decoded.
func TestDenseMessagesAreRefused(t *testing.T) {
	entries := bytes.Repeat([]byte{7<<3 | 2, 0}, limits.MaxPeerEntries+1)
	voters := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType),
		bytes.Repeat([]byte{1}, limits.MaxSnapshotMessageBytes+1))
	part := protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType),
		voters[:limits.MaxSnapshotMessageBytes/2])
	for name, b := range map[string][]byte{
		"entries":           entries,
		"snapshot":          protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), voters),
		"snapshot in parts": bytes.Repeat(part, 3),
		"context": protowire.AppendBytes(protowire.AppendTag(nil, 12, protowire.BytesType),
			make([]byte, limits.MaxMessageContext+1)),
	} {
		if _, err := decodeMessage(b); !errors.Is(err, errTooLong) && !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
