package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// tuneGC trades memory for CPU while memory is cheap: a small member's live heap is little against what requests
// allocate, so it collects rarely (at five times the live heap); a large one collects as Go does by itself (at twice).
// In between the garbage may be gcRoom. GOGC in the environment says otherwise.
//
// Neither of Go's own settings says this. With a fixed percentage either a small member spends its time collecting or
// a large one takes five times its data. A memory limit (debug.SetMemoryLimit) beside a high percentage does what is
// wanted below the limit, but a member whose data outgrows it then collects without end, where it should take more.
// So the percentage follows the live heap. (Go has no minimum for the heap, which would be the plain way.)
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(gcMax)
	watchGC(gcMax)
}

const (
	gcMax = 400 // percent, up to gcRoom/4 of live heap
	gcMin = 100
	// gcRoom is the garbage that a heap of any size may gather.
	gcRoom = 96 << 20
)

// watchGC looks at the live heap after every collection, through an object that is garbage at once: the runtime has no
// other hook there, and a timer would look too late while the heap grows, and for nothing while it does not.
func watchGC(now int) {
	type sentinel struct{ _ [16]byte }
	runtime.SetFinalizer(&sentinel{}, func(*sentinel) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		next := percentFor(sample[0].Value.Uint64())
		if next*10 < now*9 || next*10 > now*11 {
			debug.SetGCPercent(next)
			now = next
		}
		watchGC(now)
	})
}

func percentFor(live uint64) int {
	if live == 0 {
		return gcMax
	}
	return int(min(max(gcRoom*100/live, gcMin), gcMax))
}
