// Package lockpb has the messages of the Lock and Election services, wire-equal to etcd's. They are apart from core/pb
// because the page does without them.
//
//	m := &lockpb.LockRequest{Name: []byte("l")}
package lockpb

//go:generate ./generate.sh
