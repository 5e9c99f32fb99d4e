package sim

import (
	"cmp"
	"slices"
	"strconv"

	"vitrine/core/api"
	"vitrine/core/invariant"
	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/sim/judge"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// State is what a picture of the world should be.
func (w *World) State() *picture.State {
	s := new(picture.State)
	s.Now, s.Events = w.clock.Now, w.stream.Seq()
	s.Members = make([]picture.Member, len(w.nodes))
	for i, n := range w.nodes {
		m := &s.Members[i]
		drawMember(n, m)
		s.Commit = max(s.Commit, m.Commit)
		s.LogLast = max(s.LogLast, m.Last)
		if !m.Alive {
			continue
		}
		if m.Role == picture.RoleLeader && (s.Leader == 0 || m.Term > s.Members[s.Leader-1].Term) {
			s.Leader = m.ID
		}
		s.Term = max(s.Term, m.Term)
	}
	w.drawConf(s)
	s.LogFirst = 1
	if window := uint64(max(1, w.cfg.LogWindow)); s.LogLast > window {
		s.LogFirst = s.LogLast - window + 1
	}
	for i, n := range w.nodes {
		drawLog(n, &s.Members[i], s.LogFirst)
	}
	w.drawNetwork(s)
	w.drawImages(s)
	w.drawClients(s)
	w.drawInvariants(s)
	if v := w.judge.Violation(); v != nil {
		s.Violation = &picture.Violation{Number: v.Number, Text: v.Text, At: v.At, Since: v.Since, Seq: v.Seq}
	}
	return s
}

// drawConf is what the leader, or who has applied the most, has for the members.
func (w *World) drawConf(s *picture.State) {
	by := w.byID(s.Leader)
	for _, n := range w.nodes {
		if s.Leader == 0 && n.alive() && n.member != nil && len(n.member.Status().ConfState.GetVoters()) > 0 &&
			(by == nil || n.member.Status().Applied > by.member.Status().Applied) {
			by = n
		}
	}
	if by == nil {
		return
	}
	st := by.member.Status()
	cs, c := st.ConfState, &s.Conf
	c.By, c.Quorum = by.id, len(cs.GetVoters())/2+1
	c.Voters, c.Learners = slices.Sorted(slices.Values(cs.GetVoters())), slices.Sorted(slices.Values(cs.GetLearners()))
	for _, e := range by.mirrors.memory {
		if e.Text == "conf" && e.Index > st.Applied {
			c.Pending = &picture.Change{Index: e.Index}
			return
		}
	}
}

var roleNames = [...]string{
	raft.StateFollower: picture.RoleFollower, raft.StateCandidate: picture.RoleCandidate,
	raft.StateLeader: picture.RoleLeader, raft.StatePreCandidate: picture.RolePreCandidate,
}

func drawMember(n *node, m *picture.Member) {
	w := n.world
	*m = picture.Member{
		ID: n.id, Name: n.name, Role: picture.RoleFollower, Alive: n.alive(), Process: processNames[n.process],
		Reason:      n.reason,
		Incarnation: n.starts, Disk: "idle", DBSize: n.told.size, DBInUse: n.told.inUse, First: n.lastFirst, Snap: n.lastMark,
		Learner: n.lastLearner,
	}
	if n.busy.hungUntil > w.clock.Now {
		m.Disk, m.DiskUntil = "stalled", n.busy.hungUntil
	}
	if n.member == nil {
		drawDead(n, m)
		return
	}
	st := n.member.Status()
	n.lastFirst, n.lastMark = st.First, st.Mark
	m.Role, m.Learner, m.Term, m.Vote, m.Lead = roleNames[st.Role], st.Learner, st.Term, st.Vote, st.Lead
	m.First, m.Last, m.Written, m.Synced, m.Commit, m.Applied = st.First, st.Last, n.written.Index, n.synced.Index,
		st.Commit, st.Applied
	m.Voters = len(st.ConfState.GetVoters())
	m.Durable, m.Snap = n.backend.Durable().Index, st.Mark
	m.Elapsed, m.Timeout, m.NextTickAt = n.elapsed, n.timeout, n.nextTick
	m.Revision, m.CompactRev, m.Watchers = st.Revision, st.CompactRevision, st.Watch.Watchers
	m.Keys, m.DBSize, m.DBInUse = n.store.KV.Keys(), n.backend.Store().Size(), n.backend.Store().SizeInUse()
	m.Buffered, m.Segments, m.WALBytes = n.backend.Pending(), n.told.segments, n.told.logBytes
	m.LogQueue, m.ApplyQueue = int(max(m.Last, m.Synced)-m.Synced), int(max(m.Commit, m.Applied)-m.Applied)
	if w.cfg.Hashes {
		m.HashKV, _, m.HashRev, _ = n.store.HashKV(0)
	}
	drawTimes(n, m)
	drawDisk(n, m)
	if m.Role == picture.RoleCandidate || m.Role == picture.RolePreCandidate {
		for from := range uint64(len(w.nodes) + 1) {
			if granted, voted := n.votes[from]; voted {
				m.Votes = append(m.Votes, picture.Vote{ID: from, Granted: granted})
			}
		}
	}
	for i := range st.Progress {
		p := &st.Progress[i]
		if p.ID == n.id || m.Role != picture.RoleLeader {
			continue
		}
		m.Progress = append(m.Progress, picture.Progress{
			ID: p.ID, Match: p.Match, Next: p.Next, State: progressName(p.State), Paused: p.Paused, Active: p.Active,
			Learner: p.Learner, Inflight: int(p.Next) - int(p.Match) - 1, Snapshot: p.PendingSnapshot,
		})
	}
}

// drawDead shows what the disk of a member holds.
func drawDead(n *node, m *picture.Member) {
	p := n.synced
	if n.process == killed || n.process == starting && n.leftKilled {
		p = n.written
	}
	m.Term, m.Vote, m.Last, m.Written, m.Synced = p.InTerm, p.Vote, p.Index, p.Index, n.synced.Index
	m.Durable, m.Applied, m.Commit = n.durable, n.durable, n.durable
	remains, err := n.remains()
	invariant.Assert(err == nil, "sim: a database that was read when its process ended is still there")
	m.Revision, m.CompactRev, m.Keys = remains.KV.Revision(), remains.KV.CompactRevision(), remains.KV.Keys()
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
func drawTimes(n *node, m *picture.Member) {
	w := n.world
	if m.Role != picture.RoleLeader {
		m.ElectionAt = n.nextTick + int64(max(0, n.timeout-n.elapsed-1))*n.tickEvery
		if lead := w.byID(m.Lead); lead != nil && lead != n {
			m.HeardAt = n.heard[lead.id]
		}
		return
	}
	m.Elapsed = 0
	var heard []int64
	for _, id := range n.member.Status().ConfState.GetVoters() {
		if id == n.id {
			heard = append(heard, w.clock.Now)
			continue
		}
		heard = append(heard, n.heard[id])
		m.HeardAt = max(m.HeardAt, n.heard[id])
	}
	if len(heard) > 0 {
		slices.Sort(heard)
		m.QuorumHeardAt = heard[len(heard)-1-len(heard)/2]
	}
}

func drawDisk(n *node, m *picture.Member) {
	w := n.world
	switch {
	case n.busy.hungUntil > w.clock.Now:
		if n.busy.what == "syncing" {
			m.DiskSince = n.busy.since
		}
	case n.busy.what == "syncing":
		m.Disk, m.DiskSince, m.DiskUntil = n.busy.what, n.busy.since, n.busy.until
	case m.Last > m.Written:
		m.Disk = "writing"
	case n.commit != nil:
		m.Disk = "committing"
	}
	if n.process == paused {
		for i := range w.network.flights.Items {
			if f := &w.network.flights.Items[i]; f.on && f.to == n.id && f.lost == notLost && f.arrives <= w.clock.Now {
				m.Inbox++
			}
		}
	}
}

// drawLog fills the log window of a member.
func drawLog(n *node, m *picture.Member, first uint64) {
	log := n.mirrors.memory
	switch {
	case m.Alive:
	case n.process == killed || n.process == starting && n.leftKilled:
		log = n.mirrors.file
	default:
		log = n.mirrors.disk
	}
	for _, c := range log {
		if c.Index < first {
			continue
		}
		m.Log = append(m.Log, picture.Entry{
			Index: c.Index, Term: c.Term, Text: c.Text, Written: !m.Alive || n.mirrors.file.Has(c.Index, c.Term),
			Synced: n.mirrors.disk.Has(c.Index, c.Term), Committed: c.Index <= m.Commit, Applied: c.Index <= m.Applied,
		})
	}
}

func (w *World) drawNetwork(s *picture.State) {
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if from != to {
				s.Links = append(s.Links, picture.Link{From: from.id, To: to.id, Cut: w.network.link(from, to).cut})
			}
		}
	}
	for i := range w.network.flights.Items {
		f := &w.network.flights.Items[i]
		if !f.on {
			continue
		}
		m := f.msg
		s.Messages = append(s.Messages, picture.Message{
			Seq: f.cause, From: w.byID(f.from).id, To: w.byID(f.to).id, Type: trace.MessageName(uint8(m.GetType()) + 1),
			Term: m.GetTerm(), Index: m.GetIndex(), Commit: m.GetCommit(), LogTerm: m.GetLogTerm(), Entries: len(m.GetEntries()),
			Reject: m.GetReject(), Size: f.size(), Sent: f.sent, Arrives: f.arrives, Lost: lossNames[f.lost],
		})
	}
	slices.SortFunc(s.Messages, func(a, b picture.Message) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Arrives, b.Arrives))
	})
}

