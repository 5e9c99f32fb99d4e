package picture

import (
	"cmp"
	"slices"

	"vitrine/core/trace"
)

// member is what the events have told of one member. The figures that are drawn
// as they are stand in Member.
type member struct {
	Member
	votes    []Vote
	refusals []Refusal
	question question
	watching []served
	progress []Progress
	heard    []heard
	voters   []uint64
	learners []uint64
	log      memberLog
	sends    sentImage

	confIndex uint64 // of the last change of the members that it has applied

	tickEvery int64
	held      bool     // a tick waits that came while the process was paused
	busy      activity // of the log lane
	commits   int      // in flight
	hungUntil int64

	diskTerm, diskVote [2]uint64 // hard state: in the file, synced
	applied            []applied // since the last commit, oldest first
	durable            applied
	adopted            applied // what a received database brings, from when it takes the place of the member's own
}

// sentImage is a snapshot that a member sends.
type sentImage struct {
	to   uint64
	size int64
}

// heard is when a message of a peer came last, and when an answer to a heartbeat.
type heard struct {
	id       uint64
	at, beat int64
}

// activity is what a disk does.
type activity struct {
	what         string
	since, until int64
}

// applied are the store's figures after an entry.
type applied struct {
	index            uint64
	rev, compactedAt int64
	keys             int
}

// Raft's StateType and the tracker's, as events carry them.
var (
	roles  = [...]string{RoleFollower, RoleCandidate, RoleLeader, RolePreCandidate}
	states = [...]string{"probe", "replicate", "snapshot"}
)

func newMember(id uint64, name string) *member {
	return &member{Member: Member{ID: id, Name: name, Role: RoleFollower, Process: Running, Alive: true}}
}

func (p *Picture) process(e *trace.Event) {
	if e.Member == 0 {
		return
	}
	m := p.member(e.Member)
	switch e.Kind {
	case trace.MemberStarted:
		m.started(e)
	case trace.MemberStarting:
		if m.Process, m.Reason, m.Alive = Starting, "", false; m.Incarnation == 0 { // its database is new
			m.Revision, m.CompactRev = 1, -1
		}
	case trace.MemberCrashed:
		m.Reason = ""
		if e.A == 0 {
			m.ended(e, Killed)
		} else {
			m.ended(e, Crashed)
		}
	case trace.MemberStopped:
		m.ended(e, Stopped)
		m.Reason = e.Text
	case trace.RecordingBegan:
		m.Process, m.Alive = Running, true
	case trace.RecordingEnded:
		m.Process, m.Alive = Unknown, false
	case trace.MemberPaused:
		m.tick(int64(e.Now))
		m.Process = Paused
	case trace.MemberResumed:
		m.Process, m.held = Running, m.NextTickAt < int64(e.Now)
	case trace.ClockTicked:
		m.held = false
		m.Elapsed, m.NextTickAt = m.Elapsed+1, int64(e.A)
	case trace.ClockSet:
		m.tick(int64(e.Now))
		m.tickEvery = int64(e.B)
		if m.Alive {
			m.NextTickAt = int64(e.A)
		}
	}
}

// started begins a new life with what the disk held.
func (m *member) started(e *trace.Event) {
	*m = member{
		Member: Member{
			ID: m.ID, Name: m.Name, Role: RoleFollower, Alive: true, Process: Running, Incarnation: m.Incarnation + 1,
			Term: e.Term, Vote: e.Peer, First: e.B + 1, Last: e.C, Written: e.C, Synced: e.C, Snap: e.B,
			Applied: e.Index, Durable: e.Index, Revision: e.Rev,
		},
		diskTerm: [2]uint64{e.Term, e.Term}, diskVote: [2]uint64{e.Peer, e.Peer}, hungUntil: m.hungUntil,
	}
	if e.A > m.Term { // the log tells of a later term than the hard state, whose vote was another term's
		m.Term, m.Vote = e.A, 0
	}
	m.durable = applied{index: e.Index, rev: e.Rev}
	m.log.begin(e.C, e.A)
}

// tick lets the clock of a running process tick up to now.
func (m *member) tick(now int64) {
	if m.Process != Running || m.tickEvery <= 0 || m.NextTickAt > now || m.held {
		return
	}
	n := (now-m.NextTickAt)/m.tickEvery + 1
	m.Elapsed, m.NextTickAt = m.Elapsed+int(n), m.NextTickAt+n*m.tickEvery
}

