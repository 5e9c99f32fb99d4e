package auth

import "vitrine/core/mutant"

// Identity is who asks, as the request carries it: the user's name, and the auth revision at which it was established.
// The zero value is nobody. Revisions of states begin at 1.
type Identity struct {
	User     string
	Revision uint64
}

// Need is what a request needs of its asker. The zero value is granted to everybody.
type Need struct {
	// User: the asker must be somebody. The user need not exist.
	User bool
	// Root: the asker must have the role root, unless one of the exceptions holds.
	Root bool
	// SelfOrRoot, if not nil, is a user who may ask without that role; RoleOrRoot a role whose holders may.
	SelfOrRoot, RoleOrRoot *string
	// Read and Write must be covered by the user's permissions, and the revision must not be old.
	Read, Write []Range
	// RootExempt: who has the role root is not asked for ranges, nor for the revision.
	RootExempt bool
}

// Allowed is the decision on every request: nil, or why not. All members decide alike on equal states. The error is one
// of ErrUserEmpty, ErrUserNotFound, ErrOldRevision, and *Denied, which is ErrPermissionDenied.
func (s *State) Allowed(id Identity, n Need) error {
	if !s.enabled {
		return nil
	}
	if n.User && id == (Identity{}) {
		return ErrUserEmpty
	}
	if n.Root {
		if err := s.rootNeeded(id, n); err != nil {
			return err
		}
	}
	if len(n.Read)+len(n.Write) == 0 || n.RootExempt && s.isRoot(id) == nil {
		return nil
	}
	return s.rangesNeeded(id, n)
}

func (s *State) rootNeeded(id Identity, n Need) error {
	err := s.isRoot(id)
	switch {
	case err == nil:
		return nil
	case n.SelfOrRoot != nil && *n.SelfOrRoot == id.User:
		return nil
	case n.RoleOrRoot != nil && s.HasRole(id.User, *n.RoleOrRoot):
		return nil
	}
	return err
}

// isRoot tells why the asker has not the role root. The revision does not matter.
func (s *State) isRoot(id Identity) error {
	if id.User == "" {
		return ErrUserEmpty
	}
	u := s.user(id.User)
	switch {
	case u == nil:
		return ErrUserNotFound
	case !u.root:
		return &Denied{User: id.User}
	}
	return nil
}

// PasswordHash is what the password of a user who wants to log in is to be compared with.
func (s *State) PasswordHash(name string) ([]byte, error) {
	if !s.enabled {
		return nil, ErrNotEnabled
	}
	u := s.user(name)
	switch {
	case u == nil:
		return nil, ErrFailed
	case u.record.GetOptions().GetNoPassword():
		return nil, ErrNoPasswordUser
	}
	return u.record.Password, nil
}

// HasRole tells whether a user exists and has the role.
func (s *State) HasRole(name, role string) bool {
	u := s.user(name)
	if u == nil {
		return false
	}
	for _, r := range u.record.Roles {
		if r == role {
			return true
		}
	}
	return false
}

func (s *State) rangesNeeded(id Identity, n Need) error {
	switch {
	case id.Revision == 0:
		return ErrUserEmpty
	case id.Revision < s.revision && !mutant.On(mutant.AuthOldRevisionTaken):
		return ErrOldRevision
	}
	u := s.user(id.User)
	if u == nil {
		return &Denied{User: id.User}
	}
	if u.root {
		return nil
	}
	for _, r := range n.Write {
		if !u.write.covers(r) {
			return &Denied{User: id.User, Write: true, Range: r}
		}
	}
	for _, r := range n.Read {
		if !u.read.covers(r) {
			return &Denied{User: id.User, Range: r}
		}
	}
	return nil
}
