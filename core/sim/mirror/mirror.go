// Package mirror keeps the newest entries of a log as log writes tell them, to compare a picture that was folded from
// events with, and sums up what a database holds.
//
//	var log mirror.Log
//	log.Write(&write)
//	log.Has(index, term)
package mirror

import (
	"cmp"
	"slices"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/sim/dice"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// Log is a log as log writes tell it.
type Log []Entry

// Entry is one of its entries, told in a few characters.
type Entry struct {
	Index, Term uint64
	Text        string
}

// mirrorEntries bounds a mirror; it is more than any window shows.
const mirrorEntries = 256

// Write takes what is written to the log, Append entries alone, in the place of those that they replace.
func (m *Log) Write(l *consensus.LogWrite) {
	if l.Snapshot != nil {
		*m = (*m)[:0]
	}
	m.Append(l.Entries)
}

func (m *Log) Append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	c := *m
	for k := len(c); k > 0 && c[k-1].Index >= entries[0].GetIndex(); k-- {
		c = c[:k-1]
	}
	for _, e := range entries {
		c = append(c, Entry{e.GetIndex(), e.GetTerm(), api.EntryWords(e, true)})
	}
	if over := len(c) - mirrorEntries; over > mirrorEntries {
		c = append(c[:0], c[over:]...)
	}
	*m = c
}

// Has tells whether the log has this entry.
func (m Log) Has(index, term uint64) bool {
	i, ok := slices.BinarySearchFunc(m, index, func(c Entry, index uint64) int { return cmp.Compare(c.Index, index) })
	return ok && m[i].Term == term
}

// Contents is a hash of all that is in a database, durable or not.
func Contents(of *backend.Backend) uint32 {
	sum := uint64(0)
	for b := backend.Key; b <= backend.Cluster; b++ {
		of.Range(b, nil, nil, 0, func(k, v []byte) bool {
			sum = dice.Mix(sum ^ trace.HashData(k))
			sum = dice.Mix(sum ^ trace.HashData(v))
			return true
		})
	}
	return uint32(sum)
}
