package serve

import (
	"context"

	"vitrine/cmd/server/internal/corruption"
)

// check compares this member's keys with the others', if that is to be done before it serves, and returns who does it
// later.
func (s *Server) check() (*corruption.Checker, error) {
	c := corruption.New(corruption.Config{
		Node: s.door, Client: s.node.PeerClient(), Timeout: s.cfg.RequestTimeout(), Log: s.log,
	})
	if s.cfg.Features.InitialCorruptCheck {
		return c, c.AtStart(context.Background())
	}
	return c, nil
}

func (s *Server) checkTimes() (t corruption.Times) {
	t.Leading = s.cfg.CorruptCheckTime
	if s.cfg.Features.CompactHashCheck {
		t.Compactions = s.cfg.CompactHashCheckTime
	}
	return t
}
