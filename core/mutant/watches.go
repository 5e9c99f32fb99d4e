package mutant

import "vitrine/core/invariant"

// ofWatches are the mutants of watchers and their streams.
var ofWatches = []Info{
	{
		ID: ProgressUnsynced, Name: "progress-unsynced", Source: "etcd #15220", Seeds: 100,
		Story:    "a progress notification overtakes the events it speaks of",
		Convicts: []int{invariant.WatchBookmarkable, invariant.Bounded},
	},
	{
		ID: WatchBackInTime, Name: "watch-back-in-time", Source: "etcd #15271", Seeds: 200, Needs: Snapshots,
		Story: "after a snapshot is installed watchers see old events again",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable,
			invariant.WatchBookmarkable},
	},
	{
		ID: EventTwice, Name: "event-twice", Source: "etcd #17247", Seeds: 50,
		Story: "an event is delivered live and once more by catching up",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchBookmarkable,
			invariant.Liveness},
	},
	{
		ID: SlowWatcherDropped, Name: "slow-watcher-dropped", Source: "etcd #17529", Seeds: 100,
		Story: "events for a stream without credit are thrown away",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable,
			invariant.Liveness},
	},
	{
		ID: ResumeSkipsCompaction, Name: "resume-skips-compaction", Source: "etcd #19179", Seeds: 200,
		Story:    "a watch that starts at the compact revision misses a delete",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable},
	},
	{
		ID: FutureWatchEarly, Name: "future-watch-early", Source: "etcd #20221", Seeds: 100,
		Story:    "a watch that starts in the future hears of the present",
		Convicts: []int{invariant.WatchResumable, invariant.WatchBookmarkable, invariant.WatchFilter},
	},
	{
		ID: CursorOffByOne, Name: "cursor-off-by-one", Source: "mutation of watch", Seeds: 50,
		Story:    "catching up begins one revision too late",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness},
	},
	{
		ID: RevisionTorn, Name: "revision-torn", Source: "mutation of watch", Seeds: 20,
		Story: "a response ends in the middle of a revision",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic, invariant.Liveness,
			invariant.WatchProgress, invariant.WatchUnique, invariant.WatchBookmarkable},
	},
	{
		ID: PreviousStale, Name: "previous-stale", Source: "mutation of mvcc", Seeds: 50,
		Story:    "the previous pair of an event is looked up one revision too early",
		Convicts: []int{invariant.WatchFilter},
	},
	{
		ID: StreamUnbounded, Name: "stream-unbounded", Source: "etcd #16839", Seeds: 50,
		Story:    "responses to a client that does not read pile up without end",
		Convicts: []int{invariant.Bounded},
	},
	{
		ID: FragmentDropped, Name: "fragment-dropped", Source: "mutation of watch", Seeds: 100,
		Story:    "the second fragment of a revision that is split is never sent",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic},
	},
	{
		ID: WatchIDReused, Name: "watch-id-reused", Source: "mutation of watch", Seeds: 100,
		Story:    "a watcher without an id of its own gets one that another watcher had asked for",
		Convicts: []int{invariant.WatchAnswered},
	},
	{
		ID: WatchIDIgnored, Name: "watch-id-ignored", Source: "mutation of watch", Seeds: 20,
		Story:    "a watcher that asks for an id gets another one",
		Convicts: []int{invariant.WatchAnswered},
	},
	{
		ID: CancelIgnored, Name: "cancel-ignored", Source: "mutation of watch", Seeds: 20,
		Story:    "a request to cancel a watcher is read and forgotten",
		Convicts: []int{invariant.WatchAnswered},
	},
	{
		ID: EventAfterCancel, Name: "event-after-cancel", Source: "mutation of watch", Seeds: 50,
		Story:    "a canceled watcher stays in the index, and hears of the next change",
		Convicts: []int{invariant.WatchAnswered, invariant.NoPanic, invariant.NothingLeft},
	},
	{
		ID: ScanCutLoses, Name: "scan-cut-loses", Source: "mutation of mvcc", Seeds: 50,
		Story:    "a scan that its bytes cut short goes on after the revision that did not fit",
		Convicts: []int{invariant.WatchReliable, invariant.WatchResumable, invariant.WatchBookmarkable, invariant.Liveness},
	},
	{
		ID: ScanCutRepeats, Name: "scan-cut-repeats", Source: "mutation of mvcc", Seeds: 50,
		Story: "a scan that its bytes cut short goes on at the last revision that did fit",
		Convicts: []int{invariant.WatchOrdered, invariant.WatchUnique, invariant.WatchResumable,
			invariant.WatchBookmarkable, invariant.Liveness},
	},
	{
		ID: LeaderNotRequired, Name: "leader-not-required", Source: "mutation of api", Seeds: 50,
		Story:    "a request that requires a leader is taken by a member without one",
		Convicts: []int{invariant.LeaderRequired},
	},
	{
		ID: StreamUnfenced, Name: "stream-unfenced", Source: "mutation of member", Seeds: 50,
		Story:    "a stream that requires a leader is kept when the member has long lost its own",
		Convicts: []int{invariant.LeaderRequired},
	},
	{
		ID: ProgressBeforeStart, Name: "progress-before-start", Source: "etcd #20221", Seeds: 100,
		Story:    "a watch that begins in the future is told how far it is",
		Convicts: []int{invariant.WatchProgress},
	},
	{
		ID: ProgressNever, Name: "progress-never", Source: "mutation of watch", Seeds: 50,
		Story:    "the interval of progress notifications passes and nobody is notified",
		Convicts: []int{invariant.WatchProgress},
	},
	{
		ID: ProgressUnanswered, Name: "progress-unanswered", Source: "mutation of watch", Seeds: 20,
		Story:    "a client that asks how far its watches are gets no answer",
		Convicts: []int{invariant.WatchProgress},
	},
	{
		ID: ProgressStarved, Name: "progress-starved", Source: "found by this simulator", Seeds: 100,
		Story: "a round of progress notifications ends where the credit of the stream does, each time " +
			"with the same watchers",
		Convicts: []int{invariant.WatchProgress},
	},
	{
		ID: PreviousInside, Name: "previous-inside", Source: "found by use", Seeds: 50,
		Story:    "of a key that is changed twice at one revision an event carries the pair in between",
		Convicts: []int{invariant.WatchFilter},
	},
}
