package peer

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
)

// side is one member of a pair: a transport, its server, and what arrived.
type side struct {
	id       uint64
	t        *Transport
	server   *http.Server
	url      string
	received chan *raftpb.Message
	images   chan string
	sent     chan bool
	expelled chan uint64

	mu       sync.Mutex
	removed  map[uint64]bool
	full     bool
	unwanted bool // images
}

func (s *side) Receive(m *raftpb.Message) bool {
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full {
		return false
	}
	s.received <- m
	return true
}

func (s *side) ReceiveImage(m *raftpb.Message, _ int64, image io.Reader) (int64, error) {
	s.mu.Lock()
	unwanted := s.unwanted
	s.mu.Unlock()
	if unwanted {
		return 0, ErrUnwanted
	}
	b, err := io.ReadAll(image)
	if err != nil {
		return 0, err
	}
	s.images <- string(b)
	s.received <- m
	return int64(len(b)), nil
}

func (s *side) Removed(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed[id]
}

func (s *side) Unreachable(uint64)              {}
func (s *side) Dropped(*raftpb.Message, string) {}
func (s *side) SnapshotSent(_ uint64, ok bool)  { s.sent <- ok }
func (s *side) Connected(uint64, bool)          {}
func (s *side) Expelled(by uint64) {
	select {
	case s.expelled <- by:
	default:
	}
}

// newSide is a member on a network in memory.
func newSide(t *testing.T, w *wires, id, cluster uint64) *side {
	t.Helper()
	host := fmt.Sprint("m", id)
	return serveSide(t, id, cluster, w.listen(host), "http://"+host, w.dial)
}

func serveSide(t *testing.T, id, cluster uint64, l net.Listener, url string, dial dial.Func) *side {
	s := &side{
		id: id, url: url, received: make(chan *raftpb.Message, 10000), images: make(chan string, 1),
		sent: make(chan bool, 10), expelled: make(chan uint64, 1), removed: map[uint64]bool{},
	}
	s.t = New(Config{Self: id, Cluster: cluster, URLs: []string{s.url}, Member: s, Log: zap.NewNop(),
		Metrics: NewMetrics(prometheus.NewRegistry()), Dial: dial})
	s.server = &http.Server{Handler: s.t.Handler()}
	go s.server.Serve(l)
	t.Cleanup(s.close)
	return s
}

func (s *side) close() {
	s.t.Close()
	s.server.Close()
}

func (s *side) expect(t *testing.T, typ raftpb.MessageType, index uint64) *raftpb.Message {
	t.Helper()
	select {
	case m := <-s.received:
		if m.GetType() != typ || m.GetIndex() != index {
			t.Fatalf("received %v at %d, want %v at %d", m.GetType(), m.GetIndex(), typ, index)
		}
		return m
	case <-time.After(testPatience):
		t.Fatalf("nothing received, want %v at %d", typ, index)
	}
	return nil
}

func pair(t *testing.T, w *wires) (a, b *side) {
	a, b = newSide(t, w, 1, 77), newSide(t, w, 2, 77)
	a.t.Add(2, []string{b.url})
	b.t.Add(1, []string{a.url})
	return a, b
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// streams counts the streams on which messages to a peer would leave.
func (s *side) streams(to uint64) (up int) {
	if p := s.t.get(to); p != nil {
		for _, w := range p.writers {
			if w.up() {
				up++
			}
		}
	}
	return up
}

func (s *side) streaming(to uint64) func() bool {
	return func() bool { return s.streams(to) == int(kinds) }
}

// insist sends a message again and again, as raft does since delivery is best effort, until it has arrived.
func (s *side) insist(t *testing.T, m *raftpb.Message, at *side) {
	t.Helper()
	patience := time.After(testPatience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		s.t.Send(m)
		select {
		case got := <-at.received:
			if got.GetType() == m.GetType() {
				return
			}
		case <-again.C:
		case <-patience:
			t.Fatalf("%v never arrives", m.GetType())
		}
	}
}

// soon is what arrives on a channel in reasonable time.
func soon[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(testPatience):
		t.Fatalf("never: %s", what)
	}
	return v
}

// testPatience bounds every wait: far more than is needed, as the machine may be busy.
const testPatience = 30 * time.Second

func message(typ raftpb.MessageType, from, to, index uint64) *raftpb.Message {
	return &raftpb.Message{Type: typ.Enum(), From: &from, To: &to, Term: new(uint64(3)), Index: &index}
}

func TestStreamsKeepOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := pair(t, w)
		until(t, "streams", a.streaming(2))
		for i := uint64(10); i < 1000; i++ {
			m := appendOf(3, 3, i, i, entryOf(i+1, 3, "value"))
			a.t.Send(m)
		}
		for i := uint64(10); i < 1000; i++ {
			m := b.expect(t, raftpb.MsgApp, i)
			if len(m.Entries) != 1 || m.Entries[0].GetIndex() != i+1 || string(m.Entries[0].Data) != "value" ||
				m.GetFrom() != 1 || m.GetTo() != 2 || m.GetLogTerm() != 3 {
				t.Fatalf("message %v", m)
			}
		}
		b.t.Send(message(raftpb.MsgAppResp, 2, 1, 5))
		a.expect(t, raftpb.MsgAppResp, 5)
		if a.t.ActiveSince(2).IsZero() {
			t.Error("peer is not active although messages arrive")
		}
	})
}

func TestPostWhileStreamsAreDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := newSide(t, w, 1, 77), newSide(t, w, 2, 77)
		a.t.Add(2, []string{b.url}) // b does not know a, so it opens no stream
		a.t.Send(message(raftpb.MsgHeartbeat, 1, 2, 8))
		b.expect(t, raftpb.MsgHeartbeat, 8)
		// b has learned from the request where a is, and can answer.
		b.t.Send(message(raftpb.MsgHeartbeatResp, 2, 1, 8))
		a.expect(t, raftpb.MsgHeartbeatResp, 8)
	})
}

func TestUnixSockets(t *testing.T) {
	t.Chdir(t.TempDir())
	var sides [3]*side
	for id := uint64(1); id <= 2; id++ {
		l, err := net.Listen("unix", fmt.Sprint("m", id))
		if err != nil {
			t.Fatal(err)
		}
		sides[id] = serveSide(t, id, 77, l, fmt.Sprint("unix://m", id), nil)
	}
	a, b := sides[1], sides[2]
	a.t.Add(2, []string{b.url})
	b.t.Add(1, []string{a.url})
	until(t, "streams", a.streaming(2))
	a.insist(t, message(raftpb.MsgTimeoutNow, 1, 2, 4), b)
	if err := b.t.get(1).probeOnce(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReconnect(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := pair(t, w)
		until(t, "streams", a.streaming(2))
		b.close()
		// Without anything being sent: what is sent on a stream that nobody reads is lost.
		until(t, "loss noticed", func() bool { return a.streams(2) == 0 && a.t.ActiveSince(2).IsZero() })
		b = newSide(t, w, 2, 77)
		b.t.Add(1, []string{a.url})
		until(t, "streams again", a.streaming(2))
		a.insist(t, message(raftpb.MsgTimeoutNow, 1, 2, 4), b)
		if a.t.ActiveSince(2).IsZero() {
			t.Error("peer is not active although messages arrive")
		}
	})
}

type text string

func (s text) Size() int64                        { return int64(len(s)) }
func (s text) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, strings.NewReader(string(s))) }
func (s text) Close() error                       { return nil }

func snapshotTo(to uint64) *raftpb.Message {
	m := message(raftpb.MsgSnap, 1, to, 0)
	m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(9)), Term: new(uint64(3)),
		ConfState: &raftpb.ConfState{Voters: []uint64{1, 2}}}}
	return m
}

func TestSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := pair(t, w)
		image := text(strings.Repeat("database", 100000))
		a.t.SendSnapshot(snapshotTo(2), image)
		if got := soon(t, b.images, "an image"); got != string(image) {
			t.Errorf("image has %d bytes, want %d", len(got), len(image))
		}
		m := b.expect(t, raftpb.MsgSnap, 0)
		if m.GetSnapshot().GetMetadata().GetIndex() != 9 {
			t.Errorf("message %v", m)
		}
		if !soon(t, a.sent, "a word to the sender") {
			t.Error("sender was told of a failure")
		}
		a.t.SendSnapshot(snapshotTo(99), image)
		if soon(t, a.sent, "a word to the sender") {
			t.Error("a snapshot to nobody succeeded")
		}
	})
}

func TestFullInboxLosesAMessage(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := pair(t, w)
		until(t, "streams", a.streaming(2))
		b.mu.Lock()
		b.full = true
		b.mu.Unlock()
		a.t.Send(message(raftpb.MsgHeartbeat, 1, 2, 1))
		failed := func() bool {
			families, err := gather(b.t.m)
			return err == nil && families > 0
		}
		until(t, "failure counted", failed)
	})
}

