// Package oracle compares vitrine with etcd's own server packages: same
// requests, same answers, same hashes. It is a module of its own, so that
// etcd and its dependencies stay out of vitrine's.
package oracle
