package picture

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vitrine/core/trace"
)

// Stations that a request passes besides those which members name. They follow
// from causes: a request leads to a proposal, the proposal to a message, the
// message to an entry, and from then on its index tells.
const (
	stationClient    = "client"
	stationArrived   = "arrived"
	stationProposed  = "proposed"
	stationForwarded = "forwarded to the leader"
	stationReadAsked = "read index asked"
	stationConfirm   = "leader asks a majority"
	stationConfirmed = "says who leads"
	stationAppended  = "appended to the log"
	stationSynced    = "synced to disk"
	stationMajority  = "synced on a majority"
	stationCommitted = "committed"
	stationApplied   = "applied"
	stationRead      = "read"
	stationAnswered  = "answered"
	stationDurable   = "committed to the database" // behind the answer: the log covers what a crash would take
)

// Stations lists the stations that a picture adds to those which members name.
func Stations() []string {
	return []string{
		stationClient, stationArrived, stationProposed, stationForwarded, stationReadAsked, stationConfirm, stationConfirmed,
		stationAppended, stationSynced, stationMajority, stationCommitted, stationApplied, stationRead, stationAnswered,
		stationDurable,
	}
}

// request is a request and what is known of its way through the cluster.
type request struct {
	Request
	server   uint64   // the member that the client spoke to
	about    uint64   // the member that it is about, 0 = none
	proposal uint64   // the id under which it was proposed, 0 = not yet
	hash     uint64   // of the data of its entry, 0 = not known yet
	leader   uint64   // the member that appended it first
	index    uint64   // of its entry, 0 = not known yet
	term     uint64   // the same
	synced   []uint64 // members that have it on disk
	sent     []uint64 // events that sent a message on its behalf
	asked    bool     // a leader was asked from which entry on it may read
	reads    uint64   // that entry, once it is known
	batch    uint64   // of reads that ask together, 0 = none yet
	durable  bool     // the database of its server has what it wrote
}

// Bounds: requests that are shown when they are over, and such as never end;
// stations of one; causes that may still lead somewhere, and messages of one.
const (
	keptRequests  = 64
	openBound     = 4096
	stationsBound = 64
	causesBound   = 1024
	sentBound     = 64
)

// opNames are the operations by their numbers in events (core/api.Operation), as
// commands call them, or etcdctl where there is no command.
var opNames = [...]string{
	1: "get", 2: "put", 3: "delete", 4: "txn", 5: "compact", 6: "watch", 7: "range-stream",
	20: "status", 21: "hash-kv", 22: "hash", 23: "alarm", 24: "move-leader", 25: "snapshot", 26: "defragment",
	27: "downgrade",
	30: "members", 31: "member-add", 32: "member-remove", 33: "member-update", 34: "member-promote",
	40: "auth", 41: "auth", 42: "auth-status", 43: "authenticate",
	44: "user-add", 45: "user-get", 46: "user-list", 47: "user-delete", 48: "user-passwd",
	49: "grant-role", 50: "revoke-role", 51: "role-add", 52: "role-get", 53: "role-list", 54: "role-delete",
	55: "grant", 56: "revoke",
	60: "lease-grant", 61: "lease-revoke", 62: "keep-alive", 63: "time-to-live", 64: "leases",
}

// OpName is what an operation is called, "" if there is none of that number.
func OpName(op uint64) string {
	if op < uint64(len(opNames)) {
		return opNames[op]
	}
	return ""
}

// requests are those that somebody waits for, and the last ones that are over.
type requests struct {
	byID  map[uint64]*request // of open; for look-ups only
	open  []*request          // in the order in which they began
	done  []*request          // in the order in which they ended
	chain map[uint64]*request // by an event that belongs to it; for look-ups only
	order []uint64            // keys of chain, oldest first
	sort  []*request          // reused
}

func newRequests() requests {
	return requests{byID: map[uint64]*request{}, chain: map[uint64]*request{}}
}

// link notes that the event seq belongs to a request.
func (q *requests) link(seq uint64, r *request) {
	if len(q.order) >= causesBound {
		delete(q.chain, q.order[0])
		q.order = append(q.order[:0], q.order[1:]...)
	}
	q.chain[seq] = r
	q.order = append(q.order, seq)
}

func (q *requests) begin(r *request) *request {
	if len(q.open) >= openBound {
		delete(q.byID, q.open[0].ID)
		q.open = append(q.open[:0], q.open[1:]...)
	}
	q.byID[r.ID] = r
	q.open = append(q.open, r)
	return r
}

func (q *requests) end(r *request) {
	delete(q.byID, r.ID)
	q.open = slices.DeleteFunc(q.open, func(o *request) bool { return o == r })
	q.done = append(q.done, r)
	if visitors := func(o *request) bool { return (o.Client == 0) == (r.Client == 0) }; q.count(visitors) > keptRequests {
		oldest := slices.IndexFunc(q.done, visitors)
		q.done = slices.Delete(q.done, oldest, oldest+1)
	}
}

