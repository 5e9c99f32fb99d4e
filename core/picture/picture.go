package picture

import (
	"cmp"
	"slices"
	"strconv"

	"vitrine/core/trace"
)

// Options say what a picture shows besides what the events tell.
type Options struct {
	Window int               // entries of each log that are drawn, 0 = 24
	Lights []Light           // the invariants that somebody judges
	Names  map[uint64]string // of members, where they are not s1, s2 ...
}

// Picture is the fold. It is a trace.Sink.
type Picture struct {
	window    int
	names     map[uint64]string
	now       trace.Instant
	seq       uint64
	members   []*member // by id
	cuts      [][2]uint64
	flights   []Message
	clients   []Client
	requests  requests
	doubts    []*request // that their clients know nothing of, nor does the run so far
	acks      []acked    // the last writes that clients were told of
	watches   []*watch
	texts     texts
	confs     confs
	lights    []Light
	violation *Violation
}

// New makes a picture in which nothing has happened.
func New(o Options) *Picture {
	return &Picture{
		window: cmp.Or(o.Window, 24), names: o.Names, lights: slices.Clone(o.Lights), requests: newRequests(),
		texts: newTexts(), confs: newConfs(),
	}
}

// Emit folds one event.
func (p *Picture) Emit(e *trace.Event) {
	p.seq, p.now = e.Seq, max(p.now, e.Now)
	switch e.Kind.Group() {
	case "process":
		p.process(e)
	case "network":
		p.network(e)
	case "raft":
		p.raft(e)
	case "log":
		p.log(e)
	case "apply", "mvcc":
		p.store(e)
	case "watch":
		p.watch(e)
	case "read":
		p.asked(e)
	case "world":
		if e.Kind == trace.Violated {
			p.violated(e)
		}
	}
	p.request(e)
	p.settle(e)
}

// find is the member with that id, nil if the stream has not told of it.
func (p *Picture) find(id uint64) *member {
	i, ok := slices.BinarySearchFunc(p.members, id, func(m *member, id uint64) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return p.members[i]
}

// member is find, and makes one that is new: it runs, since it tells something.
func (p *Picture) member(id uint64) *member {
	i, ok := slices.BinarySearchFunc(p.members, id, func(m *member, id uint64) int { return cmp.Compare(m.ID, id) })
	if !ok {
		p.members = slices.Insert(p.members, i, newMember(id, cmp.Or(p.names[id], nameOf(id))))
	}
	return p.members[i]
}

// nameOf is what a member is called of whom nobody tells the name.
func nameOf(id uint64) string { return "s" + strconv.FormatUint(id, 10) }

func (p *Picture) violated(e *trace.Event) {
	for i := range p.lights {
		if l := &p.lights[i]; l.ID == "I"+strconv.FormatUint(e.A, 10) {
			l.OK = false
		}
	}
	if p.violation == nil {
		p.violation = &Violation{Number: int(e.A), Text: e.Text, At: int64(p.now), Since: int64(e.Now), Seq: e.Cause}
	}
}

// Into draws the picture into s as it is at now, which is not before the last
// event. It reuses the slices of s, so that it can be called for every frame.
func (p *Picture) Into(s *State, now trace.Instant) {
	s.Now, s.Events = int64(max(now, p.now)), p.seq
	s.Leader, s.Term, s.Commit, s.LogLast = 0, 0, 0, 0
	s.Members = resize(s.Members, len(p.members))
	leads := uint64(0)
	for i, m := range p.members {
		v := &s.Members[i]
		p.draw(m, v, s.Now)
		s.Commit, s.LogLast = max(s.Commit, v.Commit), max(s.LogLast, v.Last)
		if !v.Alive {
			continue
		}
		if v.Role == RoleLeader && (s.Leader == 0 || v.Term > leads) {
			s.Leader, leads = v.ID, v.Term
		}
		s.Term = max(s.Term, v.Term)
	}
	p.drawConf(s)
	s.LogFirst = 1
	if window := uint64(p.window); s.LogLast > window {
		s.LogFirst = s.LogLast - window + 1
	}
	for i, m := range p.members {
		p.drawLog(m, &s.Members[i], s.LogFirst)
	}
	p.drawLinks(s)
	s.Messages = append(s.Messages[:0], p.flights...)
	s.Clients = append(s.Clients[:0], p.clients...)
	p.drawRequests(s)
	p.drawWatches(s)
	s.Invariants, s.Violation = append(s.Invariants[:0], p.lights...), p.violation
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
