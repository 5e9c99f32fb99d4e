package judge

import (
	"cmp"
	"strconv"
	"strings"

	"vitrine/core/api"
	"vitrine/core/check/fold"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/sim/secret"
	"vitrine/core/store"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// Who shows a token is whom the log says that it was given to, from the entry that gave it out to the one that makes it
// void, and for as long as it is used (I17). The log does not tell what only a process knows: which entries it has been
// told of, since tokens are in its memory alone, and when a token was used there. Both are seen from outside, the
// second within bounds; where they leave it open whether a token is good, both answers are right.

// Asked is a member that is asked something.
type Asked interface {
	ID() uint64
	Store() *store.Store
}

// tokens are what is known of tokens that clients show.
type tokens struct {
	j       *Judge
	ttl     int64             // of a simple one
	members map[uint64]*heard // by id
	open    map[uint64]*shown // by request, at its member
	asked   map[uint64]*shown // by proposal, until its entry is executed
}

// heard is what the process of a member can know.
type heard struct {
	since uint64 // it has applied every entry behind this one by itself
	uses  map[string]*use
}

// use is when a token was used last at a member: not before one moment, and not after another.
type use struct {
	sure, latest int64
	open         int // requests with it that have no answer yet
}

// shown is a request with a token.
type shown struct {
	member uint64
	token  string
	index  uint64 // that its member had applied
	at     int64
	until  int64 // see Shows
	over   bool  // the token had surely run out
}

// maxProposals bounds those that are remembered: beyond it most have been lost, and all are forgotten.
const maxProposals = 4096

func newTokens(j *Judge) *tokens {
	return &tokens{j: j, ttl: int64(cmp.Or(j.options.TokenTTL, limits.TokenTTL)), members: map[uint64]*heard{},
		open: map[uint64]*shown{}, asked: map[uint64]*shown{}}
}

// Began tells that a process has started with what its disk had, up to an index.
func (j *Judge) Began(id, index uint64) {
	if j.tokens != nil {
		j.tokens.members[id] = &heard{since: index, uses: map[string]*use{}}
	}
}

// Jumped tells that a process has been given the state at an index.
func (j *Judge) Jumped(id, index uint64) {
	if j.tokens != nil {
		j.tokens.members[id].since = index
	}
}

// applied notes which tokens a member is told of.
func (k *tokens) applied(id uint64, entries []*raftpb.Entry) {
	if k.j.fold.Tokens() == 0 {
		return
	}
	for _, e := range entries {
		if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
			continue
		}
		r, err := k.j.options.Decode(e.GetData())
		if err != nil || r.GetAuthenticate() == nil {
			continue
		}
		text := fold.TokenOf(r.Authenticate, e.GetIndex())
		if _, given := k.j.fold.Token(text); given {
			k.members[id].uses[text] = &use{sure: k.j.clock.Now, latest: k.j.clock.Now}
		}
	}
}

// Shows tells that a request with a token is at its member, where it may wait for a while: before that is over nobody
// says that the token is not good only because its entry has not come.
func (j *Judge) Shows(n Asked, request uint64, token string, until int64) {
	k := j.tokens
	if k == nil || token == "" {
		return
	}
	s := &shown{member: n.ID(), token: token, index: n.Store().Backend.Applied().Index, at: j.clock.Now, until: until}
	if u := k.members[n.ID()].uses[token]; u != nil {
		s.over = u.open == 0 && s.at > u.latest+k.ttl
		u.open++
	}
	k.open[request] = s
}

// Withdrawn tells that the client waits no more.
func (j *Judge) Withdrawn(request uint64) {
	if j.tokens != nil {
		j.tokens.used(j.tokens.closed(request, 0))
	}
}

// used: a request that is over may have used its token until now.
func (k *tokens) used(s *shown) {
	if s == nil {
		return
	}
	if u := k.members[s.member].uses[s.token]; u != nil {
		u.latest = max(u.latest, k.j.clock.Now)
	}
}

// closed takes a request out of those that wait; nil if it shows no token, or not at this member (0 = any).
func (k *tokens) closed(request, member uint64) *shown {
	s := k.open[request]
	if s == nil || member != 0 && s.member != member {
		return nil
	}
	delete(k.open, request)
	if u := k.members[s.member].uses[s.token]; u != nil {
		u.open = max(0, u.open-1) // it may not have been known when the request came
	}
	return s
}