// count is how many that are over fit: those of the visitor do not make way for
// others'.
func (q *requests) count(fits func(*request) bool) (n int) {
	for _, r := range q.done {
		if fits(r) {
			n++
		}
	}
	return n
}

func (r *request) add(name string, e *trace.Event, note string) {
	if len(r.Stations) < stationsBound {
		r.Stations = append(r.Stations, Station{Name: name, At: int64(e.Now), Member: e.Member, Note: note})
	}
}

func (r *request) passed(name string, member uint64) bool {
	return slices.ContainsFunc(r.Stations, func(s Station) bool { return s.Name == name && s.Member == member })
}

// request folds what concerns requests.
func (p *Picture) request(e *trace.Event) {
	q := &p.requests
	switch e.Kind {
	case trace.ClientJoined:
		p.client(int(e.B))
	case trace.RequestIssued:
		p.client(int(e.B))
		r := q.begin(&request{Request: Request{
			ID: e.Request, Client: int(e.B), Op: OpName(e.A), Text: e.Text, Status: StatusPending, Issued: int64(e.Now),
		}})
		q.link(e.Seq, r)
		if e.Peer != 0 {
			r.attempt(e, 1)
		}
	case trace.RequestArrived:
		p.requestArrived(e)
	case trace.RequestProposed:
		p.texts.know(e.B, e.Text)
		p.proposedChange(e)
		if r := q.byID[e.Request]; r != nil {
			r.proposal, r.hash = e.A, e.B
			if r.Client == Outside && r.Text == r.Op {
				r.Text += " " + e.Text
			}
			r.add(stationProposed, e, "")
		}
	case trace.RequestSent, trace.RequestAnswered, trace.RequestDone:
		p.requestAtClient(e)
	case trace.Station:
		p.station(e)
	case trace.RequestDenied:
		r := q.byID[e.Request]
		if r == nil {
			r = q.chain[e.Cause]
		}
		if r != nil {
			r.Denied = deniedOf(e)
		}
	case trace.EntryRecovered:
		p.texts.know(e.A, e.Text)
	case trace.BackendCommitted:
		q.committed(e)
	default:
		p.follow(e)
	}
}

// lacking are the words for what RequestDenied has in A.
var lacking = [...]string{trace.DeniedRead: "read", trace.DeniedWrite: "write", trace.DeniedRoot: "root"}

// deniedOf takes a refusal apart. What is not as it should be comes from a file.
func deniedOf(e *trace.Event) *Denied {
	user, key := min(e.B, uint64(len(e.Text))), min(e.C, uint64(len(e.Text)))
	key = min(key, uint64(len(e.Text))-user)
	return &Denied{User: e.Text[:user], Key: e.Text[user : user+key], End: e.Text[user+key:], Member: e.Member,
		Index: e.Index, Lacks: lacking[min(e.A, uint64(len(lacking)-1))]}
}

// follow takes events that concern requests without naming them.
func (p *Picture) follow(e *trace.Event) {
	if len(p.requests.open)+len(p.doubts) == 0 {
		return
	}
	switch e.Kind {
	case trace.MessageSent, trace.MessageDelivered:
		p.message(e)
	case trace.ReadIndexAsked:
		p.requests.readAsked(e)
	case trace.ReadIndexRetried:
		for _, r := range p.requests.open {
			if r.batch == e.B && r.server == e.Member {
				r.batch = e.A
				p.requests.link(e.Cause, r)
			}
		}
	case trace.EntryAppended:
		p.requests.appended(e, p.doubts)
	case trace.LogSynced:
		p.syncedAt(e)
	case trace.CommitAdvanced:
		for _, r := range p.requests.open {
			if r.index != 0 && e.Index >= r.index && (e.Member == r.leader || e.Member == r.server) &&
				!r.passed(stationCommitted, e.Member) {
				r.add(stationCommitted, e, "")
			}
		}
	case trace.EntryApplied:
		for _, r := range p.requests.open {
			if r.its(e, e.Request) && !r.passed(stationApplied, e.Member) {
				r.add(stationApplied, e, "")
			}
		}
	}
}

// its tells whether an entry that its server has applied comes from r. The
// proposal matters for one that waited for a leader: no cause leads from it to its
// entry.
func (r *request) its(e *trace.Event, proposal uint64) bool {
	return r.server == e.Member && (r.index == e.Index || r.proposal != 0 && r.proposal == proposal)
}

func (p *Picture) client(id int) *Client {
	i, ok := slices.BinarySearchFunc(p.clients, id, byID)
	if !ok {
		p.clients = slices.Insert(p.clients, i, Client{ID: id})
	}
	return &p.clients[i]
}

