package check

import (
	"testing"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

func TestRetention(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		rev     int64
		fires   bool
	}{
		"what is older than the period":        {Options{KeepFor: 10 * time.Second}, 90, false},
		"what is younger":                      {Options{KeepFor: 10 * time.Second}, 91, true},
		"all but so many revisions":            {Options{KeepRevisions: 30}, 70, false},
		"more than that":                       {Options{KeepRevisions: 30}, 71, true},
		"nobody said how much":                 {Options{}, 100, false},
		"before the first period nothing goes": {Options{KeepFor: time.Hour}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.MaxViolations = 1000
			checker := New(c.options)
			s := trace.NewStream(checker)
			for i := uint64(1); i <= 100; i++ {
				e := applies(1, i, 1, int64(i))
				e.Now = trace.Instant(time.Duration(i) * time.Second)
				s.Emit(&e)
			}
			due := trace.Event{Kind: trace.CompactionDue, Member: 1, Now: trace.Instant(100 * time.Second), Rev: c.rev}
			s.Emit(&due)
			var fired bool
			for _, v := range checker.Violations() {
				fired = fired || v.Number == invariant.Compaction
			}
			if fired != c.fires {
				t.Errorf("fires: %v, want %v", fired, c.fires)
			}
		})
	}
}
