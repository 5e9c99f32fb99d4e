package auth

import (
	"bytes"
	"encoding/base64"
	"slices"
	"sort"
	"strconv"

	"vitrine/core/backend"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Effect is what an auth request means for the tokens that a member keeps.
type Effect struct {
	Changed bool // the state is another
	// Token is assigned to User, if not empty; else all tokens of User are void, if that is not empty.
	Token, User string
	Disabled    bool // all tokens are void
}

// ErrPlainPassword is a request of releases before 3.5, which had the password itself in the log.
type ErrPlainPassword struct{}

// Error implements error.
func (ErrPlainPassword) Error() string { return "auth: the request has a password that is not hashed" }

// Concerns tells whether a request is Apply's.
func Concerns(r *pb.InternalRaftRequest) bool {
	return manages(r) || r.AuthStatus != nil || r.Authenticate != nil || r.AuthUserGet != nil || r.AuthRoleGet != nil
}

// Apply performs an auth request, which Allowed has let through, and writes what it changes to w; or refuses it and
// touches neither. The response has no header.
func (s *State) Apply(index uint64, r *pb.InternalRaftRequest, w Writer) (resp any, e Effect, err error) {
	before := s.revision
	enabled := s.enabled
	switch {
	case r.AuthEnable != nil:
		resp, err = pb.Answer(s.enable(w))
	case r.AuthDisable != nil:
		resp = s.disable(w, &e)
	case r.AuthStatus != nil:
		resp = &pb.AuthStatusResponse{Enabled: s.enabled, AuthRevision: s.revision}
	case r.Authenticate != nil:
		resp, err = pb.Answer(s.authenticate(index, r.Authenticate, &e))
	case r.AuthUserGet != nil, r.AuthUserList != nil, r.AuthRoleGet != nil, r.AuthRoleList != nil:
		resp, err = s.read(r)
	case r.AuthRoleAdd != nil, r.AuthRoleDelete != nil, r.AuthRoleGrantPermission != nil,
		r.AuthRoleRevokePermission != nil:
		resp, err = s.applyRole(r, w)
	default:
		resp, err = s.applyUser(r, w, &e)
	}
	e.Changed = s.revision != before || s.enabled != enabled
	return resp, e, err
}

func (s *State) enable(w Writer) (*pb.AuthEnableResponse, error) {
	if s.enabled {
		return &pb.AuthEnableResponse{}, nil
	}
	u := s.user(Root)
	switch {
	case u == nil:
		return nil, ErrRootUserNotExist
	case !u.root:
		return nil, ErrRootRoleNotExist
	}
	s.saveEnabled(true, w) // and the revision stays
	return &pb.AuthEnableResponse{}, nil
}

func (s *State) disable(w Writer, e *Effect) *pb.AuthDisableResponse {
	if s.enabled {
		s.saveEnabled(false, w)
		s.raise(w)
		e.Disabled = true
	}
	return &pb.AuthDisableResponse{}
}

// authenticate assigns a token. The password was checked before this was proposed.
func (s *State) authenticate(index uint64, r *pb.InternalAuthenticateRequest, e *Effect) (
	*pb.AuthenticateResponse, error,
) {
	if !s.enabled {
		return nil, ErrNotEnabled
	}
	u := s.user(r.Name)
	if u == nil || u.record.GetOptions().GetNoPassword() {
		return nil, ErrFailed
	}
	if r.SimpleToken == "" { // the driver signs one
		return &pb.AuthenticateResponse{}, nil
	}
	token := r.SimpleToken + "." + strconv.FormatUint(index-1, 10) // sic: etcd counts the entry as applied later
	e.User, e.Token = r.Name, token
	return &pb.AuthenticateResponse{Token: token}, nil
}

// read answers the questions that change nothing.
func (s *State) read(r *pb.InternalRaftRequest) (any, error) {
	switch {
	case r.AuthUserGet != nil:
		u := s.user(r.AuthUserGet.Name)
		if u == nil {
			return nil, ErrUserNotFound
		}
		return &pb.AuthUserGetResponse{Roles: slices.Clone(u.record.Roles)}, nil
	case r.AuthUserList != nil:
		resp := &pb.AuthUserListResponse{}
		s.users.Ascend(func(u *user) bool {
			resp.Users = append(resp.Users, string(u.record.Name))
			return true
		})
		return resp, nil
	case r.AuthRoleGet != nil:
		role := s.role(r.AuthRoleGet.Role)
		switch {
		case role == nil:
			return nil, ErrRoleNotFound
		case string(role.Name) == Root:
			all := &pb.Permission{PermType: pb.Permission_READWRITE, RangeEnd: []byte{0}}
			return &pb.AuthRoleGetResponse{Perm: []*pb.Permission{all}}, nil
		}
		return &pb.AuthRoleGetResponse{Perm: slices.Clone(role.KeyPermission)}, nil
	}
	resp := &pb.AuthRoleListResponse{}
	s.roles.Ascend(func(role *pb.Role) bool {
		resp.Roles = append(resp.Roles, string(role.Name))
		return true
	})
	return resp, nil
}

func (s *State) applyUser(r *pb.InternalRaftRequest, w Writer, e *Effect) (any, error) {
	switch {
	case r.AuthUserAdd != nil:
		return pb.Answer(s.userAdd(r.AuthUserAdd, w))
	case r.AuthUserDelete != nil:
		return pb.Answer(s.userDelete(r.AuthUserDelete, w, e))
	case r.AuthUserChangePassword != nil:
		return pb.Answer(s.userChangePassword(r.AuthUserChangePassword, w, e))
	case r.AuthUserGrantRole != nil:
		return pb.Answer(s.userGrantRole(r.AuthUserGrantRole, w))
	}
	return pb.Answer(s.userRevokeRole(r.AuthUserRevokeRole, w))
}

func (s *State) userAdd(r *pb.AuthUserAddRequest, w Writer) (*pb.AuthUserAddResponse, error) {
	if r.Name == "" {
		return nil, ErrUserEmpty
	}
	if s.user(r.Name) != nil {
		return nil, ErrUserAlreadyExist
	}
	u := &pb.User{Name: []byte(r.Name), Options: &pb.UserAddOptions{}}
	if r.Options != nil {
		u.Options = r.Options
	}
	if !u.Options.NoPassword {
		var err error
		if u.Password, err = hashOf(r.Password, r.HashedPassword); err != nil {
			return nil, err
		}
	}
	s.saveUser(u, w)
	s.raise(w)
	return &pb.AuthUserAddResponse{}, nil
}

// hashOf is the bcrypt hash that a request carries.
func hashOf(plain, hashed string) ([]byte, error) {
	if plain != "" && hashed == "" {
		return nil, ErrPlainPassword{}
	}
	hash, err := base64.StdEncoding.DecodeString(hashed)
	if err != nil {
		return nil, ErrNoPasswordUser // sic
	}
	return hash, nil
}

func (s *State) userDelete(r *pb.AuthUserDeleteRequest, w Writer, e *Effect) (*pb.AuthUserDeleteResponse, error) {
	if s.enabled && r.Name == Root {
		return nil, ErrInvalidManagement
	}
	u := s.user(r.Name)
	if u == nil {
		return nil, ErrUserNotFound
	}
	s.users.Delete(u)
	w.Delete(backend.AuthUsers, []byte(r.Name))
	s.raise(w)
	e.User = r.Name
	return &pb.AuthUserDeleteResponse{}, nil
}

func (s *State) userChangePassword(r *pb.AuthUserChangePasswordRequest, w Writer, e *Effect) (
	*pb.AuthUserChangePasswordResponse, error,
) {
	u := s.user(r.Name)
	if u == nil {
		return nil, ErrUserNotFound
	}
	next := &pb.User{Name: []byte(r.Name), Roles: u.record.Roles, Options: u.record.Options}
	if !u.record.GetOptions().GetNoPassword() {
		var err error
		if next.Password, err = hashOf(r.Password, r.HashedPassword); err != nil {
			return nil, err
		}
	}
	s.saveUser(next, w)
	s.raise(w)
	e.User = r.Name
	return &pb.AuthUserChangePasswordResponse{}, nil
}

// with returns u's record with other roles.
func (u *user) with(roles []string) *pb.User {
	return &pb.User{Name: u.record.Name, Password: u.record.Password, Roles: roles, Options: u.record.Options}
}

// without returns names without one.
func without(names []string, name string) []string {
	var rest []string
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

func (s *State) userGrantRole(r *pb.AuthUserGrantRoleRequest, w Writer) (*pb.AuthUserGrantRoleResponse, error) {
	u := s.user(r.User)
	if u == nil {
		return nil, ErrUserNotFound
	}
	if r.Role != Root && s.role(r.Role) == nil {
		return nil, ErrRoleNotFound
	}
	at, has := slices.BinarySearch(u.record.Roles, r.Role)
	if !has {
		s.saveUser(u.with(slices.Insert(slices.Clone(u.record.Roles), at, r.Role)), w)
		s.raise(w)
	}
	return &pb.AuthUserGrantRoleResponse{}, nil
}

func (s *State) userRevokeRole(r *pb.AuthUserRevokeRoleRequest, w Writer) (*pb.AuthUserRevokeRoleResponse, error) {
	if s.enabled && r.Name == Root && r.Role == Root {
		return nil, ErrInvalidManagement
	}
	u := s.user(r.Name)
	if u == nil {
		return nil, ErrUserNotFound
	}
	rest := without(u.record.Roles, r.Role)
	if len(rest) == len(u.record.Roles) {
		return nil, ErrRoleNotGranted
	}
	s.saveUser(u.with(rest), w)
	if mutant.On(mutant.RoleLingers) {
		s.user(r.Name).permissions = u.permissions
	}
	s.raise(w)
	return &pb.AuthUserRevokeRoleResponse{}, nil
}

func (s *State) applyRole(r *pb.InternalRaftRequest, w Writer) (any, error) {
	switch {
	case r.AuthRoleAdd != nil:
		return pb.Answer(s.roleAdd(r.AuthRoleAdd, w))
	case r.AuthRoleDelete != nil:
		return pb.Answer(s.roleDelete(r.AuthRoleDelete, w))
	case r.AuthRoleGrantPermission != nil:
		return pb.Answer(s.grant(r.AuthRoleGrantPermission, w))
	}
	return pb.Answer(s.revoke(r.AuthRoleRevokePermission, w))
}

func (s *State) roleAdd(r *pb.AuthRoleAddRequest, w Writer) (*pb.AuthRoleAddResponse, error) {
	if r.Name == "" {
		return nil, ErrRoleEmpty
	}
	if s.role(r.Name) != nil {
		return nil, ErrRoleAlreadyExist
	}
	s.saveRole(&pb.Role{Name: []byte(r.Name)}, w)
	s.raise(w)
	return &pb.AuthRoleAddResponse{}, nil
}

func (s *State) roleDelete(r *pb.AuthRoleDeleteRequest, w Writer) (*pb.AuthRoleDeleteResponse, error) {
	if s.enabled && r.Role == Root {
		return nil, ErrInvalidManagement
	}
	role := s.role(r.Role)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	s.roles.Delete(role)
	w.Delete(backend.AuthRoles, []byte(r.Role))
	var of []*user
	s.users.Ascend(func(u *user) bool {
		if slices.Contains(u.record.Roles, r.Role) {
			of = append(of, u)
		}
		return true
	})
	for _, u := range of {
		s.saveUser(u.with(without(u.record.Roles, r.Role)), w)
	}
	s.raise(w)
	return &pb.AuthRoleDeleteResponse{}, nil
}

// grant adds a permission, or changes the type of the one on the same range. Of several on one key, etcd looks at the
// first alone; then the same range may be in a role twice. The order of records is the one that its sort leaves.
func (s *State) grant(r *pb.AuthRoleGrantPermissionRequest, w Writer) (*pb.AuthRoleGrantPermissionResponse, error) {
	if r.Perm == nil {
		return nil, ErrPermissionNotGiven
	}
	if !(Range{r.Perm.Key, r.Perm.RangeEnd}).valid() {
		return nil, ErrInvalidManagement
	}
	role := s.role(r.Name)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	p := &pb.Permission{Key: r.Perm.Key, RangeEnd: r.Perm.RangeEnd, PermType: r.Perm.PermType}
	perms := byKey(slices.Clone(role.KeyPermission))
	at := sort.Search(len(perms), func(i int) bool { return bytes.Compare(perms[i].Key, p.Key) >= 0 })
	if at < len(perms) && same(perms[at], p.Key, p.RangeEnd) {
		perms[at] = p
	} else {
		perms = append(perms, p)
		sort.Sort(perms)
	}
	s.saveRole(&pb.Role{Name: role.Name, KeyPermission: perms}, w)
	s.refresh(r.Name)
	s.raise(w)
	return &pb.AuthRoleGrantPermissionResponse{}, nil
}

func (s *State) revoke(r *pb.AuthRoleRevokePermissionRequest, w Writer) (
	*pb.AuthRoleRevokePermissionResponse, error,
) {
	role := s.role(r.Role)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	var rest []*pb.Permission
	for _, p := range role.KeyPermission {
		if !same(p, r.Key, r.RangeEnd) {
			rest = append(rest, p)
		}
	}
	if len(rest) == len(role.KeyPermission) {
		return nil, ErrPermissionNotGranted
	}
	s.saveRole(&pb.Role{Name: role.Name, KeyPermission: rest}, w)
	s.refresh(r.Role)
	s.raise(w)
	return &pb.AuthRoleRevokePermissionResponse{}, nil
}

func same(p *pb.Permission, key, end []byte) bool {
	return bytes.Equal(p.Key, key) && bytes.Equal(p.RangeEnd, end)
}

// byKey sorts permissions as etcd does: by key alone, and not stably.
type byKey []*pb.Permission

func (p byKey) Len() int           { return len(p) }
func (p byKey) Less(i, j int) bool { return bytes.Compare(p[i].Key, p[j].Key) < 0 }
func (p byKey) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
