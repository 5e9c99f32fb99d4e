package consensus

// IDs makes the numbers of one life of a member: consecutive ones. What was proposed or asked by an earlier life may
// still be under way, so a life begins at a number of its own, drawn at random from 64 bits: a clock that goes back
// over a restart would have it meet the numbers of the life before.
type IDs struct{ next uint64 }

// idsOfALife is more than a life takes: 40 years of 100,000 a second.
const idsOfALife = 1 << 47

// NewIDs starts behind first.
func NewIDs(first uint64) IDs { return IDs{next: first} }

// Next is the next number, never 0.
func (g *IDs) Next() uint64 {
	g.next++
	if g.next == 0 {
		g.next++
	}
	return g.next
}

// Ours tells whether the life that started behind first may have made the number. That of another member can lie in
// the same range, so this narrows, and does not prove.
func Ours(first, id uint64) bool { return id-first <= idsOfALife }
