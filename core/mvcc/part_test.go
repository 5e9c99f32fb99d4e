package mvcc

import (
	"errors"
	"fmt"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

func TestRangePart(t *testing.T) {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := backend.NewBatch()
	for i := range 5 {
		batch.Reset(backend.Applied{Index: uint64(i + 1), Term: 1})
		w := s.Begin(batch, false)
		if _, err := w.Put(&pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		w.End()
		b.Write(batch)
	}
	for _, test := range []struct {
		limit int64
		rev   int64
		keys  int
		more  bool
		err   error
	}{{2, 0, 2, true, nil}, {5, 0, 5, false, nil}, {9, 0, 5, false, nil}, {9, 3, 2, false, nil},
		{1, 99, 0, false, ErrFutureRev}} {
		r, err := s.RangePart(&pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Limit: test.limit,
			Revision: test.rev})
		if !errors.Is(err, test.err) {
			t.Errorf("limit %d rev %d: %v", test.limit, test.rev, err)
			continue
		}
		if err == nil && (len(r.Kvs) != test.keys || r.More != test.more || r.Count != 0 || string(r.Kvs[0].Value) != "v" ||
			r.Header.Revision != 6) {
			t.Errorf("limit %d rev %d: %v", test.limit, test.rev, r)
		}
	}
	for n, want := range map[int]bool{3: true, 4: true, 5: false, 6: false} {
		if s.Exceeds([]byte("k"), []byte{0}, n) != want {
			t.Errorf("exceeds %d: %v", n, !want)
		}
	}
	if s.Exceeds([]byte("k0"), nil, 0) {
		t.Error("a single key is not a range")
	}
}
