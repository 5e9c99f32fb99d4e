package membership

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is the version that all members of a cluster speak; only Major and Minor matter between members.
type Version struct{ Major, Minor, Patch int64 }

// MinVersion is what a cluster starts with while the versions of its members are unknown.
var MinVersion = Version{Major: 3}

// ParseVersion reads a semantic version; what follows a '-' or '+' is ignored.
func ParseVersion(s string) (Version, error) {
	core, _, _ := strings.Cut(s, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return Version{}, fmt.Errorf("%w: %q", ErrBadVersion, s)
	}
	var n [3]int64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 31)
		if err != nil {
			return Version{}, fmt.Errorf("%w: %q", ErrBadVersion, s)
		}
		n[i] = int64(v)
	}
	return Version{n[0], n[1], n[2]}, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare orders versions.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch))
}

// ToMinor is the version without its patch number, as a cluster version is.
func (v Version) ToMinor() Version { return Version{Major: v.Major, Minor: v.Minor} }

// ParseTarget reads the version that a cluster is to be downgraded to, of which the patch number may be left out and
// does not count.
func ParseTarget(s string) (Version, error) {
	v, err := ParseVersion(s)
	if err != nil {
		v, err = ParseVersion(s + ".0")
	}
	return v.ToMinor(), err
}

// MayDowngrade tells whether a cluster of version v can become one of another: of the one before, and no other.
func (v Version) MayDowngrade(to Version) bool {
	return to == Version{Major: v.Major, Minor: v.Minor - 1}
}

// Cluster writes a version as etcd tells people that of a cluster: "3.7".
func (v Version) Cluster() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Downgrade is the state of a downgrade of the whole cluster, in the bucket cluster.
type Downgrade struct {
	Target  string `json:"target-version"`
	Enabled bool   `json:"enabled"`
}