// requestArrived brings a request to its member. One that nobody has issued comes
// from outside of the stream, or is a question of members, which nobody waits for here.
func (p *Picture) requestArrived(e *trace.Event) {
	r := p.requests.byID[e.Request]
	if r == nil {
		if e.Request == 0 || e.B == 1 {
			return
		}
		r = p.requests.begin(&request{
			Request: Request{ID: e.Request, Client: Outside, Op: OpName(e.A), Text: e.Text, Status: StatusPending,
				Issued: int64(e.Now), Attempts: 1},
		})
		if r.Text == "" {
			r.Text = r.Op
		}
		p.requests.link(e.Seq, r)
	}
	r.server, r.about, r.Member, r.Wire.Arrived = e.Member, e.Peer, e.Member, int64(e.Now)
	r.add(stationArrived, e, "")
}

// requestAtClient takes what happens at the client, and answers on their way to it.
func (p *Picture) requestAtClient(e *trace.Event) {
	r := p.requests.byID[e.Request]
	switch {
	case r == nil:
	case e.Kind == trace.RequestSent:
		r.attempt(e, int(e.C))
	case e.Kind == trace.RequestAnswered:
		r.Result = e.Text
	case e.Member != 0:
		r.Wire.Answered = int64(e.Now)
		if e.Text != "" && r.Op == "member-promote" {
			r.Behind = p.behind(r, e.Member)
		}
		if r.Op == "get" && e.Text == "" && e.Rev != 0 {
			r.add(stationRead, e, strconv.FormatInt(e.Rev, 10))
		}
		r.add(stationAnswered, e, "")
		if r.Client == Outside {
			p.requestDone(r, e)
		}
	default:
		r.add(stationClient, e, "")
		p.requestDone(r, e)
	}
}

// attempt begins the way anew.
func (r *request) attempt(e *trace.Event, number int) {
	r.Member, r.Attempts, r.Wire = e.Peer, number, Wire{Sent: int64(e.Now)}
	r.server, r.proposal, r.hash, r.index, r.leader, r.synced, r.asked, r.reads = e.Peer, 0, 0, 0, 0, nil, false, 0
	r.batch, r.durable = 0, false
	r.add(stationClient, e, "")
}

func (p *Picture) requestDone(r *request, e *trace.Event) {
	r.Status, r.Error, r.Revision, r.Done = StatusOK, e.Text, e.Rev, int64(e.Now)
	switch {
	case e.Text != "" && e.Member == 0 && e.C == 1:
		r.Status = StatusUnknown
		p.doubt(r)
	case e.Text != "":
		r.Status = StatusError
	default:
		p.answeredAt(r)
	}
	if r.Client != Outside && r.Op != "watch" {
		c := p.client(r.Client)
		if r.Status == StatusOK {
			c.Done++
		} else {
			c.Failed++
		}
	}
	if r.Op == "watch" && r.Status == StatusOK {
		p.opened(r.ID)
	}
	p.requests.end(r)
}

// station takes a step that a member names: of a request, or of an entry that it
// applies, of which the state machine does not know the request.
func (p *Picture) station(e *trace.Event) {
	if r := p.requests.byID[e.Request]; r != nil {
		note := ""
		if strings.HasPrefix(e.Text, "read index") {
			r.asked, r.reads = true, e.Index
			note = strconv.FormatUint(e.Index, 10)
		}
		r.add(e.Text, e, note)
		return
	}
	if e.Request != 0 || e.Index == 0 {
		return
	}
	for _, r := range p.requests.open {
		if r.its(e, e.A) && !r.passed(e.Text, e.Member) {
			r.add(e.Text, e, "")
		}
	}
}

// readAsked notes that a member asks from which entry on its reads may go: the one that has caused the question, and
// all that have come meanwhile.
func (q *requests) readAsked(e *trace.Event) {
	first := q.chain[e.Cause]
	for _, r := range q.open {
		waits := r.Op == "get" && r.server == e.Member && r.Wire.Arrived != 0 && r.Wire.Answered == 0 && !r.asked
		if r != first && !waits {
			continue
		}
		r.asked, r.batch = true, e.A
		r.add(stationReadAsked, e, "")
	}
}

// together are the reads that ask the same question as r.
func (q *requests) together(r *request) (all []*request) {
	for _, o := range q.open {
		if o == r || r.batch != 0 && o.batch == r.batch && o.server == r.server {
			all = append(all, o)
		}
	}
	return all
}

