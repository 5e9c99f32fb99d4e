package mvcc

import (
	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Scan reads the history of revisions from to to, both included, for watchers
// that missed it. It ends after the revision with which it has passed maxBytes
// (0: no bound); next is where to go on. ErrCompacted means that part of the
// history is gone.
func (s *Store) Scan(from, to int64, maxBytes int, withPrev bool) (changes []Change, next int64, err error) {
	rd := s.reader()
	return rd.scan(from, to, maxBytes, withPrev)
}

// Scan is Store.Scan on the view.
func (v *View) Scan(from, to int64, maxBytes int, withPrev bool) (changes []Change, next int64, err error) {
	return v.r.scan(from, to, maxBytes, withPrev)
}

func (r *reader) scan(from, to int64, maxBytes int, withPrev bool) (changes []Change, next int64, err error) {
	if from < r.compactRev {
		return nil, from, ErrCompacted
	}
	if mutant.On(mutant.ResumeSkipsCompaction) && from == r.compactRev {
		from++
	}
	to = min(to, r.rev)
	next = max(from, to+1)
	size := 0
	start, end := AppendRevision(nil, Revision{Main: max(from, 0)}), AppendRevision(nil, Revision{Main: to + 1})
	if from > to {
		return nil, next, nil
	}
	r.data.Range(backend.Key, start, end, 0, func(k, v []byte) bool {
		rev, dead, perr := ParseRevision(k)
		if perr != nil {
			err = perr
			return false
		}
		if n := len(changes); n == 0 || changes[n-1].Rev != rev.Main {
			if n > 0 && maxBytes > 0 && size >= maxBytes {
				next = rev.Main
				switch {
				case mutant.On(mutant.ScanCutLoses):
					next++
				case mutant.On(mutant.ScanCutRepeats) && n > 1:
					next = changes[n-1].Rev
				}
				return false
			}
			invariant.Assert(n == 0 || changes[n-1].Rev < rev.Main, "mvcc: history is out of order")
			changes = append(changes, Change{Rev: rev.Main})
		}
		var e Event
		if e, err = r.event(v, rev, dead, withPrev); err != nil {
			return false
		}
		last := &changes[len(changes)-1]
		last.Events = append(last.Events, e)
		size += len(k) + len(v)
		return true
	})
	if err != nil {
		return nil, from, err
	}
	return changes, next, nil
}

// event rebuilds what Writer made of a change.
func (r *reader) event(raw []byte, rev Revision, dead, withPrev bool) (Event, error) {
	f, err := parseKeyValue(raw)
	if err != nil {
		return Event{}, err
	}
	i, known := r.index.tree.Get(probe(f.key))
	key := i.keyBytes()
	if !known {
		key = append([]byte(nil), f.key...)
	}
	e := Event{Event: &pb.Event{Kv: &pb.KeyValue{}}, HasPrev: withPrev}
	if dead {
		e.Type = pb.Event_DELETE
		e.Kv.Key, e.Kv.ModRevision = key, rev.Main
	} else {
		f.fill(e.Kv, key, nil)
	}
	before := rev.Main - 1
	if mutant.On(mutant.PreviousStale) {
		before--
	}
	if withPrev && known && before >= r.compactRev {
		if v, ok := i.ki.at(before); ok {
			e.Prev = r.one(key, v.mod)
		}
	}
	return e, nil
}
