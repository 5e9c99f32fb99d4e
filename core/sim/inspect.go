package sim

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitrine/core/consensus"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/sim/client"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// lastSeen are a process's figures when it was last looked at, and at its end.
type lastSeen struct {
	status  member.Status
	durable uint64
	hashKV  uint32
	hashAt  int64
	hashed  int64 // the revisions that hashKV is of
	keys    int
	dbSize  int64
	inUse   int64
}

// mirror is a member's log as its log writes tell it, for the log matrix.
type mirror struct {
	cells []cell
	snap  uint64 // index of the newest local or received snapshot
}

type cell struct {
	entry *raftpb.Entry
	text  string
}

// mirrorEntries bounds a mirror; it is more than any window shows.
const mirrorEntries = 256

func (m *mirror) write(l *consensus.LogWrite) {
	if s := l.Snapshot; s != nil {
		m.cells = m.cells[:0]
		m.snap = s.GetMetadata().GetIndex()
	}
	if l.Mark != nil {
		m.snap = max(m.snap, l.Mark.GetIndex())
	}
	m.append(l.Entries)
}

func (m *mirror) append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	m.truncate(entries[0].GetIndex())
	for _, e := range entries {
		m.cells = append(m.cells, cell{entry: e})
	}
	if over := len(m.cells) - mirrorEntries; over > mirrorEntries {
		m.cells = append(m.cells[:0], m.cells[over:]...)
	}
}

// truncate removes index and everything after it.
func (m *mirror) truncate(index uint64) {
	for k := len(m.cells); k > 0 && m.cells[k-1].entry.GetIndex() >= index; k-- {
		m.cells = m.cells[:k-1]
	}
}

// State is a fresh picture of the world.
func (w *World) State() *State {
	s := new(State)
	w.StateInto(s)
	return s
}

// StateInto draws the picture into s and reuses its slices, so that it can be
// called for every frame.
func (w *World) StateInto(s *State) {
	s.Now, s.Seed, s.Hash, s.Events = w.clock.Now, w.cfg.Seed, w.HashText(), w.stream.Seq()
	s.Leader, s.Term, s.Commit, s.LogLast = 0, 0, 0, 0
	s.Members = resize(s.Members, len(w.nodes))
	for i, n := range w.nodes {
		m := &s.Members[i]
		w.drawMember(n, m)
		s.Commit = max(s.Commit, m.Commit)
		s.LogLast = max(s.LogLast, m.Last)
		if !m.Alive {
			continue
		}
		if m.Role == RoleLeader && (s.Leader == 0 || m.Term > s.Members[s.Leader-1].Term) {
			s.Leader = m.ID
		}
		s.Term = max(s.Term, m.Term)
	}
	s.LogFirst = 1
	if window := uint64(max(1, w.cfg.LogWindow)); s.LogLast > window {
		s.LogFirst = s.LogLast - window + 1
	}
	for i, n := range w.nodes {
		w.drawLog(n, &s.Members[i], s.LogFirst)
	}
	w.drawNetwork(s)
	w.drawClients(s)
	w.drawInvariants(s)
	s.Faults = append(s.Faults[:0], w.FaultCounts()...)
	s.Violation = w.judge.Violation()
	s.Dials = Dials{
		Loss: w.net.Loss, Duplicate: w.net.Duplicate, Latency: int64(w.net.Base), Jitter: int64(w.net.Jitter + w.net.Uniform),
		Fsync: int64(w.nodes[0].dial.Fsync), Rate: w.clients.Rate(),
	}
}

// resize gives a slice of that length that keeps the elements' own slices.
func resize[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return append(s[:cap(s)], make([]T, n-cap(s))...)
}

// grow is a slice with one more element, as it was left by an earlier picture.
func grow[T any](s []T) ([]T, *T) {
	s = resize(s, len(s)+1)
	return s, &s[len(s)-1]
}

