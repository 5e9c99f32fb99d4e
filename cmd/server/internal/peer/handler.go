package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/version"
)

// Handler serves /raft and what is below it.
func (t *Transport) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/raft", t.serveMessage)
	mux.HandleFunc("/raft/stream/", t.serveStream)
	mux.HandleFunc("/raft/snapshot", t.serveSnapshot)
	mux.HandleFunc("/raft/probing", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(probed{OK: true, Now: time.Now()}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.tasks.Enter() {
			http.Error(w, errClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer t.tasks.Leave()
		mux.ServeHTTP(w, r)
	})
}

var errClosed = errors.New("peer: the member is stopping")

// method answers any but the right one.
func method(w http.ResponseWriter, r *http.Request, right string) bool {
	if r.Method == right {
		return true
	}
	w.Header().Set("Allow", right)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}

// check refuses requests from another cluster or another age.
func (t *Transport) check(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("X-Etcd-Cluster-ID", ID(t.cfg.Cluster))
	err := t.compatible(r.Header)
	if err == nil {
		return true
	}
	t.log.Warn("refused a request of a peer", zap.String("local-member-id", ID(t.cfg.Self)),
		zap.String("local-member-cluster-id", ID(t.cfg.Cluster)),
		zap.String("remote-peer-server-name", r.Header.Get("X-Server-From")),
		zap.String("remote-peer-server-version", r.Header.Get("X-Server-Version")),
		zap.String("remote-peer-server-minimum-cluster-version", r.Header.Get("X-Min-Cluster-Version")),
		zap.String("remote-peer-cluster-id", r.Header.Get("X-Etcd-Cluster-ID")), zap.Error(err))
	http.Error(w, err.Error(), http.StatusPreconditionFailed)
	return false
}

func (t *Transport) compatible(h http.Header) error {
	server, minCluster := release(h.Get("X-Server-Version")), release(h.Get("X-Min-Cluster-Version"))
	if server < release(version.MinCluster) || minCluster > release(version.Etcd) {
		return errIncompatible
	}
	if h.Get("X-Etcd-Cluster-ID") != ID(t.cfg.Cluster) {
		return errClusterID
	}
	return nil
}

// release makes major and minor of a version comparable; none means the first that had this protocol.
func release(s string) int {
	if s == "" {
		s = "2.0.0"
	}
	major, rest, _ := strings.Cut(s, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil || a < 0 || b < 0 || b > 999 {
		return 0
	}
	return a*1000 + b
}

// learnURLs remembers where a stranger can be reached.
func (t *Transport) learnURLs(r *http.Request) {
	from, err := ParseID(r.Header.Get("X-Server-From"))
	if urls := r.Header.Get("X-PeerURLs"); err == nil && urls != "" && t.get(from) == nil && !t.cfg.Member.Removed(from) {
		t.addRemote(from, strings.Split(urls, ","))
	}
}

// admit refuses a request by what its headers say of its sender, before anything of the body is read, and returns a
// claim to the room that the sender has. Who the sender really is nobody knows without TLS; but a stranger cannot take
// the members' room without their names.
func (t *Transport) admit(w http.ResponseWriter, r *http.Request) *claim {
	from, err := ParseID(r.Header.Get("X-Server-From"))
	switch {
	case err == nil && t.cfg.Member.Removed(from):
		t.log.Warn("rejected a request of a removed member", zap.String("local-member-id", ID(t.cfg.Self)),
			zap.String("from", ID(from)))
		forbid(w, errFromRemoved)
		return nil
	case err == nil && t.get(from) != nil:
		return &claim{of: t.members}
	}
	return &claim{of: t.strangers}
}

// bodyStatus tells a sender whether it is to blame.
func bodyStatus(err error) int {
	switch {
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoRoom):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

var (
	errFromRemoved = errors.New("cannot process message from removed member")
	errToOther     = errors.New("cannot process message to mismatch member")
)

// refuse says why a message is not for us.
func (t *Transport) refuse(m *raftpb.Message) error {
	switch {
	case t.cfg.Member.Removed(m.GetFrom()):
		return errFromRemoved
	case m.GetTo() != t.cfg.Self:
		return errToOther
	}
	return nil
}

// sender is the label for a peer in the metrics. Strangers share one: their number has no bound.
func (t *Transport) sender(id uint64) string {
	if t.get(id) == nil {
		return "unknown"
	}
	return ID(id)
}

// host is the label for a request whose sender nobody knows.
func host(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return h
	}
	return "unknown"
}

// forbid answers as etcd does: 403 tells the sender that it is no member.
func forbid(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `{"message":%q}`, err.Error())
}

// serveMessage takes one message. Its room is claimed before the body is read and given back when the handler returns:
// what is being received at one time has a bound, whoever sends it (see intake).
func (t *Transport) serveMessage(w http.ResponseWriter, r *http.Request) {
	if !method(w, r, http.MethodPost) || !t.check(w, r) {
		return
	}
	room := t.admit(w, r)
	if room == nil {
		return
	}
	defer room.release()
	t.learnURLs(r)
	body := t.upload(w, r, postTimeout)
	defer body.release()
	body.until = time.Now().Add(postTimeout + uploadTime(max(r.ContentLength, 0)))
	b, err := room.readBody(r.Context(), body, r.ContentLength)
	if err != nil {
		t.m.receiveFailed.WithLabelValues(host(r)).Inc()
		http.Error(w, "error reading raft message", bodyStatus(err))
		return
	}
	m, err := decodeMessage(b)
	if err != nil {
		t.m.receiveFailed.WithLabelValues(host(r)).Inc()
		http.Error(w, "error unmarshalling raft message", http.StatusBadRequest)
		return
	}
	t.m.receivedBytes.WithLabelValues(t.sender(m.GetFrom())).Add(float64(len(b)))
	if err := t.refuse(m); err != nil {
		t.log.Warn("rejected Raft message", zap.String("local-member-id", ID(t.cfg.Self)),
			zap.String("from", ID(m.GetFrom())), zap.String("to", ID(m.GetTo())), zap.Error(err))
		forbid(w, err)
		return
	}
	if !t.receive(m) {
		http.Error(w, "error processing raft message", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// serveStream keeps the response open and lets the peer's writer have it.
//
// Whether the caller is one of ours is asked in etcd's order, since the caller acts by the answer: 412, another cluster
// or release, is an operator's mistake; 410 tells it that it was removed, upon which it stops for good; 404, not known
// (yet), has it try again, and we note where to answer it.
func (t *Transport) serveStream(w http.ResponseWriter, r *http.Request) {
	if !method(w, r, http.MethodGet) {
		return
	}
	w.Header().Set("X-Server-Version", version.Etcd)
	if !t.check(w, r) {
		return
	}
	var k kind
	rest, ok := strings.CutPrefix(r.URL.Path, appends.path()+"/")
	if k = appends; !ok {
		rest, ok = strings.CutPrefix(r.URL.Path, messages.path()+"/")
		k = messages
	}
	if !ok {
		http.Error(w, "invalid path", http.StatusNotFound)
		return
	}
	from, err := ParseID(rest)
	if err != nil {
		http.Error(w, "invalid from", http.StatusNotFound)
		return
	}
	if t.cfg.Member.Removed(from) {
		t.log.Warn("rejected stream from remote peer because it was removed", zap.String("remote-peer-id-from", ID(from)))
		http.Error(w, "removed member", http.StatusGone)
		return
	}
	p := t.get(from)
	if p == nil {
		t.learnURLs(r)
		t.log.Warn("failed to find remote peer in cluster", zap.String("local-member-id", ID(t.cfg.Self)),
			zap.String("remote-peer-id-from", ID(from)), zap.String("cluster-id", ID(t.cfg.Cluster)))
		http.Error(w, "error sender not found", http.StatusNotFound)
		return
	}
	if to := r.Header.Get("X-Raft-To"); to != ID(t.cfg.Self) {
		t.log.Warn("ignored streaming request; ID mismatch", zap.String("remote-peer-id-header", to),
			zap.String("remote-peer-id-from", ID(from)))
		http.Error(w, "to field mismatch", http.StatusPreconditionFailed)
		return
	}
	p.writers[k].serve(w, r)
}

// serve hands the response to the writer and waits until it is done with it: net/http takes the response back when the
// handler returns, so it must not return while the writer may still write. The header leaves before the writer has the
// response, for the dialer waits for it.
func (wr *writer) serve(w http.ResponseWriter, r *http.Request) {
	o := &outgoing{w: w, control: http.NewResponseController(w), patience: wr.p.t.cfg.WriteTimeout,
		closed: make(chan struct{})}
	w.WriteHeader(http.StatusOK)
	if err := o.control.Flush(); err != nil {
		return
	}
	select {
	case wr.attach <- o:
	case <-wr.p.ctx.Done():
		return
	}
	select {
	case <-o.closed:
		return
	case <-r.Context().Done(): // the peer has gone, and what the writer sends next would be lost
	}
	select {
	case wr.gone <- o:
	case <-wr.p.ctx.Done():
	}
	<-o.closed // by the writer: nobody writes to w after this
}

// serveSnapshot takes a database. Everything that can refuse it is asked before its first byte is read: who sends it,
// by the headers; what it is, by the message in front of it; whether the member wants it, by ReceiveImage. The answer
// leaves when the database is durable under its name and the member has the message: the sender then counts on it.
func (t *Transport) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if !method(w, r, http.MethodPost) || !t.check(w, r) {
		t.m.snapshotReceiveFailed.WithLabelValues("UNKNOWN_SNAPSHOT_SENDER").Inc()
		return
	}
	room := t.admit(w, r)
	if room == nil {
		t.m.snapshotReceiveFailed.WithLabelValues("UNKNOWN_SNAPSHOT_SENDER").Inc()
		return
	}
	defer room.release()
	t.learnURLs(r)
	body := t.upload(w, r, snapshotStall)
	defer body.release()
	m, declared, err := room.readSnapshotMessage(r.Context(), body, r.ContentLength)
	from := t.sender(m.GetFrom())
	fail := func(code int, text string) {
		t.m.snapshotReceiveFailed.WithLabelValues(from).Inc()
		t.log.Warn("failed to receive database snapshot", zap.String("remote-snapshot-sender-id", from),
			zap.String("reason", text))
		http.Error(w, text, code)
	}
	switch {
	case err != nil:
		t.m.receiveFailed.WithLabelValues(host(r)).Inc()
		fail(bodyStatus(err), fmt.Sprintf("failed to decode raft message (%v)", err))
		return
	case m.GetType() != raftpb.MsgSnap:
		fail(http.StatusBadRequest, "wrong raft message type")
		return
	}
	if err := t.refuse(m); err != nil {
		t.m.snapshotReceiveFailed.WithLabelValues(from).Inc()
		forbid(w, err)
		return
	}
	index := m.GetSnapshot().GetMetadata().GetIndex()
	log := t.log.With(zap.String("local-member-id", ID(t.cfg.Self)), zap.String("remote-snapshot-sender-id", from),
		zap.Uint64("incoming-snapshot-index", index))
	log.Info("receiving database snapshot", zap.Int64("declared-bytes", declared))
	t.m.snapshotReceiving.WithLabelValues(from).Inc()
	defer t.m.snapshotReceiving.WithLabelValues(from).Dec()
	n, err := t.cfg.Member.ReceiveImage(m, declared, body)
	if errors.Is(err, ErrUnwanted) {
		fail(http.StatusConflict, err.Error())
		return
	}
	if err != nil {
		fail(http.StatusInternalServerError, fmt.Sprintf("failed to save KV snapshot (%v)", err))
		return
	}
	log.Info("received and saved database snapshot", zap.Int64("incoming-snapshot-size-bytes", n),
		zap.Duration("download-took", time.Since(start)))
	t.m.receivedBytes.WithLabelValues(from).Add(float64(n))
	t.m.snapshotReceived.WithLabelValues(from).Inc()
	t.m.snapshotReceiveSeconds.WithLabelValues(from).Observe(time.Since(start).Seconds())
	w.WriteHeader(http.StatusNoContent)
}

// upload is a request's body that must not stand still for too long, and ends when the transport is closed.
type upload struct {
	t       *Transport
	r       io.Reader
	stall   time.Duration
	until   time.Time // when all of it must be there; zero: whenever it likes
	control *http.ResponseController
	release func() bool
}

// uploadTime is what a message of so many bytes may take on top: a megabyte a second.
func uploadTime(bytes int64) time.Duration { return time.Duration(bytes>>20) * time.Second }

func (t *Transport) upload(w http.ResponseWriter, r *http.Request, stall time.Duration) *upload {
	u := &upload{t: t, r: r.Body, stall: stall, control: http.NewResponseController(w)}
	u.release = context.AfterFunc(t.ctx, func() { _ = u.deadline(time.Unix(1, 0)) }) // wakes a read that waits
	return u
}

// deadline sets when a read must be over. A recorder in a test has no deadlines, and nothing that could stall.
func (u *upload) deadline(at time.Time) error {
	if err := u.control.SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (u *upload) Read(p []byte) (int, error) {
	at := time.Now().Add(u.stall)
	if !u.until.IsZero() && u.until.Before(at) {
		at = u.until
	}
	if err := u.deadline(at); err != nil {
		return 0, err
	}
	// After the deadline is set: a transport that closes from here on sets another, behind this one.
	if u.t.ctx.Err() != nil {
		return 0, errClosed
	}
	return u.r.Read(p)
}
