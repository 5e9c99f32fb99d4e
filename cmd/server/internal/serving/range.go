package serving

import (
	"context"
	"math"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// firstChunk is how many keys the first part of a stream has.
const firstChunk = 10

// RangeStream answers a range in parts of bounded size, all as of the revision that the first one saw. Merged, they are
// the answer to the same range.
func (s *Server) RangeStream(ctx context.Context, c api.Call, send func(*pb.RangeStreamResponse) error) error {
	ready, err := s.awaitRead(ctx, c)
	if err != nil {
		return err
	}
	r := c.Body.(*pb.RangeRequest)
	if r.CountOnly || r.SortTarget != pb.RangeRequest_KEY {
		ready.Operation = api.Range // of which the parts are cut
		resp, err := s.read(&ready)
		if err != nil {
			return err
		}
		return s.cut(resp.(*pb.RangeResponse), send)
	}
	err = s.streamParts(r, &ready, send)
	s.Answered(&ready, nil, err)
	return err
}

// cut sends an answer that is there as a whole (it had to be sorted) in parts. What stands once is in the last one.
func (s *Server) cut(whole *pb.RangeResponse, send func(*pb.RangeStreamResponse) error) error {
	rest := whole.Kvs
	for at, size := 0, 0; at < len(rest); at++ {
		if size += rest[at].SizeVT(); size < s.cfg.MaxRequestBytes || at+1 == len(rest) {
			continue
		}
		if err := send(&pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{Kvs: rest[:at+1]}}); err != nil {
			return err
		}
		rest, at, size = rest[at+1:], -1, 0
	}
	last := &pb.RangeResponse{Header: whole.Header, Kvs: rest, More: whole.More, Count: whole.Count}
	return send(&pb.RangeStreamResponse{RangeResponse: last})
}

// awaitRead waits until the store may be read for a call, or what the driver does itself may be done. Nobody has to be
// asked for what takes this member as it is, unless users are to be told apart: then the member knows who asks.
func (s *Server) awaitRead(ctx context.Context, c api.Call) (ready api.ReadReady, err error) {
	if route := c.Operation.Route(c.Body); (route == api.Serializable || route == api.Driver) && !s.disk.Users() {
		if err := s.Gate().Admit(&c); err != nil {
			return ready, err
		}
		return s.readyNow(&c), nil
	}
	a, err := s.Submit(ctx, c)
	if err != nil {
		return ready, err
	}
	if !a.IsReady {
		return ready, a.Reply.Err
	}
	return a.Ready, nil
}

func (s *Server) streamParts(r *pb.RangeRequest, ready *api.ReadReady, send func(*pb.RangeStreamResponse) error) error {
	h := ready.Header
	limit := r.Limit
	if limit <= 0 {
		limit = math.MaxInt64
	}
	part := &pb.RangeRequest{
		Key:      r.Key,
		RangeEnd: r.RangeEnd,
		Revision: r.Revision,
		KeysOnly: r.KeysOnly,
		Limit:    min(firstChunk, limit),
	}
	var sent, revision int64
	for {
		resp, err := s.disk.Part(part, ready)
		if err != nil {
			return api.AsError(err)
		}
		if revision == 0 {
			revision = resp.Header.Revision
			if part.Revision <= 0 {
				part.Revision = revision
			}
		}
		sent += int64(len(resp.Kvs))
		last := !resp.More || sent >= limit
		out := &pb.RangeResponse{Kvs: resp.Kvs}
		if last {
			h.Revision = revision
			out.Header = h.Response()
			out.More = resp.More
			if out.Count = sent; resp.More {
				rest, err := s.disk.CountAfter(part, resp.Kvs)
				if err != nil {
					return api.AsError(err)
				}
				out.Count += rest
			}
		}
		if err := send(&pb.RangeStreamResponse{RangeResponse: out}); err != nil || last {
			return err
		}
		part.Key = append(append(make([]byte, 0, 64), resp.Kvs[len(resp.Kvs)-1].Key...), 0)
		part.Limit = min(nextChunk(part.Limit, resp.SizeVT(), s.cfg.MaxRequestBytes), limit-sent)
	}
}

// nextChunk steers the size of parts towards the target.
func nextChunk(limit int64, size, target int) int64 {
	switch {
	case size < target/2:
		limit *= 2
	case size > target*2:
		limit /= 2
	}
	return max(limit, 1)
}
