//go:build !js

// Package bolt keeps a backend.Store in etcd's own database file.
//
// The file is a bbolt database with etcd's buckets and etcd's options (no free
// list on disk, file mode 0600, the key bucket filled to 90 % since it is
// written in order), so etcd, etcdutl and this package open each other's files.
//
//	db, err := bolt.Open("member/snap/db", bolt.Options{})
//	b, err := backend.New(db)
//
// A read transaction is shared: the Backend holds one as the base of all its
// reads and renews it after each commit, so that a point get costs a descent
// in the file's B+ tree and nothing else. Views add a reference to it; the
// last one to let go ends the transaction.
//
// What is assumed of the disk is what bbolt assumes: fdatasync is honest, and
// a page write is torn at worst, never misplaced.
package bolt
