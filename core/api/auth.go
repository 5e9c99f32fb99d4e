package api

import (
	"vitrine/core/auth"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// whoIs tells whom a client's credentials name, at the auth revision in force; the zero identity is nobody. A simple
// token names somebody for a while only.
func (b *Book) whoIs(i *Identity) (auth.Identity, *Error) {
	now := b.auth.Revision()
	switch {
	case !b.auth.Enabled():
		return auth.Identity{}, nil // whatever is shown
	case i.Own:
		return auth.Identity{User: auth.Root, Revision: now}, nil
	case i.Forged:
		return auth.Identity{}, ErrInvalidAuthToken
	case i.Signed != (auth.Identity{}):
		return i.Signed, nil // at the revision at which it was signed
	case i.Token != "":
		user, ok := b.tokens.Resolve(b.now, i.Token)
		if !ok {
			return auth.Identity{}, ErrInvalidAuthToken
		}
		return auth.Identity{User: user, Revision: now}, nil
	case i.Certified:
		return auth.Identity{User: i.CommonName, Revision: now}, nil
	}
	return auth.Identity{}, nil
}

// early tells whether a simple token is of an entry that this member has not applied: another member gave it out, and
// only then will it be known here whose it is.
func (b *Book) early(i *Identity) bool {
	if !b.auth.Enabled() || i.Own || i.Forged || i.Signed != (auth.Identity{}) || i.Token == "" {
		return false
	}
	index, ok := auth.TokenIndex(i.Token)
	return ok && index > b.node.AppliedIndex() && !mutant.On(mutant.TokenEarlyRefused)
}

// name finds out who asks. If it returns false the call is answered, or waits.
func (b *Book) name(p *pending) bool {
	if p.named {
		return true
	}
	if b.early(&p.identity) {
		p.stage = naming
		b.naming = append(b.naming, p)
		return false
	}
	who, err := b.whoIs(&p.identity)
	if err != nil {
		b.answer(p, nil, err)
		return false
	}
	p.who, p.named = who, true
	return true
}

// nameAgain goes on with calls whose tokens are of entries that have been applied now.
func (b *Book) nameAgain() {
	if len(b.naming) == 0 {
		return
	}
	waiting := b.naming
	b.naming = nil
	for _, p := range waiting {
		switch {
		case p.stage == done:
		case b.early(&p.identity):
			b.naming = append(b.naming, p)
		case p.served:
			b.serve(p)
		default:
			b.route(p)
		}
	}
}

// letIn asks who makes a call, and whether he may. Where that depends on keys the store decides: at the entry, or with
// the state that is read. If it returns false the call is answered, or waits.
func (b *Book) letIn(p *pending) bool {
	if !b.name(p) {
		return false
	}
	if p.op.Permission(p.body) == PermitKeys {
		return true
	}
	return b.allow(p, p.op.Need(p.body))
}

// keysAllowed tells whether a question about leases may be answered: who asks must be allowed the keys that hang on
// them, to write them if he wants the lease to live on. Only the store knows them, so the call may have to wait for it.
func (b *Book) keysAllowed(p *pending) bool {
	ttl, isTTL := p.body.(*pb.LeaseTimeToLiveRequest)
	if p.allowed || !b.auth.Enabled() || p.identity.Own || isTTL && !ttl.Keys || b.auth.HasRole(p.who.User, auth.Root) {
		return true
	}
	b.work(p, auth.Work{Kind: auth.LeaseKeys, Lease: leaseOf(p)})
	return false
}

// keysKnown goes on with such a question.
func (b *Book) keysKnown(p *pending, keys []string) {
	var ranges []auth.Range
	for _, key := range keys {
		ranges = append(ranges, auth.Range{Key: []byte(key)})
	}
	need := auth.Need{User: true, RootExempt: true, Read: ranges}
	if p.op == LeaseKeepAlive {
		need.Read, need.Write = nil, ranges
	}
	if !b.allow(p, need) {
		return
	}
	p.allowed = true
	if p.op == LeaseLeases {
		b.serve(p)
		return
	}
	b.askLeader(p)
}

func (b *Book) allow(p *pending, need auth.Need) bool {
	if err := b.auth.Allowed(p.who, need); err != nil {
		b.denied(p, err)
		b.answer(p, nil, AsError(err))
		return false
	}
	return true
}

// Watcher tells why a new watcher must be refused, nil if it must not. It is early if only later entries can tell.
func (b *Book) Watcher(i *Identity, r *pb.WatchRequest) (early bool, err *Error) {
	if !b.auth.Enabled() || r.GetCreateRequest() == nil {
		return false, nil
	}
	if b.early(i) {
		return true, nil
	}
	who, err := b.whoIs(i)
	if err != nil {
		return false, err
	}
	if cause := b.auth.Allowed(who, Watch.Need(r)); cause != nil && !mutant.On(mutant.WatchUnasked) {
		if e, ok := Denied(1, 0, cause); ok && b.t.On() {
			e.Request = 0 // which it is, its cause tells
			b.t.Emit(e)
		}
		return false, AsError(cause)
	}
	return false, nil
}

// work gives the driver something to do for a call.
func (b *Book) work(p *pending, w auth.Work) {
	w.ID = p.id
	p.stage = working
	b.working++
	b.works = append(b.works, w)
}

// workOver: whatever the driver says of it, nobody waits for it any more.
func (b *Book) workOver(p *pending) {
	if p.stage == working {
		b.working--
	}
}

// WorkDone takes what the driver has made.
func (b *Book) WorkDone(d *auth.Done) {
	p := b.requests[d.ID]
	if p == nil || p.stage != working {
		return
	}
	b.workOver(p)
	p.stage = queued
	if d.Err != nil {
		b.answer(p, nil, AsError(d.Err))
		return
	}
	switch r := p.body.(type) {
	case *pb.AuthUserAddRequest:
		r.HashedPassword = d.Text
		b.propose(p)
	case *pb.AuthUserChangePasswordRequest:
		r.HashedPassword = d.Text
		b.propose(p)
	case *pb.AuthenticateRequest:
		b.passwordChecked(p, r, d)
	default:
		b.keysKnown(p, d.Keys)
	}
}

// hash has the password of a request hashed, and takes it out of it: only the hash is to be in the log.
func (b *Book) hash(p *pending) {
	if b.auth.Enabled() && p.who == (auth.Identity{}) {
		b.answer(p, nil, ErrUserEmpty) // as its entry would be; strangers get no work done
		return
	}
	password := ""
	switch r := p.body.(type) {
	case *pb.AuthUserAddRequest:
		password, r.Password = r.Password, ""
	case *pb.AuthUserChangePasswordRequest:
		password, r.Password = r.Password, ""
	}
	b.work(p, auth.Work{Kind: auth.Hash, Password: password})
}

// checkPassword begins a login, from a state that has all that was committed when it came.
func (b *Book) checkPassword(p *pending) {
	r := p.body.(*pb.AuthenticateRequest)
	hash, err := b.auth.PasswordHash(r.Name)
	if err != nil {
		b.answer(p, nil, AsError(err))
		return
	}
	p.checked = b.auth.Revision()
	b.work(p, auth.Work{Kind: auth.Compare, Password: r.Password, Hash: hash})
}

// passwordChecked goes on with a login: the entry assigns a token, on every member.
func (b *Book) passwordChecked(p *pending, r *pb.AuthenticateRequest, d *auth.Done) {
	switch {
	case p.response != nil: // it was signed
		resp := p.response.(*pb.AuthenticateResponse)
		resp.Token = d.Text
		b.answerWrite(p, resp)
	case !d.OK:
		b.answer(p, nil, ErrAuthFailed)
	default:
		b.entry.Authenticate = &pb.InternalAuthenticateRequest{Name: r.Name, SimpleToken: d.Text}
		b.write(p, &b.entry)
		b.entry.Reset()
	}
}

// loggedIn tells whether a login can be answered. If users have changed since its password was checked it begins again;
// if the token is to be signed the driver does that first.
func (b *Book) loggedIn(p *pending, response any) bool {
	if b.auth.Revision() != p.checked && !mutant.On(mutant.LoginUnrepeated) {
		delete(b.proposals, p.proposal)
		p.proposal, p.index = 0, 0
		b.checkPassword(p)
		return false
	}
	resp := response.(*pb.AuthenticateResponse)
	if resp.Token != "" {
		return true
	}
	p.response = resp
	b.work(p, auth.Work{Kind: auth.Sign, User: p.body.(*pb.AuthenticateRequest).Name, Revision: p.checked})
	return false
}

// Works appends what the driver is to do for calls.
func (b *Book) Works(dst []auth.Work) []auth.Work {
	dst = append(dst, b.works...)
	clear(b.works)
	b.works = b.works[:0]
	return dst
}
