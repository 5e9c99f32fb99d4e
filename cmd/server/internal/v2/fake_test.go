package v2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/node"
	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// patience bounds what a test waits for.
const patience = 30 * time.Second

// fake is a member that answers as the model says, and nothing else.
type fake struct {
	mu          sync.Mutex
	state       *model.State
	history     [][]*pb.Event // by revision; the first is that of revision 2
	changed     chan struct{} // closed and replaced at each change
	leases      map[int64]bool
	between     func() // called once before a transaction that writes is carried out: after it was decided
	opened      int    // watchers
	closed      int
	leading     bool
	refuse      func(c api.Call) error
	refuseWatch error // what a new stream ends with
	refused     int   // streams
	members     *membership.Members
}

func newFake() *fake {
	s := model.New()
	s.MaxTxnOps = 128
	return &fake{state: s, changed: make(chan struct{}), leases: map[int64]bool{}, members: membership.New(1)}
}

// meanwhile has something done between the decision of the next transaction that writes and the transaction. The sweep
// asks, too.
func (f *fake) meanwhile(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.between = do
}

func (f *fake) Ask(ctx context.Context, c api.Call) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	between := f.between
	if r, ok := c.Body.(*pb.TxnRequest); ok && between != nil && !pb.ReadOnly(r) {
		f.between = nil
		f.mu.Unlock()
		between()
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse(c); err != nil {
			return nil, err
		}
	}
	switch r := c.Body.(type) {
	case *pb.AuthenticateRequest:
		return &pb.AuthenticateResponse{Token: r.Name}, nil
	case *pb.MemberListRequest:
		return &pb.MemberListResponse{Members: []*pb.Member{{ID: 1, Name: "m", PeerURLs: []string{"http://p:1"},
			ClientURLs: []string{"http://c:1", "http://c:2"}}}}, nil
	case *pb.MemberAddRequest:
		return &pb.MemberAddResponse{Member: &pb.Member{ID: 0xa, PeerURLs: r.PeerURLs}}, nil
	case *pb.MemberRemoveRequest:
		return nil, api.ErrMemberNotFound
	case *pb.MemberUpdateRequest:
		return &pb.MemberUpdateResponse{}, nil
	}
	return f.apply(c.Body)
}

// revision is that of the last change; the sweep may be asking.
func (f *fake) revision() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Revision()
}

// apply carries out a request and remembers what it has changed.
func (f *fake) apply(body any) (any, error) {
	was := f.state.Revision()
	resp, err := f.state.Apply(body)
	if err != nil {
		if errors.Is(err, model.ErrCompacted) {
			err = api.ErrCompacted
		}
		return nil, err
	}
	switch r := body.(type) {
	case *pb.LeaseGrantRequest:
		f.leases[r.ID] = true
	case *pb.LeaseRevokeRequest:
		delete(f.leases, r.ID)
	}
	if f.state.Revision() == was {
		return resp, nil
	}
	var events []*pb.Event
	past := f.state.At(was)
	f.state.Changes(f.state.Revision(), func(key string, _ int64, kv *pb.KeyValue) {
		ev := &pb.Event{Type: pb.Event_PUT, Kv: kv}
		if kv == nil {
			ev.Type, ev.Kv = pb.Event_DELETE, &pb.KeyValue{Key: []byte(key), ModRevision: f.state.Revision()}
		}
		if r, err := past.Apply(&pb.RangeRequest{Key: []byte(key)}); err == nil {
			if kvs := r.(*pb.RangeResponse).Kvs; len(kvs) > 0 {
				ev.PrevKv = kvs[0]
			}
		}
		events = append(events, ev)
	})
	f.history = append(f.history, events)
	close(f.changed)
	f.changed = make(chan struct{})
	return resp, nil
}

