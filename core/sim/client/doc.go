// Package client is who uses a simulated cluster. Its clients behave as clientv3
// does: they take endpoints in turn, go on to the next when a connection is
// refused, repeat reads and never a write that may have been sent, and keep their
// watches through all streams that break under them. What they ask is drawn from
// the seed, or said by commands (package script).
//
//	p := client.New(host, &cfg, &cfg.Network, clock, chaos, judge)
//	p.Begin()
//	p.Happens(&event)
package client
