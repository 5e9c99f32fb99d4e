package picture

import "vitrine/core/trace"

// store folds what the state machine tells.
func (p *Picture) store(e *trace.Event) {
	m := p.member(e.Member)
	switch e.Kind {
	case trace.EntryApplied:
		m.Applied, m.Revision, m.Keys, m.Buffered = e.Index, e.Rev, int(e.B), int(e.C)
		m.applied = append(m.applied, applied{e.Index, e.Rev, m.CompactRev, m.Keys})
		p.appliedText(e)
	case trace.BackendCommitting:
		m.commits, m.Buffered = 1, 0
	case trace.BackendCommitted:
		m.commits, m.Durable = 0, e.Index
		for len(m.applied) > 0 && m.applied[0].index <= e.Index {
			m.commitOne()
		}
	case trace.StoreMeasured:
		m.CompactRev, m.Keys, m.Buffered, m.DBSize, m.DBInUse = e.Rev, int(e.A), int(e.B), int64(e.C), int64(e.Index)
		if len(m.applied) == 0 {
			m.durable.compactedAt, m.durable.keys = m.CompactRev, m.Keys
		}
	case trace.StoreHashed:
		m.HashKV, m.HashRev = uint32(e.A), e.Rev
	case trace.Compacted:
		m.CompactRev = e.Rev
	case trace.RevisionAdvanced:
		p.texts.keys = append(p.texts.keys, e.Text)
	}
}

// appliedText names an entry by the keys that it has written, where nobody has
// told its words.
func (p *Picture) appliedText(e *trace.Event) {
	t := &p.texts
	switch len(t.keys) {
	case 0:
	case 1:
		t.know(e.A, t.keys[0])
	default:
		t.know(e.A, t.keys[0]+" …")
	}
	t.keys = t.keys[:0]
}
