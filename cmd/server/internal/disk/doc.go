// Package disk is what survives a member, and the store that is made of it: the log, the database, databases that peers
// send. It gives each of the driver's sequences (core/driver) a lane and the locks that it needs.
//
//	log lane       WriteGroup: one write and one fdatasync for all that waits
//	apply lane     Apply, Install: the only ones that change the store, under the write lock
//	commit lane    Commit: the buffer to the database, every so often or when somebody waits for it (Flush)
//	housekeeping   Housekeep: what compactions have made unreachable, step by step with pauses
//	readers        Read, View and the like, under the read lock or beside the writers on a view
//
// Whoever opens a Disk runs the lanes, and closes it behind the last of them and behind the last reader. What the core
// must hear of goes through Config.Report.
//
//	d, found, err := disk.Open(cfg, birth)
//	...
//	err = d.Close(true)
package disk
