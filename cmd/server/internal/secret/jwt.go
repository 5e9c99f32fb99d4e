package secret

import (
	"crypto"
	"crypto/ed25519"
	"os"
	"time"

	"vitrine/core/auth"

	"github.com/golang-jwt/jwt/v5"
)

// defaultTTL is how long a signed token lives if the options do not say.
const defaultTTL = 5 * time.Minute

// signer makes and reads JSON web tokens.
type signer struct {
	method  jwt.SigningMethod
	private any // nil: it can only verify
	public  any
	ttl     time.Duration
}

// newSigner reads the options of etcd's token type jwt; it ignores those that it does not know, as etcd does.
func newSigner(options map[string]string) (*signer, error) {
	s := &signer{ttl: defaultTTL}
	var err error
	if ttl := options["ttl"]; ttl != "" {
		if s.ttl, err = time.ParseDuration(ttl); err != nil {
			return nil, ErrOptions
		}
	}
	public, err := read(options["pub-key"])
	if err != nil {
		return nil, ErrOptions
	}
	private, err := read(options["priv-key"])
	if err != nil {
		return nil, ErrOptions
	}
	if s.method = jwt.GetSigningMethod(options["sign-method"]); s.method == nil {
		return nil, ErrOptions
	}
	return s, s.keys(public, private)
}

func read(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	return os.ReadFile(file)
}

// keys reads PEM files. Both kinds may be there and must match, one is enough; HMAC has a private key alone, as it is.
func (s *signer) keys(public, private []byte) (err error) {
	switch s.method.(type) {
	case *jwt.SigningMethodHMAC:
		if len(private) > 0 {
			s.private, s.public = private, private
		}
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		err = pair(s, public, private, jwt.ParseRSAPrivateKeyFromPEM, jwt.ParseRSAPublicKeyFromPEM)
	case *jwt.SigningMethodECDSA:
		err = pair(s, public, private, jwt.ParseECPrivateKeyFromPEM, jwt.ParseECPublicKeyFromPEM)
	case *jwt.SigningMethodEd25519:
		err = pair(s, public, private, edPrivate, edPublic)
	default: // none, which would let everybody in
		return ErrMethod
	}
	if err == nil && s.public == nil {
		return ErrNoKey
	}
	return err
}

func edPrivate(pem []byte) (ed25519.PrivateKey, error) {
	key, err := jwt.ParseEdPrivateKeyFromPEM(pem)
	if err != nil {
		return nil, err
	}
	return key.(ed25519.PrivateKey), nil
}

func edPublic(pem []byte) (ed25519.PublicKey, error) {
	key, err := jwt.ParseEdPublicKeyFromPEM(pem)
	if err != nil {
		return nil, err
	}
	return key.(ed25519.PublicKey), nil
}

// pair reads the keys of one kind of signature.
func pair[R interface{ Public() crypto.PublicKey }, U interface{ Equal(crypto.PublicKey) bool }](
	s *signer, public, private []byte, parsePrivate func([]byte) (R, error), parsePublic func([]byte) (U, error),
) error {
	if len(private) > 0 {
		key, err := parsePrivate(private)
		if err != nil {
			return err
		}
		s.private, s.public = key, key.Public()
	}
	if len(public) > 0 {
		key, err := parsePublic(public)
		if err != nil {
			return err
		}
		if s.private != nil && !key.Equal(s.public) {
			return ErrMismatch
		}
		s.public = key
	}
	return nil
}

func (s *signer) sign(user string, revision uint64) (string, error) {
	if s.private == nil {
		return "", auth.ErrVerifyOnly
	}
	return jwt.NewWithClaims(s.method, jwt.MapClaims{
		"username": user, "revision": revision, "exp": time.Now().Add(s.ttl).Unix(),
	}).SignedString(s.private)
}

func (s *signer) verify(token string) (auth.Identity, bool) {
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return s.public, nil },
		jwt.WithValidMethods([]string{s.method.Alg()}))
	if err != nil || !parsed.Valid {
		return auth.Identity{}, false
	}
	claims, _ := parsed.Claims.(jwt.MapClaims)
	user, named := claims["username"].(string)
	revision, numbered := claims["revision"].(float64)
	return auth.Identity{User: user, Revision: uint64(revision)}, named && numbered
}
