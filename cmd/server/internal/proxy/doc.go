// Package proxy is etcd's `grpc-proxy`: it stands between many clients and a cluster, and asks the members less than it
// is asked.
//
// Most calls are passed on as they are, to one member after another, in the name of whoever makes them. Some are
// understood:
//
//	Range          answered from memory if it is serializable, was asked before, and nobody wrote there through here
//	KV, Watch      a namespace shows a part of the keys as if it were all
//	Watch          watchers of the same share one watch (package broadcast)
//	LeaseKeepAlive renewals of one lease that meet share one
//	MemberList     the members are this proxy and those that have registered beside it
//
// Answers from memory can be as old as the last write that came through here; so says etcd of its own, and so who asks
// for a serializable read has agreed. They are given only to those who show no token, as only a member knows what
// others may read. Ranges in parts are refused, as etcd's proxy refuses them.
//
//	p, err := proxy.New(cfg)
//	err = p.Serve(listener, nil)    // until Stop
//	p.Stop()
package proxy
