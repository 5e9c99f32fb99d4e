package proxy

import (
	"context"
	"errors"
	"io"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// watch serves one stream: this goroutine writes what the watchers see, another one reads what the client asks.
func (p *Proxy) watch(c *call) error {
	s := p.hub.Open(c.caller)
	defer s.Close()
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	// It outlives this call: reading ends when gRPC has ended the call.
	if !p.readers.Go(func() {
		for {
			r := &pb.WatchRequest{}
			if err := c.receive(r); err != nil {
				if !errors.Is(err, io.EOF) { // a client that only stops asking still wants to see
					cancel(err)
				}
				return
			}
			s.Request(r)
		}
	}) {
		return api.ErrStopped
	}
	for {
		responses, err := s.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range responses {
			if err := c.send(r); err != nil {
				return err
			}
		}
	}
}
