package model

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"sort"

	"vitrine/core/pb"
)

// users are who may do what. They are copied to be changed, so that states may share them.
type users struct {
	enabled  bool
	revision uint64
	roles    map[string][]string         // of each user
	hashes   map[string]string           // of the passwords of those who have one
	granted  map[string][]*pb.Permission // to each role
}

func newUsers() *users {
	return &users{revision: 1, roles: map[string][]string{}, hashes: map[string]string{},
		granted: map[string][]*pb.Permission{}}
}

func (u *users) clone() *users {
	return &users{enabled: u.enabled, revision: u.revision, roles: maps.Clone(u.roles), hashes: maps.Clone(u.hashes),
		granted: maps.Clone(u.granted)}
}

// Users is who may do what at one moment.
type Users struct{ u *users }

// Users are those of the state.
func (s *State) Users() Users { return Users{s.users} }

// Enabled tells whether anybody is asked at all; Revision counts the changes.
func (u Users) Enabled() bool    { return u.u.enabled }
func (u Users) Revision() uint64 { return u.u.revision }

// Roles are the roles of all users, Granted the permissions of all roles. They must not be changed.
func (u Users) Roles() map[string][]string           { return u.u.roles }
func (u Users) Granted() map[string][]*pb.Permission { return u.u.granted }

// Hash is that of a user's password; false if there is no such user, or he has none.
func (u Users) Hash(user string) (hash string, ok bool) {
	hash, ok = u.u.hashes[user]
	return hash, ok
}

// May tells why a user must not read what a request asks for, by the state at its place in the log; revision is the one
// at which the user was named, 0 if nobody was.
func (u Users) May(user string, revision uint64, request any) error {
	return (&asked{u: u.u, user: user, revision: revision}).may(request)
}

// may tells it of any request: whoever writes a key of a lease, or ends one, decides over all its keys.
func (s *State) may(user string, revision uint64, request any) error {
	if !s.users.enabled {
		return nil
	}
	return (&asked{u: s.users, user: user, revision: revision, leased: s.at().leased}).may(request)
}

func (a *asked) may(request any) error {
	if !a.u.enabled {
		return nil
	}
	switch r := request.(type) {
	case *pb.AuthUserGetRequest, *pb.AuthRoleGetRequest, *pb.AuthStatusRequest, *pb.InternalAuthenticateRequest:
		return nil // they change nothing and show no key
	case *pb.AuthEnableRequest, *pb.AuthDisableRequest, *pb.AuthUserAddRequest, *pb.AuthUserDeleteRequest,
		*pb.AuthUserChangePasswordRequest, *pb.AuthUserGrantRoleRequest, *pb.AuthUserRevokeRoleRequest,
		*pb.AuthRoleAddRequest,
		*pb.AuthRoleDeleteRequest, *pb.AuthRoleGrantPermissionRequest, *pb.AuthRoleRevokePermissionRequest:
		return a.administers()
	case *pb.HashRequest, *pb.HashKVRequest, *pb.SnapshotRequest, *pb.DefragmentRequest:
		return a.administers()
	case *pb.StatusRequest, *pb.LeaseLeasesRequest, *pb.LeaseTimeToLiveRequest:
		if a.user == "" {
			return ErrUserEmpty
		}
		return nil // any user
	default:
		a.request(r)
	}
	return a.err
}

// asked goes through what a request touches and keeps the first refusal.
type asked struct {
	u        *users
	user     string
	revision uint64
	leased   func(lease int64) []string
	err      error
}

func (a *asked) administers() error {
	roles, known := a.u.roles[a.user]
	switch {
	case a.user == "":
		return ErrUserEmpty
	case !known:
		return ErrUserNotFound
	case !slices.Contains(roles, "root"):
		return ErrPermissionDenied
	}
	return nil
}

