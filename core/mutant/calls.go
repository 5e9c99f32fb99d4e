package mutant

import "vitrine/core/invariant"

// ofCalls are the mutants of what is asked of a member, and what is left of it.
var ofCalls = []Info{
	{
		ID: ReadIndexReused, Name: "read-index-reused", Source: "etcd #20418", Seeds: 300,
		Story:    "a late answer to an earlier question releases the reads of a later one",
		Convicts: []int{invariant.Linearizable},
	},
	{
		ID: ReadWithoutQuorum, Name: "read-without-quorum", Source: "raft thesis 6.4, etcd #741", Seeds: 100,
		Story: "a leader answers linearizable reads by its own commit index, and asks nobody whether it " +
			"still leads",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	{
		ID: ReadOnLease, Name: "read-on-lease", Source: "raft thesis 6.4.1", Seeds: 100,
		Story:    "a leader answers linearizable reads on a lease, with clocks that differ",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
	{
		ID: ReplyBeforeApply, Name: "reply-before-apply", Source: "raft thesis 6.4", Seeds: 50,
		Story:    "a read is served when its index is known, not when it is applied",
		Convicts: []int{invariant.Linearizable},
	},
	{
		ID: ReadFromOldView, Name: "read-from-old-view", Source: "mutation of mvcc", Seeds: 20,
		Story:    "a serializable read is answered from a view that was opened before the last write",
		Convicts: []int{invariant.Serializable, invariant.Identity},
	},
	{
		ID: ClientRetries, Name: "client-retries", Source: "jetcd 0.8.2, Jepsen", Seeds: 100,
		Story:    "a client repeats a write whose outcome it does not know",
		Convicts: []int{invariant.Linearizable},
	},
	{
		ID: NoSpaceLetThrough, Name: "no-space-let-through", Source: "mutation of store", Seeds: 100,
		Story:    "a transaction puts although the NOSPACE alarm is up",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.Alarms},
	},
	{
		ID: AlarmNotLifted, Name: "alarm-not-lifted", Source: "mutation of store", Seeds: 50,
		Story:    "an alarm is taken down in the answer only, and goes on refusing writes",
		Convicts: []int{invariant.AtomicApply, invariant.Linearizable, invariant.Liveness, invariant.Alarms},
	},
	{
		ID: SpaceAlarmForgotten, Name: "space-alarm-forgotten", Source: "mutation of api", Seeds: 50,
		Story:    "a member that goes over its quota raises no alarm",
		Convicts: []int{invariant.Alarms, invariant.Bounded},
	},
	{
		ID: MoveSelfHangs, Name: "move-self-hangs", Source: "mutation of api", Seeds: 20,
		Story:    "a leader that is asked to hand over to itself waits to become what it is",
		Convicts: []int{invariant.Timely},
	},
	{
		ID: MoveAnsweredEarly, Name: "move-answered-early", Source: "mutation of api", Seeds: 20,
		Story:    "a change of leader is answered when it has begun",
		Convicts: []int{invariant.Identity},
	},
	{
		ID: MoveLeftBehind, Name: "move-left-behind", Source: "found by this simulator", Seeds: 300,
		Story:    "a change of leader that never came about stays in the books until the leader changes",
		Convicts: []int{invariant.NothingLeft},
	},
	{
		ID: ProposalLeftBehind, Name: "proposal-left-behind", Source: "mutation of api", Seeds: 50,
		Story:    "a write that nobody waits for any more stays in the book of proposals",
		Convicts: []int{invariant.NothingLeft},
	},
	{
		ID: RequestReused, Name: "request-reused", Source: "mutation of api", Seeds: 50,
		Story:    "the record of a request that failed serves the next one, though a list may still hold it",
		Convicts: []int{invariant.NoPanic, invariant.Linearizable, invariant.NothingLeft},
	},
	{
		ID: StreamLeftBehind, Name: "stream-left-behind", Source: "mutation of member", Seeds: 50,
		Story:    "a stream that required a leader stays on the list of those after it has ended",
		Convicts: []int{invariant.NothingLeft, invariant.LeaderRequired},
	},
	{
		ID: NeverExpires, Name: "never-expires", Source: "mutation of api", Seeds: 100,
		Story:    "a member forgets to end what has waited too long",
		Convicts: []int{invariant.Timely, invariant.NothingLeft},
	},
	{
		ID: HeaderTermStale, Name: "header-term-stale", Source: "mutation of api", Seeds: 20,
		Story:    "headers carry the term before the present one",
		Convicts: []int{invariant.Identity},
	},
	{
		ID: TxnReadLocal, Name: "txn-read-local", Source: "mutation of api", Seeds: 100,
		Story:    "a transaction that only reads asks no quorum, whatever it was asked to do",
		Convicts: []int{invariant.Linearizable, invariant.Serializable},
	},
}
