package inspect

import (
	"encoding/hex"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Message is a message between members, all of it.
type Message struct {
	Type       string    `json:"type"`
	From       uint64    `json:"from"`
	To         uint64    `json:"to"`
	Term       uint64    `json:"term"`
	LogTerm    uint64    `json:"logTerm"`
	Index      uint64    `json:"index"`
	Commit     uint64    `json:"commit"`
	Vote       uint64    `json:"vote"`
	Reject     bool      `json:"reject"`
	RejectHint uint64    `json:"rejectHint"`
	Context    string    `json:"context,omitempty"` // in hex, its beginning
	Bytes      int       `json:"bytes"`             // of the message as it is sent
	Entries    []Pending `json:"entries"`
	Count      int       `json:"count"` // of the entries
	// Snapshot is where the database that it brings stands, 0 = it brings none.
	Snapshot     uint64 `json:"snapshot"`
	SnapshotTerm uint64 `json:"snapshotTerm"`
}

// MessageOf takes a message apart.
func MessageOf(m *raftpb.Message) *Message {
	context := m.GetContext()
	snapshot := m.GetSnapshot().GetMetadata()
	all := &Message{
		Type: m.GetType().String(), From: m.GetFrom(), To: m.GetTo(), Term: m.GetTerm(), LogTerm: m.GetLogTerm(),
		Index: m.GetIndex(), Commit: m.GetCommit(), Vote: m.GetVote(), Reject: m.GetReject(), RejectHint: m.GetRejectHint(),
		Context: hex.EncodeToString(context[:min(len(context), mostListed)]), Bytes: proto.Size(m),
		Count:   len(m.GetEntries()),
		Entries: []Pending{}, Snapshot: snapshot.GetIndex(), SnapshotTerm: snapshot.GetTerm(),
	}
	for _, e := range m.GetEntries()[:min(len(m.GetEntries()), mostListed)] {
		one := pendingOf(e)
		one.Bytes = len(e.GetData())
		all.Entries = append(all.Entries, one)
	}
	return all
}