func (a *asked) request(request any) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		a.touch(r.Key, r.RangeEnd, false)
	case *pb.PutRequest:
		a.touch(r.Key, nil, true)
		a.attach(r.Lease)
		if r.PrevKv {
			a.touch(r.Key, nil, false)
		}
	case *pb.DeleteRangeRequest:
		a.touch(r.Key, r.RangeEnd, true)
		if r.PrevKv {
			a.touch(r.Key, r.RangeEnd, false)
		}
	case *pb.LeaseRevokeRequest:
		if !slices.Contains(a.u.roles[a.user], "root") { // root is not asked, whenever it was named
			a.attach(r.ID)
		}
	case *pb.WatchCreateRequest:
		key := r.Key
		if len(key) == 0 {
			key = []byte{0} // from the smallest key on
		}
		a.touch(key, r.RangeEnd, false)
	case *pb.TxnRequest:
		for _, c := range r.Compare {
			a.touch(c.Key, c.RangeEnd, false)
		}
		for _, op := range slices.Concat(r.Success, r.Failure) {
			switch o := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				a.request(o.RequestRange)
			case *pb.RequestOp_RequestPut:
				a.request(o.RequestPut)
			case *pb.RequestOp_RequestDeleteRange:
				a.request(o.RequestDeleteRange)
			case *pb.RequestOp_RequestTxn:
				a.request(o.RequestTxn)
			}
		}
	}
}

// attach asks for all keys of a lease.
func (a *asked) attach(lease int64) {
	if lease == 0 || a.leased == nil {
		return
	}
	for _, key := range a.leased(lease) {
		a.touch([]byte(key), nil, true)
	}
}

// touch asks for one range of keys.
func (a *asked) touch(key, end []byte, write bool) {
	roles, known := a.u.roles[a.user]
	switch {
	case a.err != nil:
	case a.revision == 0:
		a.err = ErrUserEmpty
	case a.revision < a.u.revision:
		a.err = ErrOldAuthRevision
	case slices.Contains(roles, "root"):
	case !known || !a.u.covers(roles, intervalOf(key, end), write):
		a.err = ErrPermissionDenied
	}
}

// covers walks through the wanted keys, from one permission to the next that goes on where it ends.
func (u *users) covers(roles []string, want interval, write bool) bool {
	at := want.start
	for first := true; first || !want.open && at < want.end || want.open; first = false {
		far, found := interval{}, false
		for _, role := range roles {
			for _, p := range u.granted[role] {
				if p.PermType != pb.Permission_READWRITE && (p.PermType == pb.Permission_WRITE) != write {
					continue
				}
				if in := intervalOf(p.Key, p.RangeEnd); in.contains(at) && (!found || in.open || !far.open && in.end > far.end) {
					far, found = in, true
				}
			}
		}
		switch {
		case !found:
			return false
		case far.open:
			return true
		}
		at = far.end
	}
	return true
}

// manage performs a request about users; false if it is about something else.
func (s *State) manage(request any) (bool, error) {
	u := s.users.clone()
	change, err := false, error(nil)
	switch r := request.(type) {
	case *pb.AuthEnableRequest:
		change, err = u.enable()
		if change {
			s.users = u // the revision stays
			s.note(u.revision)
		}
		return true, err
	case *pb.AuthDisableRequest:
		change, u.enabled = u.enabled, false
	case *pb.AuthUserAddRequest:
		_, known := u.roles[r.Name]
		change, err = must(map[error]bool{ErrUserEmpty: r.Name == "", ErrUserExists: known})
		u.roles[r.Name] = nil
		if !r.GetOptions().GetNoPassword() {
			u.hashes[r.Name] = hashOf(r.HashedPassword)
		}
	case *pb.AuthUserDeleteRequest:
		_, known := u.roles[r.Name]
		change, err = must(map[error]bool{ErrAuthManagement: u.enabled && r.Name == "root", ErrUserNotFound: !known})
		delete(u.roles, r.Name)
		delete(u.hashes, r.Name)
	case *pb.AuthUserChangePasswordRequest:
		_, known := u.roles[r.Name]
		change, err = must(map[error]bool{ErrUserNotFound: !known})
		if _, has := u.hashes[r.Name]; has {
			u.hashes[r.Name] = hashOf(r.HashedPassword)
		}
	case *pb.AuthUserGrantRoleRequest:
		change, err = u.grantRole(r)
	case *pb.AuthUserRevokeRoleRequest:
		change, err = u.revokeRole(r)
	case *pb.AuthRoleAddRequest:
		_, known := u.granted[r.Name]
		change, err = must(map[error]bool{ErrRoleEmpty: r.Name == "", ErrRoleExists: known})
		u.granted[r.Name] = nil
	case *pb.AuthRoleDeleteRequest:
		change, err = u.deleteRole(r)
	case *pb.AuthRoleGrantPermissionRequest:
		change, err = u.grant(r)
	case *pb.AuthRoleRevokePermissionRequest:
		change, err = u.revoke(r)
	default:
		return false, nil
	}
	if change {
		u.revision++
		s.users = u
		s.note(u.revision)
	}
	return true, err
}

