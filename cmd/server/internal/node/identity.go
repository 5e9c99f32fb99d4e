package node

import "vitrine/core/api"

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
