package auth

// Work is arithmetic that takes long on purpose, or needs keys that the core does not hold. The driver does it outside
// of the core and reports Done; it bounds how much of it runs at a time. Work is a secret: no trace and no log has it.
type Work struct {
	ID   uint64 // of the request that waits for it
	Kind WorkKind
	// Password is to be hashed, or compared with Hash.
	Password string
	Hash     []byte
	// User and Revision are what a token to be signed says.
	User     string
	Revision uint64
	// Lease is the one whose keys are asked for, 0 = those of all.
	Lease int64
}

// WorkKind is what is to be done.
type WorkKind uint8

// The kinds of work.
const (
	Hash      WorkKind = iota + 1 // bcrypt of Password, with a new salt
	Compare                       // Hash is of Password; and draw the prefix of a simple token
	Sign                          // a token for User
	LeaseKeys                     // which keys hang on Lease: neither slow nor secret, but only the store knows
)

// Done is the result of Work.
type Done struct {
	ID   uint64
	OK   bool   // Compare: it is the password
	Text string // Hash: the hash in base64; Compare: the prefix, "" if tokens are signed; Sign: the token
	Keys []string
	Err  error // why it could not be done; the text goes to the client
}
