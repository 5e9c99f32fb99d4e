package mvcc

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

// dump reads everything that a view can show, at every revision.
func dump(v *View) string {
	out := ""
	for rev := max(1, v.CompactRevision()); rev <= v.Revision(); rev++ {
		resp, err := v.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev})
		if err != nil {
			return err.Error()
		}
		for _, kv := range resp.Kvs {
			out += fmt.Sprintf("%d:%s ", rev, showPair(kv))
		}
	}
	changes, _, err := v.Scan(max(1, v.CompactRevision()), v.Revision(), 0, true)
	for _, c := range changes {
		out += showChange(c)
	}
	sum, _, _, _ := v.HashKV(0)
	return fmt.Sprint(out, sum, err)
}

// TestViewsWhileWriting reads views on other goroutines while the owner
// writes, commits and compacts. Each view must go on showing what it showed
// when it was opened; the race detector, if on, sees every shared byte.
func TestViewsWhileWriting(t *testing.T) {
	f := newFixture(t)
	rnd := rand.New(rand.NewPCG(5, 5))
	var readers sync.WaitGroup
	for step := range 400 {
		key := fmt.Sprintf("k%d", rnd.IntN(12))
		switch n := rnd.IntN(20); {
		case n < 12:
			f.put(key, fmt.Sprint(step))
		case n < 16:
			f.del(key, "")
		case n == 16 && !f.s.Compacting() && f.s.Revision() > f.s.CompactRevision()+10:
			f.compact(f.s.Revision() - 8)
		case n == 17:
			if err := f.b.Flush(); err != nil {
				t.Fatal(err)
			}
		default:
			f.batch.Reset(backend.Applied{})
			f.s.CompactStep(f.batch, 3)
			f.b.Write(f.batch)
		}
		if step%8 == 0 {
			v := f.s.View()
			want := dump(v)
			readers.Add(1)
			go func() {
				defer readers.Done()
				defer v.Close()
				for range 3 {
					if got := dump(v); got != want {
						t.Errorf("view of step %d changed from\n%s\nto\n%s", step, want, got)
						return
					}
				}
			}()
		}
	}
	readers.Wait()
}

// TestConcurrentReads reads the current state from several goroutines while
// nobody writes.
func TestConcurrentReads(t *testing.T) {
	f := newFixture(t)
	for i := range 200 {
		f.put(fmt.Sprintf("k%d", i%50), fmt.Sprint(i))
		if i == 100 {
			f.b.Flush()
		}
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for i := range 50 {
				resp, err := f.s.Range(&pb.RangeRequest{Key: fmt.Appendf(nil, "k%d", i)})
				if err != nil || len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != fmt.Sprint(150+i) {
					t.Error(resp, err)
				}
				all, err := f.s.Txn(&pb.TxnRequest{Success: []*pb.RequestOp{parseOp([]string{"range", "k", "*"})}})
				if err != nil || all.Responses[0].GetResponseRange().Count != 50 {
					t.Error(all, err)
				}
			}
		}()
	}
	readers.Wait()
}

// TestViewsKnowTheirRevisions, as they were when each was opened.
func TestViewsKnowTheirRevisions(t *testing.T) {
	f := newFixture(t)
	first := f.s.View()
	f.put("k", "1")
	f.put("k", "2")
	f.compact(2)
	second := f.s.View()
	f.put("k", "3")
	f.compact(4)
	for _, c := range []struct {
		v              *View
		rev, compacted int64
	}{{first, 1, -1}, {second, 3, 2}} {
		if c.v.Revision() != c.rev || c.v.CompactRevision() != c.compacted {
			t.Errorf("at %d, compacted at %d, want %d and %d", c.v.Revision(), c.v.CompactRevision(), c.rev, c.compacted)
		}
		c.v.Close()
	}
}
