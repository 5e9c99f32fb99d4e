package store

import (
	"cmp"
	"fmt"
	"time"

	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/lease"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// Config is what must be equal on all members of a cluster, the quota aside.
type Config struct {
	QuotaBytes  int64 // 0 = etcd's default, negative = none
	MaxLearners int   // 0 = etcd's default
	MinLeaseTTL int64 // seconds, LeaseTTL of the election timeout; 0 = etcd's default
}

// LeaseTTL is the least TTL of a lease in seconds: one and a half election timeouts, so that a lease outlives an
// election with time to be renewed.
func LeaseTTL(electionTicks int, tick time.Duration) int64 {
	least := time.Duration(3*electionTicks/2) * tick
	return int64((least + time.Second - 1) / time.Second)
}

// Store is one member's copy of the replicated state.
type Store struct {
	KV      *mvcc.Store
	Members *membership.Members
	Alarms  *Alarms
	Auth    *auth.State
	Leases  *lease.Leases
	Backend *backend.Backend

	cfg   Config
	trace *trace.Tracer
	batch *backend.Batch
	read  pb.InternalRaftRequest // the entry that is being applied; what is in it may be kept, it itself may not
	// versioned: meta/storageVersion is as the cluster version asks for.
	versioned bool
}

// Open loads the state that the backend holds, or says what in it is damaged (wrapping mvcc.ErrDamaged where it is the
// pairs) or not supported by this build (wrapping ErrNotSupported). A compaction that was interrupted is resumed by
// Housekeep.
func Open(b *backend.Backend, cfg Config, t *trace.Tracer) (*Store, error) {
	s := &Store{Backend: b, cfg: cfg, trace: t, batch: backend.NewBatch()}
	var err error
	if s.Members, err = membership.Load(b, cfg.MaxLearners); err != nil {
		return nil, err
	}
	b.SetConfState(s.Members.ConfState())
	if err := check(b, s.Members); err != nil {
		return nil, err
	}
	if s.Alarms, err = loadAlarms(b); err != nil {
		return nil, err
	}
	if s.Auth, err = auth.Load(b); err != nil {
		return nil, err
	}
	least := cmp.Or(cfg.MinLeaseTTL, LeaseTTL(limits.ElectionTicks, limits.Tick))
	if s.Leases, err = lease.Open(b, least); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if s.KV, err = mvcc.Open(b, s.Leases, t); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// Applied is the position of the state in the log, with the raft configuration at that position.
func (s *Store) Applied() backend.Applied {
	a := s.Backend.Applied()
	a.ConfState = s.Members.ConfState()
	return a
}

// Read answers a *pb.RangeRequest, a *pb.TxnRequest that writes nothing, or what the store knows of a question about
// leases, from the current state. Of the response's header only the revision is filled.
func (s *Store) Read(req any) (any, error) {
	switch r := req.(type) {
	case *pb.RangeRequest:
		return s.KV.Range(r)
	case *pb.TxnRequest:
		return s.KV.Txn(r)
	case *pb.LeaseTimeToLiveRequest:
		resp := &pb.LeaseTimeToLiveResponse{Header: s.header()}
		for _, key := range s.Leases.Keys(r.ID) {
			resp.Keys = append(resp.Keys, []byte(key))
		}
		return resp, nil
	case *pb.LeaseLeasesRequest: // the member adds them in the order of their expiry
		return &pb.LeaseLeasesResponse{Header: s.header()}, nil
	}
	return nil, fmt.Errorf("%w: read of %T", ErrUnknownRequest, req)
}

// Authorize tells why somebody may not ask for what needs n of the current state: it is what comes before Read, under
// the same lock. Whoever was named by a state that is older than this one, or newer, is to be named anew.
func (s *Store) Authorize(id auth.Identity, n auth.Need) error {
	if err := s.Auth.Allowed(id, n); err != nil && !mutant.On(mutant.ReadUnasked) {
		return err
	}
	if s.Auth.Enabled() && id.Revision != 0 && id.Revision != s.Auth.Revision() {
		return auth.ErrOldRevision
	}
	return nil
}

// Scan reads history for the watch hub.
func (s *Store) Scan(q watch.Scan) *watch.ScanResult {
	changes, next, err := s.KV.Scan(q.From, q.To, q.MaxBytes, q.WithPrev)
	return &watch.ScanResult{ID: q.ID, Changes: changes, Next: next, CompactRev: s.KV.CompactRevision(), Err: err}
}

// HashKV is the hash of the pairs as of rev (0 = now), with the compact revision that it depends on.
func (s *Store) HashKV(rev int64) (hash uint32, compactRev, currentRev int64, err error) {
	return s.KV.HashKV(rev)
}

// Compacting tells whether a compaction has deletions left for Housekeep.
func (s *Store) Compacting() bool { return s.KV.Compacting() }

// Housekeep deletes up to limit revisions that a compaction has made unreachable, and tells whether there are more. It
// is paced by the caller, so that a large compaction does not hold up entries.
func (s *Store) Housekeep(limit int) (more bool) {
	if !s.KV.Compacting() {
		return false
	}
	s.batch.Reset(backend.Applied{}) // no entry: the position stays
	done := s.KV.CompactStep(s.batch, limit)
	s.Backend.Write(s.batch)
	return !done
}

// Image is a consistent image of what is durable, and its position with the configuration.
func (s *Store) Image() (backend.Snapshot, backend.Applied, error) { return s.Backend.Snapshot() }

// StorageVersion is the version of the backend's schema, "" if it was never set (before the first cluster version).
func (s *Store) StorageVersion() string {
	return string(s.Backend.Get(backend.Meta, []byte(keyStorageVersion)))
}

const keyStorageVersion = "storageVersion"

// setStorageVersion brings meta/storageVersion in line with the cluster version, as etcd does soon after it changes.
// The key exists from 3.6 on.
func (s *Store) setStorageVersion() {
	s.versioned = true
	v := s.Members.Version()
	if v == nil || *v == membership.MinVersion {
		return
	}
	want := v.ToMinor()
	if want.Compare(membership.Version{Major: 3, Minor: 6}) < 0 {
		if s.StorageVersion() != "" {
			s.batch.Delete(backend.Meta, []byte(keyStorageVersion))
		}
	} else if s.StorageVersion() != want.String() {
		s.batch.Put(backend.Meta, []byte(keyStorageVersion), []byte(want.String()))
	}
}

// noConfChange is cc without effect: raft takes a change of node 0 as none.
func noConfChange(cc *raftpb.ConfChange) { cc.NodeId = new(uint64) }