// patient begins to wait for a leader anew.
func (m *member) patient(e *trace.Event) {
	m.tick(int64(e.Now))
	m.Elapsed = 0
}

// ended leaves of a process what its disk holds.
func (m *member) ended(e *trace.Event, how string) {
	at := 1 // what is synced
	if how == Killed {
		at = 0 // what is written
	}
	old := m.Member
	last := old.Synced
	if how == Killed {
		last = old.Written
	}
	m.log.end(how == Killed, e.C, e.B)
	if e.C != 0 {
		last = e.C
	}
	m.Member = Member{
		ID: m.ID, Name: m.Name, Role: RoleFollower, Learner: m.Learner, Process: how, Incarnation: m.Incarnation,
		Term: m.diskTerm[at], Vote: m.diskVote[at], First: old.First, Last: last, Written: last, Synced: old.Synced,
		Snap:   old.Snap,
		DBSize: old.DBSize, DBInUse: old.DBInUse,
	}
	for len(m.applied) > 0 && m.applied[0].index <= e.Index {
		m.commitOne()
	}
	if m.adopted.index > 0 && e.Index >= m.adopted.index {
		m.durable = m.adopted
	}
	m.adopted = applied{}
	d := m.durable
	m.Durable, m.Applied, m.Commit = d.index, d.index, d.index
	m.Revision, m.CompactRev, m.Keys = d.rev, d.compactedAt, d.keys
	m.refusals, m.question, m.watching = nil, question{}, nil
	m.votes, m.progress, m.heard, m.applied, m.commits, m.busy = nil, nil, nil, nil, 0, activity{}
}

// commitOne takes the oldest applied entry as durable.
func (m *member) commitOne() {
	m.durable = m.applied[0]
	m.applied = append(m.applied[:0], m.applied[1:]...)
}

func (p *Picture) raft(e *trace.Event) {
	m := p.member(e.Member)
	switch e.Kind {
	case trace.RoleChanged:
		m.role(e)
		p.confs.led = p.confs.led || m.Role == RoleLeader || m.Lead != 0
	case trace.TermChanged:
		m.Term, m.Vote = e.Term, 0
	case trace.VoteCast:
		m.Term, m.Vote = e.Term, e.Peer
		m.patient(e)
	case trace.CommitAdvanced:
		m.Commit, m.Term = e.Index, max(m.Term, e.Term)
	case trace.ConfChanged:
		p.conf(m, e)
	case trace.MemberChanged:
		p.changed(e)
	case trace.ElectionTimer:
		m.Timeout = int(e.A)
		m.patient(e)
	case trace.ProgressChanged:
		m.learned(e)
	case trace.VoteIgnored:
		p.refusal(e)
	}
}

func (m *member) role(e *trace.Event) {
	m.Role, m.Lead, m.Term = roles[e.A%uint64(len(roles))], e.Peer, max(m.Term, e.Term)
	m.progress = m.progress[:0]
	if m.Role == RoleCandidate || m.Role == RolePreCandidate {
		m.votes, m.refusals = append(m.votes[:0], Vote{ID: m.ID, Granted: true}), m.refusals[:0]
	}
}

// conf follows what m says of who votes.
func (p *Picture) conf(m *member, e *trace.Event) {
	const add, remove, learner = 0, 1, 3
	is := func(id uint64) bool { return id == e.Peer && e.A != 2 }
	m.voters, m.learners = slices.DeleteFunc(m.voters, is), slices.DeleteFunc(m.learners, is)
	m.confIndex = e.Index
	switch e.A {
	case add:
		m.voters = append(m.voters, e.Peer)
	case learner:
		m.learners = append(m.learners, e.Peer)
	}
	m.Voters = len(m.voters)
	if o := p.find(e.Peer); o != nil && o == m {
		m.Learner = e.A == learner
	}
	if e.A == remove {
		m.progress = slices.DeleteFunc(m.progress, func(g Progress) bool { return g.ID == e.Peer })
	}
}

