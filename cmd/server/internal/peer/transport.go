package peer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/limits"
	"vitrine/core/membership"
)

// Member is what the transport needs of the member behind it. Calls come from
// many goroutines and must not block for long, ReceiveImage apart.
type Member interface {
	// Receive takes a message from a peer; false means that there is no room for it.
	Receive(m *raftpb.Message) bool
	// ReceiveImage saves the database that comes with a snapshot message, durably, and then takes the message. The
	// sender has said how many bytes it has, or declared is -1. An error that wraps ErrUnwanted means that nothing of
	// it was read.
	ReceiveImage(m *raftpb.Message, declared int64, image io.Reader) (int64, error)
	// Removed tells whether the member with this ID has left the cluster for good.
	Removed(id uint64) bool
	// Unreachable reports that messages to a peer are being lost.
	Unreachable(id uint64)
	// Dropped reports a message to a peer that will not be sent: "full", no room in its queue, or "down", no connection.
	Dropped(m *raftpb.Message, why string)
	// SnapshotSent reports how the sending of a snapshot to a peer ended.
	SnapshotSent(id uint64, ok bool)
	// Connected reports that the connection to a peer is whole, or broken.
	Connected(id uint64, ok bool)
	// Expelled reports that a peer knows this member as removed.
	Expelled(by uint64)
}

// Image is a database on its way to a peer.
type Image interface {
	Size() int64
	WriteTo(w io.Writer) (int64, error)
	Close() error
}

// Config is what a transport is made of.
type Config struct {
	Self    uint64
	Cluster uint64
	URLs    []string // this member's own peer URLs, told to peers
	Member  Member
	Log     *zap.Logger
	Metrics *Metrics
	Dial    dial.Func // how peers are reached; nil: over the network
	// LocalAddr is where connections over the network come from; nil: as the system chooses.
	LocalAddr net.Addr
	TLS       *secure.Side
	// ReadTimeout is how long a stream may be silent, WriteTimeout how long one write may block; 0: etcd's.
	ReadTimeout, WriteTimeout time.Duration

	MaxRequestBytes int // the largest request that the cluster's members take; 0: etcd's default
}

// ErrUnwanted is wrapped by the reasons why a member does not want a database that another sends.
var ErrUnwanted = errors.New("peer: the database is not wanted")

// Transport sends messages to peers and receives theirs. Its methods may be called from any goroutine.
type Transport struct {
	cfg  Config
	log  *zap.Logger
	m    *Metrics
	ctx  context.Context
	stop context.CancelFunc
	// tasks are the requests of peers, the snapshots on their way to them, and peers that are being forgotten.
	tasks tasks.Group

	members, strangers *intake // what is being received
	appends            appendCount

	streams *http.Transport // silence for readTimeout breaks a connection
	posts   *http.Transport

	mu      sync.RWMutex
	peers   map[uint64]*peer
	remotes map[uint64]*peer // not members as far as we know, but they asked; served by POST alone
}

// New starts a transport without peers.
func New(cfg Config) *Transport {
	ctx, cancel := context.WithCancel(context.Background())
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, readTimeout)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, writeTimeout)
	t := &Transport{
		cfg: cfg, log: cfg.Log, m: cfg.Metrics, ctx: ctx, stop: cancel,
		peers: map[uint64]*peer{}, remotes: map[uint64]*peer{},
	}
	limit := messageLimit(cfg.MaxRequestBytes)
	t.members, t.strangers = newIntake(limit, limits.PeerMessages), newIntake(limit, 1)
	connect := cfg.Dial
	if connect == nil {
		connect = dial.With(&net.Dialer{Timeout: time.Second, KeepAlive: 30 * time.Second, LocalAddr: cfg.LocalAddr})
	}
	dialStream := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := connect(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return deadlineConn{c, cfg.ReadTimeout, cfg.WriteTimeout}, nil
	}
	t.streams = &http.Transport{
		DialContext: dialStream, DialTLSContext: dial.Secure(dialStream, cfg.TLS),
		ReadBufferSize:      64 << 10,
		MaxIdleConnsPerHost: -1,
	}
	dialPost := func(ctx context.Context, network, addr string) (net.Conn, error) {
		return withWriteDeadline(connect(ctx, network, addr))
	}
	t.posts = &http.Transport{
		DialContext: dialPost, DialTLSContext: dial.Secure(dialPost, cfg.TLS),
		MaxIdleConnsPerHost:   pipelineWorkers,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: snapshotAnswer,
		WriteBufferSize:       64 << 10,
	}
	return t
}

// deadlineConn gives a connection deadlines on each read and write.
type deadlineConn struct {
	net.Conn
	read, write time.Duration
}

