package auth

import (
	"strconv"
	"strings"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/trace"
)

// TokenPrefixLength is the number of random letters of a simple token, TokenLetters those that it is drawn from.
const (
	TokenPrefixLength = 16
	TokenLetters      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Tokens are the simple tokens that one member knows: those that were assigned while it ran. They are lost when it
// stops; then clients authenticate anew. Not safe for concurrent use.
type Tokens struct {
	ttl    time.Duration
	tokens map[string]*token
	looks  []look // in order of time
}

type token struct {
	user    string
	expires trace.Instant
}

// look is when a token is to be looked at: if it has not been used lately, it goes.
type look struct {
	text string
	of   *token
	at   trace.Instant
}

// NewTokens returns no tokens. Each will live for ttl after its last use.
func NewTokens(ttl time.Duration) *Tokens {
	return &Tokens{ttl: ttl, tokens: map[string]*token{}}
}

// Len is the number of tokens.
func (t *Tokens) Len() int { return len(t.tokens) }

// Take notes what an applied request means for the tokens.
func (t *Tokens) Take(now trace.Instant, e Effect) {
	switch {
	case e.Disabled && mutant.On(mutant.TokenOutlivesAuth):
	case e.Disabled:
		t.Forget()
	case e.Token != "":
		k := &token{user: e.User, expires: now + trace.Instant(t.ttl)}
		t.tokens[e.Token] = k
		t.looks = append(t.looks, look{e.Token, k, k.expires})
	case e.User != "" && !mutant.On(mutant.TokenKept):
		for text, k := range t.tokens {
			if k.user == e.User {
				delete(t.tokens, text)
			}
		}
	}
}

// Forget drops all.
func (t *Tokens) Forget() {
	clear(t.tokens)
	t.looks = nil
}

// Resolve returns the user of a token, and lets the token live on.
func (t *Tokens) Resolve(now trace.Instant, text string) (string, bool) {
	k := t.tokens[text]
	if k == nil || now > k.expires && !mutant.On(mutant.TokenUnexpired) {
		return "", false
	}
	k.expires = now + trace.Instant(t.ttl)
	return k.user, true
}

// Expire drops what has not been used for too long. A token in use is looked at once in its time to live, so the cost
// does not depend on the number of tokens, and one that is used no more is gone after twice that time.
func (t *Tokens) Expire(now trace.Instant) {
	for len(t.looks) > 0 && t.looks[0].at < now && !mutant.On(mutant.TokenUnexpired) {
		l := t.looks[0]
		t.looks[0] = look{}
		t.looks = t.looks[1:]
		switch {
		case t.tokens[l.text] != l.of:
		case l.of.expires < now:
			delete(t.tokens, l.text)
		default:
			t.looks = append(t.looks, look{l.text, l.of, now + trace.Instant(t.ttl)})
		}
	}
}

// TokenIndex is the index of the entry that has assigned a simple token; ok is false if it is none. A member that has
// not applied so far cannot say yet whether the token is good.
func TokenIndex(text string) (index uint64, ok bool) {
	_, number, ok := strings.Cut(text, ".")
	if !ok || strings.Contains(number, ".") {
		return 0, false
	}
	before, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0, false
	}
	return before + 1, true
}
