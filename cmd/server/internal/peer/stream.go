package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/cmd/server/internal/version"
	"vitrine/core/limits"
)

var (
	errIncompatible = errors.New("incompatible version")
	errClusterID    = errors.New("cluster ID mismatch")
	errExpelled     = errors.New("the member has been permanently removed from the cluster")
	errGone         = errors.New("the peer has closed the stream")
)

// outgoing is a stream that a peer has opened: an HTTP response without an end.
type outgoing struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // for one write
	closed   chan struct{}
	once     sync.Once
}

func (o *outgoing) close() { o.once.Do(func() { close(o.closed) }) }

// write sends all of b now.
func (o *outgoing) write(b []byte) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(o.patience)); err != nil {
		return err
	}
	if _, err := o.w.Write(b); err != nil {
		return err
	}
	return o.control.Flush()
}

// writer encodes the messages of one stream onto whatever connection the peer
// opened last.
type writer struct {
	p      *peer
	kind   kind
	queue  chan *raftpb.Message
	attach chan *outgoing
	gone   chan *outgoing // closed by the peer, maybe not in use any more

	mu   sync.Mutex
	conn *outgoing
}

func newWriter(p *peer, k kind) *writer {
	return &writer{p: p, kind: k, queue: make(chan *raftpb.Message, streamQueue), attach: make(chan *outgoing),
		gone: make(chan *outgoing)}
}

func (w *writer) up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conn != nil
}

// swap replaces the connection and closes the one before.
func (w *writer) swap(to *outgoing) {
	w.mu.Lock()
	old := w.conn
	w.conn = to
	w.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// run is the writer's only goroutine: it alone writes to a connection, so that frames are never mixed. A peer that
// dials again before we have noticed that its old connection is broken simply attaches a new one; the old one is
// closed by swap. The stateful framing of appends begins anew with every connection, as the reader's does.
//
// When a connection is lost the order is: new messages go another way (swap), what waits is given up (discard), and
// then raft hears of it, once. Else messages would go on joining a queue that was emptied, and leave on the next
// connection, long after raft has sent them again.
func (w *writer) run() {
	p := w.p
	var (
		conn  *outgoing
		enc   encoder
		buf   []byte
		queue chan *raftpb.Message // nil while there is no connection
		beat  = time.NewTicker(linkHeartbeat)
	)
	defer beat.Stop()
	defer w.swap(nil)
	lose := func(err error) {
		p.status.deactivate(w.kind.String(), err)
		p.t.m.sendFailed.WithLabelValues(ID(p.id)).Inc()
		p.t.log.Warn("lost TCP streaming connection with remote peer", zap.String("stream-writer-type", w.kind.String()),
			zap.String("local-member-id", ID(p.t.cfg.Self)), zap.String("remote-peer-id", ID(p.id)), zap.Error(err))
		w.swap(nil)
		conn, queue = nil, nil
		w.discard()
		p.t.cfg.Member.Unreachable(p.id)
	}
	for {
		var err error
		select {
		case <-p.ctx.Done():
			return
		case conn = <-w.attach:
			w.swap(conn)
			enc, queue = w.kind.encoder(), w.queue
			p.status.activate()
			p.t.log.Info("established TCP streaming connection with remote peer",
				zap.String("stream-writer-type", w.kind.String()),
				zap.String("local-member-id", ID(p.t.cfg.Self)), zap.String("remote-peer-id", ID(p.id)))
			continue
		case o := <-w.gone:
			if o != conn {
				continue
			}
			err = errGone
		case <-beat.C:
			if conn == nil {
				continue
			}
			buf = enc.heartbeat(buf[:0])
		case m := <-queue:
			buf, err = w.fill(enc, buf[:0], m)
		}
		if err == nil {
			err = conn.write(buf)
		}
		if err != nil {
			lose(err)
			continue
		}
		p.t.m.sentBytes.WithLabelValues(ID(p.id)).Add(float64(len(buf)))
		if cap(buf) > 4*flushBytes {
			buf = nil
		}
	}
}

// fill encodes m and whatever else waits, up to a bound: one write for many messages.
func (w *writer) fill(enc encoder, buf []byte, m *raftpb.Message) ([]byte, error) {
	for {
		var err error
		if buf, err = enc.append(buf, m); err != nil {
			return buf, err
		}
		if len(buf) >= flushBytes {
			return buf, nil
		}
		select {
		case m = <-w.queue:
		default:
			return buf, nil
		}
	}
}

// discard empties the queue: raft will send again what still matters. What waited is old by the time there is a
// connection again, and would only delay what is new.
func (w *writer) discard() {
	for {
		select {
		case m := <-w.queue:
			w.p.t.cfg.Member.Dropped(m, "down")
		default:
			return
		}
	}
}

// read keeps one incoming stream open for as long as the peer is one. An end of file is how the other side leaves or
// replaces a stream and says nothing of the peer; every other error makes it inactive.
func (p *peer) read(k kind) {
	for {
		err := p.readOnce(k)
		if p.ctx.Err() != nil {
			return
		}
		if errors.Is(err, errExpelled) {
			p.t.cfg.Member.Expelled(p.id)
		}
		if !errors.Is(err, io.EOF) {
			p.status.deactivate(k.String(), err)
		}
		if !p.pause(dialBackoff) {
			return
		}
	}
}

// readOnce opens the stream and reads it to its end. What it receives of a member that was removed, or for another
// member, is passed over and not refused: the stream may carry other messages, and its sender cannot be answered here.
func (p *peer) readOnce(k kind) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	body, err := p.dial(ctx, k)
	if err != nil {
		return err
	}
	defer body.Close()
	p.status.activate()
	log := p.t.log.With(zap.String("stream-reader-type", k.String()), zap.String("local-member-id", ID(p.t.cfg.Self)),
		zap.String("remote-peer-id", ID(p.id)))
	log.Info("established TCP streaming connection with remote peer")
	counted := &counter{r: body}
	d := k.decoder(ctx, bufio.NewReaderSize(counted, 64<<10), p.t.members, p.t.cfg.Self, p.id)
	defer d.release()
	received, failed := p.t.m.receivedBytes.WithLabelValues(ID(p.id)), p.t.m.receiveFailed.WithLabelValues(ID(p.id))
	for {
		m, err := d.next()
		if n := counted.take(); n > 0 {
			received.Add(float64(n))
		}
		if err != nil {
			if p.ctx.Err() == nil {
				log.Warn("lost TCP streaming connection with remote peer", zap.Error(err))
			}
			return err
		}
		if m == nil || p.t.refuse(m) != nil {
			continue
		}
		if !p.t.receive(m) {
			failed.Inc()
			log.Warn("dropped internal Raft message since receiving buffer is full (overloaded network)",
				zap.String("message-type", m.GetType().String()))
		}
	}
}