// size is that of the image that a flight brings.
func (f *flight) size() int64 {
	if f.image == nil {
		return 0
	}
	return f.image.snapshot.Size()
}

// drawImages tells what is being received.
func (w *World) drawImages(s *picture.State) {
	for i := range w.network.flights.Items {
		f := &w.network.flights.Items[i]
		if f.receipt == nil {
			continue
		}
		index, m := f.msg.GetSnapshot().GetMetadata().GetIndex(), &s.Members[f.to-1]
		if m.Alive && m.Commit < index && f.life == w.nodes[f.to-1].life {
			m.Image = &picture.Image{
				From: f.from, Index: index, Got: f.receipt.Size(), Size: f.receipt.Size() + int64(len(f.data)),
			}
		}
	}
}

func (w *World) drawClients(s *picture.State) {
	for _, c := range w.clients.Clients() {
		s.Clients = append(s.Clients, picture.Client{ID: c.ID, Done: c.Done, Failed: c.Failed})
	}
	w.clients.Requests(func(r *client.Request) { drawRequest(s, r) })
	for _, wt := range w.clients.Watchers() {
		v := picture.Watch{
			ID: wt.ID, Client: wt.Client, Key: string(wt.Create.Key), End: string(wt.Create.RangeEnd), Member: wt.Asked,
			Open: wt.Opened && !wt.Closed, Reason: wt.Reason, Next: wt.Next, Received: wt.Received,
		}
		for _, c := range wt.Recent {
			v.Events = append(v.Events, picture.WatchEvent(c))
		}
		s.Watches = append(s.Watches, v)
	}
	slices.SortFunc(s.Requests, func(a, b picture.Request) int { return cmp.Compare(a.ID, b.ID) })
}

func drawRequest(s *picture.State, r *client.Request) {
	v := picture.Request{
		ID: r.ID, Client: r.Client, Op: opName(r), Text: r.Words, Member: r.Tried, Attempts: r.Attempts, Status: r.Status,
		Revision: r.Rev, Issued: r.Issued, Done: r.Done,
	}
	if r.Status == client.OK {
		v.Result = client.AnswerWords(r.Answer)
	}
	if r.Err != nil && r.Status != client.Pending {
		v.Error = r.Err.Error()
	}
	s.Requests = append(s.Requests, v)
}

func (w *World) drawInvariants(s *picture.State) {
	s.Invariants = judge.Lights()
	for i := range s.Invariants {
		number, _ := strconv.Atoi(s.Invariants[i].ID[1:])
		s.Invariants[i].OK = w.judge.Holds(number)
	}
}

// opName is what the picture calls a request: by the operation, so that what adds a learner is called like what adds a
// voter.
func opName(r *client.Request) string {
	switch r.Op {
	case script.OpAddMember, script.OpAddLearner, script.OpPromote, script.OpRemove:
		return picture.OpName(uint64(api.OperationOf(r.Body)))
	}
	return r.Op.String()
}
