package auth

import (
	"slices"

	"vitrine/core/pb"
)

// Person is a user as others may see it: nothing of a password.
type Person struct {
	Name       string
	Roles      []string
	Root       bool // may do everything
	NoPassword bool
}

// EachUser visits the users by name until fn returns false; EachRole the roles,
// whose records must not be changed.
func (s *State) EachUser(fn func(Person) bool) {
	s.users.Ascend(func(u *user) bool {
		return fn(Person{Name: string(u.record.Name), Roles: slices.Clone(u.record.Roles), Root: u.root,
			NoPassword: u.record.Options.GetNoPassword()})
	})
}

func (s *State) EachRole(fn func(*pb.Role) bool) { s.roles.Ascend(fn) }
