package chaos

// Class is a kind of misfortune. Each has its own dice, and each is off in half
// of the runs: a run that suffers from everything hides what a run that suffers
// from one thing would show (swarm testing).
type Class uint8

// The classes. Their numbers are part of every seed's meaning.
const (
	Loss Class = iota
	Duplicate
	Delay
	Clog      // one direction between two members for a while
	Partition // groups
	Pause
	Crash // or kill, with a restart
	Disk  // slow syncs, and spikes
	Stall // one disk hangs
	Vote  // a crash just after a vote has become durable
	Compact
	Transfer
	Campaign // a member's clock runs ahead: it times out now
	Blackout // everyone at once, rarely
	Moment   // a crash or a hanging disk where it hurts most
	WriteError
	Full
	SyncError
	ReadError
	CommitError
	Rot // of a log, on members that the others can do without
	Clock
	Deadline // clients give up soon
	Exile    // the leader is cut off and its clock is slow, the others' are fast
	Coup     // who has just been elected dies or is cut off
	Strike   // power or process end just before some step of a driver
	Refusal  // a disk refuses some step of a driver
	Defrag   // a database is defragmented
	Garble   // a database on its way to a member is damaged
	Install  // a disk hangs, then the power fails, while the old database is committed and a received one waits
	Roster   // members are added, promoted and removed
	Note     // a log takes note of a received snapshot, and the process ends before the state that commits it
	Password // a member is long at each password
	Classes  // how many there are
)

func (c Class) String() string { return names[c] }

var names = [Classes]string{
	"loss", "duplicate", "delay", "clog", "partition", "pause", "crash", "disk", "stall", "vote-crash",
	"compact", "transfer", "campaign", "blackout", "moment",
	"write-error", "disk-full", "sync-error", "read-error", "commit-error", "rot", "clock", "deadline", "exile", "coup",
	"strike", "refusal", "defragment", "garble", "install",
	"members", "note", "slow-password",
}
