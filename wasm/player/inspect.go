package player

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Inside is of a source whose members can be looked into, down to their files.
type Inside interface {
	// Inspect looks at what a tab shows of a member, in JSON; query says which part, see package inspect.
	Inspect(member uint64, tab string, query []byte) (json.RawMessage, error)
}

// ErrNothingInside: a recording has what happened, not what a member holds.
var ErrNothingInside = errors.New("a recording tells what happened; what a member's files and store held is not in it")

// Inspect looks into a member. The terms are the cluster's, and come from the events, which a recording has, too.
func (p *Player) Inspect(member uint64, tab string, query []byte) (json.RawMessage, error) {
	if !p.knows(member) {
		return nil, fmt.Errorf("inspect: there is no member %d", member)
	}
	switch tab {
	case "raft":
		return marshal(p.watch.terms.shown()), nil
	case "why":
		return p.watch.past.why(query)
	}
	inside, ok := p.source.(Inside)
	if !ok {
		return nil, ErrNothingInside
	}
	return inside.Inspect(member, tab, query)
}
