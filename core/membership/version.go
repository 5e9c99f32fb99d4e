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

// Downgrade is the state of a downgrade of the whole cluster, in the bucket cluster.
type Downgrade struct {
	Target  string `json:"target-version"`
	Enabled bool   `json:"enabled"`
}