// dial asks the peer for a stream and returns the body of its answer.
func (p *peer) dial(ctx context.Context, k kind) (io.ReadCloser, error) {
	u := p.urls.pick()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, dial.URL(u, k.path()+"/"+ID(p.t.cfg.Self)), nil)
	if err != nil {
		p.urls.unreachable(u)
		return nil, err
	}
	p.t.sign(req)
	req.Header.Set("X-Raft-To", ID(p.id))
	resp, err := p.t.streams.RoundTrip(req)
	if err != nil {
		p.urls.unreachable(u)
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	p.urls.unreachable(u)
	text, _ := io.ReadAll(io.LimitReader(resp.Body, limits.PeerAnswerBytes))
	switch resp.StatusCode {
	case http.StatusGone:
		return nil, errExpelled
	case http.StatusNotFound:
		return nil, fmt.Errorf("peer %s failed to find local node %s", ID(p.id), ID(p.t.cfg.Self))
	case http.StatusPreconditionFailed:
		return nil, p.t.precondition(p.id, resp, text)
	}
	return nil, fmt.Errorf("unhandled http status %d", resp.StatusCode)
}

// precondition says why a peer would not talk to us.
func (t *Transport) precondition(id uint64, resp *http.Response, text []byte) error {
	switch reason := strings.TrimSuffix(string(text), "\n"); reason {
	case errIncompatible.Error():
		t.log.Warn("request sent was ignored by remote peer due to server version incompatibility",
			zap.String("local-member-id", ID(t.cfg.Self)), zap.String("remote-peer-id", ID(id)))
		return errIncompatible
	case errClusterID.Error():
		t.log.Warn("request sent was ignored by remote peer due to cluster ID mismatch",
			zap.String("remote-peer-id", ID(id)), zap.String("remote-peer-cluster-id", resp.Header.Get("X-Etcd-Cluster-ID")),
			zap.String("local-member-id", ID(t.cfg.Self)), zap.String("local-member-cluster-id", ID(t.cfg.Cluster)))
		return errClusterID
	default:
		return fmt.Errorf("unhandled error %q when precondition failed", reason)
	}
}

// sign puts on a request who sends it.
func (t *Transport) sign(req *http.Request) {
	req.Header.Set("X-Server-From", ID(t.cfg.Self))
	req.Header.Set("X-Server-Version", version.Etcd)
	req.Header.Set("X-Min-Cluster-Version", version.MinCluster)
	req.Header.Set("X-Etcd-Cluster-ID", ID(t.cfg.Cluster))
	if len(t.cfg.URLs) > 0 {
		req.Header.Set("X-PeerURLs", strings.Join(t.cfg.URLs, ","))
	}
}

// counter counts what passes.
type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func (c *counter) take() int {
	n := c.n
	c.n = 0
	return n
}
