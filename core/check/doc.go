// Package check says whether what happened was right.
//
// It looks from three sides, and believes no member's opinion of itself:
//
//   - Checker reads the trace while it is written and holds every event to the
//     invariants of raft and of the log (I1 to I8, I10, I12, I18). What is durable it
//     learns from what disks have synced, not from what members think.
//   - check/fold replays the canonical log into package model and compares the
//     durable images of members with it (I9).
//   - check/history takes what clients asked and heard, and asks whether some order
//     of the operations, one after the other, explains it (linearizability), and
//     whether watches were ordered, unique, reliable, atomic, resumable and
//     bookmarkable.
//
// What asks each promise, by the number of its invariant:
//
//	I1  I2  I3  I4  Checker, by what members append and who becomes leader
//	                (election.go, log.go)
//	I5  I7          Checker, by what members commit and apply (apply.go, log.go)
//	I6              Checker, by what disks have synced when a vote or a request for one
//	                leaves (durable.go)
//	I8              Checker at each answer, by the disks of a quorum (durable.go); history
//	                at the end: what was acknowledged is in the log
//	I9              fold, on durable images: pairs, leases, alarms, compaction, position
//	                (fold/image.go)
//	I10             Checker, by revisions and by the hashes of members that share one
//	                (apply.go); each HashKV that a client gets
//	I11             the simulator, at each boot
//	I12             Checker, by what a member does after its disk has refused (failed.go)
//	I16             history, by the log or by search (linear.go, witness.go,
//	                contradiction.go, alarm.go); the simulator: who has heard of a revision
//	                from anybody is answered linearizably from that or a later one
//	I18             history, by the states of the log; Checker, by connection (session.go)
//	I19 ... I24     history.Watch, against the changes of the log (watch.go); I22 by
//	                history.Stream too, where a revision comes in fragments
//	I25             history.Watch: filters, previous pairs; the simulator: a watch from now on
//	                begins after what its client has read there
//	I26             Checker, by what members say of the past (compaction.go)
//	I27             the simulator settles: all converge, a write and a read are answered,
//	                watchers catch up; Checker, by terms (prevote.go)
//	I28             Checker.Bounds, of all that members hold (bounds.go), databases and
//	                their quota included; the simulator, by messages a second
//	I29             SameStory, by two runs of one seed
//	I30             the simulator, at each step
//	I31             history.Stream, at each response of a watch stream; a settled cluster owes no
//	                answer
//	I32             history.Watch: none before the beginning; a settled cluster is asked, and left
//	                alone for the interval
//	I33             the simulator: a member's own time for each request, and a settled
//	                cluster is asked for everything, member by member
//	I34             the simulator, by the books of members, now and then and at rest
//	I35             the simulator, at each answer: header, status, members, changes of
//	                leader
//	I36             the simulator, when requests and streams arrive and while members have
//	                no leader
//	I37             a settled cluster has its quota used up; I9 and I16 hold alarms and what
//	                they refuse to the log
//	I38             the simulator, at each alarm CORRUPT that a leader raises; a settled
//	                cluster has a member given a pair that the others do not have
//
// Members that come and go, leases and users (I13, I14, I15, I17) do not exist
// yet, and nothing asks about them.
//
// A checker is a sink:
//
//	checker := check.New(check.Options{})
//	stream := trace.NewStream(checker)
//	checker.OnViolation = check.Report(stream) // writes a Violated event
//
// An invariant that breaks is recorded and reported, never a panic: what the
// world does then (stop, shrink, light a lamp) is its own decision.
package check
