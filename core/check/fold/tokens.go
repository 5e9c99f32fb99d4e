package fold

import (
	"slices"
	"strconv"

	"vitrine/core/model"
	"vitrine/core/pb"
)

// Token is a simple token, as the log has given it out.
type Token struct {
	User  string
	From  uint64 // index of the entry that assigned it
	Until uint64 // of the entry that made it void, 0 = none has
}

// TokenOf is the token that an entry assigns.
func TokenOf(r *pb.InternalAuthenticateRequest, index uint64) string {
	return r.SimpleToken + "." + strconv.FormatUint(index-1, 10)
}

// Valid tells whether the token is good at some index between two, these included.
func (t Token) Valid(first, last uint64) bool {
	return t.From <= last && (t.Until == 0 || t.Until > first)
}

// ledger is what the log says of tokens.
type ledger struct {
	given map[string]*Token // for look-ups only
	live  []*Token          // that are not void
	off   []span            // when nobody was asked who he is
}

// span is a part of the log in which authentication was off.
type span struct{ from, until uint64 } // 0 = it still is

func newLedger() ledger { return ledger{given: map[string]*Token{}, off: []span{{}}} }

// take notes what an entry means, by the users before it and after, and by why it was refused, if it was.
func (l *ledger) take(e Entry, before, after model.Users, err error) {
	r := e.Request
	switch {
	case r == nil || err != nil:
	case r.Authenticate != nil && r.Authenticate.SimpleToken != "":
		if _, ok := after.Hash(r.Authenticate.Name); ok && after.Enabled() {
			l.give(TokenOf(r.Authenticate, e.Index), r.Authenticate.Name, e.Index)
		}
	case r.AuthUserDelete != nil:
		l.end(r.AuthUserDelete.Name, e.Index)
	case r.AuthUserChangePassword != nil:
		l.end(r.AuthUserChangePassword.Name, e.Index)
	case before.Enabled() && !after.Enabled():
		l.end("", e.Index)
		l.off = append(l.off, span{from: e.Index})
	case !before.Enabled() && after.Enabled():
		l.off[len(l.off)-1].until = e.Index
	}
}

func (l *ledger) give(text, user string, index uint64) {
	t := &Token{User: user, From: index}
	l.given[text], l.live = t, append(l.live, t)
}

// end makes all tokens of a user void, or those of all.
func (l *ledger) end(user string, index uint64) {
	l.live = slices.DeleteFunc(l.live, func(t *Token) bool {
		ends := user == "" || t.User == user
		if ends {
			t.Until = index
		}
		return ends
	})
}

// forget drops the tokens that were void by then: whoever shows one has one that the log does not know.
func (l *ledger) forget(index uint64) {
	for text, t := range l.given {
		if t.Until != 0 && t.Until <= index {
			delete(l.given, text)
		}
	}
	l.off = slices.DeleteFunc(l.off, func(s span) bool { return s.until != 0 && s.until <= index })
}

// Token is what the log says of a token; false if it has given out none like it, or it was void long ago.
func (f *Fold) Token(text string) (Token, bool) {
	if t := f.ledger.given[text]; t != nil {
		return *t, true
	}
	return Token{}, false
}

// Tokens is how many there are, those included that became void not long ago.
func (f *Fold) Tokens() int { return len(f.ledger.given) }

// Unasked tells whether authentication was off at some index between two, these included.
func (f *Fold) Unasked(first, last uint64) bool {
	return slices.ContainsFunc(f.ledger.off, func(s span) bool {
		return s.from <= last && (s.until == 0 || s.until > first)
	})
}
