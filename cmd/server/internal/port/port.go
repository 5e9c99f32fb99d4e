// Package port finds loopback addresses for tests whose servers stop and start again.
//
// A server that asks for port 0 gets one of those that the system also gives to
// outgoing connections, so while it is down, anybody's connection may take its
// place (even one that dials the very address, and then talks to itself). The
// addresses here come from below that range and are given out once in a process;
// processes begin at different places.
//
//	address := port.Free(t) // "127.0.0.1:14023"
package port

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

const first, count = 10_000, 10_000

var next atomic.Int64

// Free returns an address on which nobody listens.
func Free(t testing.TB) string {
	t.Helper()
	start := int64(os.Getpid()) * 61
	for range count {
		address := fmt.Sprintf("127.0.0.1:%d", first+(start+next.Add(1))%count)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}
