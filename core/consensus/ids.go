package consensus

// IDs makes numbers that no other member and no other life of this member makes, in the layout of etcd's:
//
//	| 2 bytes      | 6 bytes                             |
//	| member id    | (epoch in ms << 8) + 1, 2, 3 ...    |
//
// It stays unique across restarts as long as a life of a member takes fewer than 256 numbers a millisecond on average.
type IDs struct{ prefix, next uint64 }

const idCounterBits = 48

// NewIDs starts after epoch, a clock in milliseconds.
func NewIDs(member, epoch uint64) IDs {
	return IDs{prefix: member << idCounterBits, next: epoch << 8 & (1<<idCounterBits - 1)}
}

// Next is the next number.
func (g *IDs) Next() uint64 {
	g.next++
	return g.prefix | g.next&(1<<idCounterBits-1)
}

// Ours tells whether a member with this id may have made the number. Two members can share the last two bytes of
// their ids, so this narrows, and does not prove.
func Ours(member, id uint64) bool { return id>>idCounterBits == member&0xffff }
