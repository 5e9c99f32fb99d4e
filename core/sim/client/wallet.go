package client

import (
	"slices"
	"strconv"

	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/dice"
)

// Clients that log in know a password, ask for a token with it, and show that with all that they ask at any member.
// Told that it is not good they log in again. Now and then they show a token of the past, none, or one that they have
// made up, and try a password that is wrong.

// wallet is what a client keeps of its logins.
type wallet struct {
	tokens []string // that it was given, the newest first
	wants  bool     // it was told to log in
	missed int      // logins that were refused since the last one that was not
}

// keptTokens is how many tokens a client keeps.
const keptTokens = 4

// Tokens that nobody was given: of an entry that all have applied, and of one that nobody ever will.
const (
	forged = "madeupmadeupmade.7"
	ahead  = "madeupmadeupmade.9999999999"
)

// passwords are those that somebody has set, or tried to set, by user, the newest last.
type passwords map[string][]string

// keptPasswords is how many of them clients try.
const keptPasswords = 3

// next is another password for a user.
func (w passwords) next(p *Pool, user string) string {
	p.values++
	word := "p" + strconv.FormatUint(p.values, 10)
	list := append(w[user], word)
	w[user] = list[max(0, len(list)-keptPasswords):]
	return word
}

// same is the password that a user had last, or a first one.
func (w passwords) same(p *Pool, user string) string {
	if list := w[user]; len(list) > 0 {
		return list[len(list)-1]
	}
	return w.next(p, user)
}

// logsIn tells whether clients have passwords.
func (p *Pool) logsIn() bool { return p.cfg.Workload.Logins.TTL > 0 }

// identity is what a client shows with a request, by its choice: see script.Command.Token.
func (p *Pool) identity(c *Client, op script.Op, choice string) api.Identity {
	switch {
	case op == script.OpLogin:
		return api.Identity{}
	case choice == "" && (c.ID <= operator || !p.logsIn()):
		return nameOf(c.ID)
	}
	token := ""
	switch n := len(c.tokens); {
	case choice == script.TokenForged:
		token = forged
	case choice == script.TokenAhead:
		token = ahead
	case choice == script.TokenNone || n == 0:
	case choice == script.TokenOld:
		token = c.tokens[min(1, n-1)]
	case choice == script.TokenOldest:
		token = c.tokens[n-1]
	default:
		token = c.tokens[0]
	}
	return api.Identity{Token: token}
}

// Show makes a request show a token by another choice than that of its client; "" = by that.
func (p *Pool) Show(r *Request, choice string) {
	if choice != "" {
		r.Who = p.identity(p.clients[r.Client], r.Op, choice)
	}
}

// logs is what a client does about its login, nil if nothing, and what it shows with what it asks else.
func (p *Pool) logs(c *Client, how, how2 uint64) (login any, token string) {
	if !p.load.Users || !p.logsIn() || c.ID <= operator {
		return nil, ""
	}
	bits := dice.Mix(how ^ dice.Mix(how2))
	switch {
	case c.wants && bits%8 > 0, bits%64 == 0:
		user := nameOf(c.ID).CommonName
		word := "wrong"
		if list := p.words[user]; len(list) > 0 && bits>>8%16 > 0 {
			word = list[len(list)-1-c.missed%len(list)]
		}
		return &pb.AuthenticateRequest{Name: user, Password: word}, ""
	case bits>>16%8 == 0:
		return nil, [...]string{
			script.TokenOld, script.TokenOld, script.TokenOldest, script.TokenOldest, script.TokenNone, script.TokenForged,
			script.TokenOld, script.TokenAhead,
		}[bits>>24%8]
	}
	return nil, ""
}

// credentials notes what an answer tells a client of its login.
func (p *Pool) credentials(c *Client, r *Request, response any, err error) {
	if login, ok := response.(*pb.AuthenticateResponse); ok && err == nil {
		c.tokens = slices.Insert(c.tokens, 0, login.Token)
		c.tokens = c.tokens[:min(len(c.tokens), keptTokens)]
		c.wants, c.missed = false, 0
		return
	}
	switch err {
	case error(api.ErrAuthFailed):
		c.missed++
	case error(api.ErrAuthNotEnabled):
		c.wants = false
	case error(api.ErrInvalidAuthToken), error(api.ErrUserEmpty):
		c.wants = c.wants || len(c.tokens) == 0 || r.Who.Token == c.tokens[0]
	case error(api.ErrAuthOldRevision):
		c.wants = c.wants || p.cfg.Workload.Logins.Signed
	}
}
