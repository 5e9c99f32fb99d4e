package client

import (
	"strconv"

	"vitrine/core/api"
	"vitrine/core/auth"
	"vitrine/core/pb"
	"vitrine/core/script"
)

// Users: who somebody is, a certificate tells, or a token. The visitor and the first client are root, the others share
// three names. Once there are users, the first client goes on to change what they may while they ask.

// operator is the client that manages users.
const operator = 1

const someUsers = 3

// Named is a client whose certificate tells who it is.
func Named(user string) api.Identity { return api.Identity{CommonName: user, Certified: true} }

func userName(i int) string { return "u" + strconv.Itoa(i%someUsers+1) }

// nameOf is who a client is.
func nameOf(client int) api.Identity {
	if client <= operator {
		return Named(auth.Root)
	}
	return Named(userName(client))
}

// The roles: all keys, and two that permit parts.
const (
	roleAll  = "all"
	roleSome = "some"
	roleFew  = "few"
)

func userAdd(name string) any {
	return &pb.AuthUserAddRequest{Name: name, Options: &pb.UserAddOptions{NoPassword: true}}
}

func grant(role, key, end string, t pb.Permission_Type) any {
	p := &pb.Permission{PermType: t, Key: []byte(key), RangeEnd: []byte(end)}
	return &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: p}
}

// foundingSteps is how many there are.
const foundingSteps = 17

// founding is how users come about. Each step may be repeated.
func founding() []any {
	return []any{
		userAdd(auth.Root), &pb.AuthUserGrantRoleRequest{User: auth.Root, Role: auth.Root},
		&pb.AuthRoleAddRequest{Name: roleAll}, grant(roleAll, "k", "l", pb.Permission_READWRITE),
		&pb.AuthRoleAddRequest{Name: roleSome}, grant(roleSome, "k0", "k3", pb.Permission_READWRITE),
		grant(roleSome, "k3", "\x00", pb.Permission_READ),
		&pb.AuthRoleAddRequest{Name: roleFew}, grant(roleFew, "k1", "", pb.Permission_READWRITE),
		grant(roleFew, "k2", "k5", pb.Permission_WRITE),
		userAdd(userName(0)), &pb.AuthUserGrantRoleRequest{User: userName(0), Role: roleAll},
		userAdd(userName(1)), &pb.AuthUserGrantRoleRequest{User: userName(1), Role: roleSome},
		userAdd(userName(2)), &pb.AuthUserGrantRoleRequest{User: userName(2), Role: roleFew},
		&pb.AuthEnableRequest{},
	}
}

// manage is what a client does about users, nil if nothing: all of them make users at first, and the operator makes a
// change now and then.
func (p *Pool) manage(c *Client, how, how2 uint64) any {
	if p.founded < foundingSteps {
		if p.guarded && c.ID != operator {
			return nil // whoever has to log in is not root
		}
		p.founded++
		p.guarded = p.guarded || p.logsIn() && p.founded == foundingSteps
		step := founding()[p.founded-1]
		if add, ok := step.(*pb.AuthUserAddRequest); ok && p.logsIn() && add.Name != auth.Root {
			add.Password, add.Options = p.words.same(p, add.Name), nil
		}
		return step
	}
	if c.ID != operator || how2>>32%2 != 0 {
		return nil
	}
	if user := userName(int(how2 >> 16 % someUsers)); p.logsIn() && how2>>36%8 == 0 {
		return &pb.AuthUserChangePasswordRequest{Name: user, Password: p.words.next(p, user)}
	}
	role := [...]string{roleAll, roleSome, roleFew}[how>>8%3]
	user := userName(int(how >> 16 % someUsers))
	key, end := "k"+strconv.FormatUint(how>>24%8, 10), "k"+strconv.FormatUint(how>>32%10, 10)
	switch how >> 40 % 16 {
	case 0, 1, 2, 3:
		return grant(role, key, end, pb.Permission_Type(how>>48%3))
	case 4, 5:
		return grant(role, key, [...]string{"", "\x00"}[how>>48%2], pb.Permission_Type(how>>50%3))
	case 6, 7, 8:
		return &pb.AuthRoleRevokePermissionRequest{Role: role, Key: []byte(key), RangeEnd: []byte(end)}
	case 9, 10:
		return &pb.AuthUserGrantRoleRequest{User: user, Role: role}
	case 11, 12:
		return &pb.AuthUserRevokeRoleRequest{Name: user, Role: role}
	case 13:
		return &pb.AuthUserDeleteRequest{Name: user}
	case 14:
		p.founded = int(how >> 48 % 16) // once more from there
		return &pb.AuthRoleDeleteRequest{Role: role}
	}
	p.founded = foundingSteps - 1
	return &pb.AuthDisableRequest{}
}

// opOf is the request that a body is.
func opOf(body any) script.Op {
	cmd := script.Of(body)
	op, _, _ := cmd.Body(0) // what Of makes is right
	return op
}
