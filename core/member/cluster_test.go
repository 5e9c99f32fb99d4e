package member_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	chacha "math/rand/v2"
	"slices"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/duty"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// cluster is a world of the simplest kind: disks are immediate, the network delivers in order and at once what is not
// cut, and time passes only when a test says so.
type cluster struct {
	signed   bool // tokens are signed
	t        testing.TB
	now      trace.Instant
	stream   *trace.Stream
	ring     *trace.Ring
	machines []*machine
	cut      map[[2]uint64]bool
	keep     func(*raftpb.Message) bool // false = the network loses it; nil = keeps all
	sent     []*raftpb.Message
	requests uint64
	cfg      func(*member.Config)
}

// machine is one member with its disk, which outlives it.
type machine struct {
	c       *cluster
	id      uint64
	fs      *vfs.Mem
	mem     *backend.Mem
	images  map[uint64]*backend.Mem // received, by index
	member  *member.Member          // nil = crashed
	wal     *wal.WAL
	store   *store.Store
	tracer  *trace.Tracer
	inbox   []member.Input
	out     member.Output
	refused []error                        // messages, with the reasons
	log     func(consensus.LogWrite) error // before a write; an error fails it

	replies map[uint64]api.Reply
	pushes  map[uint64][]*pb.WatchResponse
	ends    map[uint64]error
	passed  map[uint64]origin // requests of other members, by id here
	held    []member.Input    // inputs that a test holds back
	hold    func(member.Input) bool
	lag     bool // the store does nothing
	waiting []consensus.ApplyBatch
	quota   int64
	first   uint64 // where the ids of this life begin
}

// origin is who has passed a request on.
type origin struct{ member, request uint64 }

const dir = "wal"

// newCluster makes n members with empty stores and the same first log entries.
func newCluster(t testing.TB, n int, cfg func(*member.Config)) *cluster {
	seed(t, uint64(n))
	ring := trace.NewRing(4096)
	c := &cluster{t: t, ring: ring, stream: trace.NewStream(ring), cut: map[[2]uint64]bool{}, cfg: cfg}
	var peers []consensus.Peer
	for id := uint64(1); id <= uint64(n); id++ {
		m := &membership.Member{ID: id, PeerURLs: []string{fmt.Sprintf("http://10.0.0.%d:2380", id)}}
		peers = append(peers, consensus.Peer{ID: id, Context: m.Bootstrap()})
	}
	entries, hs, err := consensus.Bootstrap(peers)
	must(t, err)
	for _, p := range peers {
		m := &machine{c: c, id: p.ID, fs: vfs.NewMem(), mem: backend.NewMem(), images: map[uint64]*backend.Mem{}}
		w, err := wal.Create(m.fs, dir, nil, wal.Options{})
		must(t, err)
		must(t, w.Append(hs, entries))
		must(t, w.Sync())
		must(t, w.Close())
		c.machines = append(c.machines, m)
		m.start()
	}
	c.run()
	return c
}

