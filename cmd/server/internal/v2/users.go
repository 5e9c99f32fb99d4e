package v2

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// as lets do work in the name of whoever has sent a request: the user with the password that the header shows, else of
// the token there, else of the certificate. A login that does not count any more is renewed once.
func (h *Handler) as(ctx context.Context, r *http.Request, do func(api.Identity) error) error {
	if !h.door.UsersOn() {
		return do(api.Identity{})
	}
	name, password, basic := r.BasicAuth()
	if !basic {
		return do(h.shown(r))
	}
	token, fresh, err := h.users.token(ctx, name, password)
	if err != nil {
		return err
	}
	err = do(h.door.Identify(token))
	if fresh || !errors.Is(err, api.ErrInvalidAuthToken) && !errors.Is(err, api.ErrAuthOldRevision) {
		return err
	}
	h.users.forget(name, password)
	if token, _, err = h.users.token(ctx, name, password); err != nil {
		return err
	}
	return do(h.door.Identify(token))
}

// shown is who a request comes from, but for a password.
func (h *Handler) shown(r *http.Request) api.Identity {
	if header := r.Header.Get("Authorization"); header != "" {
		return h.door.Identify(strings.TrimPrefix(header, "Bearer "))
	}
	if !h.cfg.ClientCertAuth || r.TLS == nil {
		return api.Identity{}
	}
	for _, chain := range r.TLS.VerifiedChains {
		if len(chain) > 0 {
			return api.Identity{CommonName: chain[0].Subject.CommonName, Certified: true}
		}
	}
	return api.Identity{}
}

// denied tells whether somebody may not do what he asks, or is not who he says.
func denied(err error) bool {
	for _, e := range []error{api.ErrPermissionDenied, api.ErrUserEmpty, api.ErrUserNotFound, api.ErrAuthFailed,
		api.ErrInvalidAuthToken, api.ErrAuthOldRevision} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// logins keeps tokens for passwords, since to compare a password is made to be dear and version 2 shows one with each
// request. It keeps no password: a login is known by a keyed hash, and the key by nobody else.
type logins struct {
	door Door
	ttl  time.Duration
	now  func() time.Time

	mu    sync.Mutex
	key   []byte
	known map[[sha256.Size]byte]login
}

type login struct {
	token string
	until time.Time
}

// token is that of a user, and whether it is new.
func (l *logins) token(ctx context.Context, name, password string) (token string, fresh bool, err error) {
	id := l.id(name, password)
	l.mu.Lock()
	k, ok := l.known[id]
	l.mu.Unlock()
	if ok && l.now().Before(k.until) {
		return k.token, false, nil
	}
	resp, err := l.door.Ask(ctx, api.Call{Body: &pb.AuthenticateRequest{Name: name, Password: password}})
	if err != nil {
		return "", false, err
	}
	token = resp.(*pb.AuthenticateResponse).Token
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= limits.V2Logins {
		clear(l.known)
	}
	l.known[id] = login{token, l.now().Add(l.ttl)}
	return token, true, nil
}

// forget drops a login.
func (l *logins) forget(name, password string) {
	id := l.id(name, password)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, id)
}

func (l *logins) id(name, password string) (id [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.key == nil {
		l.key, l.known = make([]byte, sha256.Size), map[[sha256.Size]byte]login{}
		rand.Read(l.key) // never fails
	}
	m := hmac.New(sha256.New, l.key)
	m.Write(binary.AppendUvarint(nil, uint64(len(name))))
	m.Write([]byte(name + password))
	return [sha256.Size]byte(m.Sum(nil))
}
