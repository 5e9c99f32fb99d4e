package fold

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"vitrine/core/model"
	"vitrine/core/pb"
)

// Image reads a durable database: it calls fn with every pair of a bucket (by
// etcd's name: "key", "meta", "lease") in the order of keys, until fn is false.
type Image func(bucket string, fn func(key, value []byte) bool)

// ErrForgotten says that an image is older than what the fold still knows.
var ErrForgotten = errors.New("fold: the log has gone beyond this image")

// Image compares a durable image with the fold up to its own applied index. An
// error is a violation of I9, or ErrForgotten.
func (f *Fold) Image(image Image) error {
	meta := map[string][]byte{}
	image("meta", func(k, v []byte) bool {
		meta[string(k)] = bytes.Clone(v)
		return true
	})
	index := uint64(0)
	if v := meta["consistent_index"]; len(v) == 8 {
		index = binary.BigEndian.Uint64(v)
	}
	if index > f.last() {
		return fmt.Errorf("the image says that %d is applied, but only %d was ever applied", index, f.last())
	}
	if index > f.index {
		want := f.pending[index-f.index-1].Term
		if v := meta["term"]; len(v) != 8 || binary.BigEndian.Uint64(v) != want {
			return fmt.Errorf("the image at index %d names term %x, the entry has term %d", index, v, want)
		}
	}
	state := f.At(index)
	if state == nil || f.blind {
		return ErrForgotten
	}
	finished, err := compactions(meta, state)
	if err != nil {
		return err
	}
	if err := sameLeases(image, state); err != nil {
		return err
	}
	if err := sameAlarms(image, state); err != nil {
		return err
	}
	return sameHistory(image, state, finished)
}

// compactions compares the compact revision; finished says that nothing older
// may be left.
func compactions(meta map[string][]byte, s *model.State) (finished bool, err error) {
	rev := func(name string) int64 {
		if v := meta[name]; len(v) >= 8 {
			return int64(binary.BigEndian.Uint64(v))
		}
		return -1
	}
	scheduled, done := rev("scheduledCompactRev"), rev("finishedCompactRev")
	if scheduled != s.CompactRevision() {
		return false, fmt.Errorf("the image is compacted at %d, the log says %d", scheduled, s.CompactRevision())
	}
	if done > scheduled {
		return false, fmt.Errorf("the image finished a compaction at %d, the log says %d", done, scheduled)
	}
	return done == scheduled, nil
}

func sameLeases(image Image, s *model.State) error {
	have := map[int64]bool{}
	image("lease", func(k, _ []byte) bool {
		if len(k) == 8 {
			have[int64(binary.BigEndian.Uint64(k))] = true
		}
		return true
	})
	for _, id := range s.Leases() {
		if !have[id] {
			return fmt.Errorf("the image lacks lease %x", id)
		}
		delete(have, id)
	}
	if len(have) > 0 {
		return fmt.Errorf("the image has %d leases that were never granted, or were revoked", len(have))
	}
	return nil
}

func sameAlarms(image Image, s *model.State) (err error) {
	want := s.Alarms()
	n := 0
	image("alarm", func(k, _ []byte) bool {
		a := &pb.AlarmMember{}
		if e := a.UnmarshalVT(k); e != nil {
			err = fmt.Errorf("an alarm is unreadable: %w", e)
		} else if !slices.ContainsFunc(want, func(w *pb.AlarmMember) bool { return w.Alarm == a.Alarm && w.MemberID == a.MemberID }) {
			err = fmt.Errorf("the image has the alarm %v of member %d, which is not up", a.Alarm, a.MemberID)
		}
		n++
		return err == nil
	})
	if err == nil && n < len(want) {
		err = fmt.Errorf("the image has %d alarms, by the log %d are up", n, len(want))
	}
	return err
}

// place is a revision: where the key bucket keeps a change.
type place struct{ main, sub int64 }

// sameHistory compares every change. What a compaction will remove may still be
// there; once it has finished only tombstones may.
func sameHistory(image Image, s *model.State, finished bool) (err error) {
	type change struct {
		key string
		kv  *pb.KeyValue
	}
	want := map[place]change{}
	s.History(func(key string, rev, sub int64, kv *pb.KeyValue) bool {
		want[place{rev, sub}] = change{key, kv}
		return true
	})
	image("key", func(k, v []byte) bool {
		at, tombstone, ok := placeOf(k)
		if !ok {
			err = fmt.Errorf("the image has a key %x that is no revision", k)
			return false
		}
		w, known := want[at]
		switch {
		case !known && at.main <= s.CompactRevision() && (tombstone || !finished):
			return true
		case !known:
			err = fmt.Errorf("the image has revision %d.%d, which the log does not explain", at.main, at.sub)
			return false
		}
		delete(want, at)
		kv := &pb.KeyValue{}
		if e := kv.UnmarshalVT(v); e != nil {
			err = fmt.Errorf("revision %d.%d is unreadable: %w", at.main, at.sub, e)
			return false
		}
		if !sameChange(kv, tombstone, w.key, w.kv) {
			err = fmt.Errorf("revision %d.%d is %s (deleted: %t) in the image, %q: %s by the log", at.main, at.sub, told(kv), tombstone, w.key, told(w.kv))
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	first, missing := place{}, len(want)
	for at := range want {
		if first == (place{}) || at.main < first.main || at.main == first.main && at.sub < first.sub {
			first = at
		}
	}
	if missing > 0 {
		return fmt.Errorf("the image lacks %d changes, the first of %q at revision %d.%d", missing, want[first].key, first.main, first.sub)
	}
	return nil
}

func sameChange(got *pb.KeyValue, tombstone bool, key string, want *pb.KeyValue) bool {
	if string(got.Key) != key || tombstone != (want == nil) {
		return false
	}
	return want == nil || bytes.Equal(got.Value, want.Value) && got.CreateRevision == want.CreateRevision &&
		got.ModRevision == want.ModRevision && got.Version == want.Version && got.Lease == want.Lease
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
	return fmt.Sprintf("%q = %q (create %d, mod %d, version %d, lease %d)", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease)
}
