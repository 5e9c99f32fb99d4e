//go:build !unix

package main

import (
	"time"
)

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// peakBytes is not known here.
func peakBytes() int64 { return 0 }