// confirmed notes who has told a leader, on behalf of reads, that it still leads, until they are enough.
func (p *Picture) confirmed(r *request, e *trace.Event) {
	voters := p.voters()
	if !slices.Contains(voters, e.Peer) {
		return
	}
	for _, o := range p.requests.together(r) {
		said := 0
		for _, s := range o.Stations {
			if s.Name == stationConfirmed {
				said++
			}
		}
		if o.reads == 0 && said < len(voters)/2 && !o.passed(stationConfirmed, e.Peer) {
			o.Stations = append(o.Stations, Station{Name: stationConfirmed, At: int64(e.Now), Member: e.Peer})
		}
	}
}

// committed notes that the database of a member has on disk what it has applied so far. Most requests are over by then.
func (q *requests) committed(e *trace.Event) {
	for _, all := range [2][]*request{q.open, q.done} {
		for _, r := range all {
			if r.index != 0 && !r.durable && r.server == e.Member && r.index <= e.Index && r.passed(stationApplied, e.Member) {
				r.durable = true
				r.add(stationDurable, e, "")
			}
		}
	}
}

// message follows a proposal or a read that a follower passes on, the heartbeats
// by which a leader asks a majority whether it leads, and what they answer.
func (p *Picture) message(e *trace.Event) {
	q := &p.requests
	switch e.Msg {
	case msgProp, msgReadIndex, msgReadIndexResp, msgHeartbeat, msgHeartbeatResp:
	default:
		return
	}
	r := q.chain[e.Cause]
	if r == nil || r.Done != 0 {
		return
	}
	q.link(e.Seq, r)
	if e.Kind == trace.MessageSent && len(r.sent) < sentBound {
		r.sent = append(r.sent, e.Seq)
	}
	switch {
	case e.Kind == trace.MessageSent && e.Msg == msgProp:
		r.add(stationForwarded, e, "")
	case e.Kind == trace.MessageDelivered && e.Msg == msgReadIndex:
		r.add(stationConfirm, e, "")
	case e.Kind == trace.MessageDelivered && e.Msg == msgHeartbeatResp:
		p.confirmed(r, e)
	}
}

// appended finds the entry of a request: the first one with its data.
func (q *requests) appended(e *trace.Event, doubts []*request) {
	for _, r := range slices.Concat(q.open, doubts) {
		if r.hash != 0 && r.hash == e.A && r.index == 0 {
			r.index, r.term, r.leader = e.Index, e.Term, e.Member
			r.add(stationAppended, e, "")
			return
		}
	}
}

// syncedAt tells when an entry has become durable at a voter, and when at a
// majority.
func (p *Picture) syncedAt(e *trace.Event) {
	voters := p.voters()
	if !slices.Contains(voters, e.Member) {
		return
	}
	quorum := len(voters)/2 + 1
	for _, r := range p.requests.open {
		if r.index == 0 || e.Index < r.index || e.Term < r.term || slices.Contains(r.synced, e.Member) {
			continue
		}
		r.synced = append(r.synced, e.Member)
		switch {
		case len(r.synced) < quorum:
			r.add(stationSynced, e, "")
		case len(r.synced) == quorum:
			r.add(stationMajority, e, "")
		}
	}
}

// Carries tells whether a message is on its way on behalf of a request that is not
// over: it passes it on, carries its entry, or says that the entry has arrived.
func (p *Picture) Carries(id uint64, m *Message) bool {
	r := p.requests.byID[id]
	switch {
	case r == nil:
		return false
	case slices.Contains(r.sent, m.Seq):
		return true
	case r.index == 0 || m.Term != r.term:
		return false
	case m.Type == "MsgApp":
		return m.From == r.leader && m.Index < r.index && r.index <= m.Index+uint64(m.Entries)
	case m.Type == "MsgAppResp":
		return m.To == r.leader && m.Index >= r.index && !m.Reject
	}
	return false
}

func (p *Picture) drawRequests(s *State) {
	q := &p.requests
	q.sort = append(append(q.sort[:0], q.done...), q.open...)
	slices.SortStableFunc(q.sort, func(a, b *request) int {
		return cmp.Or(cmp.Compare(a.Issued, b.Issued), cmp.Compare(a.ID, b.ID))
	})
	s.Requests = s.Requests[:0]
	for _, r := range q.sort {
		var v *Request
		s.Requests, v = grow(s.Requests)
		stations := v.Stations[:0]
		*v = r.Request
		if v.Status == StatusPending {
			v.Lack = p.lack(r)
		}
		v.Stations = append(stations, r.Stations...)
		// Of what happens in one moment, the question comes first and the answer last.
		slices.SortStableFunc(v.Stations, func(a, b Station) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rank(a.Name), rank(b.Name)))
		})
	}
}

func rank(name string) int {
	switch name {
	case stationClient:
		return -3
	case stationArrived:
		return -2
	case stationReadAsked:
		return -1
	case stationAnswered:
		return 1
	}
	return 0
}
