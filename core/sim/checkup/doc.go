// Package checkup has the leaders of a simulated cluster, and members that start, compare the members' keys, as a
// server's do: the questions travel between members, the answers are judged by core/audit, and who differs is named by
// the CORRUPT alarm, or does not start. It also makes what they look for: a pair that one member has otherwise than all
// others, and no checksum tells.
//
//	c := checkup.New(evDue, evHeard, evWaited, clock, host, passing, judge, &cfg.Audits)
//	c.Due(&event)      // when an event of that kind comes
//	c.Heard(&event)    // when an event of that kind comes: an own question has its answer
//	c.Back(n, reply)   // false: it is the answer to somebody else's question
package checkup
