// Package secret does the arithmetic of passwords and signed tokens that the core asks for and never does itself:
// bcrypt, and JSON web tokens as etcd makes and reads them.
//
//	k, err := secret.New("jwt,pub-key=app.pub,priv-key=app.key,sign-method=RS256,ttl=10m", 10)
//	done := k.Do(work)            // takes tens of milliseconds: not on a goroutine that others wait for
//	id, ok := k.Verify(token)
//
// Do blocks while half as many goroutines as there are processors are at such work, so that logins cannot take all of
// them from everything else. Nothing here is ever logged.
package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"math/big"
	"runtime"
	"strings"

	"vitrine/core/auth"

	"golang.org/x/crypto/bcrypt"
)

// The reasons to refuse --auth-token, in etcd's words.
var (
	ErrOptions  = errors.New("auth: invalid auth options")
	ErrMethod   = errors.New("auth: invalid auth signature method")
	ErrNoKey    = errors.New("auth: missing key data")
	ErrMismatch = errors.New("auth: public and private keys don't match")
)

// Keeper does secret work. It is safe for concurrent use.
type Keeper struct {
	kind  string // of tokens: simple, jwt, or "" for none
	cost  int
	jwt   *signer
	slots chan struct{}
}

// CostInRange is cost as bcrypt takes it, and whether it was in range; else the default takes its place, as in etcd.
func CostInRange(cost int) (int, bool) {
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return bcrypt.DefaultCost, false
	}
	return cost, true
}

// New reads --auth-token and --bcrypt-cost.
func New(authToken string, cost int) (*Keeper, error) {
	kind, options, err := parse(authToken)
	if err != nil {
		return nil, err
	}
	k := &Keeper{kind: kind, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	k.cost, _ = CostInRange(cost)
	switch kind {
	case "simple", "":
	case "jwt":
		if k.jwt, err = newSigner(options); err != nil {
			return nil, err
		}
	default:
		return nil, ErrOptions
	}
	return k, nil
}

// parse splits type,name=value,name=value.
func parse(s string) (kind string, options map[string]string, err error) {
	parts := strings.Split(s, ",")
	options = map[string]string{}
	for _, part := range parts[1:] {
		pair := strings.Split(part, "=")
		if len(pair) != 2 {
			return "", nil, ErrOptions
		}
		if _, twice := options[pair[0]]; twice {
			return "", nil, ErrOptions
		}
		options[pair[0]] = pair[1]
	}
	return parts[0], options, nil
}

// Signed tells whether tokens are to be given to Verify. Others mean something only to the core.
func (k *Keeper) Signed() bool { return k.kind != "simple" }

// Verify reads a signed token.
func (k *Keeper) Verify(token string) (auth.Identity, bool) {
	if k.jwt == nil {
		return auth.Identity{}, false
	}
	return k.jwt.verify(token)
}

// Do does one piece of work, when it is its turn.
func (k *Keeper) Do(w auth.Work) auth.Done {
	k.slots <- struct{}{}
	defer func() { <-k.slots }()
	d := auth.Done{ID: w.ID}
	switch w.Kind {
	case auth.Hash:
		hash, err := bcrypt.GenerateFromPassword([]byte(w.Password), k.cost)
		d.Text, d.Err = base64.StdEncoding.EncodeToString(hash), err
	case auth.Compare:
		if d.OK = bcrypt.CompareHashAndPassword(w.Hash, []byte(w.Password)) == nil; d.OK && k.kind == "simple" {
			d.Text, d.Err = prefix()
		}
	case auth.Sign:
		if k.jwt == nil {
			d.Err = auth.ErrFailed
			break
		}
		d.Text, d.Err = k.jwt.sign(w.User, w.Revision)
	}
	return d
}

// prefix draws the random part of a simple token.
func prefix() (string, error) {
	b := make([]byte, auth.TokenPrefixLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(auth.TokenLetters))))
		if err != nil {
			return "", err
		}
		b[i] = auth.TokenLetters[n.Int64()]
	}
	return string(b), nil
}
