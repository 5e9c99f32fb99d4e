package consensus

import (
	"crypto/rand"
	"errors"
	"fmt"
	chacha "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// The files in testdata/transcripts are protocol logs: what the nodes of a small cluster want done, line by line, and
// what comes of it. Disks, stores and the network do nothing by themselves.
//
//	new n=3                     nodes 1..3 with the same first log
//	campaign 1, tick 1 n=5, propose 2 a b, read 1, transfer 1 to=2, unreachable 1 peer=2, snapshot-status 1 peer=2 ok
//	poll 1                      what node 1 wants done; it goes to its disk, its store, the network
//	sync 1, apply 1             its disk has done all writes, its store all batches
//	backed 1                    its store is durable
//	deliver to=2 [from=1] [type=MsgApp] [drop] [dup]
//	settle [1 2] [quiet]        everything, until there is nothing left to do (for these nodes)
//	hold MsgSnap, hold          settle leaves messages of this type where they are; or of none
//	cut a=1 b=2, heal           the network between two nodes
//	crash 1, restart 1          what was not synced is lost
//	inject to=1 from=2 type=MsgHeartbeat term=2 commit=99
//	status 1, log 1, events 1

// lab is a cluster on the bench.
type lab struct {
	t      *testing.T
	nodes  []*bench
	flight []*raftpb.Message
	cut    map[[2]uint64]bool
	now    trace.Instant
	out    strings.Builder
	held   string
	quiet  bool
	cfg    Config
}

// bench is a node with its disk and its store.
type bench struct {
	id     uint64
	node   *Node
	out    Output
	events *trace.Ring
	stream *trace.Stream
	seen   uint64
	// what the events say of progress, which no transcript tells
	picture *picture

	// the disk, as far as it is synced
	hard    *raftpb.HardState
	entries []*raftpb.Entry
	mark    *pb.WALSnapshot
	// what the disk and the store were asked to do and have not done
	writes  []LogWrite
	applies []ApplyBatch
	// the store, and what of it is durable
	state, durable machine
	images         map[uint64]machine
}

// machine is a state machine that remembers what it was told.
type machine struct {
	at   backend.Applied
	data []string
}

func TestTranscripts(t *testing.T) {
	old := rand.Reader
	t.Cleanup(func() { rand.Reader = old })
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		rand.Reader = chacha.NewChaCha8([32]byte{1})
		l := &lab{t: t, cut: map[[2]uint64]bool{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			l.t = t
			l.out.Reset()
			if err := l.command(d); err != nil {
				fmt.Fprintf(&l.out, "error: %v\n", err)
			}
			if l.out.Len() == 0 {
				return "ok\n"
			}
			return l.out.String()
		})
	})
}

func (l *lab) printf(format string, args ...any) {
	if !l.quiet {
		fmt.Fprintf(&l.out, format, args...)
	}
}

func arg(d *datadriven.TestData, name string, def uint64) uint64 {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			v, err := strconv.ParseUint(a.Vals[0], 10, 64)
			if err != nil {
				panic(err)
			}
			return v
		}
	}
	return def
}

func word(d *datadriven.TestData, name string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return ""
}

// ids are the nodes that a command names by number; all if it names none.
func (l *lab) ids(d *datadriven.TestData) []*bench {
	var bs []*bench
	for _, a := range d.CmdArgs {
		if id, err := strconv.Atoi(a.Key); err == nil {
			bs = append(bs, l.nodes[id-1])
		}
	}
	if bs == nil {
		return l.nodes
	}
	return bs
}

func (l *lab) command(d *datadriven.TestData) error {
	l.quiet = d.HasArg("quiet")
	defer func() { l.quiet = false }()
	if d.Cmd == "new" {
		return l.create(d)
	}
	b := l.ids(d)[0]
	switch d.Cmd {
	case "tick":
		l.tick(l.ids(d), arg(d, "n", 1))
	case "wait":
		l.now += trace.Instant(arg(d, "ms", 0)) * trace.Instant(time.Millisecond)
	case "deliver":
		l.deliver(d)
	case "hold":
		l.held = ""
		if len(d.CmdArgs) > 0 {
			l.held = d.CmdArgs[0].Key
		}
	case "cut":
		a, z := arg(d, "a", 0), arg(d, "b", 0)
		l.cut[[2]uint64{a, z}], l.cut[[2]uint64{z, a}] = true, true
	case "heal":
		clear(l.cut)
	case "settle":
		l.settle(l.ids(d))
	case "crash":
		l.crash(b)
	case "restart":
		return l.boot(b)
	case "inject":
		return l.nodes[arg(d, "to", 1)-1].node.Receive(inject(d))
	case "poll", "sync", "apply", "backed", "status", "log", "data", "events":
		l.at(d, b)
	default:
		return l.input(d, b.node)
	}
	return nil
}