// Named holds the answer of a member to a request with a token to whether it must take it.
func (j *Judge) Named(n Asked, request uint64, err error) {
	if j.tokens == nil {
		return
	}
	s := j.tokens.closed(request, n.ID())
	if s == nil {
		return
	}
	last := n.Store().Backend.Applied().Index
	if denial(err) == model.ErrInvalidToken {
		j.tokens.refused(s, last)
		return
	}
	j.tokens.used(s)
	switch denial(err) {
	case "":
		if err == nil {
			j.tokens.taken(s, last)
		}
	case model.ErrUserEmpty:
		if !j.tokens.forgotten(s) && !j.fold.Unasked(s.index, last) {
			j.Broken(invariant.Authorization, "member %d does not see that a request shows a token", s.member)
		}
	default: // refused as somebody
		j.tokens.taken(s, last)
	}
}

// forgotten tells whether a request has waited for so long that nobody knows any more what was when it came.
func (k *tokens) forgotten(s *shown) bool {
	_, known := k.j.fold.Users(s.index)
	return !known
}

// taken: a member has let somebody in.
func (k *tokens) taken(s *shown, last uint64) {
	if u := k.members[s.member].uses[s.token]; u != nil {
		u.sure = max(u.sure, s.at)
	}
	if k.forgotten(s) || k.j.fold.Unasked(s.index, last) {
		return
	}
	claims, signed := secret.Read(s.token)
	t, given := k.j.fold.Token(s.token)
	switch {
	case signed && s.at > claims.Until, !signed && s.over:
		k.j.Broken(invariant.Authorization, "member %d takes a token that has run out", s.member)
	case !signed && !given:
		k.j.Broken(invariant.Authorization, "member %d takes a token that nobody was given", s.member)
	case !signed && !t.Valid(s.index, last):
		k.j.Broken(invariant.Authorization,
			"member %d, which has applied %d, takes a token of %q that is void since entry %d", s.member, s.index, t.User,
			t.Until)
	}
}

// refused: a member says that a token is not good.
func (k *tokens) refused(s *shown, last uint64) {
	if claims, signed := secret.Read(s.token); signed {
		if s.at <= claims.Until {
			k.j.Broken(invariant.Authorization, "member %d refuses a token of %q that is good for another %d ns", s.member,
				claims.User, claims.Until-s.at)
		}
		return
	}
	t, given := k.j.fold.Token(s.token)
	h := k.members[s.member]
	switch u := h.uses[s.token]; {
	case !given || t.Until != 0 && t.Until <= last:
	case t.From > last && k.j.clock.Now < s.until:
		k.j.Broken(invariant.Authorization, "member %d, which has applied %d, refuses a token of %q that entry %d gives out",
			s.member, last, t.User, t.From)
	case t.From <= last && t.From > h.since && u != nil && k.j.clock.Now <= u.sure+k.ttl:
		k.j.Broken(invariant.Authorization, "member %d, which has applied %d, refuses a token of %q that is good", s.member,
			last, t.User)
	}
}

// named holds whom a member took somebody for, at some index up to the last, to whose token it is.
func (k *tokens) named(s *shown, user string, revision, last uint64) {
	if k.forgotten(s) || user == "" && k.j.fold.Unasked(s.index, last) {
		return
	}
	if claims, signed := secret.Read(s.token); signed {
		if user != claims.User || revision != claims.Revision {
			k.j.Broken(invariant.Authorization, "member %d takes a token of %q for one of %q", s.member, claims.User, user)
		}
		return
	}
	t, given := k.j.fold.Token(s.token)
	switch {
	case !given:
		k.j.Broken(invariant.Authorization, "member %d takes a token that nobody was given", s.member)
		return
	case user != t.User:
		k.j.Broken(invariant.Authorization, "member %d takes a token of %q for one of %q", s.member, t.User, user)
		return
	}
	first, ok := k.j.fold.Users(s.index)
	end, too := k.j.fold.Users(last)
	if ok && revision < first.Revision() || too && revision > end.Revision() {
		k.j.Broken(invariant.Authorization, "member %d names %q by a state of revision %d, and has one of %d to %d", s.member,
			user, revision, first.Revision(), end.Revision())
	}
}

