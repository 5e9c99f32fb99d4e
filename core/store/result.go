package store

import (
	"vitrine/core/auth"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/mvcc"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// ApplyContext is what Apply must know about the outside. Nothing in it may change what is written.
type ApplyContext struct {
	// WithPrev makes changes carry the previous pair of each key (watch.Hub.WantsPrev).
	WithPrev bool
	// Proposer tells whether the request with this id was proposed here, so that its answer is wanted. Ranges inside
	// a transaction are executed only then. Nil means that all answers are wanted.
	Proposer func(id uint64) bool
	// Decode reads the request in an entry, where a driver has better means than to read it anew: members that live in
	// one process can share it, for nobody changes it. Nil = it is read anew, by Decode.
	Decode func(data []byte) (*pb.InternalRaftRequest, error)
}

// Result is everything that applying a run of entries has brought about.
type Result struct {
	Index, Term uint64    // the last entry
	Outcomes    []Outcome // per request and conf change, in log order
	Changes     []mvcc.Change
	Leases      []lease.Change // granted, revoked and checkpointed, in log order
	// AllLeases are those of a state that was installed.
	AllLeases []lease.Lease
	// Revision and CompactRevision are those after the last entry.
	Revision, CompactRevision int64
	// Compacting: a received state has a compaction whose deletions are not done.
	Compacting bool
	// ConfChanges are to be given to RawNode.ApplyConfChange in this order. A change that the rules of membership
	// refuse is here as a change of node 0, which raft takes as none.
	ConfChanges []*raftpb.ConfChange
	// Members is a copy of the membership if an entry may have changed it (members, versions, downgrade), else nil.
	Members *membership.Members
	// Alarms are all active alarms; AlarmsChanged tells that an entry has changed them.
	Alarms        []*pb.AlarmMember
	AlarmsChanged bool
	// Auth is a copy of who may do what if an entry has changed that, else nil.
	Auth *auth.State
	// OverQuota: a write proposed here went over the quota, so this member should propose the NOSPACE alarm.
	OverQuota bool
	// Err means that the log cannot be applied by this version; the member must stop. Entries up to Index are applied.
	Err error
}

// Outcome is the answer to one request.
type Outcome struct {
	ID       uint64 // of the request's header, or of the conf change
	Index    uint64
	Response any // *pb.PutResponse and so on; []*membership.Member for a conf change; nil for cluster-internal requests
	Err      error
	// Wrote: the request has changed pairs, at a revision of its own.
	Wrote bool
	// Tokens is what the request means for the tokens that a member keeps.
	Tokens auth.Effect
	// Physical: a compaction asks that its deletions are done before it is answered (Store.Compacting is false again).
	Physical bool
}