// at is what happens at the disk and the store of a node, or is looked at there.
func (l *lab) at(d *datadriven.TestData, b *bench) {
	switch d.Cmd {
	case "poll":
		l.poll(b)
	case "sync":
		l.sync(b, arg(d, "ticket", 0))
	case "apply":
		l.apply(b)
	case "backed":
		b.durable = b.state.clone()
		b.node.Backed(b.durable.at)
	case "status":
		l.status(b)
	case "log":
		for _, e := range b.node.log.entries {
			l.printf("%s\n", entryText(e))
		}
	case "data":
		l.printf("%s\n", shorten(b.state.data, " "))
	case "events":
		l.events(b, word(d, "without"))
	}
}

// input gives a node one of its inputs.
func (l *lab) input(d *datadriven.TestData, n *Node) error {
	switch d.Cmd {
	case "campaign":
		n.Campaign()
	case "propose":
		return n.Propose(proposal(d))
	case "conf":
		return l.conf(d, n)
	case "read":
		n.At(l.now)
		l.printf("batch %s\n", idText(n.ReadIndex()))
	case "transfer":
		l.printf("to %d\n", n.TransferLeader(arg(d, "to", 0)))
	case "unreachable":
		n.Unreachable(arg(d, "peer", 0))
	case "snapshot-status":
		n.SnapshotStatus(arg(d, "peer", 0), d.HasArg("ok"))
	default:
		return fmt.Errorf("unknown command %s", d.Cmd)
	}
	return nil
}

func proposal(d *datadriven.TestData) [][]byte {
	var data [][]byte
	for _, a := range d.CmdArgs[1:] {
		if a.Key != "count" {
			data = append(data, []byte(a.Key))
		}
	}
	for i := range arg(d, "count", 0) {
		data = append(data, fmt.Appendf(nil, "n%d", i))
	}
	return data
}

func (l *lab) create(d *datadriven.TestData) error {
	l.cfg = Config{
		SnapshotCount: arg(d, "snapshot-count", 0), CatchUpEntries: arg(d, "catch-up", 0), NoPreVote: d.HasArg("no-prevote"),
	}
	var peers []Peer
	for id := uint64(1); id <= arg(d, "n", 3); id++ {
		peers = append(peers, Peer{ID: id})
	}
	entries, hs, err := Bootstrap(peers)
	if err != nil {
		return err
	}
	for _, p := range peers {
		b := &bench{id: p.ID, hard: hs, entries: entries, images: map[uint64]machine{}}
		l.nodes = append(l.nodes, b)
		if err := l.boot(b); err != nil {
			return err
		}
	}
	l.quiet = true
	l.settle(l.nodes)
	return nil
}

func (l *lab) boot(b *bench) error {
	b.events = trace.NewRing(1000)
	b.picture = &picture{of: map[uint64]string{}}
	b.stream = trace.NewStream(b.events, b.picture)
	cfg := l.cfg
	cfg.ID, cfg.FirstID, cfg.Tracer = b.id, b.id<<labIDBits|uint64(l.now)<<8, trace.NewTracer(b.stream, b.id)
	if image, ok := b.images[b.mark.GetIndex()]; ok && b.durable.at.Index < b.mark.GetIndex() {
		b.durable = image.clone()
	}
	b.state = b.durable.clone()
	var err error
	b.node, err = New(cfg, Boot{
		HardState: b.hard, Entries: b.entries, Snapshot: b.mark, Applied: b.durable.at.Index,
		ConfState: b.durable.at.ConfState,
	})
	return err
}

func (l *lab) crash(b *bench) {
	b.writes, b.applies, b.node = nil, nil, nil
	l.flight = slices.DeleteFunc(l.flight, func(m *raftpb.Message) bool { return m.GetTo() == b.id })
}

func (m machine) clone() machine { return machine{m.at, slices.Clone(m.data)} }

func (l *lab) tick(bs []*bench, n uint64) {
	for range n {
		l.now += trace.Instant(100 * time.Millisecond)
		for _, b := range bs {
			if b.node != nil {
				b.node.At(l.now)
				b.node.Tick()
			}
		}
	}
}

