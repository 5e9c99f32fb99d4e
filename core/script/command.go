package script

import (
	"encoding/json"
	"slices"
	"time"
)

// Command is one thing done to a world from outside. It is data: as JSON for the
// page, and as one line of text for replay files,
//
//	crash member=1
//	cut from=1 to=2,3 oneway
//	put key=x value=1 member=2
//	txn if=[value x = 1; version a to d > 0] then=[put key=x value=2; delete key=y] else=[get key=x]
//	set name=loss value=0.1
//
// A request is the visitor's, or that of the simulated client number Client,
// which begins at Member and goes on to the next when it must. Which fields a
// command reads is told by its verb; see Verb.Reads.
type Command struct {
	Cmd    string   `json:"cmd"`
	Client int      `json:"client,omitempty"`
	Member uint64   `json:"member,omitempty"`
	From   []uint64 `json:"from,omitempty"`
	To     []uint64 `json:"to,omitempty"`
	OneWay bool     `json:"oneway,omitempty"`
	Keep   bool     `json:"keep,omitempty"`
	Torn   int      `json:"torn,omitempty"`

	Key          string `json:"key,omitempty"`
	End          string `json:"end,omitempty"` // "\x00" = to the last key, as etcd has it
	Value        string `json:"value,omitempty"`
	Rev          int64  `json:"rev,omitempty"`
	Limit        int64  `json:"limit,omitempty"`
	Order        string `json:"order,omitempty"`
	By           string `json:"by,omitempty"`
	Filter       string `json:"filter,omitempty"`
	Serializable bool   `json:"serializable,omitempty"`
	KeysOnly     bool   `json:"keysOnly,omitempty"`
	CountOnly    bool   `json:"countOnly,omitempty"`
	PrevKV       bool   `json:"prevKV,omitempty"`
	IgnoreValue  bool   `json:"ignoreValue,omitempty"`
	Physical     bool   `json:"physical,omitempty"`
	Progress     bool   `json:"progress,omitempty"`
	Fragment     bool   `json:"fragment,omitempty"`
	Leader       bool   `json:"leader,omitempty"`
	ID           int64  `json:"id,omitempty"`
	Lease        int64  `json:"lease,omitempty"`
	TTL          int64  `json:"ttl,omitempty"` // seconds
	MinMod       int64  `json:"minMod,omitempty"`
	MaxMod       int64  `json:"maxMod,omitempty"`
	MinCreate    int64  `json:"minCreate,omitempty"`
	MaxCreate    int64  `json:"maxCreate,omitempty"`
	Request      uint64 `json:"request,omitempty"`

	If   []Compare `json:"if,omitempty"`
	Then []Command `json:"then,omitempty"`
	Else []Command `json:"else,omitempty"`

	Name string `json:"name,omitempty"`
	As   string `json:"as,omitempty"` // the user who asks; "" = the client's own, root for a visitor

	// Token is what the client shows of the tokens that it was given: see the constants below. "" = as it does by itself:
	// a visitor nothing, simulated clients that log in the newest.
	Token string `json:"token,omitempty"`
}

// What a client can show.
const (
	TokenNew    = "new"    // the newest that it was given
	TokenOld    = "old"    // the one before
	TokenOldest = "oldest" // that it still has
	TokenNone   = "none"
	TokenForged = "forged" // one that nobody was given
	TokenAhead  = "ahead"  // such a one, of an entry that nobody has
)

// Compare is one condition of a txn command.
type Compare struct {
	Target string `json:"target"` // value, version, create, mod, lease
	Key    string `json:"key"`
	End    string `json:"end,omitempty"` // of a range, all keys of which must satisfy it
	Op     string `json:"op"`            // = != > <
	Value  string `json:"value"`
}

// Timed is a command with the moment at which it is done, in nanoseconds.
type Timed struct {
	At int64 `json:"at"`
	Command
	Fault bool `json:"fault,omitempty"` // drawn by the simulator, not given from outside
}

// UnmarshalJSON reads the time too, which the embedded command's own
// UnmarshalJSON would pass over.
func (t *Timed) UnmarshalJSON(data []byte) error {
	var when struct {
		At    int64 `json:"at"`
		Fault bool  `json:"fault"`
	}
	if err := json.Unmarshal(data, &when); err != nil {
		return err
	}
	t.At, t.Fault = when.At, when.Fault
	return t.Command.UnmarshalJSON(data)
}

// field is one field of a command under the name that it has as text and as
// JSON.
type field struct {
	name string
	of   func(c *Command) any // a pointer to its value
}

