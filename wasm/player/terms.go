package player

import (
	"cmp"
	"slices"

	"vitrine/core/trace"
)

// Term is one term of a cluster: who led it, and since when.
type Term struct {
	Term   uint64 `json:"term"`
	Began  int64  `json:"began"`  // when the first member came to it
	Leader uint64 `json:"leader"` // 0 = nobody has, so far
	Since  int64  `json:"since"`  // when it was elected
	// Until is when that leader was told to be none any more, or died; 0 = it still leads, as far as is known.
	Until int64  `json:"until"`
	Votes []Cast `json:"votes"` // who voted for whom in it
}

// Cast is a vote.
type Cast struct {
	From uint64 `json:"from"`
	For  uint64 `json:"for"`
	At   int64  `json:"at"`
}

// Terms is what the page is told of terms.
type Terms struct {
	Terms []Term `json:"terms"` // the newest, newest last
	Count int    `json:"count"` // there were so many, as far as events tell
}

// mostTerms bounds the terms that are kept.
const mostTerms = 64

// terms folds the history of terms.
type terms struct {
	all   []Term
	count int
}

// raft's StateType, as RoleChanged has it.
const roleLeader = 2

func (t *terms) take(e *trace.Event) {
	switch e.Kind {
	case trace.TermChanged:
		t.at(e)
	case trace.VoteCast:
		one := t.at(e)
		if one != nil && !slices.ContainsFunc(one.Votes, func(c Cast) bool { return c.From == e.Member }) {
			one.Votes = append(one.Votes, Cast{From: e.Member, For: e.Peer, At: int64(e.Now)})
		}
	case trace.RoleChanged:
		t.ends(e)
		if one := t.at(e); one != nil && e.A == roleLeader {
			one.Leader, one.Since, one.Until = e.Member, int64(e.Now), 0
		}
	case trace.MemberCrashed, trace.MemberStopped:
		t.ends(e)
	}
}

// led is who led last, 0 = nobody has.
func (t *terms) led() uint64 {
	for _, one := range slices.Backward(t.all) {
		if one.Leader != 0 {
			return one.Leader
		}
	}
	return 0
}

// ends ends what the member of an event led.
func (t *terms) ends(e *trace.Event) {
	for i := range t.all {
		if one := &t.all[i]; one.Leader == e.Member && one.Until == 0 && (e.Kind != trace.RoleChanged || e.A != roleLeader) {
			one.Until = int64(e.Now)
		}
	}
}

// at is the term of an event, made if it is a new one; nil if it is older than all that are kept.
func (t *terms) at(e *trace.Event) *Term {
	byTerm := func(one Term, term uint64) int { return cmp.Compare(one.Term, term) }
	i, known := slices.BinarySearchFunc(t.all, e.Term, byTerm)
	switch {
	case known:
		return &t.all[i]
	case e.Term == 0 || i == 0 && t.count > 0 && len(t.all) == mostTerms:
		return nil
	}
	t.count++
	t.all = slices.Insert(t.all, i, Term{Term: e.Term, Began: int64(e.Now), Votes: []Cast{}})
	if len(t.all) > mostTerms {
		t.all = slices.Delete(t.all, 0, 1)
		i--
	}
	return &t.all[i]
}

// shown is what the page is told.
func (t *terms) shown() Terms {
	all := t.all
	if all == nil {
		all = []Term{}
	}
	return Terms{Terms: all, Count: t.count}
}
