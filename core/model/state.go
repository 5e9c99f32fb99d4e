package model

import (
	"encoding/binary"
	"math"

	"github.com/google/btree"

	"vitrine/core/limits"
	"vitrine/core/pb"
)

// record is what one revision says about one key: a value, or nil for a
// tombstone. Records never change.
type record struct {
	key string
	rev int64 // main revision
	sub int64
	kv  *pb.KeyValue
}

func before(a, b record) bool {
	switch {
	case a.key != b.key:
		return a.key < b.key
	case a.rev != b.rev:
		return a.rev < b.rev
	}
	return a.sub < b.sub
}

// State is the data at one moment, with the history since the last compaction.
type State struct {
	records   *btree.BTreeG[record]
	leases    *btree.BTreeG[int64]
	alarms    []*pb.AlarmMember // by type and member; never changed in place
	users     *users            // never changed in place
	revision  int64
	compacted int64
	digest    uint64   // of everything that was written, in order
	latest    []record // of the last revision

	// MaxTxnOps bounds a txn; 0 = no bound.
	MaxTxnOps int
}

// New is an empty store: revision 1, nothing compacted.
func New() *State {
	return &State{
		records:   btree.NewG(16, before),
		leases:    btree.NewG(16, func(a, b int64) bool { return a < b }),
		users:     newUsers(),
		revision:  1,
		compacted: -1,
		MaxTxnOps: limits.MaxTxnOps,
	}
}

// Clone is an independent copy. It costs a few allocations; the two share what
// neither changes.
func (s *State) Clone() *State {
	c := *s
	c.records, c.leases = s.records.Clone(), s.leases.Clone()
	return &c
}

// Revision is that of the last write; 1 before the first.
func (s *State) Revision() int64 { return s.revision }

// CompactRevision is the oldest revision that can be read, -1 when none is gone.
func (s *State) CompactRevision() int64 { return s.compacted }

// Digest depends on every write so far and on their order, on leases and on
// compactions. States that came about by the same writes have the same digest.
func (s *State) Digest() uint64 { return s.digest }

// Equal reports whether both states came about by the same writes.
func (s *State) Equal(o *State) bool {
	return s.revision == o.revision && s.compacted == o.compacted && s.digest == o.digest
}

// Get is the value of key at revision rev, nil if there is none.
func (s *State) Get(key []byte, rev int64) *pb.KeyValue { return s.get(string(key), rev) }

func (s *State) get(key string, rev int64) (kv *pb.KeyValue) {
	s.records.DescendLessOrEqual(record{key: key, rev: rev, sub: math.MaxInt64}, func(r record) bool {
		if r.key == key {
			kv = r.kv
		}
		return false
	})
	return kv
}

// scan calls fn with each pair that lives in the interval at revision rev, in
// the order of keys.
func (s *State) scan(in interval, rev int64, fn func(*pb.KeyValue)) {
	if in.one() {
		if kv := s.get(in.start, rev); kv != nil {
			fn(kv)
		}
		return
	}
	for next := in.start; ; {
		found, ok := record{}, false
		s.records.AscendGreaterOrEqual(record{key: next, rev: math.MinInt64}, func(r record) bool {
			found, ok = r, true
			return false
		})
		if !ok || !in.contains(found.key) {
			return
		}
		if kv := s.get(found.key, rev); kv != nil {
			fn(kv)
		}
		next = found.key + "\x00" // the first possible key after it
	}
}

// ReadAt answers a request that only reads as the state did at revision rev, which
// must lie between the compact revision and Revision. It costs no copy.
func (s *State) ReadAt(rev int64, request any) (response any, err error) {
	then := *s
	then.revision, then.alarms = rev, nil
	return then.Apply(request)
}

// At is a copy that has gone back to revision rev, within the same bounds. It
// serves to ask what a request would have been answered; its leases are those of
// now, and it has no alarms.
func (s *State) At(rev int64) *State {
	then := s.Clone()
	then.revision, then.alarms = rev, nil
	return then
}

// Leases lists the leases that exist, by id.
func (s *State) Leases() (ids []int64) {
	s.leases.Ascend(func(id int64) bool {
		ids = append(ids, id)
		return true
	})
	return ids
}

// History calls fn with everything that is known: first what lives at the
// compact revision, then each later change, kv nil for a deletion; all in the
// order of keys, and of revisions within a key.
func (s *State) History(fn func(key string, rev, sub int64, kv *pb.KeyValue) bool) {
	s.records.Ascend(func(r record) bool { return fn(r.key, r.rev, r.sub, r.kv) })
}

// Changes calls fn with what the last revision changed, in order; rev must be
// Revision.
func (s *State) Changes(rev int64, fn func(key string, sub int64, kv *pb.KeyValue)) {
	for _, r := range s.latest {
		if r.rev == rev {
			fn(r.key, r.sub, r.kv)
		}
	}
}

func (s *State) write(r record) {
	if len(s.latest) > 0 && s.latest[0].rev != r.rev {
		s.latest = nil // not [:0]: a clone may share it
	}
	s.latest = append(s.latest[:len(s.latest):len(s.latest)], r)
	s.records.ReplaceOrInsert(r)
	s.note(uint64(r.rev), uint64(r.sub))
	s.noteText([]byte(r.key))
	if r.kv != nil {
		s.note(uint64(r.kv.Version), uint64(r.kv.Lease))
		s.noteText(r.kv.Value)
	}
}

// note folds numbers into the digest (FNV-1a, a word at a time).
func (s *State) note(words ...uint64) {
	for _, w := range words {
		s.digest = (s.digest ^ w) * 0x100000001b3
		s.digest ^= s.digest >> 32
	}
}

func (s *State) noteText(text []byte) {
	s.note(uint64(len(text)))
	for ; len(text) >= 8; text = text[8:] {
		s.note(binary.LittleEndian.Uint64(text))
	}
	var last [8]byte
	copy(last[:], text)
	s.note(binary.LittleEndian.Uint64(last[:]))
}

// interval is a set of keys: [start, end), or everything from start on.
type interval struct {
	start, end string
	open       bool // no end
}

// intervalOf reads a key and range end as etcd does: no end means the one key,
// an end of one zero byte means no end.
func intervalOf(key, end []byte) interval {
	switch {
	case len(end) == 0:
		return interval{start: string(key), end: string(key) + "\x00"}
	case len(end) == 1 && end[0] == 0:
		return interval{start: string(key), open: true}
	}
	return interval{start: string(key), end: string(end)}
}

// one reports whether no other key than its start can lie in it.
func (in interval) one() bool {
	n := len(in.start)
	return !in.open && len(in.end) == n+1 && in.end[n] == 0 && in.end[:n] == in.start
}

func (in interval) contains(key string) bool {
	return key >= in.start && (in.open || key < in.end)
}
