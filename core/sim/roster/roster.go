// Package roster follows who is in a simulated cluster: by the changes of members that are applied somewhere, the
// newest of them. Who is really a member each member decides by itself; this is what the world around them goes by.
//
//	r := roster.Of(1, 2, 3)
//	added := r.Changed(event) // a MemberChanged
//	r.All()
package roster

import (
	"slices"

	"vitrine/core/trace"
)

// Roster is who is in the cluster.
type Roster struct {
	index            uint64
	voters, learners []uint64 // sorted
}

// Of is a roster of voters.
func Of(n int) Roster {
	var r Roster
	for id := range uint64(n) {
		r.voters = append(r.voters, id+1)
	}
	return r
}

// What MemberChanged says of a member, in A.
const (
	add = iota
	remove
	update
	addLearner
)

// Changed takes a MemberChanged event. It returns the member that is new, or may vote now, 0 if none is.
func (r *Roster) Changed(e *trace.Event) (id uint64) {
	if e.Text != "" || e.Index <= r.index {
		return 0
	}
	r.index = e.Index
	if e.A == update {
		return 0
	}
	is := func(o uint64) bool { return o == e.Peer }
	r.voters, r.learners = slices.DeleteFunc(r.voters, is), slices.DeleteFunc(r.learners, is)
	if e.A == remove {
		return 0
	}
	list := &r.voters
	if e.A == addLearner {
		list = &r.learners
	}
	at, _ := slices.BinarySearch(*list, e.Peer)
	*list = slices.Insert(*list, at, e.Peer)
	return e.Peer
}

// Has tells whether id is a member, Learns whether it is one without a vote.
func (r *Roster) Has(id uint64) bool    { return slices.Contains(r.voters, id) || r.Learns(id) }
func (r *Roster) Learns(id uint64) bool { return slices.Contains(r.learners, id) }

// All are the members, in order, and Learners those without a vote.
func (r *Roster) All() []uint64 {
	all := slices.Concat(r.voters, r.learners)
	slices.Sort(all)
	return all
}
func (r *Roster) Learners() []uint64 { return r.learners }

// Connections are those of one machine, by the other's number: in which of its lives.
type Connections map[uint64]uint32

// Update notes whether there is a connection to a machine in a life, and tells whether the one that there was is
// broken, and whether there is a new one.
func (c Connections) Update(id uint64, life uint32, up bool) (broken, made bool) {
	was, had := c[id]
	if had && (!up || was != life) {
		delete(c, id)
		broken, had = true, false
	}
	if up && !had {
		c[id] = life
		made = true
	}
	return broken, made
}
