package mutant

import "vitrine/core/invariant"

// ofCluster are the mutants of a cluster: votes, the log, members that come, go or differ, and ids.
var ofCluster = []Info{
	{
		ID: AckBeforeFsync, Name: "ack-before-fsync", Source: "etcd #14370", Seeds: 20,
		Story:    "a member says that it has an entry when the entry is only in its page cache",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable},
	},
	{
		ID: VoteForgotten, Name: "vote-forgotten", Source: "raft thesis 3.8", Seeds: 100,
		Story:    "a vote in a term that the member knew already is not synced before it leaves",
		Convicts: []int{invariant.ElectionSafety, invariant.VoteDurability},
	},
	{
		ID: TermForgotten, Name: "term-forgotten", Source: "raft thesis 3.8", Seeds: 50,
		Story:    "a term and a vote that come without entries are not written to disk",
		Convicts: []int{invariant.ElectionSafety, invariant.StateMachineSafety, invariant.VoteDurability},
	},
	{
		ID: VoteRequestEarly, Name: "vote-request-early", Source: "found by this simulator", Seeds: 300,
		Story: "a candidate asks for votes before its own term is durable, crashes as leader and wins " +
			"the same term again",
		Convicts: []int{invariant.VoteDurability},
	},
	{
		ID: FsyncLies, Name: "fsync-lies", Source: "bbolt #562", Seeds: 50,
		Story:    "fdatasync sometimes answers before the data is safe",
		Convicts: []int{invariant.VoteDurability, invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: FsyncRetried, Name: "fsync-retried", Source: "fsyncgate, PostgreSQL 2018", Seeds: 50,
		Story:    "a failed fdatasync is tried again, and the member goes on when the second try succeeds",
		Convicts: []int{invariant.AckedDurable, invariant.FailedDisk},
	},
	{
		ID: DiskReorders, Name: "disk-reorders", Source: "raft, AsyncStorageWrites contract", Seeds: 20,
		Story: "the log lane answers a later ticket before an earlier one is on disk",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.VoteDurability,
			invariant.Monotonic, invariant.AckedDurable},
	},
	{
		ID: QuorumOffByOne, Name: "quorum-off-by-one", Source: "raft thesis 3.5", Seeds: 50,
		Story: "the leader counts one acknowledgement that it never got",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.AckedDurable,
			invariant.Bounded, invariant.Liveness},
	},
	{
		ID:   CommitByCounting,
		Name: "commit-by-counting", Source: "raft thesis 3.6.2, figure 3.7", Seeds: 300, Needs: Elections,
		Story:    "an entry of an earlier term counts as committed when a majority has it",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic},
	},
	{
		ID: AckUnheld, Name: "ack-unheld", Source: "raft thesis 3.5", Seeds: 50,
		Story: "a follower acknowledges all of its log, also what the leader has not matched",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.NoPanic},
	},
	{
		ID: AppendWithoutTruncation, Name: "append-without-truncation", Source: "raft thesis 3.5", Seeds: 100,
		Story: "a conflicting tail of the log is kept on disk when it is overwritten",
		Convicts: []int{invariant.LogMatching, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.Boot},
	},
	{
		ID: ApplyBeforeCommit, Name: "apply-before-commit", Source: "raft thesis 3.5", Seeds: 20,
		Story: "a leader tells its followers that what it sends them is committed",
		Convicts: []int{invariant.LeaderCompleteness, invariant.StateMachineSafety, invariant.Monotonic,
			invariant.AckedDurable, invariant.Linearizable, invariant.Corrupt},
	},
	{
		ID: NoPreVote, Name: "no-prevote", Source: "raft thesis 9.6", Seeds: 20,
		Story:    "a member that was cut off comes back with a higher term and deposes a healthy leader",
		Convicts: []int{invariant.Liveness},
	},
	{
		ID: RetentionIgnored, Name: "retention-ignored", Source: "mutation of duty", Seeds: 50,
		Story:    "a leader that compacts by itself drops history that it was told to keep",
		Convicts: []int{invariant.Compaction},
	},
	{
		ID: MemberSecondSource, Name: "member-second-source", Source: "etcd #20967", Seeds: 50, Needs: Changes,
		Story:    "who is removed stays in the database as a member, and is one again when it is read",
		Convicts: []int{invariant.Membership},
	},
	{
		ID: RemovedCounts, Name: "removed-counts", Source: "mutation of consensus", Seeds: 50, Needs: Changes,
		Story:    "raft is not told that a member was removed, which goes on counting in quorums",
		Convicts: []int{invariant.Membership},
	},
	{
		ID: LearnerCounts, Name: "learner-counts", Source: "mutation of consensus", Seeds: 50, Needs: Changes,
		Story:    "a learner votes and counts in quorums from the beginning",
		Convicts: []int{invariant.Membership},
	},
	{
		ID: LearnerRushed, Name: "learner-rushed", Source: "mutation of api", Seeds: 50, Needs: Changes,
		Story:    "a learner may vote however little of the log it has",
		Convicts: []int{invariant.Membership},
	},
	{
		ID: IDReused, Name: "id-reused", Source: "mutation of membership", Seeds: 100, Needs: Changes,
		Story:    "the id of a member that was removed may be that of a new one",
		Convicts: []int{invariant.Membership},
	},
	{
		ID: RemovedGoesOn, Name: "removed-goes-on", Source: "mutation of member", Seeds: 50, Needs: Changes,
		Story:    "a member that has applied its own removal does not stop",
		Convicts: []int{invariant.Membership, invariant.Liveness, invariant.WatchProgress},
	},
	{
		ID: ConfStateStale, Name: "conf-state-stale", Source: "mutation of store", Seeds: 100, Needs: Changes,
		Story:    "a snapshot is of a state after a change of members and names those before it",
		Convicts: []int{invariant.Boot, invariant.Membership, invariant.Liveness},
	},
	{
		ID: HistoriesMixedUp, Name: "histories-mixed-up", Source: "mutation of audit", Seeds: 50, Needs: Audits,
		Story:    "hashes of histories that begin at different revisions are compared",
		Convicts: []int{invariant.Corrupt},
	},
	{
		ID: DifferenceOverlooked, Name: "difference-overlooked", Source: "mutation of audit", Seeds: 20, Needs: Audits,
		Story:    "members whose hashes differ are not told apart",
		Convicts: []int{invariant.Corrupt},
	},
	{
		ID: MajorityBlamed, Name: "majority-blamed", Source: "mutation of audit", Seeds: 50, Needs: Audits,
		Story:    "of a compaction that members remember in two ways the more are blamed",
		Convicts: []int{invariant.Corrupt},
	},
	{
		ID: StartUnchecked, Name: "start-unchecked", Source: "mutation of audit", Seeds: 20, Needs: Starts,
		Story:    "a member whose pairs are not those of the others starts all the same",
		Convicts: []int{invariant.Corrupt},
	},
	{
		ID: IDsByClock, Name: "ids-by-clock", Source: "found by this simulator", Seeds: 100, Needs: Clocks,
		Story:    "the ids of a process's requests begin with the time of day",
		Convicts: []int{invariant.NoPanic, invariant.Linearizable},
	},
}
