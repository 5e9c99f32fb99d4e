package node

import (
	"vitrine/core/api"
	"vitrine/core/auth"
)

// Identify is who shows a token. A signed one is read here, beside everything else; a simple one the member looks up.
func (n *Node) Identify(token string) api.Identity {
	i := api.Identity{Token: token}
	switch {
	case token == "":
		i.Forged = true
	case n.cfg.Secrets.Signed() && n.disk.Users(): // else nobody asks
		var ok bool
		i.Signed, ok = n.cfg.Secrets.Verify(token)
		i.Forged = !ok
	}
	return i
}

// do does what the member wants to have done elsewhere.
func (n *Node) do(w auth.Work) auth.Done {
	if w.Kind == auth.LeaseKeys {
		return auth.Done{ID: w.ID, Keys: n.disk.LeaseKeys(w.Lease)}
	}
	return n.cfg.Secrets.Do(w)
}

// UsersOn tells whether authentication is on.
func (n *Node) UsersOn() bool { return n.disk.Users() }
