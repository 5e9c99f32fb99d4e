package vfs

import (
	"maps"
	"math/rand/v2"
)

// Dice is a source of randomness: a number in [0, n). *rand.Rand of
// math/rand/v2 is one.
type Dice interface{ Uint64N(n uint64) uint64 }

// Clone returns what a new process finds after the old one was killed: all
// that was written, synced or not, with the same parts of it still at risk.
// Locks are free. Blocks are shared until one side changes them.
func (m *Mem) Clone() *Mem {
	out := NewMem()
	copies := map[*node]*node{}
	out.root = copyNode(m.root, copies)
	for _, mv := range m.moves {
		dup := make(move, len(mv))
		for i, c := range mv {
			dup[i] = change{copyNode(c.dir, copies), c.name, copyNode(c.before, copies), copyNode(c.after, copies)}
		}
		out.moves = append(out.moves, dup)
	}
	return out
}

func copyNode(n *node, copies map[*node]*node) *node {
	if n == nil {
		return nil
	}
	if dup := copies[n]; dup != nil {
		return dup
	}
	dup := &node{isDir: n.isDir}
	copies[n] = dup
	if !n.isDir {
		dup.content = n.content.clone()
		return dup
	}
	dup.now, dup.disk = make(map[string]*node, len(n.now)), make(map[string]*node, len(n.disk))
	for name, child := range n.now {
		dup.now[name] = copyNode(child, copies)
	}
	for name, child := range n.disk {
		dup.disk[name] = copyNode(child, copies)
	}
	return dup
}

// CrashClone returns what a machine finds when power returns: everything that
// was synced, and of the rest what the dice leave, at a rate that is drawn
// first. It takes exactly two numbers from dice, whatever the disk holds, so that
// one crash does not shift the randomness of the next.
func (m *Mem) CrashClone(dice Dice) *Mem {
	r := rand.New(rand.NewPCG(dice.Uint64N(1<<62), dice.Uint64N(1<<62)))
	return m.crash(r, Survival(r.Uint64()))
}

// CrashKeeping is CrashClone at a given rate: each change that was not synced,
// of a block, a size or a name, survives with a probability of keep percent.
func (m *Mem) CrashKeeping(dice Dice, keep uint64) *Mem {
	return m.crash(rand.New(rand.NewPCG(dice.Uint64N(1<<62), dice.Uint64N(1<<62))), keep)
}

// Survival makes a rate in percent of drawn bits: none, half, all or anything,
// so that the extremes are as common as the mixtures.
func Survival(bits uint64) uint64 {
	switch bits % 4 {
	case 0:
		return 0
	case 1:
		return 50
	case 2:
		return 100
	}
	return bits >> 8 % 101
}

// LoseUnsynced returns the worst that a power loss can leave: what was synced
// and nothing else.
func (m *Mem) LoseUnsynced() *Mem { return m.crash(rand.New(rand.NewPCG(0, 0)), 0) }

func (m *Mem) crash(r *rand.Rand, keep uint64) *Mem {
	// entries is the disk's view of each directory after the moves that
	// survived. A move whose premise was lost is lost too.
	entries := map[*node]map[string]*node{}
	view := func(d *node) map[string]*node {
		if entries[d] == nil {
			entries[d] = maps.Clone(d.disk)
		}
		return entries[d]
	}
	for _, mv := range m.moves {
		survives := r.Uint64N(100) < keep
		for _, c := range mv {
			survives = survives && view(c.dir)[c.name] == c.before
		}
		if survives {
			for _, c := range mv {
				setEntry(view(c.dir), c.name, c.after)
			}
		}
	}
	out := NewMem()
	out.root = crashNode(m.root, view, r, keep)
	return out
}

func crashNode(n *node, view func(*node) map[string]*node, r *rand.Rand, keep uint64) *node {
	if !n.isDir {
		return &node{content: n.content.crash(r, keep)}
	}
	out := newDir()
	entries := view(n)
	for _, name := range sortedNames(entries) {
		out.now[name] = crashNode(entries[name], view, r, keep)
	}
	out.disk = maps.Clone(out.now)
	return out
}
