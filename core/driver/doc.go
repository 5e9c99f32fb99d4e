// Package driver is what a member's surroundings do with what it wants: the
// order in which its log, its database and the databases that others send it
// reach the disk. A server and the simulator run this text; they differ in when.
//
// A member (package member) does no I/O. It says "write this to the log, and
// tell me when it is durable", "apply this", "the log begins at a snapshot now".
// Between such a wish and its report lie several operations on files, and a
// machine may stop between any two of them. Which order is right is therefore
// the same question everywhere, and it is answered here, once. When an operation
// happens, on which goroutine, and who waits for it meanwhile, the owner says.
// There are no goroutines and no locks in here: the three halves
//
//   - Log: the write-ahead log;
//   - State: the store and its database, commits, compaction, defragmentation;
//   - Receipt: a database that a peer sends;
//
// are separate values, each for one goroutine at a time, over one Disk, which
// nobody changes.
//
//	disk := &driver.Disk{FS: vfs.OS{}, Layout: driver.At("default.etcd", ""), Open: openBolt}
//	start, err := disk.Start(birth)
//	...
//	mustSync, err := start.Log.Append(out.Log) // then, if mustSync,
//	err = start.Log.Sync()                     // then
//	err = start.Log.Finish(out.Log)            // and LogDone
//
// # Steps
//
// Every operation after which a crash leaves something new is a Step with a
// name. Before each of them the Hook of a Disk is called, if there is one; its
// error takes the place of the operation. The simulator stops machines there. A
// server has no hook.
//
// # What a crash leaves
//
// A group of log writes (Append, Sync, Finish): any part of what was not synced.
// Nobody was told of it. What is released goes after the sync of the mark that
// makes it superfluous.
//
// A database that is received (Receipt): up to the sync a temporary file, which
// the next start removes. Then the file is opened and looked into; only what is
// a database, and as far as it claims, gets its name. When that name is durable
// the member hears of the message, and may promise to have it.
//
// A database that is installed (Adopt): the log has its record already. Before
// the rename a start finds the record, an older database, and the image under
// its own name: it adopts it. After the rename it finds the image as the
// database. The directory is synced before anything is committed to it: else the
// old database could come back, without what had been committed to the new one,
// and the log already shortened to that.
//
// A defragmentation: up to the rename a temporary file. The copy is synced
// before the rename, the directory before the first commit to the copy, both
// for the same reason.
//
// A new disk (Start): the log is founded aside and renamed when it has all that
// the member must know of its cluster. Before the rename there is no log, and
// the member is founded again.
package driver
