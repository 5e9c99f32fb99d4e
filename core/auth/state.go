package auth

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"

	"github.com/google/btree"
)

// Root is the name of the user that must exist before authentication can be enabled, and of the role that permits all.
const Root = "root"

// Keys of the bucket auth.
const (
	keyEnabled  = "authEnabled"
	keyRevision = "authRevision"
)

// treeDegree is that of the trees of users and roles, which are small.
const treeDegree = 16

// A Reader gives the records that Load reads; *backend.Backend and backend.View are such.
type Reader interface {
	Get(b backend.Bucket, key []byte) []byte
	Range(b backend.Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
}

// A Writer takes the changed records; *backend.Batch is one.
type Writer interface {
	Put(b backend.Bucket, key, value []byte)
	Delete(b backend.Bucket, key []byte)
}

// State is who may do what, as of one place in the log.
type State struct {
	enabled  bool
	revision uint64
	users    *btree.BTreeG[*user]    // by name
	roles    *btree.BTreeG[*pb.Role] // by name; records are never changed in place
}

// user is a record with what follows from it and from the roles. It is replaced, never changed.
type user struct {
	record *pb.User
	root   bool
	permissions
}

// New returns the state of a cluster that knows no users: authentication is off, the revision 1.
func New() *State {
	return &State{
		revision: 1,
		users: btree.NewG(treeDegree, func(a, b *user) bool {
			return string(a.record.Name) < string(b.record.Name)
		}),
		roles: btree.NewG(treeDegree, func(a, b *pb.Role) bool { return string(a.Name) < string(b.Name) }),
	}
}

// Load reads the state from its buckets.
func Load(r Reader) (*State, error) {
	s := New()
	var err error
	r.Range(backend.AuthRoles, nil, nil, 0, func(k, v []byte) bool {
		role := new(pb.Role)
		if err = record(k, v, role, role.GetName); err == nil {
			s.roles.ReplaceOrInsert(role)
		}
		return err == nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: bucket authRoles: %w", err)
	}
	r.Range(backend.AuthUsers, nil, nil, 0, func(k, v []byte) bool {
		u := new(pb.User)
		if err = record(k, v, u, u.GetName); err == nil {
			s.setUser(u)
			if mutant.On(mutant.AuthCacheCold) {
				s.user(string(k)).permissions = permissions{}
			}
		}
		return err == nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: bucket authUsers: %w", err)
	}
	enabled := r.Get(backend.Auth, []byte(keyEnabled))
	s.enabled = len(enabled) == 1 && enabled[0] == 1
	if rev := r.Get(backend.Auth, []byte(keyRevision)); rev != nil {
		if len(rev) != 8 {
			return nil, fmt.Errorf("auth: %s has %d bytes instead of 8", keyRevision, len(rev))
		}
		s.revision = max(1, binary.BigEndian.Uint64(rev)) // 0: never written, as in a new database
	}
	return s, nil
}

// record reads a user or a role, whose name is its key.
func record(k, v []byte, into pb.Message, name func() []byte) error {
	if err := pb.Unmarshal(v, into); err != nil {
		return fmt.Errorf("record %q: %w", k, err)
	}
	if string(name()) != string(k) {
		return fmt.Errorf("record %q: it has the name %q", k, name())
	}
	return nil
}

// Clone returns a copy that later changes do not touch.
func (s *State) Clone() *State {
	c := *s
	c.users, c.roles = s.users.Clone(), s.roles.Clone()
	return &c
}

// Enabled tells whether requests are checked at all. Revision is the number of changes, and one.
func (s *State) Enabled() bool    { return s.enabled }
func (s *State) Revision() uint64 { return s.revision }

// Users and Roles count the records.
func (s *State) Users() int { return s.users.Len() }
func (s *State) Roles() int { return s.roles.Len() }

func (s *State) user(name string) *user {
	u, _ := s.users.Get(&user{record: &pb.User{Name: []byte(name)}})
	return u
}

func (s *State) role(name string) *pb.Role {
	r, _ := s.roles.Get(&pb.Role{Name: []byte(name)})
	return r
}

// setUser puts a user with what the user's roles permit now. A role of which there is no record permits nothing, but
// for root.
func (s *State) setUser(record *pb.User) {
	u := &user{record: record, root: slices.Contains(record.Roles, Root)}
	var roles []*pb.Role
	for _, name := range record.Roles {
		if r := s.role(name); r != nil {
			roles = append(roles, r)
		}
	}
	u.permissions = merge(roles)
	s.users.ReplaceOrInsert(u)
}

// refresh works out anew what the users of a role may do.
func (s *State) refresh(role string) {
	var of []*pb.User
	s.users.Ascend(func(u *user) bool {
		if slices.Contains(u.record.Roles, role) {
			of = append(of, u.record)
		}
		return true
	})
	for _, u := range of {
		s.setUser(u)
	}
}

func (s *State) saveUser(u *pb.User, w Writer) {
	s.setUser(u)
	w.Put(backend.AuthUsers, slices.Clone(u.Name), encode(u))
}

func (s *State) saveRole(r *pb.Role, w Writer) {
	s.roles.ReplaceOrInsert(r)
	w.Put(backend.AuthRoles, slices.Clone(r.Name), encode(r))
}

func (s *State) saveEnabled(on bool, w Writer) {
	s.enabled = on
	value := []byte{0}
	if on {
		value[0] = 1
	}
	w.Put(backend.Auth, []byte(keyEnabled), value)
}

// raise notes that something has changed.
func (s *State) raise(w Writer) {
	s.revision++
	if mutant.On(mutant.AuthRevisionUnsaved) {
		return
	}
	w.Put(backend.Auth, []byte(keyRevision), binary.BigEndian.AppendUint64(nil, s.revision))
}

func encode(m pb.Message) []byte {
	b, err := m.MarshalVT()
	invariant.Assert(err == nil, "auth: a record cannot be encoded") // it came from a message that could be
	return b
}
