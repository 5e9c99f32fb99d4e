package limits

import "testing"

// Bounds that only make sense together.
func TestBoundsAgree(t *testing.T) {
	for name, ok := range map[string]bool{
		"a request fits into an append message's pipeline": MaxRequestBytes <= MaxInflightBytes &&
			MaxRequestBytes <= MaxUncommittedBytes,
		"a request fits into a peer message":             MaxRequestBytes+RequestOverheadBytes < MaxPeerMessageBytes,
		"a follower catches up from memory after a mark": SnapshotCatchUpEntries < SnapshotCount,
		"an append never needs two segments":             MaxAppendBytes+MaxRequestBytes < WALSegmentBytes,
		"a read is retried before it times out":          2*ReadIndexRetry < RequestTimeout,
		"an election fits into a request's time":         ElectionTicks*Tick < RequestTimeout,
		"a catch-up step can carry the largest request":  WatchScanBytes >= MaxRequestBytes+RequestOverheadBytes,
		"inflight appends of full size are bounded":      MaxInflightAppends*(MaxAppendBytes/2) <= MaxInflightBytes,
	} {
		if !ok {
			t.Errorf("it is not so that %s", name)
		}
	}
}
