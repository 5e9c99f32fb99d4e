package auth

import "errors"

// The reasons to refuse, in the words of etcd's own package, which logs and unmapped answers have.
var (
	ErrRootUserNotExist     = errors.New("auth: root user does not exist")
	ErrRootRoleNotExist     = errors.New("auth: root user does not have root role")
	ErrUserAlreadyExist     = errors.New("auth: user already exists")
	ErrUserEmpty            = errors.New("auth: user name is empty")
	ErrUserNotFound         = errors.New("auth: user not found")
	ErrRoleAlreadyExist     = errors.New("auth: role already exists")
	ErrRoleNotFound         = errors.New("auth: role not found")
	ErrRoleEmpty            = errors.New("auth: role name is empty")
	ErrPermissionNotGiven   = errors.New("auth: permission not given")
	ErrFailed               = errors.New("auth: authentication failed, invalid user ID or password")
	ErrNoPasswordUser       = errors.New("auth: authentication failed, password was given for no password user")
	ErrPermissionDenied     = errors.New("auth: permission denied")
	ErrRoleNotGranted       = errors.New("auth: role is not granted to the user")
	ErrPermissionNotGranted = errors.New("auth: permission is not granted to the role")
	ErrNotEnabled           = errors.New("auth: authentication is not enabled")
	ErrOldRevision          = errors.New("auth: revision in header is old")
	ErrInvalidToken         = errors.New("auth: invalid auth token")
	ErrInvalidManagement    = errors.New("auth: invalid auth management")
	ErrVerifyOnly           = errors.New("auth: token signing attempted with verify-only key")
)

// Denied is ErrPermissionDenied with what was missing, for those who draw or explain it. Its text is the same.
type Denied struct {
	User  string
	Write bool  // else Read
	Range Range // what the user's ranges do not cover; zero where the role root was missing
}

// Error implements error.
func (d *Denied) Error() string { return ErrPermissionDenied.Error() }

// Unwrap makes errors.Is find ErrPermissionDenied.
func (d *Denied) Unwrap() error { return ErrPermissionDenied }