// poll takes what a node wants done and tells of it.
func (l *lab) poll(b *bench) bool {
	b.node.At(l.now)
	b.out = Output{Sends: b.out.Sends[:0], Log: b.out.Log[:0], Applies: b.out.Applies[:0], Reads: b.out.Reads[:0]}
	b.node.Ready(&b.out)
	if err := b.picture.right(b.node); err != nil {
		l.t.Error(err)
	}
	for _, s := range b.out.Sends {
		if s.NeedImage {
			s.Message.Snapshot.Metadata = &raftpb.SnapshotMetadata{
				Index: new(b.state.at.Index), Term: new(b.state.at.Term), ConfState: b.state.at.ConfState,
			}
			s.Message.Snapshot.Data = []byte(strings.Join(b.state.data, " "))
		}
		if l.cut[[2]uint64{b.id, s.To}] {
			l.printf("%s (lost)\n", messageText(s.Message))
			continue
		}
		l.printf("%s\n", messageText(s.Message))
		l.flight = append(l.flight, s.Message)
	}
	for _, w := range b.out.Log {
		l.printf("%d writes #%d%s\n", b.id, w.Ticket, writeText(w))
	}
	for _, a := range b.out.Applies {
		l.printf("%d applies #%d%s\n", b.id, a.Ticket, applyText(a))
	}
	for _, r := range b.out.Reads {
		if r.Err != nil {
			l.printf("%d batch %s: %v\n", b.id, idText(r.Batch), r.Err)
			continue
		}
		l.printf("%d batch %s may read at %d\n", b.id, idText(r.Batch), r.Index)
	}
	b.writes = append(b.writes, b.out.Log...)
	b.applies = append(b.applies, b.out.Applies...)
	return len(b.out.Sends)+len(b.out.Log)+len(b.out.Applies)+len(b.out.Reads) > 0
}

// sync makes the disk do what it was asked, up to a ticket.
func (l *lab) sync(b *bench, ticket uint64) bool {
	done := uint64(0)
	for len(b.writes) > 0 && (ticket == 0 || b.writes[0].Ticket <= ticket) {
		w := b.writes[0]
		b.writes = b.writes[1:]
		b.write(w)
		done = w.Ticket
	}
	if done == 0 {
		return false
	}
	l.printf("%d has written #%d\n", b.id, done)
	b.node.LogDone(done)
	return true
}

func (b *bench) write(w LogWrite) {
	if s := w.Snapshot.GetMetadata(); s != nil {
		b.mark = &pb.WALSnapshot{Index: s.Index, Term: s.Term, ConfState: s.ConfState}
		b.entries = nil
	}
	if w.HardState != nil {
		b.hard = w.HardState
	}
	if len(w.Entries) > 0 {
		keep := w.Entries[0].GetIndex() - b.mark.GetIndex() - 1
		b.entries = append(slices.Clone(b.entries[:keep]), w.Entries...)
	}
	if w.Mark != nil {
		b.entries = slices.Clone(b.entries[w.Mark.GetIndex()-b.mark.GetIndex():])
		b.mark = w.Mark
	}
}

// apply makes the store do what it was asked.
func (l *lab) apply(b *bench) bool {
	busy := len(b.applies) > 0
	for _, a := range b.applies {
		var changes []*raftpb.ConfChange
		if a.Snapshot != nil {
			b.state = b.images[a.Snapshot.GetMetadata().GetIndex()].clone()
		}
		for _, e := range a.Entries {
			b.state.at.Index, b.state.at.Term = e.GetIndex(), e.GetTerm()
			switch {
			case e.GetType() == raftpb.EntryConfChange:
				cc := &raftpb.ConfChange{}
				if err := proto.Unmarshal(e.Data, cc); err != nil {
					l.t.Fatal(err)
				}
				changes = append(changes, cc)
			case len(e.Data) > 0:
				b.state.data = append(b.state.data, string(e.Data))
			}
		}
		l.printf("%d has applied #%d, index %d\n", b.id, a.Ticket, b.state.at.Index)
		b.node.Applied(a.Ticket, b.state.at.Index, changes)
		b.state.at.ConfState = b.node.conf
	}
	b.applies = nil
	return busy
}

func (l *lab) deliver(d *datadriven.TestData) {
	from, to, typ := arg(d, "from", 0), arg(d, "to", 0), word(d, "type")
	flight := l.flight
	l.flight = nil
	for _, m := range flight {
		match := (to == 0 || m.GetTo() == to) && (from == 0 || m.GetFrom() == from) &&
			(typ == "" || m.GetType().String() == typ)
		switch {
		case !match:
			l.flight = append(l.flight, m)
		case d.HasArg("drop"):
			l.printf("lost: %s\n", messageText(m))
		default:
			l.receive(m)
			if d.HasArg("dup") {
				l.receive(m)
			}
		}
	}
}

