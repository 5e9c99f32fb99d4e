package mvcc

import (
	"errors"
	"fmt"

	"vitrine/core/backend"
)

// ErrDamaged is wrapped by errors that say what is wrong with the records of the key bucket.
var ErrDamaged = errors.New("mvcc: damaged key bucket")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// sequence reads the records of the key bucket in order and checks that they are a history: behind the compact revision
// no revision is missing, and every pair names the revision that it lies under.
type sequence struct {
	compactRev int64
	last       Revision
}

func (q *sequence) next(k, v []byte) (rev Revision, dead bool, kv fields, err error) {
	if rev, dead, err = ParseRevision(k); err != nil {
		return rev, dead, kv, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if kv, err = parseKeyValue(v); err != nil {
		return rev, dead, kv, damaged("revision %s: %v", rev.text(), err)
	}
	compacted := rev.Main <= q.compactRev
	switch {
	case len(v) == 0 && compacted: // etcdutl writes such a record to raise the revision
	case len(kv.key) == 0:
		err = damaged("revision %s has no key", rev.text())
	case !dead && kv.mod != rev.Main:
		err = damaged("revision %s holds a pair of revision %d", rev.text(), kv.mod)
	case !dead && (kv.created <= 0 || kv.created > kv.mod || kv.version <= 0):
		err = damaged("revision %s holds version %d of a key created at %d", rev.text(), kv.version, kv.created)
	case !compacted && !q.follows(rev):
		err = damaged("revision %s follows %s", rev.text(), q.last.text())
	}
	q.last = rev
	return rev, dead, kv, err
}

// follows tells whether there can be no revision between the last one and rev.
func (q *sequence) follows(rev Revision) bool {
	if rev.Main == q.last.Main {
		return rev.Sub == q.last.Sub+1
	}
	// The first revision of all is 2: 1 is the empty store.
	return rev.Sub == 0 && rev.Main == max(q.last.Main, q.compactRev, 1)+1
}

// Check reads the records of the key bucket as Open does, but keeps nothing of them.
func Check(data getter) error {
	scheduled, finished, err := compactMarks(data)
	if err != nil {
		return err
	}
	seq := sequence{compactRev: max(scheduled, finished)}
	data.Range(backend.Key, nil, nil, 0, func(k, v []byte) bool {
		_, _, _, err = seq.next(k, v)
		return err == nil
	})
	return err
}
