package inspect

import (
	"slices"

	"vitrine/core/lease"
	"vitrine/core/trace"
)

// Promises are the leases of a member.
type Promises struct {
	Now    int64     `json:"now"`
	Term   uint64    `json:"term"` // in which this member counts their time, 0 = it does not
	Count  int       `json:"count"`
	Leases []Promise `json:"leases"` // the first to run out first
}

// Promise is one lease.
type Promise struct {
	ID        int64    `json:"id"`
	TTL       int64    `json:"ttl"`       // as granted, seconds
	Remaining int64    `json:"remaining"` // seconds, as the last checkpoint says; 0 = there is none
	Expiry    int64    `json:"expiry"`    // when it runs out, 0 = nobody counts here
	Keys      []string `json:"keys"`
	KeyCount  int      `json:"keyCount"`
}

// Leases looks at the leases.
func Leases(s *Subject, q Query) (*Promises, error) {
	p := &Promises{Now: int64(s.Now), Leases: []Promise{}}
	expiry := map[int64]trace.Instant{}
	if s.Member != nil {
		p.Term = s.Member.LeaseTerm()
		for _, l := range s.Member.Leases() {
			expiry[l.ID] = l.Expiry
		}
	}
	all := make([]lease.Status, 0, s.Store.Leases.Len())
	for _, l := range s.Store.Leases.All() {
		all = append(all, lease.Status{Lease: l, Expiry: expiry[l.ID]})
	}
	lease.SortByExpiry(all)
	p.Count = len(all)
	for _, l := range all[:min(len(all), q.limit())] {
		keys := s.Store.Leases.Keys(l.ID)
		one := Promise{ID: l.ID, TTL: l.TTL, Remaining: l.Remaining, Expiry: int64(l.Expiry), KeyCount: len(keys),
			Keys: []string{}}
		for _, key := range slices.Clone(keys[:min(len(keys), mostListed)]) {
			one.Keys = append(one.Keys, clip([]byte(key)))
		}
		p.Leases = append(p.Leases, one)
	}
	return p, nil
}
