// Package audit decides which members have keys that differ from those of the others, by the rules of etcd's
// corruption checks. It asks nobody: whoever drives a member carries its questions to the others and the answers back,
// and raises the alarm that a verdict calls for.
//
//   - At the start, before a member serves anybody: its newest revision beside the others' (AtStart).
//   - Every now and then, by the leader: the same (WhileLeading).
//   - By the leader, for the revisions of the last compactions, of which all have kept the sum: the majority is right
//     (Compactions).
//
// Hashes can be compared only where the history begins at one revision, and where a compaction and HashKV before it sum
// the same (mvcc.CompactHash).
//
//	var c audit.Compactions
//	c.Begin(audit.Kept(store))
//	for own, ok := c.Next(); ok; own, ok = c.Next() {
//		culprits, _ := c.Judge(self, answersTo(audit.Question(own.Revision)))
//		for _, culprit := range culprits {
//			propose(culprit.Alarm())
//		}
//	}
package audit