func (m *member) learned(e *trace.Event) {
	i, ok := slices.BinarySearchFunc(m.progress, e.Peer, func(g Progress, id uint64) int { return cmp.Compare(g.ID, id) })
	if !ok {
		m.progress = slices.Insert(m.progress, i, Progress{})
	}
	m.progress[i] = Progress{
		ID: e.Peer, Match: e.Index, Next: e.A, State: states[e.B&3%uint64(len(states))],
		Inflight: int(e.A) - int(e.Index) - 1,
		Snapshot: e.C, Paused: e.B&trace.ProgressPaused != 0, Active: e.B&trace.ProgressActive != 0,
		Learner: e.B&trace.ProgressLearner != 0,
	}
}

// heardFrom takes a message that has come.
func (m *member) heardFrom(e *trace.Event) {
	i := slices.IndexFunc(m.heard, func(h heard) bool { return h.id == e.Peer })
	if i < 0 {
		i, m.heard = len(m.heard), append(m.heard, heard{id: e.Peer})
	}
	m.heard[i].at = int64(e.Now)
	switch e.Msg {
	case msgHeartbeatResp:
		m.heard[i].beat = int64(e.Now)
	case msgApp, msgHeartbeat, msgSnap:
		m.patient(e)
	case msgVoteResp, msgPreVoteResp:
		v := slices.IndexFunc(m.votes, func(v Vote) bool { return v.ID >= e.Peer })
		if v < 0 {
			v = len(m.votes)
		}
		if v == len(m.votes) || m.votes[v].ID != e.Peer {
			m.votes = slices.Insert(m.votes, v, Vote{ID: e.Peer})
		}
		m.votes[v].Granted = e.C&trace.Rejected == 0
	}
}

func (m *member) heardAt(id uint64) int64 {
	for _, h := range m.heard {
		if h.id == id {
			return h.at
		}
	}
	return 0
}

// draw shows a member but for its log.
func (p *Picture) draw(m *member, v *Member, now int64) {
	m.tick(now)
	votes, refusals, progress, log := v.Votes[:0], v.Refusals[:0], v.Progress[:0], v.Log[:0]
	*v = m.Member
	v.Votes, v.Refusals, v.Progress, v.Log = votes, append(refusals, m.refusals...), progress, log
	if !v.Alive {
		p.drawDisk(m, v, now)
		return
	}
	if m.Image != nil && m.Commit >= m.Image.Index { // it has it, or needs it no more
		m.Image, v.Image = nil, nil
	}
	v.LogQueue, v.ApplyQueue = int(max(v.Last, v.Synced)-v.Synced), int(max(v.Commit, v.Applied)-v.Applied)
	if v.Process == Paused {
		for i := range p.flights {
			if f := &p.flights[i]; f.To == v.ID && f.Arrives <= now && f.Lost == "" && f.Arrives != 0 && f.Held == 0 {
				v.Inbox++
			}
		}
	}
	switch v.Role {
	case RoleLeader:
		v.Elapsed = 0
		v.Progress = append(v.Progress, m.progress...)
		p.drawQuorum(m, v, now)
	default:
		if v.Role != RoleFollower {
			v.Votes = append(v.Votes, m.votes...)
		}
		if v.Lead != 0 && v.Lead != v.ID {
			v.HeardAt = m.heardAt(v.Lead)
		}
		if v.Timeout != 0 {
			v.ElectionAt = v.NextTickAt + int64(max(0, v.Timeout-v.Elapsed-1))*m.tickEvery
		}
	}
	p.drawDisk(m, v, now)
}

// drawQuorum tells when a leader had heard from a quorum, itself included.
func (*Picture) drawQuorum(m *member, v *Member, now int64) {
	at := make([]int64, 0, 16)
	for _, id := range m.voters {
		if id == m.ID {
			at = append(at, now)
			continue
		}
		h := m.heardAt(id)
		at = append(at, h)
		v.HeardAt = max(v.HeardAt, h)
	}
	if len(at) > 0 {
		slices.Sort(at)
		v.QuorumHeardAt = at[len(at)-1-len(at)/2]
	}
}

func (p *Picture) drawDisk(m *member, v *Member, now int64) {
	v.Disk = "idle"
	switch {
	case m.hungUntil > now:
		v.Disk, v.DiskSince, v.DiskUntil = "stalled", m.busy.since, m.hungUntil
	case m.busy.what != "":
		v.Disk, v.DiskSince, v.DiskUntil = m.busy.what, m.busy.since, m.busy.until
	case v.Alive && v.Last > v.Written:
		v.Disk = "writing"
	case m.commits > 0:
		v.Disk = "committing"
	}
}
