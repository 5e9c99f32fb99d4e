package fold

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"vitrine/core/pb"
)

// Image reads a durable database: it calls fn with every pair of a bucket (by
// etcd's name: "key", "meta", "lease") in the order of keys, until fn is false.
type Image func(bucket string, fn func(key, value []byte) bool)

// ErrForgotten says that an image is older than what the fold still knows.
var ErrForgotten = errors.New("fold: the log has gone beyond this image")

// Image compares a durable image with the log up to its own applied index. An
// error is a violation of I9, ErrForgotten, or one that wraps ErrMembers.
func (f *Fold) Image(image Image) error {
	m := metaOf(image)
	if m.index > f.Index() {
		return fmt.Errorf("the image says that %d is applied, but only %d was ever applied", m.index, f.Index())
	}
	if m.index < f.first {
		return ErrForgotten
	}
	if want := f.points[m.index-f.first].term; m.index > f.first && m.term != want {
		return fmt.Errorf("the image at index %d names term %x, the entry has term %d", m.index, m.term, want)
	}
	e := f.at(m.index)
	if err := f.sameMembers(image, m.index); err != nil {
		return err
	}
	if m.scheduled != e.compacted {
		return fmt.Errorf("the image is compacted at %d, the log says %d", m.scheduled, e.compacted)
	}
	if m.finished > m.scheduled {
		return fmt.Errorf("the image finished a compaction at %d, the log says %d", m.finished, m.scheduled)
	}
	if err := e.sameLeases(image); err != nil {
		return err
	}
	if err := e.sameAlarms(image); err != nil {
		return err
	}
	if err := e.sameUsers(image); err != nil {
		return err
	}
	return e.sameChanges(image, m.finished == m.scheduled, &f.buffer)
}

// meta is what an image says about itself.
type meta struct {
	index, term         uint64
	scheduled, finished int64 // compactions; -1 = none
}

func metaOf(image Image) meta {
	m := meta{scheduled: -1, finished: -1}
	image("meta", func(k, v []byte) bool {
		switch {
		case len(v) < 8:
		case string(k) == "scheduledCompactRev":
			m.scheduled = int64(binary.BigEndian.Uint64(v))
		case string(k) == "finishedCompactRev":
			m.finished = int64(binary.BigEndian.Uint64(v))
		case len(v) > 8:
		case string(k) == "consistent_index":
			m.index = binary.BigEndian.Uint64(v)
		case string(k) == "term":
			m.term = binary.BigEndian.Uint64(v)
		}
		return true
	})
	return m
}

func (e *era) sameLeases(image Image) error {
	var have []int64
	image("lease", func(k, _ []byte) bool {
		if len(k) == 8 {
			have = append(have, int64(binary.BigEndian.Uint64(k)))
		}
		return true
	})
	for _, id := range e.leases {
		at := slices.Index(have, id)
		if at < 0 {
			return fmt.Errorf("the image lacks lease %x", id)
		}
		have = slices.Delete(have, at, at+1)
	}
	if len(have) > 0 {
		return fmt.Errorf("the image has %d leases that were never granted, or were revoked", len(have))
	}
	return nil
}

func (e *era) sameAlarms(image Image) (err error) {
	n := 0
	image("alarm", func(k, _ []byte) bool {
		a := &pb.AlarmMember{}
		if bad := a.UnmarshalVT(k); bad != nil {
			err = fmt.Errorf("an alarm is unreadable: %w", bad)
		} else if !slices.ContainsFunc(e.alarms,
			func(w *pb.AlarmMember) bool { return w.Alarm == a.Alarm && w.MemberID == a.MemberID }) {
			err = fmt.Errorf("the image has the alarm %v of member %d, which is not up", a.Alarm, a.MemberID)
		}
		n++
		return err == nil
	})
	if err == nil && n < len(e.alarms) {
		err = fmt.Errorf("the image has %d alarms, by the log %d are up", n, len(e.alarms))
	}
	return err
}

// sameChanges compares every change; both sides come by revision. What a
// compaction will remove may still be there; once it has finished only tombstones
// may. kv is only a buffer.
func (e *era) sameChanges(image Image, finished bool, kv *pb.KeyValue) (err error) {
	next, missing, first := 0, 0, 0 // of e.changes: the next one, how many the image lacks, the first of them
	lacks := func(end int) {
		if missing == 0 && next < end {
			first = next
		}
		missing += end - next
		next = end
	}
	image("key", func(k, v []byte) bool {
		at, tombstone, ok := placeOf(k)
		if !ok {
			err = fmt.Errorf("the image has a key %x that is no revision", k)
			return false
		}
		end := next
		for end < len(e.changes) && e.changes[end].compare(at) < 0 {
			end++
		}
		lacks(end)
		switch known := next < len(e.changes) && e.changes[next].place == at; {
		case known:
			err = e.changes[next].same(kv, v, tombstone)
			next++
		case at.main > e.compacted || finished && !tombstone:
			err = fmt.Errorf("the image has revision %d.%d, which the log does not explain", at.main, at.sub)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if lacks(len(e.changes)); missing > 0 {
		c := &e.changes[first]
		return fmt.Errorf("the image lacks %d changes, the first of %q at revision %d.%d", missing, c.key, c.main, c.sub)
	}
	return nil
}

// same compares a change with what an image has in its place; kv is only a buffer.
func (c *change) same(kv *pb.KeyValue, value []byte, tombstone bool) error {
	kv.Key, kv.Value = kv.Key[:0], kv.Value[:0]
	kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease = 0, 0, 0, 0
	if err := kv.UnmarshalVT(value); err != nil {
		return fmt.Errorf("revision %d.%d is unreadable: %w", c.main, c.sub, err)
	}
	want := c.kv
	if string(kv.Key) != c.key || tombstone != (want == nil) || want != nil && (!bytes.Equal(kv.Value, want.Value) ||
		kv.CreateRevision != want.CreateRevision || kv.ModRevision != want.ModRevision || kv.Version != want.Version ||
		kv.Lease != want.Lease) {
		return fmt.Errorf("revision %d.%d is %s (deleted: %t) in the image, %q: %s by the log", c.main, c.sub, told(kv),
			tombstone, c.key, told(want))
	}
	return nil
}

// placeOf reads a key of the key bucket: main, '_', sub, and 't' for a tombstone.
func placeOf(k []byte) (at place, tombstone, ok bool) {
	if len(k) != 17 && len(k) != 18 || k[8] != '_' || len(k) == 18 && k[17] != 't' {
		return place{}, false, false
	}
	return place{int64(binary.BigEndian.Uint64(k)), int64(binary.BigEndian.Uint64(k[9:]))}, len(k) == 18, true
}

// told is a key-value in words. protobuf's own String differs from binary to
// binary on purpose, and the words of a violation are part of a run's hash.
func told(kv *pb.KeyValue) string {
	if kv == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q = %q (create %d, mod %d, version %d, lease %d)", kv.Key, kv.Value, kv.CreateRevision,
		kv.ModRevision, kv.Version, kv.Lease)
}
