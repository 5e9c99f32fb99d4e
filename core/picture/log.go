package picture

import (
	"vitrine/core/trace"
)

// cell is one entry of a log, or a snapshot that stands for all up to its index.
//
// Logs are chains of cells: each knows the entry before it. A member has one
// chain in memory, one in its file and one that is synced, which share what they
// have in common. A conflict forks them, and so a crash can go back to what the
// disk had: index and term name an entry and all that is before it.
type cell struct {
	index, term, hash uint64
	typ               uint64 // raft's EntryType
	text              string // once it is known
	below             *cell  // nil where the memory of the picture ends
	snapshot          bool
}

// back is the newest cell of the chain at or below index.
func (c *cell) back(index uint64) *cell {
	for c != nil && c.index > index {
		c = c.below
	}
	return c
}

func (c *cell) is(index, term uint64) bool { return c != nil && c.index == index && c.term == term }

// memberLog are the ends of a member's three chains.
type memberLog struct {
	memory, file, disk *cell
	recent             [recentCells]*cell // appended last, in a ring
	appended           int
}

// What is remembered of a log: cells that a write under way may still refer to,
// and how long a chain gets before it is cut short.
const (
	recentCells = 256
	chainLength = 512
)

// begin is a log of which nothing is known but its end.
func (l *memberLog) begin(index, term uint64) {
	end := &cell{index: index, term: term, snapshot: true}
	*l = memberLog{memory: end, file: end, disk: end}
}

func (l *memberLog) append(c *cell) {
	c.below = l.memory.back(c.index - 1)
	if c.below != nil && c.below.index != c.index-1 {
		c.below = nil
	}
	l.memory = c
	l.recent[l.appended%recentCells] = c
	if l.appended++; l.appended%recentCells == 0 {
		l.shorten()
	}
}

// shorten forgets the far end of the chain.
func (l *memberLog) shorten() {
	c := l.memory
	for n := 0; c != nil && n < chainLength; n++ {
		c = c.below
	}
	if c != nil {
		c.below = nil
	}
}

// at finds the end of a chain by its index and term.
func (l *memberLog) at(index, term uint64) *cell {
	if c := l.memory.back(index); c.is(index, term) {
		return c
	}
	for i := 1; i <= min(l.appended, recentCells); i++ {
		if c := l.recent[(l.appended-i)%recentCells]; c.is(index, term) {
			return c
		}
	}
	return &cell{index: index, term: term, snapshot: true}
}

// end leaves what the disk has: of a killed process the file, else what is
// synced, or what the event says, if it does.
func (l *memberLog) end(killed bool, index, term uint64) {
	left := l.disk
	if killed {
		left = l.file
	}
	if index != 0 && !left.is(index, term) {
		left = l.at(index, term)
	}
	l.memory, l.file = left, left
}

func (p *Picture) log(e *trace.Event) {
	m := p.member(e.Member)
	l := &m.log
	switch e.Kind {
	case trace.EntryAppended, trace.EntryRecovered:
		l.append(&cell{index: e.Index, term: e.Term, hash: e.A, typ: e.B, text: e.Text})
		if e.Kind == trace.EntryRecovered {
			l.file, l.disk = l.memory, l.memory
		}
		m.Last = e.Index
	case trace.LogTruncated:
		l.memory = l.memory.back(e.Index - 1)
		m.Last = e.Index - 1
	case trace.LogWritten:
		l.file, m.Written = l.at(e.Index, e.Term), e.Index
		if e.C != 0 {
			m.diskTerm[0], m.diskVote[0] = e.C, e.B
		}
		m.busy = activity{}
		if e.Rev != 0 {
			m.busy = activity{"syncing", int64(e.Now), max(0, e.Rev)}
		}
	case trace.LogSynced:
		l.disk, m.Synced = l.at(e.Index, e.Term), e.Index
		m.diskTerm[1], m.diskVote[1] = m.diskTerm[0], m.diskVote[0]
		m.busy = activity{}
	case trace.LogCompacted:
		m.First = e.Index
	case trace.SnapshotSaved:
		m.Snap = max(m.Snap, e.Index)
	case trace.SnapshotSent:
		m.sends = sentImage{e.Peer, int64(e.A)}
	case trace.SnapshotReceived:
		m.Image = &Image{From: e.Peer, Index: e.Index, Got: int64(e.A), Size: int64(e.B)}
	case trace.SnapshotRestored:
		m.voters, m.learners, m.Voters = m.voters[:0], m.learners[:0], 0 // those of the snapshot are told now
		l.memory = &cell{index: e.Index, term: e.Term, snapshot: true}
		l.recent[l.appended%recentCells] = l.memory
		l.appended++
		m.Last = e.Index
	case trace.SnapshotAdopted:
		m.adopted = applied{index: e.Index, rev: e.Rev, compactedAt: int64(e.A), keys: int(e.B)}
	case trace.SnapshotInstalled:
		m.adopted = applied{}
		m.Applied, m.Durable, m.Revision = e.Index, e.Index, e.Rev
		m.applied, m.durable = m.applied[:0], applied{index: e.Index, rev: e.Rev, compactedAt: m.CompactRev, keys: m.Keys}
	case trace.LogMeasured:
		m.Segments, m.WALBytes = int(e.A), int64(e.B)
	case trace.DiskStalled:
		m.hungUntil = int64(e.A)
	}
}

// drawLog fills the log window of a member.
func (p *Picture) drawLog(m *member, v *Member, first uint64) {
	file, disk := m.log.file, m.log.disk
	for c := m.log.memory; c != nil && c.index >= first; c = c.below {
		if c.snapshot {
			continue
		}
		file, disk = file.back(c.index), disk.back(c.index)
		if c.text == "" {
			if c.text = p.texts.of(c); c.typ != 0 {
				c.text = p.changeWords(c)
			}
		}
		v.Log = append(v.Log, Entry{
			Index: c.index, Term: c.term, Text: c.text, Written: file.is(c.index, c.term), Synced: disk.is(c.index, c.term),
			Committed: c.index <= v.Commit, Applied: c.index <= v.Applied,
		})
	}
	for i, j := 0, len(v.Log)-1; i < j; i, j = i+1, j-1 {
		v.Log[i], v.Log[j] = v.Log[j], v.Log[i]
	}
}

// texts are the words of entries by the hashes of their data, as those tell them
// who propose or apply.
type texts struct {
	by    map[uint64]string // for look-ups only
	order []uint64
	next  int
	keys  []string // written since the last entry was applied
}

// knownTexts bounds the words that are remembered.
const knownTexts = 2048

func newTexts() texts { return texts{by: map[uint64]string{}, order: make([]uint64, knownTexts)} }

func (t *texts) know(hash uint64, text string) {
	if _, ok := t.by[hash]; ok || text == "" {
		return
	}
	delete(t.by, t.order[t.next])
	t.by[hash], t.order[t.next] = text, hash
	t.next = (t.next + 1) % knownTexts
}

var noData = trace.HashData(nil)

func (t *texts) of(c *cell) string {
	if c.hash == noData {
		return "no-op"
	}
	return t.by[c.hash]
}