// fields lists all but the verb, in the order of the canonical text form. Fields
// that are true or false are words by themselves there.
func fields() []field {
	return []field{
		{"client", func(c *Command) any { return &c.Client }},
		{"member", func(c *Command) any { return &c.Member }},
		{"from", func(c *Command) any { return &c.From }},
		{"to", func(c *Command) any { return &c.To }},
		{"as", func(c *Command) any { return &c.As }},
		{"token", func(c *Command) any { return &c.Token }},
		{"name", func(c *Command) any { return &c.Name }},
		{"key", func(c *Command) any { return &c.Key }},
		{"end", func(c *Command) any { return &c.End }},
		{"value", func(c *Command) any { return &c.Value }},
		{"rev", func(c *Command) any { return &c.Rev }},
		{"limit", func(c *Command) any { return &c.Limit }},
		{"order", func(c *Command) any { return &c.Order }},
		{"by", func(c *Command) any { return &c.By }},
		{"filter", func(c *Command) any { return &c.Filter }},
		{"id", func(c *Command) any { return &c.ID }},
		{"lease", func(c *Command) any { return &c.Lease }},
		{"ttl", func(c *Command) any { return &c.TTL }},
		{"minMod", func(c *Command) any { return &c.MinMod }},
		{"maxMod", func(c *Command) any { return &c.MaxMod }},
		{"minCreate", func(c *Command) any { return &c.MinCreate }},
		{"maxCreate", func(c *Command) any { return &c.MaxCreate }},
		{"torn", func(c *Command) any { return &c.Torn }},
		{"request", func(c *Command) any { return &c.Request }},
		{"oneway", func(c *Command) any { return &c.OneWay }},
		{"keep", func(c *Command) any { return &c.Keep }},
		{"serializable", func(c *Command) any { return &c.Serializable }},
		{"keysOnly", func(c *Command) any { return &c.KeysOnly }},
		{"countOnly", func(c *Command) any { return &c.CountOnly }},
		{"prevKV", func(c *Command) any { return &c.PrevKV }},
		{"progress", func(c *Command) any { return &c.Progress }},
		{"fragment", func(c *Command) any { return &c.Fragment }},
		{"leader", func(c *Command) any { return &c.Leader }},
		{"ignoreValue", func(c *Command) any { return &c.IgnoreValue }},
		{"physical", func(c *Command) any { return &c.Physical }},
		{"if", func(c *Command) any { return &c.If }},
		{"then", func(c *Command) any { return &c.Then }},
		{"else", func(c *Command) any { return &c.Else }},
	}
}

// table is fields, made once.
var table = fields()

func fieldNamed(name string) *field {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// FirstKey is the key that a request is mostly about.
func (c *Command) FirstKey() string {
	switch {
	case c.Key != "":
		return c.Key
	case len(c.If) > 0:
		return c.If[0].Key
	case len(c.Then) > 0:
		return c.Then[0].FirstKey()
	case len(c.Else) > 0:
		return c.Else[0].FirstKey()
	}
	return ""
}

// Rekeyed gives the keys of a command other names. Ends of ranges are not keys.
func (c Command) Rekeyed(to func(string) string) Command {
	if c.Key != "" {
		c.Key = to(c.Key)
	}
	c.If, c.Then, c.Else = slices.Clone(c.If), slices.Clone(c.Then), slices.Clone(c.Else)
	for i := range c.If {
		c.If[i].Key = to(c.If[i].Key)
	}
	for _, ops := range [][]Command{c.Then, c.Else} {
		for i := range ops {
			ops[i] = ops[i].Rekeyed(to)
		}
	}
	return c
}

// Fit makes a command fit a cluster of n members, false if nothing is left: what
// is done to a member that is not there goes, what is asked of it is asked of
// another.
func (c *Command) Fit(n uint64) bool {
	if c.Member > n {
		if !c.Operation() {
			return false
		}
		c.Member = (c.Member-1)%n + 1
	}
	keep := func(ids []uint64) []uint64 {
		return slices.DeleteFunc(slices.Clone(ids), func(id uint64) bool { return id > n })
	}
	named := len(c.From) > 0
	c.From, c.To = keep(c.From), keep(c.To)
	return !named || len(c.From) > 0 && len(c.To) > 0
}

// Duration reads Value as a duration: 10ms, or a bare number of nanoseconds.
func (c *Command) Duration() (time.Duration, error) { return parseDuration(c.Value) }
