package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Errors of requests. On the wire each follows "etcdserver: ".
var (
	ErrNotFound    = errors.New("requested lease not found")
	ErrExists      = errors.New("lease already exists")
	ErrTTLTooLarge = errors.New("too large lease TTL")
)

// A Writer takes the changes of one entry; *backend.Batch is one.
type Writer interface {
	Put(b backend.Bucket, key, value []byte)
	Delete(b backend.Bucket, key []byte)
}

// A Reader gives the records of a bucket; *backend.Backend and backend.View are such.
type Reader interface {
	Range(b backend.Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
}

// Lease is one lease. Times are in seconds.
type Lease struct {
	ID  int64
	TTL int64 // as granted
	// Remaining is what was left of it at the last checkpoint; 0 = none, so the whole TTL counts.
	Remaining int64
}

// Leases are the leases that exist, and the keys that hang on them. It is not safe for concurrent use.
type Leases struct {
	minTTL  int64
	leases  map[int64]*record
	holders map[string]*item // by key, of the keys that have a lease
}

// record is a lease with the list of its keys, in no particular order.
type record struct {
	Lease
	keys  *item
	count int
}

// item is a key with a lease.
type item struct {
	key        string
	of         *record
	prev, next *item
}

// Open reads the bucket lease. Shorter TTLs than minTTL seconds count as that, also those that were granted by a member
// with other settings; it must be equal on all members. The keys are attached by whoever reads the pairs.
func Open(r Reader, minTTL int64) (*Leases, error) {
	s := &Leases{minTTL: minTTL, leases: map[int64]*record{}, holders: map[string]*item{}}
	var err error
	r.Range(backend.Lease, nil, nil, 0, func(k, v []byte) bool {
		var l Lease
		if l, err = parse(k, v); err == nil {
			l.TTL = max(l.TTL, minTTL)
			s.leases[l.ID] = &record{Lease: l}
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Check tells whether Open would read the bucket.
func Check(r Reader) (err error) {
	r.Range(backend.Lease, nil, nil, 0, func(k, v []byte) bool {
		_, err = parse(k, v)
		return err == nil
	})
	return err
}

func parse(k, v []byte) (Lease, error) {
	m := new(pb.Lease)
	if err := pb.Unmarshal(v, m); err != nil {
		return Lease{}, fmt.Errorf("lease: record %x: %w", k, err)
	}
	if len(k) != 8 || binary.BigEndian.Uint64(k) != uint64(m.ID) || m.ID == 0 {
		return Lease{}, fmt.Errorf("lease: record %x is of lease %x", k, uint64(m.ID))
	}
	return Lease{ID: m.ID, TTL: m.TTL, Remaining: m.RemainingTTL}, nil
}

func bucketKey(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func (r *record) persist(w Writer) {
	m := pb.Lease{ID: r.ID, TTL: r.TTL, RemainingTTL: r.Remaining}
	data, err := m.MarshalVT()
	invariant.Assert(err == nil, "lease: a lease cannot be encoded") // it is three numbers
	w.Put(backend.Lease, bucketKey(r.ID), data)
}

// Grant makes a lease. The TTL that it gets is in the result.
func (s *Leases) Grant(id, ttl int64, w Writer) (Lease, error) {
	switch {
	case id == 0: // whoever proposes chooses one
		return Lease{}, ErrNotFound
	case ttl > limits.MaxLeaseTTL:
		return Lease{}, ErrTTLTooLarge
	case s.Exists(id):
		return Lease{}, ErrExists
	}
	r := &record{Lease: Lease{ID: id, TTL: max(ttl, s.minTTL)}}
	s.leases[id] = r
	r.persist(w)
	return r.Lease, nil
}

// Revoke ends a lease. Its keys must have been deleted, in the same batch.
func (s *Leases) Revoke(id int64, w Writer) error {
	r := s.leases[id]
	if r == nil {
		return ErrNotFound
	}
	invariant.Assert(r.count == 0, "lease: a lease ends before its keys")
	delete(s.leases, id)
	w.Delete(backend.Lease, bucketKey(id))
	return nil
}

// Checkpoint notes what is left of a lease; 0 = the whole TTL. It tells whether there is such a lease. Without persist
// it is forgotten at a restart: members before 3.6 did not write it down. A checkpoint names no more than the id, so it
// may have been meant for an earlier lease, with more time than this one was ever granted.
func (s *Leases) Checkpoint(id, remaining int64, persist bool, w Writer) bool {
	r := s.leases[id]
	if r == nil {
		return false
	}
	r.Remaining = min(remaining, r.TTL)
	if persist {
		r.persist(w)
	}
	return true
}

// Attach hangs a key on a lease, and takes it from the one that it had. Lease 0 is none. A lease that does not exist is
// none, too: databases may name one, though no put can.
func (s *Leases) Attach(key []byte, id int64) {
	old := s.holders[string(key)]
	if mutant.On(mutant.LeaseKept) && id == 0 && len(s.leases) > 1 {
		return
	}
	if old == nil && id == 0 || old != nil && old.of.ID == id {
		return
	}
	r := s.leases[id]
	if old != nil {
		s.detach(old)
	}
	if r == nil {
		return
	}
	i := &item{key: string(key), of: r, next: r.keys}
	if r.keys != nil {
		r.keys.prev = i
	}
	r.keys = i
	r.count++
	s.holders[i.key] = i
}

// Detach takes a key from its lease, if it has one.
func (s *Leases) Detach(key []byte) { s.Attach(key, 0) }

func (s *Leases) detach(i *item) {
	if i.prev != nil {
		i.prev.next = i.next
	} else {
		i.of.keys = i.next
	}
	if i.next != nil {
		i.next.prev = i.prev
	}
	i.of.count--
	delete(s.holders, i.key)
}

// Exists tells whether there is such a lease.
func (s *Leases) Exists(id int64) bool { return s.leases[id] != nil }

// Of is the lease that a key hangs on, 0 if none.
func (s *Leases) Of(key []byte) int64 {
	if i := s.holders[string(key)]; i != nil {
		return i.of.ID
	}
	return 0
}

// Keys lists the keys of a lease, sorted: those of a revoked one must be deleted in the same order by all members.
func (s *Leases) Keys(id int64) []string { return s.keys(s.leases[id]) }

// KeysOf returns the keys of a lease, those of all leases for 0.
func (s *Leases) KeysOf(id int64) []string {
	if id != 0 {
		return s.Keys(id)
	}
	var all []string
	for _, l := range s.All() {
		all = append(all, s.Keys(l.ID)...)
	}
	return all
}

func (s *Leases) keys(r *record) []string {
	if r == nil {
		return nil
	}
	keys := make([]string, 0, r.count)
	for i := r.keys; i != nil; i = i.next {
		keys = append(keys, i.key)
	}
	slices.Sort(keys)
	return keys
}

// Len is how many leases there are, Attached how many keys have one.
func (s *Leases) Len() int      { return len(s.leases) }
func (s *Leases) Attached() int { return len(s.holders) }

// Get is one lease; false if there is none.
func (s *Leases) Get(id int64) (Lease, bool) {
	if r := s.leases[id]; r != nil {
		return r.Lease, true
	}
	return Lease{}, false
}

// All lists the leases by id.
func (s *Leases) All() []Lease {
	all := make([]Lease, 0, len(s.leases))
	for _, r := range s.leases {
		all = append(all, r.Lease)
	}
	slices.SortFunc(all, func(a, b Lease) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}
