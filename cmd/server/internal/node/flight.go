package node

import (
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/core/api"
	"vitrine/core/driver"
	"vitrine/core/trace"
)

// The lanes of the flight recorder: one for each goroutine that tells often, and one for all others.
const (
	recordCore = iota
	recordLog
	recordApply
	recordCommit
	recordOthers
	recordLanes
)

// flight is what a node records of itself. Each tracer is of one goroutine; they are nil, and write nothing, unless the
// operator has asked for a recording.
type flight struct {
	recorder                 *trace.Recorder
	core, log, apply, commit *trace.Tracer
	reading                  sync.Mutex // one recording is written at a time: it takes as much memory as the recorder
}

func (f *flight) open(bytes int) {
	if bytes == 0 {
		return
	}
	f.recorder = trace.NewRecorder(bytes, recordLanes, func() trace.Locker { return &sync.Mutex{} })
	pen := func(lane int) *trace.Tracer {
		t := f.recorder.Lane(lane).Pen()
		return &t
	}
	f.core, f.log, f.apply, f.commit = pen(recordCore), pen(recordLog), pen(recordApply), pen(recordCommit)
}

// aside is a tracer for a goroutine that has none, for what happens now.
func (n *Node) aside() trace.Tracer {
	t := n.flight.recorder.Lane(recordOthers).Pen()
	if t.On() {
		t.At(n.Now(), 0)
	}
	return t
}

// begin is a tracer for what happens now because of cause.
func (n *Node) begin(t *trace.Tracer, cause uint64) *trace.Tracer {
	if t.On() {
		t.At(n.Now(), cause)
	}
	return t
}

// ErrNoRecording says that the operator has not asked for one.
var ErrNoRecording = errors.New("node: there is no recording: --flight-recorder-bytes is 0")

// WriteRecording writes what the member remembers of its newest events (package trace).
func (n *Node) WriteRecording(w io.Writer, version, commit string) error {
	if n.flight.recorder == nil {
		return ErrNoRecording
	}
	n.flight.reading.Lock()
	defer n.flight.reading.Unlock()
	return n.flight.recorder.Write(w, trace.Header{
		Cluster: n.cluster, Member: n.id, Name: n.cfg.Name, Began: time.Now().Add(-time.Since(n.start)).UnixNano(),
		Version: version, Commit: commit,
	})
}

// delivered tells of a message that a peer has sent.
func (n *Node) delivered(m *raftpb.Message) uint64 {
	return driver.Delivered(n.begin(n.flight.core, 0), m.GetFrom(), m)
}

// Answered tells of a read that was answered on the caller's goroutine. One that nobody had to be asked for has no
// number yet.
func (n *Node) Answered(r *api.ReadReady, response any, err error) {
	t := n.aside()
	if !t.On() {
		return
	}
	id := r.ID
	if id == 0 {
		id = n.nextCall.Add(1)
		driver.Asked(&t, id, r.Body)
	}
	driver.Answered(&t, id, response, err)
}

// Dropped tells of a message that this member's transport has not sent.
func (n *peerSide) Dropped(m *raftpb.Message, why string) {
	if t := (*Node)(n).aside(); t.On() {
		driver.Dropped(&t, n.id, m, why)
	}
}
