package grpcapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"vitrine/core/api"
)

// patience is how many election timeouts a running stream goes on without the leader that it asked for. A new stream is
// refused at once: to come again costs less than to have been sent away.
const patience = 3

// withLeader is a context that ends when the member has had no leader for too long. The function ends the watch over it
// and tells how the stream ends for which it was made.
func (s *Server) withLeader(ctx context.Context) (context.Context, func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		timer := time.NewTicker(s.elect)
		defer timer.Stop()
		for missed := 0; missed < patience; {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if missed++; s.node.Leader() != 0 {
				missed = 0
			}
		}
		cancel(api.ErrNoLeader)
	})
	return ctx, func(err error) error {
		cancel(nil)
		watch.Wait()
		if err != nil && errors.Is(context.Cause(ctx), api.ErrNoLeader) {
			return api.ErrNoLeader
		}
		return err
	}
}