func (l *lab) receive(m *raftpb.Message) {
	b := l.nodes[m.GetTo()-1]
	if l.cut[[2]uint64{m.GetFrom(), m.GetTo()}] || b.node == nil {
		return
	}
	if s := m.GetSnapshot(); s != nil {
		b.images[s.GetMetadata().GetIndex()] = machine{
			at: backend.Applied{
				Index: s.GetMetadata().GetIndex(), Term: s.GetMetadata().GetTerm(), ConfState: s.GetMetadata().GetConfState(),
			},
			data: strings.Fields(string(s.Data)),
		}
	}
	b.node.At(l.now)
	if err := b.node.Receive(m); err != nil {
		l.printf("%d refuses: %v\n", b.id, err)
	}
}

// settle lets everything happen among the given nodes until nothing does.
func (l *lab) settle(bs []*bench) {
	in := func(id uint64) bool {
		return slices.ContainsFunc(bs, func(b *bench) bool { return b.id == id })
	}
	for busy := true; busy; {
		busy = false
		for _, b := range bs {
			if b.node == nil {
				continue
			}
			busy = l.poll(b) || busy
			busy = l.sync(b, 0) || busy
			busy = l.apply(b) || busy
		}
		flight := l.flight
		l.flight = nil
		for _, m := range flight {
			if in(m.GetFrom()) && in(m.GetTo()) && m.GetType().String() != l.held {
				l.receive(m)
				busy = true
			} else {
				l.flight = append(l.flight, m)
			}
		}
	}
}

func (l *lab) conf(d *datadriven.TestData, n *Node) error {
	typ, ok := raftpb.ConfChangeType_value["ConfChange"+word(d, "type")]
	if !ok {
		return errors.New("no such type")
	}
	data, err := proto.Marshal(&raftpb.ConfChange{
		Type: raftpb.ConfChangeType(typ).Enum(), NodeId: new(arg(d, "id", 0)),
	})
	if err != nil {
		return err
	}
	return n.ProposeConfChange(data)
}

// inject makes a message that no node has sent.
func inject(d *datadriven.TestData) *raftpb.Message {
	m := &raftpb.Message{
		Type: raftpb.MessageType(raftpb.MessageType_value[word(d, "type")]).Enum(),
		From: new(arg(d, "from", 0)), To: new(arg(d, "to", 0)), Term: new(arg(d, "term", 0)),
		Index: new(arg(d, "index", 0)), LogTerm: new(arg(d, "log-term", 0)), Commit: new(arg(d, "commit", 0)),
	}
	if c := word(d, "context"); c != "" {
		m.Context = []byte(c)
	}
	for i := range arg(d, "entries", 0) {
		m.Entries = append(m.Entries, &raftpb.Entry{
			Index: new(arg(d, "first", 0) + i), Term: new(arg(d, "entry-term", 0)), Data: []byte("x"),
		})
	}
	if d.HasArg("snapshot") {
		var voters []uint64
		for _, a := range d.CmdArgs {
			if a.Key == "voters" {
				for _, v := range a.Vals {
					id, _ := strconv.ParseUint(v, 10, 64)
					voters = append(voters, id)
				}
			}
		}
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(arg(d, "snapshot", 0)), Term: new(arg(d, "snapshot-term", 1)),
			ConfState: &raftpb.ConfState{Voters: voters},
		}}
	}
	return m
}

func (l *lab) status(b *bench) {
	s := b.node.Status()
	l.printf("%s term %d vote %d lead %d commit %d applied %d log %d..%d synced %d mark %d voters %v\n",
		roleText(s.Role), s.Term, s.Vote, s.Lead, s.Commit, s.Applied, s.First, s.Last, s.Synced, s.Mark,
		s.ConfState.GetVoters())
	for _, p := range s.Progress {
		l.printf("  %d: match %d next %d %s\n", p.ID, p.Match, p.Next,
			strings.ToLower(strings.TrimPrefix(p.State.String(), "State")))
	}
}

func roleText(r raft.StateType) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "State"))
}

