// Package oracle compares vitrine with the etcd it claims to be: the real one,
// version 3.7.3, as a library and as a process.
//
// It is a module of its own, so that nothing of etcd's server ends up in ours,
// and it is only tests:
//
//	formats    each side's write-ahead log and messages read by the other
//	ctl        a table of etcdctl invocations whose output must be the same
//	datadir    each side boots from the other's data directory
//	client     clientv3: transactions, watches, several endpoints
//	mixed      members of both kinds in one cluster
//	chaos      leaders killed under load; nothing acknowledged is lost
//
// The binaries are built once into the user's cache directory. VITRINE_BIN
// names a vitrine to test instead of building one, ORACLE_BIN a folder with
// etcd, etcdctl and etcdutl.
package oracle
