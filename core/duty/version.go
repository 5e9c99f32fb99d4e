package duty

import (
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// clusterVersion sets the version on which all members agree. A leader of a cluster without one sets it once something
// of its term is applied, if it is told which (Config); else it follows the releases of the members' servers.
type clusterVersion struct {
	cfg         Config
	appliedTerm uint64
	lookedAt    uint64 // the term in which it was last looked at
	told        bool   // least is news
	least       *membership.Version
}

func (v *clusterVersion) due(s *State) *pb.InternalRaftRequest {
	told := v.told
	v.told = false
	if !s.Leading {
		return nil
	}
	if v.cfg.ClusterVersion != "" && v.appliedTerm == s.Term && v.lookedAt != s.Term {
		v.lookedAt = s.Term
		if s.Members == nil || s.Members.Version() == nil {
			return setVersion(v.cfg.ClusterVersion)
		}
	}
	if told && s.Members != nil {
		if next := nextVersion(s.Members.Version(), v.least, s.Members.Downgrade()); next != nil {
			return setVersion(next.ToMinor().String())
		}
	}
	return nil
}

func (v *clusterVersion) ended(e End) {
	v.told = false
	if !e.Applied { // look again with the next entry
		v.lookedAt, v.appliedTerm = 0, 0
	}
}

func setVersion(v string) *pb.InternalRaftRequest {
	return &pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: v}}
}

// nextVersion is what the cluster's version should become, by etcd's rules; nil = what it is. A cluster starts with the
// lowest there is if it cannot know better. It goes down by a downgrade alone, of one minor version, and at once:
// members of that version can join then, one after the other.
func nextVersion(current, least *membership.Version, down membership.Downgrade) *membership.Version {
	switch {
	case current == nil && least == nil:
		return new(membership.MinVersion)
	case current == nil:
		return least
	case least == nil:
		return nil
	case down.Enabled:
		target, err := membership.ParseVersion(down.Target)
		if err == nil && current.MayDowngrade(target) && least.MayDowngrade(target) {
			return &target
		}
		return nil
	case current.Major == least.Major && current.Minor < least.Minor:
		return least
	}
	return nil
}

// downgradeEnd ends a downgrade when the servers of all members have the release that it was for.
type downgradeEnd struct {
	told          bool
	least, newest *membership.Version
}

func (d *downgradeEnd) due(s *State) *pb.InternalRaftRequest {
	told := d.told
	d.told = false
	if !told || !s.Leading || s.Members == nil || d.least == nil || d.newest == nil || !s.Members.Downgrade().Enabled {
		return nil
	}
	target, err := membership.ParseTarget(s.Members.Downgrade().Target)
	if err != nil || d.least.ToMinor() != target || d.newest.ToMinor() != target {
		return nil
	}
	return &pb.InternalRaftRequest{DowngradeInfoSet: &pb.DowngradeInfoSetRequest{}}
}

func (d *downgradeEnd) ended(End) {}