// remember keeps the figures of a process that is about to end.
func (w *World) remember(n *node) {
	if n.member == nil {
		return
	}
	l := &n.last
	l.status = n.member.Status()
	l.durable = n.backend.Durable().Index
	l.keys, l.dbSize, l.inUse = n.store.KV.Keys(), n.backend.Store().Size(), n.backend.Store().SizeInUse()
	// Hashing reads the whole history: not at every picture, and never twice.
	at := n.store.KV.Revision()<<1 ^ n.store.KV.CompactRevision()
	if at != l.hashed && (w.clock.Now >= l.hashAt+hashEvery || l.hashAt == 0) {
		l.hashKV, _, _, _ = n.store.HashKV(0)
		l.hashAt, l.hashed = w.clock.Now, at
	}
}

const hashEvery = 100_000_000 // ns

var roleNames = [...]string{raft.StateFollower: RoleFollower, raft.StateCandidate: RoleCandidate, raft.StateLeader: RoleLeader, raft.StatePreCandidate: RolePreCandidate}

func (w *World) drawMember(n *node, m *MemberState) {
	w.remember(n)
	l, st := &n.last, &n.last.status
	votes, progress, log := m.Votes[:0], m.Progress[:0], m.Log[:0]
	*m = MemberState{
		ID: n.id, Name: n.name, Role: roleNames[st.Role], Learner: st.Learner, Alive: n.alive(),
		Process: processNames[n.process], Reason: n.reason, Incarnation: n.starts,
		Term: st.Term, Vote: st.Vote, Lead: st.Lead, First: st.First, Last: st.Last,
		Written: n.written.Index, Synced: n.synced.Index, Commit: st.Commit, Applied: st.Applied,
		Durable: l.durable, Snap: n.mirror.snap,
		Elapsed: n.elapsed, Timeout: n.timeout, NextTickAt: n.nextTick,
		Revision: st.Revision, CompactRev: st.CompactRevision, Keys: l.keys, HashKV: l.hashKV,
		DBSize: l.dbSize, DBInUse: l.inUse, Watchers: st.Watch.Watchers,
		LogQueue: len(n.logs), ApplyQueue: len(n.applies), Inbox: len(n.inbox),
		Votes: votes, Progress: progress, Log: log,
	}
	if st.Term == 0 { // it has never run
		m.Term, m.Vote, m.Last = n.synced.InTerm, n.synced.Vote, n.synced.Index
	}
	w.drawTimes(n, m)
	w.drawDisk(n, m)
	if m.Role == RoleCandidate || m.Role == RolePreCandidate {
		for ix, v := range n.votes {
			if v != 0 {
				m.Votes = append(m.Votes, VoteState{ID: uint64(ix + 1), Granted: v == 1})
			}
		}
	}
	for i := range st.Progress {
		p := &st.Progress[i]
		if p.ID == n.id || m.Role != RoleLeader {
			continue
		}
		m.Progress = append(m.Progress, ProgressState{
			ID: p.ID, Match: p.Match, Next: p.Next, State: progressName(p.State), Paused: p.Paused, Active: p.Active,
			Learner: p.Learner, Inflight: int(p.Next) - int(p.Match) - 1, Snapshot: p.PendingSnapshot,
		})
	}
}

func progressName(s tracker.StateType) string {
	switch s {
	case tracker.StateReplicate:
		return "replicate"
	case tracker.StateSnapshot:
		return "snapshot"
	}
	return "probe"
}

// drawTimes tells who was heard when, and when patience ends.
func (w *World) drawTimes(n *node, m *MemberState) {
	if m.Role != RoleLeader {
		m.ElectionAt = n.nextTick + int64(max(0, n.timeout-n.elapsed-1))*n.tickEvery
		if lead := w.byID(m.Lead); lead != nil && lead != n {
			m.HeardAt = n.heard[lead.ix]
		}
		return
	}
	m.Elapsed = 0
	heard := append(make([]int64, 0, MaxMembers), n.heard...)
	heard[n.ix] = w.clock.Now
	slices.Sort(heard)
	m.QuorumHeardAt = heard[len(heard)-1-len(heard)/2]
	for ix, at := range n.heard {
		if ix != n.ix {
			m.HeardAt = max(m.HeardAt, at)
		}
	}
}

