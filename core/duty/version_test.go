package duty

import (
	"testing"

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
		{"3.6.0", "3.7.3", "3.6.0", ""}, {"3.7.0", "3.7.3", "3.6.0", ""}, {"", "3.6.3", "3.6.0", "3.6.3"},
	} {
		got := nextVersion(v(c.current), v(c.least), membership.Downgrade{Enabled: c.target != "", Target: c.target})
		if want := v(c.want); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
