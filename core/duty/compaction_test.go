package duty

import (
	"testing"
	"time"

	"vitrine/core/trace"
)

// TestPeriodicCompaction: what was the newest revision a period ago goes, for the first time after a period and then
// once in each; who does not lead notes the revisions, too.
func TestPeriodicCompaction(t *testing.T) {
	w := newWorld(t, Config{Self: Self{Retention: Retention{Period: 10 * time.Second}}})
	at := func(s float64, rev int64, leads bool) {
		w.s.Now, w.s.Revision, w.s.Leading = trace.Instant(s*1e9), rev, leads
	}
	for s := range 10 {
		at(float64(s), int64(100+s), true)
		w.wants("before a period is over")
	}
	at(10, 110, false)
	w.wants("while another leads")
	at(11, 111, true)
	if p := w.wants("then", Compaction)[0]; p.Request.Compaction.Revision != 100 || p.Request.Compaction.Physical {
		t.Errorf("compacts by %v, want revision 100 of a period ago", p.Request.Compaction)
	}
	at(12, 112, true)
	w.wants("while it is under way")
	w.d.Ended(End{Duty: Compaction})
	at(13, 113, true)
	if p := w.wants("after it was lost", Compaction)[0]; p.Request.Compaction.Revision != 101 {
		t.Errorf("compacts by %v, want revision 101", p.Request.Compaction)
	}
	w.d.Ended(End{Duty: Compaction, Applied: true})
	for s := 14; s < 23; s++ {
		at(float64(s), int64(100+s), true)
		w.wants("within a period after it")
	}
	at(23, 123, true)
	if p := w.wants("a period after it", Compaction)[0]; p.Request.Compaction.Revision != 111 {
		t.Errorf("compacts by %v, want revision 111", p.Request.Compaction)
	}
	w.d.Ended(End{Duty: Compaction, Applied: true, Refused: true})
	w.wants("at once after it was refused")
	at(24, 124, true)
	w.wants("later", Compaction)
}

// TestLongPeriod: of a period above an hour the first compaction comes after it, the others each hour.
func TestLongPeriod(t *testing.T) {
	w := newWorld(t, Config{Self: Self{Retention: Retention{Period: 3 * time.Hour}}})
	w.s.Leading = true
	var came []time.Duration
	for now := time.Duration(0); now < 6*time.Hour; now += time.Minute {
		w.s.Now, w.s.Revision = trace.Instant(now), 1+int64(now/time.Minute)
		for _, p := range w.d.Due(&w.s, nil) {
			kept := now - time.Duration(p.Request.Compaction.Revision-1)*time.Minute
			if kept < 3*time.Hour || kept > 3*time.Hour+6*time.Minute {
				t.Errorf("after %v it keeps %v", now, kept)
			}
			came = append(came, now)
			w.d.Ended(End{Duty: Compaction, Applied: true})
		}
	}
	if len(came) != 3 || came[0] != 3*time.Hour || came[1] != 4*time.Hour || came[2] != 5*time.Hour {
		t.Errorf("compactions at %v", came)
	}
}

// TestNothingNew: what has been compacted is not compacted again.
func TestNothingNew(t *testing.T) {
	w := newWorld(t, Config{Self: Self{Retention: Retention{Period: time.Second}}})
	w.s.Leading, w.s.Revision = true, 5
	count := 0
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		w.s.Now = trace.Instant(now)
		for range w.d.Due(&w.s, nil) {
			count++
			w.d.Ended(End{Duty: Compaction, Applied: true})
		}
	}
	if count != 1 {
		t.Errorf("%d compactions of one revision", count)
	}
}

func TestCompactionByRevision(t *testing.T) {
	w := newWorld(t, Config{Self: Self{Retention: Retention{Revisions: 100, Every: time.Minute}}})
	w.s.Leading, w.s.Revision = true, 100
	w.wants("at the start")
	w.s.Now = trace.Instant(time.Minute)
	w.wants("with nothing to drop")
	w.s.Now, w.s.Revision = trace.Instant(time.Minute+time.Second), 1000
	w.wants("between two looks")
	w.s.Now = trace.Instant(2 * time.Minute)
	if p := w.wants("at the next", Compaction)[0]; p.Request.Compaction.Revision != 900 {
		t.Errorf("compacts by %v, want revision 900", p.Request.Compaction)
	}
	w.d.Ended(End{Duty: Compaction, Applied: true})
	w.s.Now = trace.Instant(3 * time.Minute)
	w.wants("with nothing new")
}
