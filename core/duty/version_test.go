package duty

import (
	"testing"

	"vitrine/core/backend"
	"vitrine/core/membership"
)

// The cluster's version follows the servers' releases as etcd lets it.
func TestNextVersion(t *testing.T) {
	v := func(s string) *membership.Version {
		if s == "" {
			return nil
		}
		v, err := membership.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		return &v
	}
	for _, c := range []struct{ current, least, target, want string }{
		{"", "", "", "3.0.0"}, {"", "3.7.3", "", "3.7.3"}, {"", "3.6.1", "", "3.6.1"},
		{"3.0.0", "3.7.3", "", "3.7.3"}, {"3.6.0", "3.7.3", "", "3.7.3"}, {"3.6.0", "3.6.9", "", ""}, {"3.6.0", "", "", ""},
		{"3.7.0", "3.7.3", "", ""}, {"3.7.0", "3.6.5", "", ""}, {"3.7.0", "4.0.0", "", ""}, {"3.9.0", "3.10.1", "", "3.10.1"},
		{"3.6.0", "3.7.3", "3.6.0", ""}, {"3.7.0", "3.7.3", "3.6.0", "3.6.0"},
		{"3.7.0", "3.7.3", "3.5.0", ""}, {"3.7.0", "", "3.6.0", ""}, {"3.7.0", "3.6.3", "3.6.0", ""},
		{"3.7.0", "3.7.3", "x", ""}, {"", "3.6.3", "3.6.0", "3.6.3"},
	} {
		got := nextVersion(v(c.current), v(c.least), membership.Downgrade{Enabled: c.target != "", Target: c.target})
		if want := v(c.want); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A downgrade ends when all servers have the release that it was for, not before.
func TestDowngradeEnds(t *testing.T) {
	ms := membership.New(0)
	ms.SetVersion(membership.Version{Major: 3, Minor: 6}, backend.NewBatch())
	w := newWorld(t, Config{})
	w.s.Leading, w.s.Members = true, ms
	old, own := &membership.Version{Major: 3, Minor: 6, Patch: 2}, &membership.Version{Major: 3, Minor: 7}
	w.d.Versions(old, old)
	w.wants("without a downgrade")
	ms.SetDowngrade(membership.Downgrade{Target: "3.6.0", Enabled: true}, backend.NewBatch())
	for _, known := range [][2]*membership.Version{{nil, nil}, {old, nil}, {old, own}, {own, own}} {
		w.d.Versions(known[0], known[1])
		w.wants("too early")
	}
	w.d.Versions(old, old)
	if r := w.wants("at its end", DowngradeEnd)[0].Request.DowngradeInfoSet; r == nil || r.Enabled {
		t.Errorf("proposes %v", r)
	}
	w.d.Ended(End{Duty: DowngradeEnd, Applied: true})
	w.wants("once")
	w.s.Leading = false
	w.d.Versions(old, old)
	w.wants("as a follower")
}
