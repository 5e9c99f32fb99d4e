package mvcc

import "vitrine/core/pb"

// Exceeds tells whether a range may touch more than n keys of the index, so
// that a driver can decide where to read it. It looks at n keys at most.
func (s *Store) Exceeds(key, end []byte, n int) bool {
	if len(end) == 0 {
		return false
	}
	if len(end) == 1 && end[0] == 0 {
		end = nil
	}
	s.index.ascend(key, end, func(item) bool {
		n--
		return n >= 0
	})
	return n < 0
}

// RangePart reads the first r.Limit keys of a range without counting those
// behind them: More says whether there are any, Count stays 0. Sorting and
// filters are not for parts.
func (s *Store) RangePart(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rd := s.reader()
	rev := max(r.Revision, 0)
	if err := rd.check(rev); err != nil {
		return nil, err
	}
	if rev == 0 {
		rev = rd.rev
	}
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: rd.rev}}
	var hits []found
	rd.index.visit(r.Key, r.RangeEnd, rev, func(i item, v version) bool {
		if resp.More = int64(len(hits)) == r.Limit; !resp.More {
			hits = append(hits, found{i, v})
		}
		return !resp.More
	})
	if r.KeysOnly {
		resp.Kvs = keysOnly(hits)
	} else {
		resp.Kvs = rd.load(hits)
	}
	return resp, nil
}