// gather sums the receive failures.
func gather(m *Metrics) (float64, error) {
	reg := prometheus.NewRegistry()
	if err := reg.Register(m.receiveFailed); err != nil {
		return 0, err
	}
	families, err := reg.Gather()
	if err != nil {
		return 0, err
	}
	var sum float64
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			sum += metric.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func TestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		s := newSide(t, w, 1, 0xabc)
		s.removed[7] = true
		s.t.Add(3, []string{"http://127.0.0.1:1"})
		good := map[string]string{"X-Server-From": "3", "X-Server-Version": "3.7.3", "X-Min-Cluster-Version": "3.0.0",
			"X-Etcd-Cluster-ID": "abc", "X-Raft-To": "1"}
		body, err := appendMessage(nil, message(raftpb.MsgHeartbeat, 7, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		other, err := appendMessage(nil, message(raftpb.MsgHeartbeat, 3, 9, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			method, path string
			header       map[string]string // differences from good
			body         []byte
			code         int
			text         string
		}{
			{"GET", "/raft/stream/message/3", map[string]string{"X-Etcd-Cluster-ID": "def"}, nil, 412, "cluster ID mismatch\n"},
			{"GET", "/raft/stream/message/3", map[string]string{"X-Server-Version": "2.3.0"}, nil, 412,
				"incompatible version\n"},
			{"GET", "/raft/stream/message/3", map[string]string{"X-Min-Cluster-Version": "3.8.0"}, nil, 412,
				"incompatible version\n"},
			{"GET", "/raft/stream/message/3", map[string]string{"X-Raft-To": "5"}, nil, 412, "to field mismatch\n"},
			{"GET", "/raft/stream/msgapp/7", nil, nil, 410, "removed member\n"},
			{"GET", "/raft/stream/msgapp/8", nil, nil, 404, "error sender not found\n"},
			{"GET", "/raft/stream/msgapp/zz", nil, nil, 404, "invalid from\n"},
			{"GET", "/raft/stream/other/3", nil, nil, 404, "invalid path\n"},
			{"POST", "/raft/stream/message/3", nil, nil, 405, "Method Not Allowed\n"},
			{"GET", "/raft", nil, nil, 405, "Method Not Allowed\n"},
			{"POST", "/raft", map[string]string{"X-Etcd-Cluster-ID": "def"}, body, 412, "cluster ID mismatch\n"},
			{"POST", "/raft", nil, []byte{8}, 400, "error unmarshalling raft message\n"},
			{"POST", "/raft", map[string]string{"X-Server-From": "7"}, body, 403,
				`{"message":"cannot process message from removed member"}`},
			{"POST", "/raft/snapshot", map[string]string{"X-Server-From": "7"}, body, 403,
				`{"message":"cannot process message from removed member"}`},
			{"POST", "/raft/snapshot", nil, append([]byte{0, 0, 0, 0, 0, 0x90, 0, 0}, body...), 413,
				"failed to decode raft message (peer: message exceeds the limit)\n"},
			{"POST", "/raft", nil, body, 403, `{"message":"cannot process message from removed member"}`},
			{"POST", "/raft", nil, other, 403, `{"message":"cannot process message to mismatch member"}`},
			{"POST", "/raft/snapshot", nil, append(make([]byte, 7), append([]byte{byte(len(other))}, other...)...), 400,
				"wrong raft message type\n"},
			{"POST", "/raft/snapshot", nil, []byte{1}, 400, "failed to decode raft message (unexpected EOF)\n"},
		} {
			req := httptest.NewRequest(test.method, test.path, bytes.NewReader(test.body))
			for k, v := range good {
				req.Header.Set(k, v)
			}
			for k, v := range test.header {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			s.t.Handler().ServeHTTP(w, req)
			if w.Code != test.code || w.Body.String() != test.text {
				t.Errorf("%s %s %v: %d %q, want %d %q", test.method, test.path, test.header, w.Code, w.Body, test.code, test.text)
			}
		}
	})
}

func TestRemovedMemberIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := newSide(t, w, 1, 77), newSide(t, w, 2, 77)
		b.removed[1] = true
		a.t.Add(2, []string{b.url})
		if by := soon(t, a.expelled, "an expulsion"); by != 2 {
			t.Errorf("told by %d", by)
		}
	})
}

func TestProbe(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		a, b := pair(t, w)
		if err := a.t.get(2).probeOnce(t.Context()); err != nil {
			t.Error(err)
		}
		b.server.Close()
		if err := a.t.get(2).probeOnce(t.Context()); err == nil {
			t.Error("a closed peer answers probes")
		}
	})
}

// Strangers cannot make a member remember more and more, nor keep a new one from being answered.
func TestStrangersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *wires) {
		s, joiner := newSide(t, w, 1, 77), newSide(t, w, 2, 77)
		say := func(from uint64, url string) {
			body, err := appendMessage(nil, message(raftpb.MsgHeartbeat, from, 1, 0))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest("POST", "/raft", bytes.NewReader(body))
			for k, v := range map[string]string{"X-Server-From": ID(from), "X-Server-Version": "3.7.3",
				"X-Min-Cluster-Version": "3.0.0", "X-Etcd-Cluster-ID": ID(77), "X-PeerURLs": url} {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			if s.t.Handler().ServeHTTP(w, req); w.Code != http.StatusNoContent {
				t.Fatalf("answer %d %s", w.Code, w.Body)
			}
		}
		for i := range uint64(100) {
			say(1000+i, "http://127.0.0.1:1")
		}
		say(2, joiner.url)
		s.insist(t, message(raftpb.MsgHeartbeatResp, 1, 2, 8), joiner)
		s.t.mu.RLock()
		known := len(s.t.remotes)
		s.t.mu.RUnlock()
		if known > maxRemotes {
			t.Errorf("%d strangers are remembered", known)
		}
		series := make(chan prometheus.Metric, 1000)
		s.t.m.receivedBytes.Collect(series)
		if len(series) != 1 {
			t.Errorf("%d senders are counted apart", len(series))
		}
	})
}
