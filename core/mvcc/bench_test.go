package mvcc

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

const benchKeys = 100_000

func benchKey(i int) []byte { return []byte(fmt.Sprintf("/registry/pods/%08d", i)) }

func benchStore(b *testing.B) *fixture {
	f := newFixture(b)
	value := make([]byte, 256)
	for i := range benchKeys {
		f.reset()
		w := f.s.Begin(f.batch, false)
		w.Put(&pb.PutRequest{Key: benchKey(i), Value: value})
		w.End()
		f.b.Write(f.batch)
		if i%10_000 == 0 {
			f.b.Flush()
		}
	}
	f.b.Flush()
	b.ReportAllocs()
	b.ResetTimer()
	return f
}

func BenchmarkPut(b *testing.B) {
	f := benchStore(b)
	rnd := rand.New(rand.NewPCG(1, 1))
	keys := make([][]byte, 4096)
	for i := range keys {
		keys[i] = benchKey(rnd.IntN(benchKeys))
	}
	req := &pb.PutRequest{Value: make([]byte, 256)}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		req.Key = keys[i%len(keys)]
		f.reset()
		w := f.s.Begin(f.batch, false)
		w.Put(req)
		w.End()
		f.b.Write(f.batch)
		if f.b.Pending() >= 10_000 {
			b.StopTimer()
			f.b.Flush()
			b.StartTimer()
		}
	}
}

func BenchmarkGet(b *testing.B) {
	f := benchStore(b)
	rnd := rand.New(rand.NewPCG(1, 1))
	keys := make([][]byte, 4096)
	for i := range keys {
		keys[i] = benchKey(rnd.IntN(benchKeys))
	}
	req := &pb.RangeRequest{}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		req.Key = keys[i%len(keys)]
		if resp, err := f.s.Range(req); err != nil || resp.Count != 1 {
			b.Fatal(resp, err)
		}
	}
}

func BenchmarkRange100(b *testing.B) {
	f := benchStore(b)
	for i := 0; b.Loop(); i++ {
		from := i * 101 % (benchKeys - 100)
		resp, err := f.s.Range(&pb.RangeRequest{Key: benchKey(from), RangeEnd: benchKey(from + 100)})
		if err != nil || len(resp.Kvs) != 100 {
			b.Fatal(resp, err)
		}
	}
}

// BenchmarkRangeLimit asks for 100 of all keys; the count is exact.
func BenchmarkRangeLimit(b *testing.B) {
	f := benchStore(b)
	for b.Loop() {
		resp, err := f.s.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 100})
		if err != nil || len(resp.Kvs) != 100 || resp.Count != benchKeys {
			b.Fatal(resp, err)
		}
	}
}

func BenchmarkView(b *testing.B) {
	f := benchStore(b)
	for b.Loop() {
		f.s.View().Close()
	}
}

// BenchmarkIndex measures the index alone: time to build it and live bytes a
// key beside the key's own.
func BenchmarkIndex(b *testing.B) {
	keys := make([][]byte, benchKeys)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		t := newTreeIndex()
		for i, key := range keys {
			t.put(key, Revision{Main: int64(i + 2)})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(t)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchKeys, "B/key")
}

func BenchmarkOpen(b *testing.B) {
	f := benchStore(b)
	for b.Loop() {
		be, err := backend.New(f.b.Store())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Open(be, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
