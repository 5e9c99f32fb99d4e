package v2

import (
	"context"
	"fmt"
	"slices"

	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// wait passes on what happens to a node, or also to all below it, from an index on. Started is called once when it is
// clear that it can be told; on says whether more is wanted.
func (s *store) wait(ctx context.Context, who api.Identity, q *request, started func(index int64, term uint64),
	on func(*Event) (more bool, err error)) error {
	create := &pb.WatchCreateRequest{Key: []byte(keyOf(q.path)), PrevKv: true, StartRevision: q.since}
	if q.recursive {
		create.RangeEnd = end(keyOf(q.path))
	}
	now, err := s.begin(ctx, who, create)
	if err != nil {
		return err
	}
	started(now.Revision, now.RaftTerm)
	s.figures.watchers.Add(1)
	defer s.figures.watchers.Add(-1)
	return s.see(ctx, who, create, func(events []*pb.Event) (bool, error) {
		e, err := s.explain(ctx, q, events, now.Revision)
		if err != nil || e == nil {
			return err == nil, err
		}
		e.index = now.Revision
		return on(e)
	})
}

// begin finds out where a watch begins, whether its history is there, and whether who asks may read what he asks for.
func (s *store) begin(ctx context.Context, who api.Identity, create *pb.WatchCreateRequest) (*pb.ResponseHeader,
	error) {
	at := func(revision int64) (*pb.RangeResponse, error) {
		return ask[pb.RangeResponse](ctx, s, who, &pb.RangeRequest{Key: create.Key, RangeEnd: create.RangeEnd,
			Revision: revision, Limit: 1, KeysOnly: true, Serializable: true})
	}
	resp, err := at(0)
	if err != nil {
		return nil, err
	}
	now := resp.Header
	if create.StartRevision == 0 {
		create.StartRevision = now.Revision + 1
	}
	if create.StartRevision > now.Revision {
		return now, nil
	}
	if _, err = at(create.StartRevision); compacted(err) {
		// Clients look at the number, and begin again behind it.
		return nil, fail(codeCleared, fmt.Sprintf("the requested history has been cleared [%d/%d]", now.Revision,
			create.StartRevision), now.Revision)
	}
	return now, err
}

// see watches, and passes on the events of one revision after the other.
func (s *store) see(ctx context.Context, who api.Identity, create *pb.WatchCreateRequest,
	on func(events []*pb.Event) (more bool, err error)) error {
	stream, err := s.door.Watch(api.Call{Operation: api.Watch, Identity: who})
	if err != nil {
		return err
	}
	defer stream.Close()
	stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	var responses []*watch.Response
	for {
		if responses, _, err = stream.Next(ctx, responses[:0]); err != nil {
			return err
		}
		for _, r := range responses {
			switch {
			case r.CompactRev != 0:
				return api.ErrCompacted
			case r.Canceled:
				return fmt.Errorf("the watcher was canceled: %s", r.Reason)
			case r.Events != nil:
				for rest := r.Events.Events; len(rest) > 0; {
					n := slices.IndexFunc(rest, func(e *pb.Event) bool { return e.Kv.ModRevision != rest[0].Kv.ModRevision })
					if n < 0 {
						n = len(rest)
					}
					if more, err := on(rest[:n]); err != nil || !more {
						return err
					}
					rest = rest[n:]
				}
				stream.Sent(1, r.Events.SizeBytes())
			default:
				stream.Sent(1, 0)
			}
		}
	}
}

// explain is what has happened at a revision, in terms of version 2; nil if it is nothing that who waits is told. What
// is hidden is told of the past, up to the revision at which he came, and not of what happens then: etcd does so.
func (s *store) explain(ctx context.Context, q *request, events []*pb.Event, came int64) (*Event, error) {
	past := events[0].Kv.ModRevision <= came
	var gone *pb.Event // the topmost that is gone
	for _, ev := range events {
		p, ok := pathOf(ev.Kv.Key)
		if !ok {
			continue
		}
		if ev.Type == pb.Event_DELETE {
			if gone == nil || len(ev.Kv.Key) < len(gone.Kv.Key) {
				gone = ev
			}
			continue
		}
		e, err := entryOf(p, ev.Kv)
		if err != nil {
			return nil, err
		}
		if e.action == byTheWay || e.refresh || !past && hidden(q.path, p) {
			continue
		}
		event := &Event{Action: e.action.String(), Node: e.node(s.now())}
		if ev.PrevKv != nil {
			was, err := entryOf(p, ev.PrevKv)
			if err != nil {
				return nil, err
			}
			event.PrevNode = was.node(s.now())
		}
		return event, nil
	}
	if gone == nil {
		return nil, nil
	}
	return s.removal(ctx, q, gone, past)
}

// removal is what took a node away: a request, which has left a note beside the node that it named, or time.
func (s *store) removal(ctx context.Context, q *request, gone *pb.Event, past bool) (*Event, error) {
	p, _ := pathOf(gone.Kv.Key)
	at, how, err := s.noteAbout(ctx, p, gone.Kv.ModRevision)
	if err != nil {
		return nil, err
	}
	was := gone.PrevKv
	if how == byTheWay {
		if at, how = p, expire; was != nil && was.Lease == 0 {
			how = remove // by a client of version 3
		}
	}
	if how == expire && at != p && within(q.path, at) || !past && hidden(q.path, at) {
		return nil, nil // of what a lease has left behind, who waits has heard already
	}
	if at != p {
		was = nil
		resp, err := ask[pb.RangeResponse](ctx, s, own, &pb.RangeRequest{Key: []byte(keyOf(at)),
			Revision: gone.Kv.ModRevision - 1, Serializable: true})
		if err == nil && len(resp.Kvs) > 0 {
			was = resp.Kvs[0]
		} else if err != nil && !compacted(err) {
			return nil, err
		}
	}
	event := &Event{Action: how.String(), Node: &Node{Key: at, Dir: at != p, ModifiedIndex: uint64(gone.Kv.ModRevision)}}
	if was == nil {
		return event, nil
	}
	e, err := entryOf(at, was)
	if err != nil {
		return nil, err
	}
	event.Node.Dir, event.Node.CreatedIndex, event.PrevNode = e.dir, uint64(e.createdAt()), e.node(s.now())
	return event, nil
}

// noteAbout looks for a note of a revision about a node or a directory above it. What a note tells is an action and the
// name of who waits for it or of what is above, so that nobody has to be asked whether it may be read.
func (s *store) noteAbout(ctx context.Context, p string, revision int64) (at string, how action, err error) {
	ways := append(above(p), p)
	var ops []*pb.RequestOp
	for _, w := range ways {
		dir, _ := split(w)
		ops = append(ops, get(&pb.RangeRequest{Key: []byte(noteOf(dir)), Revision: revision, Serializable: true}))
	}
	resp, err := ask[pb.TxnResponse](ctx, s, own, &pb.TxnRequest{Success: ops})
	if err != nil {
		return "", byTheWay, err
	}
	for i, w := range ways {
		for _, kv := range resp.Responses[i].GetResponseRange().GetKvs() {
			n := decodeNote(kv.Value)
			if _, name := split(w); kv.ModRevision == revision && n.name == name {
				return w, n.action, nil
			}
		}
	}
	return "", byTheWay, nil
}
