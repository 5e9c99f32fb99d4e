package consensus

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	chacha "math/rand/v2"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// FuzzReceive gives a node any messages in any order, between ticks, elections and writes of its own. Whatever they
// say, nothing may panic, and the commit index may not go back or beyond the log.
func FuzzReceive(f *testing.F) {
	for seed := range byte(4) {
		f.Add(messages(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		old := rand.Reader
		defer func() { rand.Reader = old }()
		rand.Reader = chacha.NewChaCha8([32]byte{9})
		play(t, data)
	})
}

// TestReceiveAnything is the fuzz target on many random inputs, so that every run of the tests does some of it.
func TestReceiveAnything(t *testing.T) {
	old := rand.Reader
	defer func() { rand.Reader = old }()
	rand.Reader = chacha.NewChaCha8([32]byte{9})
	r := chacha.New(chacha.NewPCG(1, 2))
	data := make([]byte, 2000)
	for range 400 {
		for i := range data {
			data[i] = byte(r.Uint32())
			if r.IntN(2) == 0 {
				data[i] %= 8 // small numbers meet each other
			}
		}
		play(t, data)
	}
}

// messages are a few bytes with which play begins to do something.
func messages(seed byte) []byte {
	r := chacha.New(chacha.NewPCG(uint64(seed), 0))
	data := make([]byte, 300)
	for i := range data {
		data[i] = byte(r.IntN(12))
	}
	return data
}

// tape reads numbers from bytes; at the end it gives zeros.
type tape []byte

func (p *tape) byte() byte {
	if len(*p) == 0 {
		return 0
	}
	b := (*p)[0]
	*p = (*p)[1:]
	return b
}

// number is small most of the time, and sometimes anything.
func (p *tape) number() uint64 {
	switch b := p.byte(); {
	case b < 250:
		return uint64(b % 16)
	case b < 252:
		return ^uint64(0) - uint64(p.byte())
	default:
		var buf [8]byte
		for i := range buf {
			buf[i] = p.byte()
		}
		return binary.LittleEndian.Uint64(buf[:])
	}
}

func play(t *testing.T, data []byte) {
	entries, hs, err := Bootstrap([]Peer{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{ID: 1, CatchUpEntries: 4}, Boot{HardState: hs, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	p := tape(data)
	var out Output
	var written, applied, commit uint64
	for steps := 0; len(p) > 0 && steps < 2000; steps++ {
		op := p.byte() % 16
		switch op {
		case 0:
			n.Tick()
		case 1:
			n.Campaign()
		case 2:
			_ = n.Propose([][]byte{{p.byte()}}) // dropped or not: both are fine
		case 3:
			n.ReadIndex()
		case 4:
			n.TransferLeader(uint64(p.byte() % 4))
		case 5:
			n.LogDone(written)
		case 6:
			applied = applyAll(t, n, &out, applied)
		default:
			if err := n.Receive(message(&p)); err != nil && !errors.Is(err, ErrBadMessage) &&
				!errors.Is(err, ErrProposalDropped) {
				t.Fatalf("an error of no kind: %v", err)
			}
		}
		if op%3 == 0 {
			n.Ready(&out)
			for _, w := range out.Log {
				written = w.Ticket
			}
			out.Sends, out.Log, out.Reads = nil, nil, nil
		}
		s := n.Status()
		if s.Commit < commit || s.Commit > s.Last || s.Applied > s.Commit {
			t.Fatalf("commit %d -> %d, last %d, applied %d", commit, s.Commit, s.Last, s.Applied)
		}
		commit = s.Commit
	}
}

// applyAll applies what is due, as a store that refuses all conf changes but the first three.
func applyAll(t *testing.T, n *Node, out *Output, applied uint64) uint64 {
	for _, a := range out.Applies {
		if s := a.Snapshot; s != nil {
			applied = s.GetMetadata().GetIndex()
			n.Applied(a.Ticket, applied, nil)
			continue
		}
		var changes []*raftpb.ConfChange
		for _, e := range a.Entries {
			if e.GetIndex() <= applied {
				t.Fatalf("applies %d after %d", e.GetIndex(), applied)
			}
			applied = e.GetIndex()
			if e.GetType() == raftpb.EntryConfChange {
				cc := &raftpb.ConfChange{}
				if proto.Unmarshal(e.GetData(), cc) != nil || e.GetIndex() > 3 {
					cc.NodeId = new(uint64(0))
				}
				changes = append(changes, cc)
			}
		}
		n.Applied(a.Ticket, applied, changes)
	}
	out.Applies = nil
	return applied
}

// message is any message at all, with fields that are often near to what is true.
func message(p *tape) *raftpb.Message {
	m := &raftpb.Message{
		Type: raftpb.MessageType(p.byte() % 24).Enum(), From: new(p.number() % 5), To: new(uint64(1)),
		Term: new(p.number()), Index: new(p.number()), LogTerm: new(p.number()), Commit: new(p.number()),
	}
	flags := p.byte()
	if flags&1 != 0 {
		m.Reject, m.RejectHint = new(true), new(p.number())
	}
	if flags&2 != 0 {
		m.Context = binary.LittleEndian.AppendUint64(nil, p.number())[:p.byte()%9]
	}
	if flags&4 != 0 {
		first, term := m.GetIndex()+1, p.number()
		if flags&8 != 0 {
			first = p.number()
		}
		for i := range uint64(p.byte() % 4) {
			m.Entries = append(m.Entries, &raftpb.Entry{
				Index: new(first + i), Term: new(term), Type: raftpb.EntryType(p.byte() / 100).Enum(), Data: []byte{p.byte()},
			})
		}
	}
	if flags&16 != 0 {
		cs := &raftpb.ConfState{}
		for range p.byte() % 4 {
			cs.Voters = append(cs.Voters, p.number()%5)
		}
		for range p.byte() % 2 {
			cs.Learners = append(cs.Learners, p.number()%5)
		}
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(p.number()), Term: new(p.number()),
			ConfState: cs}}
	}
	if flags&32 != 0 {
		m.From = new(p.number())
	}
	if flags&64 != 0 {
		m.Term = nil
	}
	return m
}
