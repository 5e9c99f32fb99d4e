// Package mutant names the bugs that are planted in the core on purpose, to
// prove that the checkers would find them.
//
// A checker that never fires proves nothing. So every promise that core/check
// watches has somebody who breaks it: a mutant is one small wrong decision at
// one place of the core, taken from the history of etcd and raft, or from what
// an author of such a system may plausibly get wrong:
//
//	if mutant.On(mutant.AckBeforeFsync) {
//		n.release(w.Ticket) // wrong on purpose
//	}
//
// Without the build tag `mutants`, On is a constant false and the compiler
// removes the branch: the server carries none of this. With the tag, at most
// one mutant lives at a time; the simulator plants it (sim.Config.Mutant) and
// nobody else may.
//
// Each mutant names the invariants that may convict it and how many seeds that
// may take. `make mutants` holds them to it: a mutant that survives its budget
// is a hole in the checkers or in the workload, and one that dies by another
// invariant is a checker that saw something for the wrong reason.
package mutant
