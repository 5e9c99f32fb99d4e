package player

import (
	"cmp"
	"slices"

	"vitrine/core/inspect"
	"vitrine/wasm/scene"
)

// Lender is of a source whose members' leases can be seen.
type Lender interface {
	Leases(member uint64, limit int) (*inspect.Promises, error)
}

// mostKnown bounds the leases of which it is known that they have not ended.
const mostKnown = 64

// letters is how much of a key the stage may have room for.
const letters = 24

// look has the shelf show the leases of the leader. While nobody leads they stand where they stood, and nobody counts
// their time: none can be granted, kept alive or ended then.
func (p *Player) look() {
	lender, ok := p.source.(Lender)
	member := p.State.Leader
	if ok && member == 0 && p.knows(p.shelf.Member) {
		p.shelf.Counts = false
		for i := range p.shelf.Leases {
			p.shelf.Leases[i].Expiry = 0
		}
		return
	}
	if !ok || member == 0 {
		p.shelf = scene.Shelf{}
		return
	}
	held, err := lender.Leases(member, mostKnown)
	if err != nil || held.Count == 0 {
		p.shelf = scene.Shelf{Member: member, Counts: err == nil && held.Term > 0, Revision: p.revision(member)}
		return
	}
	p.shelf = scene.Shelf{Member: member, Counts: held.Term > 0, Count: held.Count, Revision: p.revision(member)}
	for _, l := range held.Leases {
		if p.shelf.IDs = append(p.shelf.IDs, l.ID); len(p.shelf.Leases) == scene.MostGlasses {
			continue
		}
		one := scene.Lease{ID: l.ID, TTL: l.TTL, Expiry: l.Expiry, KeyCount: l.KeyCount, Keys: l.Keys[:min(len(l.Keys), 4)]}
		for i, key := range one.Keys {
			if r := []rune(key); len(r) > letters {
				one.Keys[i] = string(r[:letters-1]) + "…"
			}
		}
		p.shelf.Leases = append(p.shelf.Leases, one)
	}
	slices.SortFunc(p.shelf.Leases, func(a, b scene.Lease) int { return cmp.Compare(a.ID, b.ID) })
}

func (p *Player) revision(member uint64) int64 {
	for i := range p.State.Members {
		if m := &p.State.Members[i]; m.ID == member {
			return m.Revision
		}
	}
	return 0
}