// hashOf reads a hash as requests carry it.
func hashOf(text string) string {
	hash, _ := base64.StdEncoding.DecodeString(text) // what is in the log can be read
	return string(hash)
}

// must returns the one refusal that applies; only one can.
func must(refusals map[error]bool) (bool, error) {
	for err, applies := range refusals {
		if applies {
			return false, err
		}
	}
	return true, nil
}

func (u *users) enable() (bool, error) {
	roles, known := u.roles["root"]
	switch {
	case u.enabled:
		return false, nil
	case !known:
		return false, ErrNoRootUser
	case !slices.Contains(roles, "root"):
		return false, ErrNoRootRole
	}
	u.enabled = true
	return true, nil
}

func (u *users) grantRole(r *pb.AuthUserGrantRoleRequest) (bool, error) {
	roles, known := u.roles[r.User]
	_, role := u.granted[r.Role]
	switch {
	case !known:
		return false, ErrUserNotFound
	case r.Role != "root" && !role:
		return false, ErrRoleNotFound
	case slices.Contains(roles, r.Role):
		return false, nil
	}
	roles = append(slices.Clone(roles), r.Role)
	slices.Sort(roles)
	u.roles[r.User] = roles
	return true, nil
}

func (u *users) revokeRole(r *pb.AuthUserRevokeRoleRequest) (bool, error) {
	roles, known := u.roles[r.Name]
	switch {
	case u.enabled && r.Name == "root" && r.Role == "root":
		return false, ErrAuthManagement
	case !known:
		return false, ErrUserNotFound
	case !slices.Contains(roles, r.Role):
		return false, ErrRoleNotGranted
	}
	u.roles[r.Name] = slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return role == r.Role })
	return true, nil
}

func (u *users) deleteRole(r *pb.AuthRoleDeleteRequest) (bool, error) {
	if u.enabled && r.Role == "root" {
		return false, ErrAuthManagement
	}
	if _, known := u.granted[r.Role]; !known {
		return false, ErrRoleNotFound
	}
	delete(u.granted, r.Role)
	for name, roles := range u.roles {
		u.roles[name] = slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return role == r.Role })
	}
	return true, nil
}

func samePlace(p *pb.Permission, key, end []byte) bool {
	return bytes.Equal(p.Key, key) && bytes.Equal(p.RangeEnd, end)
}

// grant replaces a permission on the same range, if it is the first on its key: an oddity of etcd.
func (u *users) grant(r *pb.AuthRoleGrantPermissionRequest) (bool, error) {
	p := r.Perm
	if p == nil {
		return false, ErrNoPermission
	}
	backwards := len(p.RangeEnd) > 0 && !(len(p.RangeEnd) == 1 && p.RangeEnd[0] == 0) &&
		bytes.Compare(p.Key, p.RangeEnd) >= 0
	if len(p.Key) == 0 || backwards {
		return false, ErrAuthManagement
	}
	list, known := u.granted[r.Name]
	if !known {
		return false, ErrRoleNotFound
	}
	list = slices.Clone(list)
	at := slices.IndexFunc(list, func(o *pb.Permission) bool { return bytes.Compare(o.Key, p.Key) >= 0 })
	if at >= 0 && samePlace(list[at], p.Key, p.RangeEnd) {
		list[at] = p
	} else {
		list = append(list, p)
		sort.Slice(list, func(i, k int) bool { return bytes.Compare(list[i].Key, list[k].Key) < 0 }) // etcd's is not stable
	}
	u.granted[r.Name] = list
	return true, nil
}

func (u *users) revoke(r *pb.AuthRoleRevokePermissionRequest) (bool, error) {
	list, known := u.granted[r.Role]
	if !known {
		return false, ErrRoleNotFound
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(p *pb.Permission) bool { return samePlace(p, r.Key, r.RangeEnd) })
	if len(rest) == len(list) {
		return false, ErrPermissionNotGranted
	}
	u.granted[r.Role] = rest
	return true, nil
}
