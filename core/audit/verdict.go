package audit

import (
	"cmp"
	"fmt"
	"slices"

	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Hash is what a member says of its keys up to Revision, from Compact on; Newest is its newest revision.
type Hash struct {
	Sum               uint32
	Revision, Compact int64
	Newest            int64
}

// Answer is what a member has answered, or why it has not.
type Answer struct {
	Member uint64
	Hash   Hash
	Err    error
}

// comparable tells whether two hashes are of the same history.
func comparable(own, other Hash) bool {
	return own.Compact == other.Compact || mutant.On(mutant.HistoriesMixedUp)
}

// differing are the members whose hash is another than own, though it is of the same history.
func differing(own Hash, answers []Answer) (ids []uint64) {
	for _, a := range answers {
		if a.Err == nil && comparable(own, a.Hash) && a.Hash.Sum != own.Sum {
			ids = append(ids, a.Member)
		}
	}
	return ids
}

// Culprit is a member that must be corrupt, and why; 0 = one cannot tell which.
type Culprit struct {
	Member uint64
	Why    string
}

// Alarm is the request that names it to everybody.
func (c Culprit) Alarm() *pb.AlarmRequest {
	return &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: c.Member, Alarm: pb.AlarmType_CORRUPT}
}

// WhileLeading judges the answers about the newest revision of the leader. Before and after are the leader's own hashes
// before the others were asked and after; the later one is of a time when nobody can be ahead of the leader.
func WhileLeading(leader uint64, before, after Hash, answers []Answer) *Culprit {
	if before.Revision == after.Revision && before.Compact == after.Compact && before.Sum != after.Sum {
		return &Culprit{leader, "its own hash has changed"}
	}
	for _, a := range answers {
		switch h := a.Hash; {
		case a.Err != nil:
		case h.Newest > after.Newest:
			return &Culprit{a.Member, fmt.Sprintf("its revision %d is beyond the leader's %d", h.Newest, after.Newest)}
		case h.Compact > after.Compact:
			return &Culprit{a.Member, fmt.Sprintf("it has compacted up to %d, the leader up to %d", h.Compact, after.Compact)}
		case before.Compact != after.Compact: // some may have answered with what that compaction has left
		case comparable(before, h) && h.Sum != before.Sum && !mutant.On(mutant.DifferenceOverlooked):
			return &Culprit{a.Member, fmt.Sprintf("at revision %d it has hash %08x, the leader %08x", before.Revision, h.Sum,
				before.Sum)}
		}
	}
	return nil
}

// ofCompaction judges the sums that members have kept of one compaction: a majority of all members is right. Without
// one nobody knows who is. All is true if every member has answered with a sum that can be compared.
func ofCompaction(leader uint64, own Hash, answers []Answer) (culprits []Culprit, all bool) {
	holders := map[uint32][]uint64{own.Sum: {leader}}
	compared := 0
	for _, a := range answers {
		if a.Err == nil && comparable(own, a.Hash) {
			compared++
			holders[a.Hash.Sum] = append(holders[a.Hash.Sum], a.Member)
		}
	}
	if len(holders) == 1 || mutant.On(mutant.DifferenceOverlooked) {
		return nil, compared == len(answers)
	}
	quorum := (len(answers)+1)/2 + 1
	right := false
	for sum, ids := range holders {
		most := len(ids) >= quorum
		right = right || most
		if most != mutant.On(mutant.MajorityBlamed) {
			continue
		}
		for _, id := range ids {
			culprits = append(culprits, Culprit{id, fmt.Sprintf("it kept %08x of the compaction at %d", sum, own.Revision)})
		}
	}
	if !right {
		return []Culprit{{0, fmt.Sprintf("no majority has one hash of the compaction at %d", own.Revision)}}, true
	}
	slices.SortFunc(culprits, func(a, b Culprit) int { return cmp.Compare(a.Member, b.Member) })
	return culprits, true
}
