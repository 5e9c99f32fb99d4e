package mutant

import "vitrine/core/invariant"

// ofState are the mutants of what an entry makes of the state, for all members alike.
var ofState = []Info{
	{
		ID: AppliedFirst, Name: "applied-first", Source: "etcd #13766", Seeds: 20,
		Story:    "the applied index reaches the disk before the data",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder, invariant.Membership},
	},
	{
		ID: EntryTwice, Name: "entry-twice", Source: "etcd consistent index", Seeds: 20,
		Story: "after a restart the entries behind the last mark are applied to a store that has them",
		Convicts: []int{invariant.Monotonic, invariant.AtomicApply, invariant.RevisionOrder, invariant.Boot,
			invariant.NoPanic},
	},
	{
		ID: CompactRevisionLost, Name: "compact-revision-lost", Source: "etcd #17780", Seeds: 100,
		Story: "a restarted member forgets the revisions that compaction has emptied",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.WatchReliable,
			invariant.WatchResumable, invariant.WatchBookmarkable, invariant.NoPanic},
	},
	{
		ID: CompactEatsTombstone, Name: "compact-eats-tombstone", Source: "etcd #18089", Seeds: 100,
		Story: "compaction at the revision of a delete drops the delete",
		Convicts: []int{invariant.AtomicApply, invariant.WatchReliable, invariant.WatchResumable,
			invariant.WatchBookmarkable, invariant.Compaction},
	},
	{
		ID: CompactEatsLatest, Name: "compact-eats-latest", Source: "mutation of mvcc", Seeds: 50,
		Story: "compaction removes the newest revision of a key that it should keep",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.WatchReliable, invariant.Compaction, invariant.NoPanic},
	},
	{
		ID: CompactedReadable, Name: "compacted-readable", Source: "mutation of mvcc", Seeds: 20,
		Story: "a revision that is compacted still gets an answer",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.Compaction, invariant.NoPanic},
	},
	{
		ID: TxnCompactedRead, Name: "txn-compacted-read", Source: "etcd #18667", Seeds: 200,
		Story: "a transaction that reads a compacted revision fails on one member and not on another",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder,
			invariant.Linearizable},
	},
	{
		ID: TxnStaleCompare, Name: "txn-stale-compare", Source: "mutation of mvcc", Seeds: 20,
		Story: "a transaction compares against the revision before the last write",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable},
	},
	{
		ID: VersionSurvivesDelete, Name: "version-survives-delete", Source: "mutation of mvcc", Seeds: 20,
		Story: "a key that was deleted and is put again goes on counting its versions",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable, invariant.Compaction},
	},
	{
		ID: MoreForgotten, Name: "more-forgotten", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a range with a limit does not say that there is more",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	{
		ID: MapOrder, Name: "map-order", Source: "the classic of deterministic simulation", Seeds: 20,
		Story:    "responses leave in the order of a Go map",
		Convicts: []int{invariant.Deterministic},
	},
	{
		ID: Canary, Name: "canary", Source: "coal mines", Seeds: 1,
		Story:    "nothing is wrong: an invariant is violated on purpose, and the run must fail",
		Convicts: []int{invariant.NoPanic},
	},
	{
		ID: TxnOtherBranch, Name: "txn-other-branch", Source: "mutation of mvcc", Seeds: 50,
		Story: "a nested transaction whose branch is empty runs the other one",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder,
			invariant.Linearizable, invariant.Serializable},
	},
	{
		ID: TxnSiblingsSwapped, Name: "txn-siblings-swapped", Source: "mutation of mvcc", Seeds: 100,
		Story: "of transactions nested side by side each takes the branch of its neighbour",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.WatchReliable, invariant.NoPanic},
	},
	{
		ID: TxnOwnWriteUnseen, Name: "txn-own-write-unseen", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a read in a transaction does not see what the transaction wrote before it",
		Convicts: []int{invariant.Linearizable},
	},
	{
		ID: TxnFirstKeyCompared, Name: "txn-first-key-compared", Source: "mutation of mvcc", Seeds: 50,
		Story: "a compare of a range looks at its first key only",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Serializable},
	},
	{
		ID: EventsMerged, Name: "events-merged", Source: "mutation of mvcc", Seeds: 50,
		Story:    "of a key that is changed twice at one revision watchers get the last change only",
		Convicts: []int{invariant.WatchReliable, invariant.WatchAtomic},
	},
	{
		ID: HistoryLingers, Name: "history-lingers", Source: "mutation of mvcc", Seeds: 50,
		Story: "who names one key still finds its history after compaction has removed it, a range does not",
		Convicts: []int{invariant.RevisionOrder, invariant.Compaction, invariant.AtomicApply, invariant.Linearizable,
			invariant.Corrupt, invariant.NoPanic},
	},
	{
		ID: EntryUncleared, Name: "entry-uncleared", Source: "mutation of store", Seeds: 50,
		Story: "what the entry before asked for stands in the message beside what this one asks for",
		Convicts: []int{invariant.StateMachineSafety, invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable,
			invariant.Corrupt, invariant.NoPanic},
	},
}
