package sim

import "vitrine/core/sim/clock"

// What events in the queue do when their time comes.

const (
	evTick        clock.Kind = iota // a member's raft clock
	evDeliver                       // a peer message arrives; slot in World.flights
	evWrite                         // a batch of log writes reaches the file
	evSync                          // its fdatasync returns
	evApply                         // the state machine has a batch of entries behind it
	evCommitTimer                   // the backend's write buffer is due
	evCommitDone                    // the backend's transaction is durable
	evHousekeep                     // one paced step of compaction
	evRead                          // a member evaluates a read; slot in World.reads
	evScan                          // a member reads history for a watcher; slot in World.scans
	evBoot                          // a starting member has recovered
	evCommand                       // a timed command
	evFaultsEnd
	evJoin    // a member was added, and its machine is to be there; a = its number
	evReport  // a transport reports on a message; a = input kind, peer, ok
	evImage   // part of a received image is on disk, or all of it; slot in World.flights
	evDefrag  // a database is copied, or the copy is durable; a = which
	evWork    // a member learns which keys hang on leases, or what came of a password; a = 1 for the latter
	evInspect // the checkers look at all members
	evAudit   // leaders compare the members' keys; a = which way
	evWaited  // a member that is to start and compares itself with the others waits for them no more
	evAudited // a member hears what it has asked itself for that; a = the request
	evPass    // a member's question, or the answer to it, reaches another member
)
