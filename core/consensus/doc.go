// Package consensus is one member's part in agreeing on the log: a raft node whose every wish is a value.
//
// raft's own state machine (go.etcd.io/raft) decides; this package carries its decisions to the outside and the
// outside's answers back, in the right order. It does no I/O and knows no clock but the one it is told. It runs raft
// with asynchronous storage writes, so there are two lanes that never wait for each other:
//
//	    Propose, Receive, Tick, ReadIndex
//	                 |
//	               Node -------------------------> Sends    to the peers, best effort, at once
//	               /  \
//	     LogWrite 1,2,3   ApplyBatch 1,2,3
//	       (the WAL)       (the store)
//	               \  /
//	LogDone(ticket)    Applied(ticket, index, changes)
//
// What a promise depends on is held back until the promise can be kept: a vote, or the acknowledgement of entries,
// leaves only when the write that carries it is durable, which LogDone of its ticket says. The leader's own entries
// leave at once, so its fsync and those of its followers overlap (raft thesis, 10.2.1).
//
// A driver calls the inputs, then Ready, and executes what it finds:
//
//	n, err := consensus.New(cfg, boot)
//	n.At(now)
//	n.Tick()
//	for n.Ready(&out); ; {
//		for _, w := range out.Log { wal.Append(w.HardState, w.Entries); wal.Sync(); n.LogDone(w.Ticket) }
//		...
//	}
//
// Four duties go beyond raft's own:
//
//   - Reads. A batch of waiting reads asks once for the commit index (ReadIndex). The question is asked again under a
//     fresh id when no answer comes, and given up when the leader changes.
//   - The log in memory keeps a tail for slow followers and is compacted behind it; a follower that needs more gets an
//     image of the store (Send.NeedImage).
//   - The WAL gets a mark from which the member can start again, but only at an index that the backend has made
//     durable (Backed); older segments may go then (LogWrite.Release).
//   - Doubt. A peer's message is validated before raft sees it, because raft panics at what cannot be. No message, old
//     or forged, may stop a member.
package consensus
