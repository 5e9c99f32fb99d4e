package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vitrine/core/pb"
	"vitrine/core/trace"
)

// TestSlowStream: a stream that takes nothing costs a bounded number of responses, holds up no other, and gets
// everything once it takes again (I21, I28).
func TestSlowStream(t *testing.T) {
	w := newWorld(Config{StreamPushes: 4, RecentRevisions: 10, ScanRevisions: 50})
	w.open(1) // slow
	w.open(2)
	const watchers = 100
	for i := range watchers {
		w.create(1, &pb.WatchCreateRequest{Key: fmt.Appendf(nil, "k%02d", i), RangeEnd: []byte("l")})
	}
	w.create(2, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l")})
	w.drain()
	w.sent(1, watchers)
	w.sent(2, 1)
	for i := range 1000 {
		w.write(false, op{fmt.Sprintf("k%02d", i%watchers), strings.Repeat("v", 100)})
		w.publish(1)
		w.drain()
		if got := w.sent(2, 10); len(got) != 1 || got[0].Rev != w.rev() {
			t.Fatalf("revision %d: the other stream got %d responses", w.rev(), len(got))
		}
		if n := len(w.pushes[1]); n > 4 {
			t.Fatalf("%d responses on the way to the slow stream", n)
		}
		if len(w.hub.recent.changes) > 10 || len(w.scans) > 0 {
			t.Fatalf("%d changes kept, %d scans", len(w.hub.recent.changes), len(w.scans))
		}
	}
	events := 0
	count := func(_ uint64, r *Response) {
		if r.Events != nil {
			events += len(r.Events.Events)
		}
	}
	for _, r := range w.pushes[1] {
		count(1, r)
	}
	w.onPush = count
	w.settle()
	want := 0
	for i := range 1000 {
		want += i%watchers + 1 // watchers whose range begins at or before the key
	}
	if events != want {
		t.Errorf("%d events, want %d", events, want)
	}
	if c := w.hub.Counts(); c.Behind != 0 {
		t.Errorf("%+v", c)
	}
}

// TestProgressWaitsForCredit: a round of progress notifications that is larger than the credit of its stream reaches
// every watcher, a few at a time.
func TestProgressWaitsForCredit(t *testing.T) {
	w := newWorld(Config{StreamPushes: 2, ProgressInterval: time.Second})
	w.open(1)
	const watchers = 7
	for range watchers {
		w.create(1, &pb.WatchCreateRequest{Key: []byte("k"), ProgressNotify: true})
	}
	w.drain()
	w.sent(1, watchers)
	told := map[int64]int{}
	for range 3 {
		w.now += trace.Instant(2 * time.Second)
		w.hub.Tick(w.now)
		for w.drain(); len(w.pushes[1]) > 0; w.drain() {
			if n := len(w.pushes[1]); n > 2 {
				t.Fatalf("%d notifications on their way", n)
			}
			for _, r := range w.sent(1, 1) {
				told[r.WatchID]++
			}
		}
	}
	for id := range int64(watchers) {
		if told[id] != 3 {
			t.Errorf("watcher %d was notified %d times in 3 rounds", id, told[id])
		}
	}
}

// TestStreamsShareABound: streams that take nothing cost a bounded number of bytes together, and one that takes goes on
// beside them. All get everything in the end.
func TestStreamsShareABound(t *testing.T) {
	const total, least, streams = 20_000, 2_000, 40
	w := newWorld(Config{TotalBytes: total, LeastBytes: least, ResponseBytes: 500, RecentRevisions: 10, ScanRevisions: 50})
	for id := range uint64(streams) {
		w.open(id)
		w.create(id, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l")})
	}
	w.drain()
	got := map[uint64]int{}
	w.onPush = func(id uint64, r *Response) {
		if r.Events != nil {
			got[id] += len(r.Events.Events)
		}
	}
	for id := range uint64(streams) {
		w.sent(id, 1)
	}
	const writes = 500
	read := 0
	for i := range writes {
		w.write(false, op{fmt.Sprint("k", i%10), strings.Repeat("v", 300)})
		w.publish(1)
		w.drain()
		for _, r := range w.sent(0, 10) {
			if r.Events != nil {
				read += len(r.Events.Events)
			}
		}
		if most := total + streams*(least+1000); w.hub.bytes > most {
			t.Fatalf("%d bytes are on their way, bound %d", w.hub.bytes, most)
		}
	}
	if read < writes-streams {
		t.Errorf("the stream that takes got %d of %d events while the others took nothing", read, writes)
	}
	w.settle()
	if w.hub.bytes != 0 || w.hub.Counts().Behind != 0 {
		t.Errorf("%d bytes are on their way in the end, %+v", w.hub.bytes, w.hub.Counts())
	}
	for id := range uint64(streams) {
		if got[id] != writes {
			t.Errorf("stream %d got %d of %d events", id, got[id], writes)
		}
	}
	w.hub.Close(3)
	if w.hub.bytes != 0 {
		t.Errorf("%d bytes after a stream has gone", w.hub.bytes)
	}
}
