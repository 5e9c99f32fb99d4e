package script

import (
	"fmt"
	"slices"

	"vitrine/core/pb"
)

// What is asked about users. Who has a password can log in, and shows the token from then on; of others a certificate
// tells who they are.

var (
	permissionNames = [...]string{"read", "write", "readwrite"}
	authNames       = [...]string{"enable", "disable"}
)

func userRows() []Verb {
	return []Verb{
		{Name: UserAdd, Op: OpUserAdd, request: userAddOf,
			Reads: "Name; Value = the password, none: nobody logs in as this user; As asks"},
		{Name: UserDelete, Op: OpUserDelete, request: userDeleteOf, Reads: "Name"},
		{Name: GrantRole, Op: OpGrantRole, request: grantRoleOf, Reads: "Value = the role, Name = who gets it"},
		{Name: RevokeRole, Op: OpRevokeRole, request: revokeRoleOf, Reads: "Value = the role, Name = who loses it"},
		{Name: RoleAdd, Op: OpRoleAdd, request: roleAddOf, Reads: "Name"},
		{Name: RoleDelete, Op: OpRoleDelete, request: roleDeleteOf, Reads: "Name"},
		{Name: Grant, Op: OpGrant, request: grantOf,
			Reads: "Value (read, write, readwrite), Key, End: what the role Name permits from now on"},
		{Name: Revoke, Op: OpRevoke, request: revokeOf, Reads: "Key, End: what the role Name permits no more"},
		{Name: Auth, Op: OpAuth, request: authOf, Reads: "Name (enable, disable): whether anybody is asked who he is"},
		{Name: Login, Op: OpLogin, request: loginOf,
			Reads: "Name, Value = the password; what the client asks with Token from then on shows the token"},
		{Name: Password, Op: OpPassword, request: passwordOf, Reads: "Name, Value = the new password"},
	}
}

func wantsName(c *Command) error {
	if c.Name == "" {
		return fmt.Errorf("script: %s: which name?", c.Cmd)
	}
	return nil
}

func userAddOf(c *Command, _ int64) (any, error) {
	return &pb.AuthUserAddRequest{
		Name: c.Name, Password: c.Value, Options: &pb.UserAddOptions{NoPassword: c.Value == ""},
	}, wantsName(c)
}

func loginOf(c *Command, _ int64) (any, error) {
	return &pb.AuthenticateRequest{Name: c.Name, Password: c.Value}, wantsName(c)
}

func passwordOf(c *Command, _ int64) (any, error) {
	if c.Value == "" {
		return nil, fmt.Errorf("script: password: which one?")
	}
	return &pb.AuthUserChangePasswordRequest{Name: c.Name, Password: c.Value}, wantsName(c)
}

func userDeleteOf(c *Command, _ int64) (any, error) {
	return &pb.AuthUserDeleteRequest{Name: c.Name}, wantsName(c)
}

func grantRoleOf(c *Command, _ int64) (any, error) {
	return &pb.AuthUserGrantRoleRequest{User: c.Name, Role: c.Value}, wantsName(c)
}

func revokeRoleOf(c *Command, _ int64) (any, error) {
	return &pb.AuthUserRevokeRoleRequest{Name: c.Name, Role: c.Value}, wantsName(c)
}

func roleAddOf(c *Command, _ int64) (any, error) {
	return &pb.AuthRoleAddRequest{Name: c.Name}, wantsName(c)
}

func roleDeleteOf(c *Command, _ int64) (any, error) {
	return &pb.AuthRoleDeleteRequest{Role: c.Name}, wantsName(c)
}

func grantOf(c *Command, _ int64) (any, error) {
	kind := slices.Index(permissionNames[:], c.Value)
	if kind < 0 {
		return nil, fmt.Errorf("script: grant: value %q is neither read, write nor readwrite", c.Value)
	}
	p := &pb.Permission{PermType: pb.Permission_Type(kind), Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End)}
	return &pb.AuthRoleGrantPermissionRequest{Name: c.Name, Perm: p}, wantsName(c)
}

func revokeOf(c *Command, _ int64) (any, error) {
	return &pb.AuthRoleRevokePermissionRequest{Role: c.Name, Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End)}, wantsName(c)
}

func authOf(c *Command, _ int64) (any, error) {
	switch c.Name {
	case authNames[0]:
		return &pb.AuthEnableRequest{}, nil
	case authNames[1]:
		return &pb.AuthDisableRequest{}, nil
	}
	return nil, fmt.Errorf("script: auth: name %q is neither enable nor disable", c.Name)
}

// usersOf is Of for what is asked about users; false if the body is something else.
func usersOf(body any) (Command, bool) {
	switch r := body.(type) {
	case *pb.AuthUserAddRequest:
		return Command{Cmd: UserAdd, Name: r.Name, Value: r.Password}, true
	case *pb.AuthenticateRequest:
		return Command{Cmd: Login, Name: r.Name, Value: r.Password}, true
	case *pb.AuthUserChangePasswordRequest:
		return Command{Cmd: Password, Name: r.Name, Value: r.Password}, true
	case *pb.AuthUserDeleteRequest:
		return Command{Cmd: UserDelete, Name: r.Name}, true
	case *pb.AuthUserGrantRoleRequest:
		return Command{Cmd: GrantRole, Name: r.User, Value: r.Role}, true
	case *pb.AuthUserRevokeRoleRequest:
		return Command{Cmd: RevokeRole, Name: r.Name, Value: r.Role}, true
	case *pb.AuthRoleAddRequest:
		return Command{Cmd: RoleAdd, Name: r.Name}, true
	case *pb.AuthRoleDeleteRequest:
		return Command{Cmd: RoleDelete, Name: r.Role}, true
	case *pb.AuthRoleGrantPermissionRequest:
		kind := permissionNames[r.GetPerm().GetPermType()]
		return Command{Cmd: Grant, Name: r.Name, Value: kind, Key: string(r.Perm.Key), End: string(r.Perm.RangeEnd)}, true
	case *pb.AuthRoleRevokePermissionRequest:
		return Command{Cmd: Revoke, Name: r.Role, Key: string(r.Key), End: string(r.RangeEnd)}, true
	case *pb.AuthEnableRequest:
		return Command{Cmd: Auth, Name: authNames[0]}, true
	case *pb.AuthDisableRequest:
		return Command{Cmd: Auth, Name: authNames[1]}, true
	}
	return Command{}, false
}
