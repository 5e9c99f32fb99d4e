// Package secret is what bcrypt and signatures are on a server, in a world where nothing is secret: hashes of passwords
// and tokens that say what they are of, and can be told from made-up ones. Whoever judges reads them, too.
//
// A Lane is where a member's driver does such work.
//
//	hash := secret.Hash("pass", bits)
//	secret.Right(hash, "pass")             // true
//	token := secret.Sign(claims)
//	claims, ok := secret.Read(token)       // ok: it was signed, whenever it runs out
package secret

import (
	"fmt"
	"strconv"
	"strings"

	"vitrine/core/sim/dice"
	"vitrine/core/trace"
)

// Hash is the hash of a password, with the salt that the bits are.
func Hash(password string, bits uint64) string {
	salt := strconv.FormatUint(bits, 36)
	return salt + "$" + mixed(salt, password)
}

// Right tells whether a hash is of a password.
func Right(hash, password string) bool {
	salt, sum, ok := strings.Cut(hash, "$")
	return ok && sum == mixed(salt, password)
}

func mixed(salt, text string) string {
	return strconv.FormatUint(dice.Mix(trace.HashData([]byte(salt+"$"+text))), 36)
}

// Text draws the random letters of a simple token.
func Text(letters string, n int, draw func(n int) int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[draw(len(letters))]
	}
	return string(b)
}

// Claims are what a signed token says: the user, the auth revision at which the password was right, and until when it
// is good.
type Claims struct {
	User     string
	Revision uint64
	Until    int64
}

// Sign makes a token of claims.
func Sign(c Claims) string {
	text := fmt.Sprintf("%s/%d/%d", c.User, c.Revision, c.Until)
	return text + "/" + mixed(signature, text)
}

// signature is the key, so to say.
const signature = "signed"

// Read reads a token, whenever it ends; false if it was not signed.
func Read(token string) (c Claims, ok bool) {
	parts := strings.Split(token, "/")
	if len(parts) != 4 || parts[3] != mixed(signature, strings.Join(parts[:3], "/")) {
		return c, false
	}
	c.User = parts[0]
	var err1, err2 error
	c.Revision, err1 = strconv.ParseUint(parts[1], 10, 64)
	c.Until, err2 = strconv.ParseInt(parts[2], 10, 64)
	return c, err1 == nil && err2 == nil
}
