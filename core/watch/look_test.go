package watch

import (
	"fmt"
	"slices"
	"testing"

	"vitrine/core/pb"
)

// TestPins: each watcher stands where it goes on: one that has caught up at the next revision, one that has not at the
// first that it lacks, one from the future there. They come by place, then stream, then id.
func TestPins(t *testing.T) {
	w := behind(Config{Scans: 1, ScanRevisions: 10}, 40, 20, 20)
	w.create(2, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c"), WatchId: 7})
	w.create(2, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte{0}, WatchId: 5})
	w.create(1, &pb.WatchCreateRequest{Key: []byte("z"), StartRevision: 120, WatchId: 3})
	w.create(1, &pb.WatchCreateRequest{Key: []byte("z"), StartRevision: 101, WatchId: 4})
	w.drain()
	var got []string
	for _, p := range w.hub.Pins() {
		got = append(got, fmt.Sprintf("%d/%d %q to %q at %d behind %v", p.Stream, p.ID, p.Key, p.End, p.Next, p.Behind))
	}
	want := []string{
		`2/0 "k" to "" at 20 behind true`, `3/0 "k" to "" at 20 behind true`, `1/0 "k" to "" at 40 behind true`,
		`1/4 "z" to "" at 101 behind false`, `2/5 "a" to "\x00" at 101 behind false`,
		`2/7 "a" to "c" at 101 behind false`, `1/3 "z" to "" at 120 behind false`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("pins %q\nwant %q", got, want)
	}
	if pins := newWorld(Config{}).hub.Pins(); len(pins) != 0 {
		t.Errorf("without watchers there are %v", pins)
	}
}