// seed makes raft's election timeouts the same in every run.
func seed(t testing.TB, n uint64) {
	old := rand.Reader
	rand.Reader = chacha.NewChaCha8([32]byte{byte(n), 7})
	t.Cleanup(func() { rand.Reader = old })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start boots a member from its disk.
func (m *machine) start() {
	t := m.c.t
	m.tracer = trace.NewTracer(m.c.stream, m.id)
	m.openStore()
	w, _, boot, err := member.Recover(m.fs, dir, m.store.Backend, wal.Options{})
	var missing *member.MissingImageError
	if errors.As(err, &missing) {
		if m.mem = m.images[missing.Index]; m.mem == nil {
			t.Fatalf("member %d has no image of index %d", m.id, missing.Index)
		}
		m.openStore()
		w, _, boot, err = member.Recover(m.fs, dir, m.store.Backend, wal.Options{})
	}
	must(t, err)
	m.wal = w
	m.first += m.id<<48 + 1<<32
	cfg := member.Config{
		Config: consensus.Config{ID: m.id, FirstID: m.first, Tracer: m.tracer},
		Self: duty.Self{
			Name: fmt.Sprintf("infra%d", m.id), ClusterVersion: "3.7.0",
			ClientURLs: []string{fmt.Sprintf("http://10.0.0.%d:2379", m.id)},
		},
		ClusterID: 0xc1,
	}
	if m.c.cfg != nil {
		m.c.cfg(&cfg)
	}
	m.member, err = member.New(cfg, boot, driver.Info(m.store), m.c.now)
	must(t, err)
	m.inbox, m.held, m.waiting = nil, nil, nil
	m.replies, m.pushes, m.ends = map[uint64]api.Reply{}, map[uint64][]*pb.WatchResponse{}, map[uint64]error{}
	m.passed = map[uint64]origin{}
}

func (m *machine) openStore() {
	b, err := backend.New(m.mem)
	must(m.c.t, err)
	m.store, err = store.Open(b, store.Config{QuotaBytes: m.quota}, m.tracer)
	must(m.c.t, err)
}

// crash loses everything that is not durable, the store's buffer included.
func (m *machine) crash() {
	m.member, m.inbox = nil, nil
	_ = m.wal.Close()
	m.fs = m.fs.LoseUnsynced()
	m.mem = m.mem.Clone()
}

func (m *machine) step(in member.Input) {
	if m.hold != nil && m.hold(in) {
		m.held = append(m.held, in)
		return
	}
	m.inbox = append(m.inbox, in)
}

// releaseHeld lets go what was held back.
func (m *machine) releaseHeld() {
	m.hold = nil
	m.inbox = append(m.inbox, m.held...)
	m.held = nil
}

// run goes on until nothing is left to do.
func (c *cluster) run() {
	for busy := true; busy; {
		busy = false
		for _, m := range c.machines {
			busy = m.turn() || busy
		}
	}
}

// turn steps what waits, and does what the member wants.
func (m *machine) turn() bool {
	if m.member == nil {
		return false
	}
	busy := len(m.inbox) > 0
	for len(m.inbox) > 0 {
		in := m.inbox[0]
		m.inbox = m.inbox[1:]
		m.member.Step(m.c.now, in)
	}
	m.member.Poll(&m.out)
	o := &m.out
	if o.Refused != nil {
		m.refused = append(m.refused, o.Refused)
	}
	for _, s := range o.Sends {
		m.send(s)
	}
	for _, w := range o.Log {
		m.write(w)
	}
	m.waiting = append(m.waiting, o.Applies...)
	for len(m.waiting) > 0 && !m.lag {
		m.apply(m.waiting[0])
		m.waiting = m.waiting[1:]
	}
	for _, r := range o.Replies {
		m.reply(r)
	}
	for _, f := range o.Forwards {
		m.forward(f)
	}
	for _, r := range o.Reads {
		m.read(r)
	}
	for _, p := range o.Pushes {
		h := m.member.Header()
		m.pushes[p.Stream] = append(m.pushes[p.Stream], p.Response.Message(&pb.ResponseHeader{
			ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm,
		}))
		m.step(member.Input{Kind: member.WatchSent, Stream: p.Stream, N: 1})
	}
	for _, s := range o.Scans {
		m.step(member.Input{Kind: member.Scanned, Scan: m.store.Scan(s)})
	}
	for _, w := range o.Works {
		m.work(w)
	}
	for _, e := range o.Ends {
		m.ends[e.Stream] = e.Err
	}
	return busy || len(m.inbox) > 0
}

func (m *machine) send(s consensus.Send) {
	c := m.c
	c.sent = append(c.sent, s.Message)
	if s.NeedImage {
		m.attach(s.Message)
	}
	if !slices.ContainsFunc(c.machines, func(o *machine) bool { return o.id == s.To }) {
		return // it was added, and has not started
	}
	if c.cut[[2]uint64{m.id, s.To}] || c.keep != nil && !c.keep(s.Message) || c.machine(s.To).member == nil {
		if s.NeedImage {
			m.step(member.Input{Kind: member.SnapshotStatus, Peer: s.To})
		}
		return
	}
	to := c.machine(s.To)
	msg := s.Message
	if s.NeedImage {
		mem, err := backend.OpenMemSnapshot(msg.Snapshot.Data)
		must(c.t, err)
		to.images[msg.Snapshot.GetMetadata().GetIndex()] = mem
		msg.Snapshot.Data = nil
		m.step(member.Input{Kind: member.SnapshotStatus, Peer: s.To, OK: true})
	}
	to.step(member.Input{Kind: member.Receive, Message: msg})
}

// attach puts the store's image into a snapshot message.
func (m *machine) attach(msg *raftpb.Message) {
	must(m.c.t, m.store.Backend.Flush())
	image, at, err := m.store.Image()
	must(m.c.t, err)
	if at.Index < msg.Snapshot.GetMetadata().GetIndex() {
		m.c.t.Fatalf("image at %d is older than the snapshot at %d", at.Index, msg.Snapshot.GetMetadata().GetIndex())
	}
	var buf writer
	_, err = image.WriteTo(&buf)
	must(m.c.t, err)
	msg.Snapshot = &raftpb.Snapshot{Data: buf, Metadata: &raftpb.SnapshotMetadata{
		Index: new(at.Index), Term: new(at.Term), ConfState: at.ConfState,
	}}
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

var _ io.Writer = (*writer)(nil)

func (m *machine) write(w consensus.LogWrite) {
	err := m.writeWAL(w)
	if err != nil {
		m.step(member.Input{Kind: member.LogFailed, Err: err})
		return
	}
	m.step(member.Input{Kind: member.LogDone, Ticket: w.Ticket})
}

func (m *machine) writeWAL(w consensus.LogWrite) error {
	if m.log != nil {
		if err := m.log(w); err != nil {
			return err
		}
	}
	if s := w.Snapshot.GetMetadata(); s != nil {
		if err := m.wal.SaveSnapshot(&pb.WALSnapshot{Index: s.Index, Term: s.Term, ConfState: s.ConfState}); err != nil {
			return err
		}
	}
	if w.HardState != nil || len(w.Entries) > 0 {
		if err := m.wal.Append(w.HardState, w.Entries); err != nil {
			return err
		}
	}
	if w.Mark != nil {
		if err := m.wal.SaveSnapshot(w.Mark); err != nil {
			return err
		}
	}
	if w.MustSync {
		if err := m.wal.Sync(); err != nil {
			return err
		}
	}
	if w.Release > 0 {
		return m.wal.Release(w.Release)
	}
	return nil
}

func (m *machine) apply(a consensus.ApplyBatch) {
	if a.Snapshot != nil {
		m.mem = m.images[a.Snapshot.GetMetadata().GetIndex()]
		m.openStore()
		m.step(member.Input{Kind: member.SnapshotApplied, Ticket: a.Ticket, Result: driver.Installed(m.store)})
		return
	}
	r := m.store.Apply(store.ApplyContext{
		WithPrev: m.member.WantsPrev(), Proposer: m.member.Proposed,
	}, a.Entries)
	m.step(member.Input{Kind: member.Applied, Ticket: a.Ticket, Result: r})
	for m.store.Housekeep(100) {
	}
	if slices.ContainsFunc(r.Outcomes, func(o store.Outcome) bool { return o.Physical }) {
		m.step(member.Input{Kind: member.Compacted, Revision: m.store.KV.CompactRevision()})
	}
}

// commit makes the store durable.
func (m *machine) commit() {
	must(m.c.t, m.store.Backend.Flush())
	m.step(member.Input{Kind: member.Backed, Backed: m.store.Backend.Durable()})
	m.c.run()
}

func (m *machine) read(r api.ReadReady) {
	if m.store.Applied().Index < r.Index {
		m.c.t.Errorf("member %d may read at index %d but has applied only %d", m.id, r.Index, m.store.Applied().Index)
	}
	var resp any
	var err error
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		r.Partial.Version = "3.7.3"
		resp = r.Partial
	case *pb.HashKVRequest:
		var hash uint32
		var compact, current int64
		hash, compact, current, err = m.store.HashKV(req.Revision)
		resp = &pb.HashKVResponse{Hash: hash, CompactRevision: compact, HashRevision: current}
	case *pb.SnapshotRequest, *pb.DefragmentRequest: // leave is all there is
		resp = &pb.SnapshotResponse{}
	default:
		if err = r.Allowed(m.store); err == nil {
			resp, err = m.store.Read(r.Body)
		}
	}
	resp, err = r.Finish(resp, err)
	m.reply(api.Reply{ID: r.ID, Response: resp, Err: err})
}

// reply keeps an answer for the test, or takes it to the member that has passed the question on.
func (m *machine) reply(r api.Reply) {
	m.replies[r.ID] = r
	o, passed := m.passed[r.ID]
	if !passed {
		return
	}
	if to := m.c.machine(o.member); to.member != nil && !m.c.cut[[2]uint64{m.id, to.id}] {
		to.step(member.Input{Kind: member.Forwarded, ID: o.request, Response: r.Response, Err: r.Err})
	}
}

func (m *machine) forward(f api.Forward) {
	to := m.c.machine(f.Peer)
	if to.member == nil || m.c.cut[[2]uint64{m.id, to.id}] {
		m.step(member.Input{Kind: member.Forwarded, ID: f.ID, Err: errors.New("cut")})
		return
	}
	m.c.requests++
	to.passed[m.c.requests] = origin{m.id, f.ID}
	to.step(member.Input{Kind: member.Request, Call: &api.Call{
		ID: m.c.requests, Body: f.Body, Identity: api.Identity{Own: true, Forwarded: true},
	}})
}

func (c *cluster) machine(id uint64) *machine {
	for _, m := range c.machines {
		if m.id == id {
			return m
		}
	}
	c.t.Fatalf("there is no member %x", id)
	return nil
}

// join starts a member that was added, with an empty disk.
func (c *cluster) join(id uint64) *machine {
	m := &machine{c: c, id: id, fs: vfs.NewMem(), mem: backend.NewMem(), images: map[uint64]*backend.Mem{}}
	w, err := wal.Create(m.fs, dir, nil, wal.Options{})
	must(c.t, err)
	must(c.t, w.Sync())
	must(c.t, w.Close())
	c.machines = append(c.machines, m)
	m.start()
	c.run()
	return m
}

// connect tells all members that they can reach one another.
func (c *cluster) connect() {
	for _, m := range c.machines {
		for _, o := range c.machines {
			if m != o && m.member != nil {
				m.step(member.Input{Kind: member.PeerConnected, Peer: o.id, OK: o.member != nil})
			}
		}
	}
	c.run()
}

// tick passes n ticks everywhere.
func (c *cluster) tick(n int) {
	for range n {
		c.now += trace.Instant(100 * time.Millisecond)
		for _, m := range c.machines {
			if m.member != nil {
				m.step(member.Input{Kind: member.Tick})
			}
		}
		c.run()
	}
}

// elect makes a member the leader, which must be possible at once.
func (c *cluster) elect(id uint64) {
	c.t.Helper()
	c.machine(id).step(member.Input{Kind: member.Campaign})
	c.run()
	if got := c.machine(id).member.Status().Lead; got != id {
		c.t.Fatalf("member %d stood for election, but follows %d", id, got)
	}
}

// leader waits for one that a majority of the living follows.
func (c *cluster) leader() uint64 {
	c.t.Helper()
	for range 100 {
		votes := map[uint64]int{}
		for _, m := range c.machines {
			if m.member != nil {
				votes[m.member.Status().Lead]++
			}
		}
		for _, m := range c.machines {
			if votes[m.id] > len(c.machines)/2 && m.member != nil {
				return m.id
			}
		}
		c.tick(1)
	}
	c.t.Fatal("no leader in 10 seconds")
	return 0
}

// isolate cuts a member off, or heals it.
func (c *cluster) isolate(id uint64, cut bool) {
	for _, m := range c.machines {
		c.cut[[2]uint64{id, m.id}], c.cut[[2]uint64{m.id, id}] = cut, cut
	}
}

// ask hands a request in and returns its id.
func (c *cluster) ask(id uint64, body any) uint64 {
	c.requests++
	request := c.requests
	c.machine(id).step(member.Input{Kind: member.Request, Call: &api.Call{ID: request, Body: body}})
	c.run()
	return request
}

func (c *cluster) do(id uint64, body any) (any, error) {
	c.t.Helper()
	req := c.ask(id, body)
	r, ok := c.machine(id).replies[req]
	if !ok {
		c.t.Fatalf("member %d has not answered %T", id, body)
	}
	return r.Response, r.Err
}

// get fails the test if the request fails.
func get[T proto.Message](c *cluster, id uint64, body any) T {
	c.t.Helper()
	resp, err := c.do(id, body)
	if err != nil {
		c.t.Fatalf("%T at member %d: %v", body, id, err)
	}
	return resp.(T)
}

func (c *cluster) put(id uint64, key, value string) *pb.PutResponse {
	c.t.Helper()
	return get[*pb.PutResponse](c, id, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
}

func (c *cluster) value(id uint64, key string) string {
	c.t.Helper()
	r := get[*pb.RangeResponse](c, id, &pb.RangeRequest{Key: []byte(key)})
	if len(r.Kvs) == 0 {
		return ""
	}
	return string(r.Kvs[0].Value)
}

// converged checks that all living members have the same pairs.
func (c *cluster) converged() {
	c.t.Helper()
	var want string
	for _, m := range c.machines {
		if m.member == nil {
			continue
		}
		hash, compact, current, err := m.store.HashKV(0)
		must(c.t, err)
		got := fmt.Sprintf("hash %08x at %d, compacted %d", hash, current, compact)
		if want == "" {
			want = got
		}
		if got != want {
			c.t.Errorf("member %d has %s, another %s", m.id, got, want)
		}
	}
}

// watch asks for a watcher on a stream.
func (c *cluster) watch(id, stream uint64, r *pb.WatchCreateRequest) {
	c.machine(id).step(member.Input{Kind: member.WatchRequest, Stream: stream, Watch: &pb.WatchRequest{
		RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r},
	}})
	c.run()
}

// revisions are those of the events that a stream has got.
func (c *cluster) revisions(id, stream uint64) []int64 {
	var revs []int64
	for _, r := range c.machine(id).pushes[stream] {
		for _, e := range r.Events {
			revs = append(revs, e.Kv.ModRevision)
		}
	}
	return revs
}

// stations are the steps of a request at a member, from the trace.
func (c *cluster) stations(id, request uint64) []string {
	var names []string
	for i := range c.ring.Len() {
		if e := c.ring.At(i); e.Kind == trace.Station && e.Member == id && e.Request == request {
			names = append(names, e.Text)
		}
	}
	return names
}

// count tells how many messages of a type were sent.
func (c *cluster) count(typ raftpb.MessageType) int {
	n := 0
	for _, m := range c.sent {
		if m.GetType() == typ {
			n++
		}
	}
	return n
}

// tickOnly passes n ticks at one member.
func (c *cluster) tickOnly(id uint64, n int) {
	for range n {
		c.now += trace.Instant(100 * time.Millisecond)
		c.machine(id).step(member.Input{Kind: member.Tick})
		c.run()
	}
}

func (c *cluster) wantErr(id, request uint64, want error) {
	c.t.Helper()
	r, ok := c.machine(id).replies[request]
	if !ok {
		c.t.Errorf("request %d is not answered", request)
	} else if !errors.Is(r.Err, want) {
		c.t.Errorf("request %d: %v, want %v", request, r.Err, want)
	}
}

// quota sets the quota of all stores, which takes a restart.
func (c *cluster) quota(bytes int64) {
	for _, m := range c.machines {
		m.quota = bytes
		m.crash()
		m.start()
	}
	c.run()
	c.leader()
}

func confChange(data []byte) *raftpb.ConfChange {
	cc := &raftpb.ConfChange{}
	if err := proto.Unmarshal(data, cc); err != nil {
		panic(err)
	}
	return cc
}
