package fold

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vitrine/core/pb"
)

// sameUsers compares who may do what. An image that has never heard of users has none of this.
func (e *era) sameUsers(image Image) error {
	enabled, revision := false, uint64(1)
	image("auth", func(k, v []byte) bool {
		switch string(k) {
		case "authEnabled":
			enabled = len(v) == 1 && v[0] == 1
		case "authRevision":
			if len(v) == 8 {
				revision = binary.BigEndian.Uint64(v)
			}
		}
		return true
	})
	if enabled != e.users.Enabled() || revision != e.users.Revision() {
		return fmt.Errorf("by the image authentication is enabled: %t, at revision %d; by the log: %t, at %d",
			enabled, revision, e.users.Enabled(), e.users.Revision())
	}
	if err := e.sameRoles(image); err != nil {
		return err
	}
	n, err := 0, error(nil)
	image("authUsers", func(k, v []byte) bool {
		u := &pb.User{}
		want, known := e.users.Roles()[string(k)]
		bad, hash := u.UnmarshalVT(v), ""
		if hash, _ = e.users.Hash(string(k)); string(u.Password) != hash {
			err = fmt.Errorf("the password that the image has of user %q is another than by the log", k)
		}
		if bad != nil || !known || !slices.Equal(u.Roles, want) {
			err = fmt.Errorf("the image has user %q with roles %q, by the log there is one: %t, with %q", k, u.Roles, known,
				want)
		}
		n++
		return err == nil
	})
	if err == nil && n != len(e.users.Roles()) {
		err = fmt.Errorf("the image has %d users, by the log there are %d", n, len(e.users.Roles()))
	}
	return err
}

func (e *era) sameRoles(image Image) (err error) {
	n := 0
	image("authRoles", func(k, v []byte) bool {
		r := &pb.Role{}
		want, known := e.users.Granted()[string(k)]
		same := func(a, b *pb.Permission) bool {
			return a.PermType == b.PermType && string(a.Key) == string(b.Key) && string(a.RangeEnd) == string(b.RangeEnd)
		}
		if bad := r.UnmarshalVT(v); bad != nil || !known || !slices.EqualFunc(r.KeyPermission, want, same) {
			err = fmt.Errorf("the image has role %q with %d permissions, by the log there is one: %t, with %d",
				k, len(r.KeyPermission), known, len(want))
		}
		n++
		return err == nil
	})
	if err == nil && n != len(e.users.Granted()) {
		err = fmt.Errorf("the image has %d roles, by the log there are %d", n, len(e.users.Granted()))
	}
	return err
}