// reads: a member is about to read for somebody.
func (k *tokens) reads(id uint64, r *api.ReadReady, last uint64) {
	if s := k.open[r.ID]; s != nil && s.member == id {
		k.named(s, r.Who.User, r.Who.Revision, last)
	}
}

// proposed: a request with a token goes to raft.
func (k *tokens) proposed(e *trace.Event) {
	if s := k.open[e.Request]; s != nil && s.member == e.Member {
		if len(k.asked) >= maxProposals {
			clear(k.asked)
		}
		k.asked[e.A] = s
	}
}

// Before implements fold.Follower.
func (k *tokens) Before(fold.Entry, *model.State) {}

// After implements fold.Follower: the entry says whom a member took somebody for.
func (k *tokens) After(e fold.Entry, _ *model.State, _ any, _ error) {
	s := k.asked[e.Proposal()]
	if s == nil {
		return
	}
	delete(k.asked, e.Proposal())
	k.named(s, e.Request.GetHeader().GetUsername(), e.Request.GetHeader().GetAuthRevision(), e.Index-1)
}

// streamed tells how a member must take the token of a stream now; known is false where both are right.
func (k *tokens) streamed(id uint64, token string, index uint64) (user string, good, known bool) {
	t, given := k.j.fold.Token(token)
	h, now := k.members[id], k.j.clock.Now
	u := h.uses[token]
	switch {
	case given && t.From > index:
		return "", false, false // it waits
	case !given || !t.Valid(index, index):
		at, numbered := tokenIndex(token)
		return "", false, !numbered || at <= index
	case u == nil:
		return "", false, false
	case t.From <= h.since: // it has been given the state at a later entry, and may have kept what it had
	case now <= u.sure+k.ttl:
		u.sure, u.latest = now, now
		return t.User, true, true
	case u.open == 0 && now > u.latest+k.ttl:
		return "", false, true
	}
	u.latest = now
	return "", false, false
}

// StreamLeft tells that a member gets a request on a stream that its client has given up.
func (j *Judge) StreamLeft(n Asked, token string) {
	if j.tokens != nil {
		j.tokens.mayUse(n.ID(), token)
	}
}

// mayUse: a member has a token before it, and nobody knows whether it takes it.
func (k *tokens) mayUse(id uint64, token string) {
	if u := k.members[id].uses[token]; u != nil {
		u.latest = k.j.clock.Now
	}
}

// tokenIndex is the index of the entry that a token says it is of; false if it says nothing.
func tokenIndex(token string) (uint64, bool) {
	_, number, ok := strings.Cut(token, ".")
	n, err := strconv.ParseUint(number, 10, 63)
	return n + 1, ok && err == nil
}

// LoggedIn holds the answer to who wants to log in to the password that the log has; index is what the member had
// applied when it was asked.
func (j *Judge) LoggedIn(n Asked, index uint64, r *pb.AuthenticateRequest, response any, err error) {
	if j.tokens == nil {
		return
	}
	right := func(u model.Users) bool {
		hash, has := u.Hash(r.Name)
		return u.Enabled() && has && secret.Right(hash, r.Password)
	}
	if err != nil {
		first, ok := j.fold.Users(index)
		last, too := j.fold.Users(n.Store().Backend.Applied().Index)
		same := ok && too && first.Revision() == last.Revision() && right(first) && right(last)
		if same && err == error(api.ErrAuthFailed) {
			j.Broken(invariant.Authorization, "member %d refuses the right password of %q", n.ID(), r.Name)
		}
		return
	}
	token := response.(*pb.AuthenticateResponse).Token
	users, ok := model.Users{}, false
	claims, signed := secret.Read(token)
	t, given := j.fold.Token(token)
	switch {
	case signed:
		users, ok = j.fold.UsersOf(claims.Revision)
		t.User = claims.User
	case !given:
		j.Broken(invariant.Authorization, "member %d gives out a token that the log does not have", n.ID())
		return
	default:
		users, ok = j.fold.Users(t.From)
	}
	if t.User != r.Name || ok && !right(users) {
		j.Broken(invariant.Authorization, "member %d lets %q in with a password that was not right when it did", n.ID(),
			r.Name)
	}
}