func (w *World) drawDisk(n *node, m *MemberState) {
	m.Disk = "idle"
	switch {
	case n.busy.hungUntil > w.clock.Now:
		m.Disk, m.DiskSince, m.DiskUntil = "stalled", n.busy.since, n.busy.hungUntil
	case n.busy.what != "":
		m.Disk, m.DiskSince, m.DiskUntil = n.busy.what, n.busy.since, n.busy.until
	case n.commit != nil || n.defrag != nil:
		m.Disk = "committing"
	}
	if n.log == nil {
		return
	}
	m.Buffered = n.backend.Pending()
	m.Segments = len(n.log.Segments())
	m.WALBytes = int64(m.Segments-1)*w.cfg.SegmentBytes + n.log.Size()
}

// drawLog fills the log window of a member.
func (w *World) drawLog(n *node, m *MemberState, first uint64) {
	for i := range n.mirror.cells {
		c := &n.mirror.cells[i]
		index := c.entry.GetIndex()
		if index < first || index > m.Last && m.Alive || index > m.Synced && !m.Alive && n.process != killed {
			continue
		}
		if c.text == "" {
			c.text = entryText(c.entry)
		}
		m.Log = append(m.Log, EntryState{
			Index: index, Term: c.entry.GetTerm(), Text: c.text, Written: index <= m.Written, Synced: index <= m.Synced,
			Committed: index <= m.Commit, Applied: index <= m.Applied,
		})
	}
}

// entryText says in a few characters what an entry does.
func entryText(e *raftpb.Entry) string {
	switch {
	case e.GetType() != raftpb.EntryNormal:
		return "conf"
	case len(e.Data) == 0:
		return "no-op"
	}
	var r pb.InternalRaftRequest
	if err := r.UnmarshalVT(e.Data); err != nil {
		return "?"
	}
	switch {
	case r.Put != nil:
		return clip(r.Put.Key, entryWords) + "=" + clip(r.Put.Value, entryWords)
	case r.DeleteRange != nil:
		return "del " + clip(r.DeleteRange.Key, entryWords)
	case r.Txn != nil:
		return "txn"
	case r.Compaction != nil:
		return "compact " + strconv.FormatInt(r.Compaction.Revision, 10)
	}
	return "member"
}

// How many characters of a key or a value are shown: in an entry of a log, and
// where a request and its answer are told.
const (
	entryWords   = 24
	requestWords = 256
)

// clip returns the first n characters of a text. One that is longer ends in an
// ellipsis; what is no UTF-8 shows as the replacement character.
func clip[T string | []byte](text T, n int) string {
	head := text[:min(len(text), n*utf8.UTFMax+utf8.UTFMax)]
	for i, count := 0, 0; i < len(head); count++ {
		if count == n {
			return strings.ToValidUTF8(string(head[:i]), "\uFFFD") + "…"
		}
		_, size := utf8.DecodeRuneInString(string(head[i:min(len(head), i+utf8.UTFMax)]))
		i += size
	}
	return strings.ToValidUTF8(string(head), "\uFFFD")
}

func (w *World) drawNetwork(s *State) {
	s.Links = s.Links[:0]
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if from != to {
				s.Links = append(s.Links, LinkState{From: from.id, To: to.id, Cut: w.link(from.ix, to.ix).cut})
			}
		}
	}
	s.Messages = s.Messages[:0]
	for i := range w.flights.Items {
		f := &w.flights.Items[i]
		if !f.on {
			continue
		}
		m := f.msg
		s.Messages = append(s.Messages, MessageState{
			ID: f.id, Seq: f.cause, From: w.nodes[f.from].id, To: w.nodes[f.to].id, Type: trace.MessageName(uint8(m.GetType()) + 1),
			Term: m.GetTerm(), Index: m.GetIndex(), Commit: m.GetCommit(), LogTerm: m.GetLogTerm(), Entries: len(m.GetEntries()),
			Reject: m.GetReject(), Sent: f.sent, Arrives: f.arrives, Lost: lossNames[f.lost],
		})
	}
	slices.SortFunc(s.Messages, func(a, b MessageState) int { return int(int64(a.ID) - int64(b.ID)) })
}

