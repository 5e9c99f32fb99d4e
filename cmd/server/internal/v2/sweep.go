package v2

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"vitrine/core/pb"
)

// sweepPause is how long the sweeper waits when it cannot watch.
const sweepPause = time.Second

// sweep sees directories whose time has run out, and takes away what was in them if this member leads. Whoever comes
// across something that was missed does it, too (clear), so that nothing depends on it but space.
func (s *store) sweep(log *zap.Logger) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		err := s.see(s.ctx, own, &pb.WatchCreateRequest{Key: []byte(keyOf(root)), RangeEnd: end(keyOf(root)), PrevKv: true,
			Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}}, s.sweepAfter)
		if err != nil && !errors.Is(err, context.Canceled) {
			log.Warn("what has been in directories that ran out stays for a while", zap.Error(err))
		}
		timer.Reset(sweepPause)
	}
}

// sweepAfter looks at what has gone at one revision. Leases end one by one, so that it is one node.
func (s *store) sweepAfter(events []*pb.Event) (more bool, err error) {
	ev := events[0]
	p, ok := pathOf(ev.Kv.Key)
	if !ok || len(events) != 1 || ev.PrevKv == nil {
		return true, nil
	}
	e, err := entryOf(p, ev.PrevKv)
	if err != nil || e.lease == 0 {
		return true, nil // it is none of ours, or cannot run out
	}
	if _, how, err := s.noteAbout(s.ctx, p, ev.Kv.ModRevision); err != nil || how != byTheWay {
		if compacted(err) {
			err = nil // nobody can tell any more
		}
		return true, err
	}
	s.figures.expired.Add(1)
	if f := s.door.Figures(); e.dir && f.Leading {
		return true, s.sweepUp(s.ctx, p)
	}
	return true, nil
}

// sweepUp takes away what was in a directory that is not there.
func (s *store) sweepUp(ctx context.Context, p string) error {
	key := keyOf(p)
	left, err := ask[pb.RangeResponse](ctx, s, own, &pb.RangeRequest{Key: []byte(key), RangeEnd: end(key), CountOnly: true,
		Serializable: true})
	if err != nil || left.Count == 0 {
		return err
	}
	_, err = ask[pb.TxnResponse](ctx, s, own, &pb.TxnRequest{
		Compare: []*pb.Compare{created(key, 0)},
		Success: []*pb.RequestOp{del(&pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: end(key)}), noted(p, expire)},
	})
	return err
}
