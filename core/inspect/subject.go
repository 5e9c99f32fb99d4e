package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/member"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// Subject is a member that is looked into.
type Subject struct {
	Now    trace.Instant
	Member *member.Member // nil: its process is not there
	Store  *store.Store   // of a process that is not there: what its disk holds
	Layout driver.Layout
	FS     vfs.FS        // the files as a process sees them
	Left   func() vfs.FS // what a loss of power at this moment would leave of them at least

	Log    driver.Position      // of the log, what survives that loss
	Writes []consensus.LogWrite // of the log, not all of them in the file
	Commit Commit
	Last   Ends
}

// Commit is what the database waits for.
type Commit struct {
	At    trace.Instant `json:"at"`    // when the next one begins, 0 = nothing waits
	Until trace.Instant `json:"until"` // when the one in flight ends, 0 = there is none, or nobody knows
}

// Ends tells of the last end of a process, and of the start after it.
type Ends struct {
	How     string        `json:"how"` // crashed, killed, stopped; "" = it has never ended
	At      trace.Instant `json:"at"`
	Written uint64        `json:"written"` // last entry in the file then
	Synced  uint64        `json:"synced"`  // of those, the last that was durable
	Store   uint64        `json:"store"`   // applied then, in memory
	Durable uint64        `json:"durable"` // applied, as the database has it
	Started bool          `json:"started"` // a process has read the log since
	Found   uint64        `json:"found"`   // the last entry that it found
	Torn    bool          `json:"torn"`    // the last record was torn
	Cut     int64         `json:"cut"`     // bytes of it that were cut off
}

// Query says which part is wanted. What is zero is the beginning, the newest, or
// the usual number.
type Query struct {
	From  string `json:"from"`  // first key
	Rev   int64  `json:"rev"`   // revision to read at
	Limit int    `json:"limit"` // things in the list
	File  string `json:"file"`  // of the log
	Until int    `json:"until"` // records of it in front of this one
}

// Bounds of an answer.
const (
	usualThings = 50
	mostThings  = 200 // in a list
	mostLetters = 120 // characters of a key or a value
	mostListed  = 16  // of a list in a list
	mostLives   = 8   // of a key
)

func (q *Query) limit() int {
	if q.Limit <= 0 {
		return usualThings
	}
	return min(q.Limit, mostThings)
}

// tabs is what there is to look at, by name.
var tabs = map[string]func(*Subject, Query) (any, error){
	"kv":     func(s *Subject, q Query) (any, error) { return KV(s, q) },
	"wal":    func(s *Subject, q Query) (any, error) { return WAL(s, q) },
	"store":  func(s *Subject, q Query) (any, error) { return Store(s, q) },
	"leases": func(s *Subject, q Query) (any, error) { return Leases(s, q) },
	"users":  func(s *Subject, q Query) (any, error) { return Users(s, q) },
}

// JSON looks at what a tab shows; query is a Query in JSON, or nothing.
func JSON(s *Subject, tab string, query []byte) (json.RawMessage, error) {
	look := tabs[tab]
	if look == nil {
		return nil, fmt.Errorf("inspect: there is nothing called %q: want kv, wal, store, leases or users", tab)
	}
	var q Query
	if len(query) > 0 {
		d := json.NewDecoder(bytes.NewReader(query))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
	}
	v, err := look(s, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// clip is a key or a value as it is shown.
func clip(b []byte) string { return api.Clip(b, mostLetters) }
