// Package version says which etcd this server is, to clients, peers and people.
//
// Clients parse the version (kubernetes decides by it what it may ask), peers
// refuse one they cannot work with, and the cluster version is agreed on from
// it. So it is etcd's number that is spoken; our own commit is printed beside it.
package version

const (
	// Etcd is the release of etcd whose behaviour this server has.
	Etcd = "3.7.3"
	// MinCluster is the lowest cluster version such a member can join.
	MinCluster = "3.0.0"
)

// Commit is the one that the server was built from. The linker sets it.
var Commit = "unknown"
