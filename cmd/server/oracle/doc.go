// Package oracle compares vitrine with the etcd it claims to be: the real one,
// version 3.7.3, as a library and as a process.
//
// It is a module of its own, so that nothing of etcd's server ends up in ours.
// All but bench is tests:
//
//	wal, pbwire, mvcc, model   formats, messages, stores and answers compared in process
//	ctl, http                  what etcdctl and probes are told, word by word
//	client                     clientv3: transactions, watches, several endpoints
//	v2                         version 2: its client, and an etcd that serves it, 3.4.13
//	datadir                    each side boots from the other's directory or snapshot
//	chaos, pause               leaders killed and stopped under load; clusters of both kinds
//	disk                       a full disk, a sync that fails
//	bench                      throughput and CPU as ratios
//
// Tests that start servers are skipped by -short.
//
// etcd's programs are built once, into the user's cache directory. VITRINE_BIN
// names a vitrine to test instead of building one, ORACLE_BIN a folder with
// etcd, etcdctl, etcdutl and etcd3.4.
package oracle
