package inspect

import (
	"vitrine/core/auth"
	"vitrine/core/pb"
)

// People is who may do what.
type People struct {
	Enabled   bool   `json:"enabled"` // requests are checked
	Revision  uint64 `json:"revision"`
	Users     []User `json:"users"`
	UserCount int    `json:"userCount"`
	Roles     []Role `json:"roles"`
	RoleCount int    `json:"roleCount"`
}

// User is a user, without anything of a password.
type User struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
	Root  bool     `json:"root"` // may do everything
}

// Role is a role and what it permits.
type Role struct {
	Name        string       `json:"name"`
	Permissions []Permission `json:"permissions"`
	More        int          `json:"more"` // that are not shown
}

// Permission is a range of keys and what may be done there.
type Permission struct {
	Kind string `json:"kind"` // read, write, readwrite
	Key  string `json:"key"`
	End  string `json:"end,omitempty"`  // "" = the key alone
	Rest bool   `json:"rest,omitempty"` // everything from the key on
}

var permissionKinds = map[pb.Permission_Type]string{
	pb.Permission_READ: "read", pb.Permission_WRITE: "write", pb.Permission_READWRITE: "readwrite",
}

// Users looks at the users and roles.
func Users(s *Subject, q Query) (*People, error) {
	a := s.Store.Auth
	p := &People{
		Enabled: a.Enabled(), Revision: a.Revision(), UserCount: a.Users(), RoleCount: a.Roles(), Users: []User{},
		Roles: []Role{},
	}
	a.EachUser(func(u auth.Person) bool {
		if u.Roles == nil {
			u.Roles = []string{}
		}
		roles := u.Roles[:min(len(u.Roles), mostListed)]
		p.Users = append(p.Users, User{Name: clip([]byte(u.Name)), Roles: roles, Root: u.Root})
		return len(p.Users) < q.limit()
	})
	a.EachRole(func(r *pb.Role) bool {
		p.Roles = append(p.Roles, roleOf(r))
		return len(p.Roles) < q.limit()
	})
	return p, nil
}

func roleOf(r *pb.Role) Role {
	role := Role{Name: clip(r.Name), Permissions: []Permission{}, More: max(0, len(r.KeyPermission)-mostListed)}
	for _, k := range r.KeyPermission[:min(len(r.KeyPermission), mostListed)] {
		one := Permission{Kind: permissionKinds[k.PermType], Key: clip(k.Key)}
		if one.Rest = len(k.RangeEnd) == 1 && k.RangeEnd[0] == 0; !one.Rest {
			one.End = clip(k.RangeEnd)
		}
		role.Permissions = append(role.Permissions, one)
	}
	return role
}
