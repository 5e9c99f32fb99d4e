// Package old names an etcd that still has the API of version 2, 3.4.13: a module of its own, since what it needs is
// as old as it is.
package old
