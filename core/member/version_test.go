package member_test

import (
	"testing"

	"vitrine/core/member"
	"vitrine/core/membership"
)

// TestClusterVersionFollowsTheServers: the leader sets it to what all servers can, never below what it was, and
// followers set nothing.
func TestClusterVersionFollowsTheServers(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.ClusterVersion = "" })
	c.elect(1)
	c.tick(5)
	tell := func(id uint64, v *membership.Version, want string) {
		t.Helper()
		c.machine(id).step(member.Input{Kind: member.Versions, Version: v})
		c.tick(5)
		for _, m := range c.machines {
			got := "none"
			if v := m.store.Members.Version(); v != nil {
				got = v.String()
			}
			if got != want {
				t.Errorf("member %d: %s after member %d was told of %v, want %s", m.id, got, id, v, want)
			}
		}
	}
	v := func(minor, patch int64) *membership.Version {
		return &membership.Version{Major: 3, Minor: minor, Patch: patch}
	}
	tell(2, v(7, 3), "none")
	tell(1, nil, "3.0.0")
	tell(1, nil, "3.0.0")
	tell(1, v(6, 5), "3.6.0")
	tell(2, v(7, 3), "3.6.0")
	tell(1, v(6, 8), "3.6.0")
	tell(1, v(7, 3), "3.7.0")
	tell(1, v(6, 5), "3.7.0")
}
