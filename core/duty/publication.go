package duty

import (
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// publication tells the cluster this member's name and client URLs, again and again until that is in the log: etcd
// serves no client before.
type publication struct {
	cfg   Config
	done  bool
	again trace.Instant // not before: the cluster may have refused
}

func (p *publication) due(s *State) *pb.InternalRaftRequest {
	if p.done || s.Leader == 0 || s.Now < p.again {
		return nil
	}
	p.again = s.Now + trace.Instant(p.cfg.Retry)
	return &pb.InternalRaftRequest{ClusterMemberAttrSet: &pb.ClusterMemberAttrSetRequest{
		Member_ID:        p.cfg.MemberID,
		MemberAttributes: &pb.Attributes{Name: p.cfg.Name, ClientUrls: p.cfg.ClientURLs},
	}}
}

func (p *publication) ended(e End) { p.done = p.done || e.Applied && !e.Refused }
