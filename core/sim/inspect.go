package sim

import (
	"cmp"
	"slices"
	"strconv"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/invariant"
	"vitrine/core/picture"

	"go.etcd.io/raft/v3/raftpb"
)

// What the world itself knows of its members, from inside: the test of what
// core/picture makes of their events. Stations of requests are not among it:
// events are all that there is of them.

// mirror is a log as log writes tell it.
type mirror []mirrored

type mirrored struct {
	index, term uint64
	text        string
}

// mirrorEntries bounds a mirror; it is more than any window shows.
const mirrorEntries = 256

func (m *mirror) write(l *consensus.LogWrite) {
	if l.Snapshot != nil {
		*m = (*m)[:0]
	}
	m.append(l.Entries)
}

func (m *mirror) append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	c := *m
	for k := len(c); k > 0 && c[k-1].index >= entries[0].GetIndex(); k-- {
		c = c[:k-1]
	}
	for _, e := range entries {
		c = append(c, mirrored{e.GetIndex(), e.GetTerm(), api.EntryWords(e, true)})
	}
	if over := len(c) - mirrorEntries; over > mirrorEntries {
		c = append(c[:0], c[over:]...)
	}
	*m = c
}

func (m mirror) has(index, term uint64) bool {
	i, ok := slices.BinarySearchFunc(m, index, func(c mirrored, index uint64) int { return cmp.Compare(c.index, index) })
	return ok && m[i].term == term
}

// mirrors are a member's log in memory, in its file, and on its disk. Only a world
// that is compared with its picture keeps them.
type mirrors struct{ memory, file, disk mirror }

// Lights are the invariants that a world is judged by. It leaves out what one run
// cannot tell: whether another would tell the same story.
func Lights() (lights []picture.Light) {
	for _, info := range invariant.Table() {
		if info.Number != invariant.Deterministic {
			lights = append(lights, picture.Light{ID: "I" + strconv.Itoa(info.Number), Name: info.Name, OK: true})
		}
	}
	return lights
}
