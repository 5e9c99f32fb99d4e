// Package serving answers clients: it stands between the transports, which translate, and the node, which runs the
// member.
//
// A call is admitted by the gate, counted, and takes the way of its operation (core/api): into the core loop and back,
// or past it where nobody has to be asked. What is read is read here, on the caller's goroutine, from the disk. What a
// client would write over the quota is refused here, before it reaches the log.
//
//	s := serving.New(n)
//	resp, err := s.Ask(ctx, api.Call{Body: &pb.PutRequest{...}})
//
// The server's own questions have a way of their own (AskOwn). A watch is a stream of the node.
package serving

import (
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/node"
	"vitrine/cmd/server/internal/telemetry"
)

// Server is a node that clients can ask. Its methods may be called from any goroutine.
type Server struct {
	*node.Node
	cfg     node.Config
	log     *zap.Logger
	disk    *disk.Disk
	metrics *telemetry.Metrics
}

// New returns a server over a node.
func New(n *node.Node) *Server {
	cfg := n.Config()
	return &Server{Node: n, cfg: cfg, log: cfg.Log, disk: n.Disk(), metrics: n.Metrics()}
}