func (w *World) drawClients(s *State) {
	s.Clients = resize(s.Clients, len(w.clients.Clients()))
	for i, c := range w.clients.Clients() {
		s.Clients[i] = ClientState{ID: c.ID, Endpoint: w.clients.Endpoint(c), Done: c.Done, Failed: c.Failed}
		if c.Request >= 0 {
			s.Clients[i].Request = w.clients.Request(c.Request).ID
		}
	}
	s.Requests = s.Requests[:0]
	w.clients.Requests(func(r *client.Request) { drawRequest(s, r) })
	slices.SortFunc(s.Requests, func(a, b RequestState) int { return int(int64(a.ID) - int64(b.ID)) })
	s.Watches = s.Watches[:0]
	for _, wt := range w.clients.Watchers() {
		var v *WatchState
		s.Watches, v = grow(s.Watches)
		events := v.Events[:0]
		for _, c := range wt.Recent {
			events = append(events, WatchEvent(c))
		}
		*v = WatchState{
			ID: wt.ID, Client: wt.Client, Key: string(wt.Create.Key), End: string(wt.Create.RangeEnd), Member: wt.On.Member,
			Open: wt.Opened && !wt.Closed, Reason: wt.Reason, Next: wt.Next, Received: wt.Received, Events: events,
		}
	}
}

func drawRequest(s *State, r *client.Request) {
	if r.Said == "" && r.Status != client.Pending {
		r.Said = answerText(r.Answer)
	}
	var v *RequestState
	s.Requests, v = grow(s.Requests)
	stations := v.Stations[:0]
	for _, at := range r.Stations {
		stations = append(stations, StationState{Name: at.Name, At: at.At, Member: at.Member})
	}
	*v = RequestState{
		ID: r.ID, Client: r.Client, Op: r.Op.String(), Text: r.Words, Key: r.Key, Member: r.Member, Attempts: r.Attempts,
		Status: r.Status, Result: r.Said, Revision: r.Rev, Issued: r.Issued, Done: r.Done, Stations: stations,
	}
	if r.Err != nil {
		v.Error = r.Err.Error()
	}
}

// answerText says in a few words what a response holds.
func answerText(response any) string {
	switch r := response.(type) {
	case *pb.RangeResponse:
		switch {
		case len(r.Kvs) == 0 && r.Count == 0:
			return "not found"
		case len(r.Kvs) == 1:
			return clip(r.Kvs[0].Key, requestWords) + " = " + clip(r.Kvs[0].Value, requestWords)
		}
		return strconv.FormatInt(r.Count, 10) + " keys"
	case *pb.PutResponse:
		return "ok"
	case *pb.DeleteRangeResponse:
		return strconv.FormatInt(r.Deleted, 10) + " deleted"
	case *pb.TxnResponse:
		if r.Succeeded {
			return "succeeded"
		}
		return "failed"
	case *pb.CompactionResponse:
		return "compacted"
	}
	return ""
}

// drawInvariants leaves out what one run cannot tell: whether another would tell
// the same story.
func (w *World) drawInvariants(s *State) {
	s.Invariants = s.Invariants[:0]
	for _, info := range invariant.Watched() {
		if info.Number == invariant.Deterministic {
			continue
		}
		s.Invariants = append(s.Invariants, InvariantState{ID: "I" + strconv.Itoa(info.Number), Name: info.Name, OK: w.judge.Holds(info.Number)})
	}
}
