package audit

// Compactions looks at the sums of the compactions that are not known to agree, the newest first: one that all members
// agree on vouches for those before it.
type Compactions struct {
	Looked int // at how many, since Begin

	checked int64  // the compaction up to which all members agree
	left    []Hash // of this look, the oldest first
	own     Hash   // that the others are being asked about
}

// Begin begins a look at what this member has kept, the oldest first.
func (c *Compactions) Begin(kept []Hash) {
	c.Looked, c.left = 0, kept
}

// Next is the next compaction about which all others are to be asked; false = the look is over.
func (c *Compactions) Next() (own Hash, ok bool) {
	if len(c.left) == 0 || c.left[len(c.left)-1].Revision <= c.checked {
		c.left = nil
		return Hash{}, false
	}
	c.own, c.left = c.left[len(c.left)-1], c.left[:len(c.left)-1]
	c.Looked++
	return c.own, true
}

// Judge judges the answers of all others, and tells whether all members are known to agree. If they do, or somebody is
// to blame, those before need no look.
func (c *Compactions) Judge(leader uint64, answers []Answer) (culprits []Culprit, agree bool) {
	culprits, all := ofCompaction(leader, c.own, answers)
	if agree = len(culprits) == 0 && all; agree {
		c.checked = c.own.Revision
	}
	if len(culprits) > 0 || all {
		c.left = nil
	}
	return culprits, agree
}
