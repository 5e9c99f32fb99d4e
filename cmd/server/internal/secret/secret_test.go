package secret

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/core/auth"

	"github.com/golang-jwt/jwt/v5"
)

// keyFiles writes a pair of keys and returns the names of the files.
func keyFiles(t *testing.T, name string, private, public any) (priv, pub string) {
	t.Helper()
	write := func(file, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	priv = write(".key", "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(public)
	return priv, write(".pub", "PUBLIC KEY", der, err)
}

func TestSignedTokens(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, _ := ed25519.GenerateKey(rand.Reader)
	rsaPriv, rsaPub := keyFiles(t, "rsa", rsaKey, &rsaKey.PublicKey)
	ecPriv, ecPub := keyFiles(t, "ec", ecKey, &ecKey.PublicKey)
	edPriv, edPub := keyFiles(t, "ed", edKey, edPublic)
	hmac := filepath.Join(t.TempDir(), "hmac")
	if err := os.WriteFile(hmac, []byte("a secret of some length"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, priv, pub string }{
		{"RS256", rsaPriv, rsaPub}, {"PS512", rsaPriv, rsaPub}, {"ES256", ecPriv, ecPub}, {"EdDSA", edPriv, edPub},
		{"HS256", hmac, ""},
	} {
		k, err := New("jwt,sign-method="+c.method+",priv-key="+c.priv+",pub-key="+c.pub, 4)
		if err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		done := k.Do(auth.Work{ID: 3, Kind: auth.Sign, User: "alice", Revision: 7})
		id, ok := k.Verify(done.Text)
		if done.Err != nil || done.ID != 3 || !ok || id != (auth.Identity{User: "alice", Revision: 7}) {
			t.Errorf("%s: %+v, %+v", c.method, done, id)
		}
		if _, ok := k.Verify(done.Text[:len(done.Text)-4] + "AAAA"); ok {
			t.Errorf("%s: a forged token is good", c.method)
		}
		if c.pub == "" {
			continue
		}
		reader, err := New("jwt,sign-method="+c.method+",pub-key="+c.pub, 4)
		if err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		if _, ok := reader.Verify(done.Text); !ok {
			t.Errorf("%s: the public key does not verify", c.method)
		}
		if d := reader.Do(auth.Work{Kind: auth.Sign}); !errors.Is(d.Err, auth.ErrVerifyOnly) {
			t.Errorf("%s: signed with a public key: %v", c.method, d.Err)
		}
	}
	for options, want := range map[string]error{
		"jwt,sign-method=RS256": ErrNoKey,
		"jwt,sign-method=RS256,priv-key=" + rsaPriv + ",pub-key=" + ecPub: nil, // not RSA: any error
		"jwt,sign-method=EdDSA,priv-key=" + edPriv + ",pub-key=" + rsaPub: nil,
		"jwt,sign-method=none":                                              ErrMethod,
		"jwt,sign-method=XX,priv-key=" + rsaPriv:                            ErrOptions,
		"jwt,sign-method=RS256,priv-key=/nowhere":                           ErrOptions,
		"jwt,sign-method=RS256,ttl=soon,priv-key=" + rsaPriv:                ErrOptions,
		"jwt,sign-method=RS256,sign-method=RS256,priv-key=" + rsaPriv:       ErrOptions,
		"jwt,sign-method":                                                   ErrOptions,
		"complicated":                                                       ErrOptions,
		"jwt,sign-method=RS256,priv-key=" + rsaPriv + ",pub-key=" + hmac:    nil,
		"jwt,sign-method=RS256,priv-key=" + hmac + ",pub-key=" + rsaPub:     nil,
		"jwt,sign-method=HS256,pub-key=" + hmac:                             ErrNoKey,
		"jwt,sign-method=RS256,ttl=10m,priv-key=" + ecPriv + ",unknown=yes": nil,
	} {
		if _, err := New(options, 4); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", options, err, want)
		}
	}
}

// TestOtherTokens: a token of another method, without a name or out of time, is not good; least of all an unsigned one.
func TestOtherTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	secret := []byte("a secret of some length")
	if err := os.WriteFile(file, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := New("jwt,sign-method=HS256,priv-key="+file, 4)
	if err != nil {
		t.Fatal(err)
	}
	good := jwt.MapClaims{"username": "root", "revision": 1, "exp": time.Now().Add(time.Hour).Unix()}
	for name, c := range map[string]struct {
		method jwt.SigningMethod
		claims jwt.MapClaims
		key    any
		ok     bool
	}{
		"good":           {jwt.SigningMethodHS256, good, secret, true},
		"another method": {jwt.SigningMethodHS512, good, secret, false},
		"unsigned":       {jwt.SigningMethodNone, good, jwt.UnsafeAllowNoneSignatureType, false},
		"another key":    {jwt.SigningMethodHS256, good, []byte("another secret"), false},
		"no name":        {jwt.SigningMethodHS256, jwt.MapClaims{"revision": 1}, secret, false},
		"no revision":    {jwt.SigningMethodHS256, jwt.MapClaims{"username": "root"}, secret, false},
		"out of time":    {jwt.SigningMethodHS256, jwt.MapClaims{"username": "root", "revision": 1, "exp": 1}, secret, false},
	} {
		token, err := jwt.NewWithClaims(c.method, c.claims).SignedString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := k.Verify(token); ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestPasswords(t *testing.T) {
	k, err := New("simple", 4)
	if err != nil {
		t.Fatal(err)
	}
	done := k.Do(auth.Work{ID: 9, Kind: auth.Hash, Password: "secret"})
	hash, err := base64.StdEncoding.DecodeString(done.Text)
	if err != nil || done.Err != nil || done.ID != 9 {
		t.Fatalf("%+v, %v", done, err)
	}
	right := k.Do(auth.Work{Kind: auth.Compare, Password: "secret", Hash: hash})
	if !right.OK || len(right.Text) != auth.TokenPrefixLength || strings.Trim(right.Text, auth.TokenLetters) != "" {
		t.Errorf("the right password: %+v", right)
	}
	if wrong := k.Do(auth.Work{Kind: auth.Compare, Password: "Secret", Hash: hash}); wrong.OK || wrong.Text != "" {
		t.Errorf("a wrong password: %+v", wrong)
	}
	if long := k.Do(auth.Work{Kind: auth.Hash, Password: strings.Repeat("x", 73)}); long.Err == nil {
		t.Error("a password that bcrypt would cut is taken")
	}
	if _, ok := k.Verify("a.1"); ok || k.Signed() {
		t.Error("a simple token is a signed one")
	}
	for cost, want := range map[int]int{4: 4, 31: 31, 3: 10, 32: 10, 0: 10} {
		if got, ok := CostInRange(cost); got != want || ok != (got == cost) {
			t.Errorf("cost %d is %d", cost, got)
		}
	}
}

func TestNoTokens(t *testing.T) {
	k, err := New("", 4)
	if err != nil || !k.Signed() {
		t.Fatal(err)
	}
	if _, ok := k.Verify("x"); ok {
		t.Error("verified without a kind of tokens")
	}
	if d := k.Do(auth.Work{Kind: auth.Sign}); !errors.Is(d.Err, auth.ErrFailed) {
		t.Errorf("signed without a kind of tokens: %v", d.Err)
	}
}