// expire ends the leases that nodes hang on: all of them.
func (f *fake) expire(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.leases {
		if _, err := f.apply(&pb.LeaseRevokeRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fake) Identify(token string) api.Identity { return api.Identity{Token: token} }
func (f *fake) UsersOn() bool                      { return f.refuse != nil }
func (f *fake) ClusterID() uint64                  { return 0xc }
func (f *fake) Leader() uint64                     { return 1 }
func (f *fake) Members() *membership.Members       { return f.members }
func (f *fake) Traffic() peer.Traffic {
	return peer.Traffic{AppendsSent: 3, AppendsReceived: 4, Peers: map[uint64]peer.RoundTrips{
		2: {Answered: 5, Failed: 6, Last: 0.001, Mean: 0.002, Least: 0.003, Most: 0.004, Sigma: 0.005}, 3: {}}}
}
func (f *fake) Figures() telemetry.Figures {
	f.mu.Lock()
	defer f.mu.Unlock()
	return telemetry.Figures{ID: 1, Leader: 1, Term: 5, Applied: 9, Leading: f.leading, LeaderSince: time.Unix(1, 0)}
}

// fakeStream watches the history.
type fakeStream struct {
	f      *fake
	create *pb.WatchCreateRequest
	next   int // of the history
}

func (f *fake) Watch(api.Call) (node.WatchStream, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuseWatch != nil {
		f.refused++
		return nil, f.refuseWatch
	}
	f.opened++
	return &fakeStream{f: f}, nil
}

func (s *fakeStream) Request(r *pb.WatchRequest) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.create = r.GetCreateRequest()
	if s.next = len(s.f.history); s.create.StartRevision > 0 {
		s.next = max(int(s.create.StartRevision)-2, 0)
	}
}

func (s *fakeStream) Next(ctx context.Context, into []*watch.Response) ([]*watch.Response, *pb.ResponseHeader, error) {
	for {
		s.f.mu.Lock()
		for ; s.next < len(s.f.history); s.next++ {
			var events []*pb.Event
			for _, ev := range s.f.history[s.next] {
				key := string(ev.Kv.Key)
				if key == string(s.create.Key) ||
					len(s.create.RangeEnd) > 0 && key > string(s.create.Key) && key < string(s.create.RangeEnd) {
					events = append(events, ev)
				}
			}
			if len(events) > 0 {
				into = append(into, &watch.Response{Events: &watch.Encoded{Events: events}})
			}
		}
		changed := s.f.changed
		s.f.mu.Unlock()
		if len(into) > 0 {
			return into, nil, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (s *fakeStream) Sent(int, int) {}
func (s *fakeStream) Close() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.closed++
}

// waiting is how many watchers are open, without the sweeper's.
func (f *fake) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened - f.closed - 1
}

// client asks a handler over a fake.
type client struct {
	*testing.T
	*fake
	h *Handler
}

// born is when the tests take place.
var born = time.Unix(1_700_000_000, 0)

func open(t *testing.T) *client {
	t.Helper()
	f := newFake()
	c := &client{T: t, fake: f, h: New(Config{Door: f, Log: zap.NewNop(), Timeout: patience, MaxRequestBytes: 1 << 20,
		TokenTTL: limits.TokenTTL, Now: func() time.Time { return born }})}
	t.Cleanup(c.h.Close)
	for f.waiting() < 0 { // until the sweeper watches
		time.Sleep(time.Millisecond)
	}
	return c
}

// ask is an answer: its status and its body.
func (c *client) ask(method, path, form string, headers ...string) (status int, body string) {
	r := httptest.NewRequestWithContext(c.Context(), method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		c.Fatal(err)
	}
	return w.Code, strings.TrimSuffix(string(b), "\n")
}

// must is an answer that is one.
func (c *client) must(method, path, form string) string {
	c.Helper()
	status, body := c.ask(method, path, form)
	if status >= 300 {
		c.Fatalf("%s %s %s: %d %s", method, path, form, status, body)
	}
	return body
}

// want compares an answer.
func (c *client) want(method, path, form string, status int, body string) {
	c.Helper()
	if s, b := c.ask(method, path, form); s != status || b != body {
		c.Errorf("%s %s %s\n got %d %s\nwant %d %s", method, path, form, s, b, status, body)
	}
}

// wait asks for what happens, in the background. The answer comes on a channel.
func (c *client) wait(path string) <-chan string {
	c.Helper()
	before := c.waiting()
	out := make(chan string, 1)
	go func() {
		_, body := c.ask(http.MethodGet, path, "")
		out <- body
	}()
	for deadline := time.Now().Add(patience); c.waiting() == before && len(out) == 0; {
		if time.Now().After(deadline) {
			c.Fatalf("%s: nobody waits", path)
		}
		time.Sleep(time.Millisecond)
	}
	return out
}

// soon is what arrives in reasonable time.
func soon(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case s := <-from:
		return s
	case <-time.After(patience):
		t.Fatal("nothing came")
		return ""
	}
}