func (c deadlineConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// withWriteDeadline gives a connection deadlines on writes alone: an upload that stands still is
// given up, but its receiver may take its time to answer.
func withWriteDeadline(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return writeDeadlineConn{c}, nil
}

type writeDeadlineConn struct{ net.Conn }

func (c writeDeadlineConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(snapshotStall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Add starts talking to a peer, or gives a known one new URLs.
func (t *Transport) Add(id uint64, urls []string) {
	// The stranger is closed without the lock: close waits for its goroutines, and those ask for the lock (get).
	if stranger := t.add(id, urls); stranger != nil {
		stranger.close()
	}
}

// add returns the way by which the peer was answered before it was known as one.
func (t *Transport) add(id uint64, urls []string) (stranger *peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Close cancels the context under this lock: either it sees what is added here, or nothing is added.
	if t.ctx.Err() != nil || id == t.cfg.Self {
		return nil
	}
	if p := t.peers[id]; p != nil {
		p.urls.update(urls)
		return nil
	}
	stranger = t.remotes[id]
	delete(t.remotes, id)
	p := newPeer(t, id, urls)
	t.peers[id] = p
	p.startPipeline()
	p.startStreams()
	t.log.Info("started remote peer", zap.String("remote-peer-id", ID(id)))
	return stranger
}

// addRemote remembers where a stranger can be answered: a member that joined
// after our log ends speaks to us before we know it. The longest known stranger
// makes room for a new one.
func (t *Transport) addRemote(id uint64, urls []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil || id == t.cfg.Self || t.peers[id] != nil || t.remotes[id] != nil {
		return
	}
	if len(t.remotes) >= maxRemotes {
		oldest := slices.MinFunc(slices.Collect(maps.Values(t.remotes)),
			func(a, b *peer) int { return a.known.Compare(b.known) })
		delete(t.remotes, oldest.id)
		t.tasks.Go(oldest.close)
	}
	r := newPeer(t, id, urls)
	t.remotes[id] = r
	r.startPipeline()
}

// maxRemotes bounds what strangers can make us remember.
const maxRemotes = 16

// Remove stops talking to a peer. It leaves the map first, so that nothing new is queued for it, and messages that are
// on their way when it returns have been given up. The last one that it should get, its own removal, may be among them:
// it then hears of it by the answer to its next request (410 or 403, see Expelled).
func (t *Transport) Remove(id uint64) {
	t.mu.Lock()
	p := t.peers[id]
	delete(t.peers, id)
	t.mu.Unlock()
	if p != nil {
		p.close()
		t.log.Info("removed remote peer", zap.String("local-member-id", ID(t.cfg.Self)),
			zap.String("removed-remote-peer-id", ID(id)))
	}
}

// Peers lists whom the transport talks to.
func (t *Transport) Peers() []uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ids := make([]uint64, 0, len(t.peers))
	for id := range t.peers {
		ids = append(ids, id)
	}
	return ids
}

// ActiveSince is when the connection to a peer became whole, or zero while it is not.
func (t *Transport) ActiveSince(id uint64) time.Time {
	if p := t.get(id); p != nil {
		return p.status.since()
	}
	return time.Time{}
}

func (t *Transport) get(id uint64) *peer {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.peers[id]
}

// Send queues a message for its receiver. It never blocks; what finds no room is lost. Messages of one kind to one peer
// keep their order while one stream lives; between kinds, and over a break, there is none, and raft needs none.
func (t *Transport) Send(m *raftpb.Message) {
	t.mu.RLock()
	p := t.peers[m.GetTo()]
	if p == nil {
		p = t.remotes[m.GetTo()]
	}
	t.mu.RUnlock()
	if p == nil {
		return
	}
	if m.GetType() == raftpb.MsgApp {
		t.appends.sent.Add(1)
	}
	p.send(m)
}

// receive hands a message of a peer to the member; false means that there is no room for it.
func (t *Transport) receive(m *raftpb.Message) bool {
	if m.GetType() == raftpb.MsgApp {
		t.appends.received.Add(1)
	}
	return t.cfg.Member.Receive(m)
}

// SendSnapshot sends a snapshot message and the image that belongs to it, and closes the image. It returns when the
// peer has answered, the transfer has failed or the transport is closed.
func (t *Transport) SendSnapshot(m *raftpb.Message, image Image) {
	defer image.Close()
	p := t.get(m.GetTo())
	if p == nil || !t.tasks.Enter() {
		t.cfg.Member.SnapshotSent(m.GetTo(), false)
		return
	}
	defer t.tasks.Leave()
	p.sendSnapshot(m, image)
}

// Close ends all connections and waits for everything that runs on them: goroutines of peers, snapshots on their way in
// either direction, and requests that are being answered.
//
// The order: no task begins any more; the context ends what waits (streams, posts, uploads); goroutines of peers are
// waited for, which ends responses that they write to; then the requests that served those responses. The member behind
// the transport may go when Close returns, and not before.
func (t *Transport) Close() {
	t.tasks.Close()
	t.mu.Lock()
	t.stop() // under the lock, see add
	all := t.peers
	for id, r := range t.remotes {
		all[id] = r
	}
	t.peers, t.remotes = map[uint64]*peer{}, map[uint64]*peer{}
	t.mu.Unlock()
	for _, p := range all {
		p.close()
	}
	t.streams.CloseIdleConnections()
	t.posts.CloseIdleConnections()
	t.tasks.Wait()
}

// ID prints a member or cluster ID as etcd does.
func ID(id uint64) string { return membership.IDString(id) }

// ParseID reads what ID prints.
func ParseID(s string) (uint64, error) { return membership.ParseID(s) }

// peer is one other member.
type peer struct {
	t      *Transport
	id     uint64
	known  time.Time
	urls   *urls
	status *status
	trips  trips
	ctx    context.Context
	cancel context.CancelFunc

	writers [kinds]*writer
	posts   chan *raftpb.Message
	wg      sync.WaitGroup
}

func newPeer(t *Transport, id uint64, all []string) *peer {
	ctx, cancel := context.WithCancel(t.ctx)
	p := &peer{
		t: t, id: id, known: time.Now(), urls: newURLs(all), ctx: ctx, cancel: cancel,
		posts: make(chan *raftpb.Message, pipelineQueue),
	}
	p.status = &status{p: p}
	for k := range p.writers {
		p.writers[k] = newWriter(p, kind(k))
	}
	return p
}

func (p *peer) startPipeline() {
	for range pipelineWorkers {
		p.wg.Go(p.pipeline)
	}
}

func (p *peer) startStreams() {
	for k := range p.writers {
		p.wg.Go(p.writers[k].run)
		p.wg.Go(func() { p.read(kind(k)) })
	}
	p.wg.Go(p.probe)
}

// close ends the goroutines of the peer; afterwards none of them calls the member. A snapshot on its way (SendSnapshot)
// is a task of the transport: it fails with the peer's context, and that is still told.
func (p *peer) close() {
	p.cancel()
	p.wg.Wait()
	p.status.deactivate("peer", errors.New("stopped"))
}

// send picks a way: appends have a stream of their own, so that a large one never delays a heartbeat; while a stream is
// down, messages are posted. A stream that breaks between the question and the queue leaves
// the message there: it is late, if there is a next connection, or given up with the rest (discard).
func (p *peer) send(m *raftpb.Message) {
	queue := p.posts
	switch {
	case m.GetType() == raftpb.MsgSnap: // always posted, with its image; see SendSnapshot
	case m.GetType() == raftpb.MsgApp && p.writers[appends].up():
		queue = p.writers[appends].queue
	case p.writers[messages].up():
		queue = p.writers[messages].queue
	}
	select {
	case queue <- m:
	default:
		p.dropped(m)
	}
}

// dropped tells of a message for which there was no room. raft is told that the peer is unreachable, and stops sending
// ahead of what the peer has confirmed; of a snapshot it is told that it failed, else it would wait for the answer for
// ever.
func (p *peer) dropped(m *raftpb.Message) {
	p.t.cfg.Member.Dropped(m, "full")
	p.t.cfg.Member.Unreachable(p.id)
	if m.GetType() == raftpb.MsgSnap {
		p.t.cfg.Member.SnapshotSent(p.id, false)
	}
	p.t.m.sendFailed.WithLabelValues(ID(p.id)).Inc()
	p.t.log.Warn("dropped internal Raft message since sending buffer is full",
		zap.String("message-type", m.GetType().String()), zap.String("local-member-id", ID(p.t.cfg.Self)),
		zap.String("remote-peer-id", ID(p.id)), zap.Bool("remote-peer-active", p.status.active()))
}

// pause waits between two attempts; false means that the peer is being closed.
func (p *peer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// status is whether messages get through, and since when.
type status struct {
	p    *peer
	mu   sync.Mutex
	from time.Time
}

func (s *status) activate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.from.IsZero() {
		return
	}
	s.from = time.Now()
	s.p.t.cfg.Member.Connected(s.p.id, true)
	s.p.t.m.active.WithLabelValues(ID(s.p.t.cfg.Self), ID(s.p.id)).Set(1)
	s.p.t.log.Info("peer became active", zap.String("peer-id", ID(s.p.id)))
}

func (s *status) deactivate(where string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from.IsZero() {
		s.p.t.log.Debug("peer deactivated again", zap.String("peer-id", ID(s.p.id)), zap.String("where", where),
			zap.Error(err))
		return
	}
	s.from = time.Time{}
	s.p.t.cfg.Member.Connected(s.p.id, false)
	s.p.t.m.active.WithLabelValues(ID(s.p.t.cfg.Self), ID(s.p.id)).Set(0)
	s.p.t.m.disconnected.WithLabelValues(ID(s.p.t.cfg.Self), ID(s.p.id)).Inc()
	s.p.t.log.Warn("peer became inactive (message send to peer failed)", zap.String("peer-id", ID(s.p.id)),
		zap.String("where", where), zap.Error(err))
}

func (s *status) active() bool { return !s.since().IsZero() }

func (s *status) since() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from
}

// urls is a peer's list of URLs and the one that worked last.
type urls struct {
	mu   sync.Mutex
	all  []string
	next int
}

func newURLs(all []string) *urls { return &urls{all: all} }

func (u *urls) update(all []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all, u.next = all, 0
}

func (u *urls) pick() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.all) == 0 {
		return ""
	}
	return u.all[u.next%len(u.all)]
}

// unreachable moves on to the next URL, if it is still the bad one's turn.
func (u *urls) unreachable(bad string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.all) > 0 && u.all[u.next%len(u.all)] == bad {
		u.next++
	}
}
