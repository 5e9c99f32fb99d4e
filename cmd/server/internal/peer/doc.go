// Package peer carries raft messages between members in etcd's own peer
// protocol, so that a member of ours and one of etcd's can share a cluster.
//
// Everything is HTTP on the peer port:
//
//	GET  /raft/stream/msgapp/<from>   appends, in a compact framing (msgappv2)
//	GET  /raft/stream/message/<from>  all other messages
//	POST /raft                        one message; used while streams are down
//	POST /raft/snapshot               a snapshot message, then the database image
//	GET  /raft/probing                round-trip times
//
// The receiver of a stream is the one who dials it: it asks the sender with a
// GET that the sender answers for as long as both live. An idle stream
// carries a link heartbeat every third of the read timeout, so silence means a
// broken connection. Delivery is best effort in both directions: every
// queue has a bound, a full one drops the message, and raft, told that the peer
// is unreachable, tries again.
//
//	t := peer.New(peer.Config{Self: id, Cluster: cid, URLs: urls, Member: node, Log: log, Metrics: m})
//	mux.Handle("/raft", t.Handler())
//	mux.Handle("/raft/", t.Handler())
//	t.Add(other, []string{"http://10.0.0.2:2380"})
//	t.Send(message)
//	defer t.Close()
//
// Whoever can reach the peer port can send to it. So a message has a bound, and
// so have all that are being received at one time; strangers are refused before
// their bodies are read, or have a small room of their own. See intake.
//
// A message handed to Send must not change afterwards: it is encoded on the
// goroutine of its stream.
package peer

import (
	"time"

	"vitrine/core/limits"
)

// The protocol's times and bounds are etcd's.
const (
	// readTimeout is how long a stream may be silent, writeTimeout how long one write may block, if nobody says more.
	readTimeout  = limits.PeerTimeout
	writeTimeout = limits.PeerTimeout
	// postTimeout bounds a POST of one message. snapshotStall is how long the transfer of a
	// database may stand still, snapshotAnswer how long its receiver may take to save it.
	postTimeout    = 10 * time.Second
	snapshotStall  = 30 * time.Second
	snapshotAnswer = 5 * time.Minute
	// linkHeartbeat keeps an idle stream alive.
	linkHeartbeat = readTimeout / 3
	// dialBackoff is the pause between attempts to open a stream.
	dialBackoff = 100 * time.Millisecond
	// probeInterval is the pause between two measurements of a round trip.
	probeInterval = readTimeout - time.Second

	// roomTimeout is how long a message may wait for room.
	roomTimeout = 5 * time.Second

	streamQueue     = limits.MaxPeerQueue // messages waiting for one stream
	pipelineQueue   = limits.PeerPosts    // messages waiting for a POST
	pipelineWorkers = limits.PeerPostWorkers
	flushBytes      = limits.PeerFlushBytes // encode no more than this before writing
)