// events tells the events since the last call.
func (l *lab) events(b *bench, without string) {
	for i := range b.events.Len() {
		e := b.events.At(i)
		if e.Seq <= b.seen {
			continue
		}
		b.seen = e.Seq
		if e.Kind == trace.ProgressChanged || e.Kind.String() == without { // progress is a view of its own
			continue
		}
		l.printf("%s", e.Kind)
		for _, f := range []struct {
			name string
			v    uint64
		}{{"peer", e.Peer}, {"term", e.Term}, {"index", e.Index}} {
			if f.v != 0 {
				l.printf(" %s=%d", f.name, f.v)
			}
		}
		if e.Kind == trace.RoleChanged {
			l.printf(" %s", roleText(raft.StateType(e.A)))
		}
		if g := e.Kind.Group(); g == "read" {
			l.printf(" batch=%s", idText(e.A))
		}
		l.printf("\n")
	}
}

// labIDBits: above them stands whose life it is, for people to read.
const labIDBits = 48

func idText(id uint64) string {
	return fmt.Sprintf("%d.%d", id>>labIDBits, id&(1<<labIDBits-1))
}

func entryText(e *raftpb.Entry) string {
	at := fmt.Sprintf("%d/%d", e.GetTerm(), e.GetIndex())
	switch {
	case e.GetType() == raftpb.EntryConfChange:
		return at + " conf"
	case len(e.Data) == 0:
		return at + " -"
	}
	return fmt.Sprintf("%s %s", at, e.Data)
}

func entriesText(es []*raftpb.Entry) string {
	var parts []string
	for _, e := range es {
		parts = append(parts, entryText(e))
	}
	return "[" + shorten(parts, ", ") + "]"
}

// shorten leaves the middle out of what nobody reads.
func shorten(parts []string, sep string) string {
	if n := len(parts); n > 12 {
		parts = []string{parts[0], parts[1], fmt.Sprintf("... %d more ...", n-4), parts[n-2], parts[n-1]}
	}
	return strings.Join(parts, sep)
}

func messageText(m *raftpb.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d -> %d %s", m.GetFrom(), m.GetTo(), m.GetType())
	if m.GetTerm() != 0 {
		fmt.Fprintf(&b, " term %d", m.GetTerm())
	}
	if m.GetReject() {
		fmt.Fprintf(&b, " rejected, hint %d/%d", m.GetLogTerm(), m.GetRejectHint())
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgVote, raftpb.MsgPreVote:
		fmt.Fprintf(&b, " after %d/%d", m.GetLogTerm(), m.GetIndex())
	case raftpb.MsgAppResp, raftpb.MsgReadIndexResp:
		fmt.Fprintf(&b, " index %d", m.GetIndex())
	}
	if m.GetCommit() != 0 {
		fmt.Fprintf(&b, " commit %d", m.GetCommit())
	}
	switch t := m.GetType(); {
	case t == raftpb.MsgReadIndex || t == raftpb.MsgReadIndexResp:
		id, _ := strconv.ParseUint(fmt.Sprintf("%x", m.Entries[0].Data), 16, 64)
		fmt.Fprintf(&b, " question %s", idText(id))
	case len(m.Entries) > 0:
		b.WriteString(" " + entriesText(m.Entries))
	}
	if s := m.GetSnapshot().GetMetadata(); s != nil {
		fmt.Fprintf(&b, " snapshot %d/%d voters %v", s.GetTerm(), s.GetIndex(), s.GetConfState().GetVoters())
	}
	if len(m.Context) > 0 && (m.GetType() == raftpb.MsgHeartbeat || m.GetType() == raftpb.MsgHeartbeatResp) {
		fmt.Fprintf(&b, " confirms reads")
	}
	return b.String()
}

func writeText(w LogWrite) string {
	var b strings.Builder
	if s := w.Snapshot.GetMetadata(); s != nil {
		fmt.Fprintf(&b, " snapshot %d/%d", s.GetTerm(), s.GetIndex())
	}
	if h := w.HardState; h != nil {
		fmt.Fprintf(&b, " term %d vote %d commit %d", h.GetTerm(), h.GetVote(), h.GetCommit())
	}
	if len(w.Entries) > 0 {
		b.WriteString(" " + entriesText(w.Entries))
	}
	if w.Mark != nil {
		fmt.Fprintf(&b, " mark %d/%d", w.Mark.GetTerm(), w.Mark.GetIndex())
	}
	if w.Release > 0 {
		fmt.Fprintf(&b, " release below %d", w.Release)
	}
	if w.MustSync {
		b.WriteString(" sync")
	}
	return b.String()
}

func applyText(a ApplyBatch) string {
	if s := a.Snapshot.GetMetadata(); s != nil {
		return fmt.Sprintf(" snapshot %d/%d", s.GetTerm(), s.GetIndex())
	}
	return " " + entriesText(a.Entries)
}
