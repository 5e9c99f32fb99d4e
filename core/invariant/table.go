package invariant

import "slices"

// Numbers of the invariants. They are stable: events, replay files and the page
// name them. 0 is no number: it stands for an assumption inside one package.
const (
	ElectionSafety     = 1
	LeaderAppendOnly   = 2
	LogMatching        = 3
	LeaderCompleteness = 4
	StateMachineSafety = 5
	VoteDurability     = 6
	Monotonic          = 7
	AckedDurable       = 8
	AtomicApply        = 9
	RevisionOrder      = 10
	Boot               = 11
	FailedDisk         = 12
	Membership         = 13
	LeaseFence         = 14
	LeaseRemaining     = 15
	Linearizable       = 16
	Authorization      = 17
	Serializable       = 18
	WatchOrdered       = 19
	WatchUnique        = 20
	WatchReliable      = 21
	WatchAtomic        = 22
	WatchResumable     = 23
	WatchBookmarkable  = 24
	WatchFilter        = 25
	Compaction         = 26
	Liveness           = 27
	Bounded            = 28
	Deterministic      = 29
	NoPanic            = 30
	WatchAnswered      = 31
	WatchProgress      = 32
	Timely             = 33
	NothingLeft        = 34
	Identity           = 35
	LeaderRequired     = 36
	Alarms             = 37
	Corrupt            = 38
)

// Info describes an invariant to people.
type Info struct {
	Number   int
	Name     string // a few words, stable
	Sentence string // what must hold, in one sentence
}

// Table lists all invariants by number.
func Table() []Info { return slices.Clone(table) }

var table = []Info{
	{ElectionSafety, "election safety",
		"At most one member is leader in a term."},
	{LeaderAppendOnly, "leader append-only",
		"A leader never deletes or overwrites entries of its log."},
	{LogMatching, "log matching",
		"Entries with the same index and term are equal, and so is everything before them."},
	{LeaderCompleteness, "leader completeness",
		"What was committed in a term is in the log of every leader of a later term."},
	{StateMachineSafety, "state machine safety",
		"No two members ever apply different entries at the same index."},
	{VoteDurability, "vote and term durability",
		"A member votes once in a term, its term never falls, and a vote leaves only after it is on disk."},
	{Monotonic, "monotonic progress",
		"Commit never falls, applied never passes it, and no index is skipped."},
	{AckedDurable, "acknowledged means durable",
		"What a client was told is done is on the disks of a quorum."},
	{AtomicApply, "atomic apply",
		"What a disk holds is exactly the result of the entries up to its applied index."},
	{RevisionOrder, "revision order",
		"A revision rises by one with each writing entry, and equal revisions mean equal data."},
	{Boot, "boot",
		"After any crash a member starts again, or names what is damaged."},
	{FailedDisk, "failed disk",
		"After a write or a sync has failed, a member writes, confirms and sends nothing more until it starts " +
			"again."},
	{Membership, "membership",
		"The members are those that the applied changes tell; an id never comes back, and who was removed " +
			"counts in no quorum."},
	{LeaseFence, "lease fence",
		"A lease does not end by time before the time it was granted for is over for the leader that counts " +
			"it, and its keys end with it."},
	{LeaseRemaining, "lease remaining",
		"After a change of leader a lease has no less than its checkpoint said, and no more than it was " +
			"granted."},
	{Linearizable, "linearizability",
		"Some order of the clients' operations, one at a time, explains every answer."},
	{Authorization, "authorization",
		"No answer and no event shows or changes a key that who asked may not see or change, and a token is " +
			"good for whom and for as long as the log says."},
	{Serializable, "serializable reads",
		"A read that asks no quorum still sees one state that the log had, and over one connection time does " +
			"not go back."},
	{WatchOrdered, "watch: ordered",
		"Events come in the order of revisions."},
	{WatchUnique, "watch: unique",
		"No event comes twice."},
	{WatchReliable, "watch: reliable",
		"No event is left out, and each says what the log says."},
	{WatchAtomic, "watch: atomic",
		"All events of a revision come together."},
	{WatchResumable, "watch: resumable",
		"A watch that was cut off goes on where it was, unless history is gone."},
	{WatchBookmarkable, "watch: bookmarkable",
		"After a progress notification nothing older comes."},
	{WatchFilter, "watch: filtered",
		"Only what was asked for comes, and previous pairs are the previous pairs."},
	{Compaction, "compaction",
		"Older revisions than the compact one are refused, and newer ones never change, at every member."},
	{Liveness, "liveness",
		"Once everything is healed the cluster converges and serves again, and nobody raises the term while " +
			"the others follow a leader."},
	{Bounded, "bounds",
		"No queue grows beyond its bound, and no storm of messages rises."},
	{Deterministic, "determinism",
		"The same seed tells the same story, event by event."},
	{NoPanic, "no panic",
		"Nothing that happens makes a member panic."},
	{WatchAnswered, "watch: answered",
		"Each request on a watch stream is answered once, ids are as asked and unique, and a canceled watcher " +
			"hears nothing more."},
	{WatchProgress, "watch: progress",
		"Progress notifications come to those who want them, and none before the revision that a watch begins " +
			"at."},
	{Timely, "timely answers",
		"No request waits longer than its time, and a healthy cluster answers soon, whatever it is asked."},
	{NothingLeft, "nothing left behind",
		"Of a request or a stream that is over, however it ended, a member keeps nothing."},
	{Identity, "identity",
		"An answer names the cluster, the member, a term and a revision that are right, and tells of leaders " +
			"and members what is so."},
	{LeaderRequired, "leader required",
		"Who asks for a leader is refused, or cut off, where there is none, and nobody else is."},
	{Alarms, "alarms",
		"An alarm goes up when the space is used up, keeps out what it must and nothing else, and goes when " +
			"it is taken down."},
	{Corrupt, "corruption named",
		"A member whose pairs differ from the others' is named by the CORRUPT alarm, soon, or does not start, and " +
			"no other is."},
}
