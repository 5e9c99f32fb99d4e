package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Command is one thing done to the world from outside: by a visitor, a
// scenario, or the drawn faults. It is data: as JSON for the page, and as one
// line of text for replay files,
//
//	crash member=1
//	cut from=1 to=2,3 oneway
//	put key=x value=1 member=2
//	txn if=[value x = 1; version a to d > 0] then=[put key=x value=2; delete key=y] else=[get key=x]
//	set name=loss value=0.1
//
// A request is the visitor's, or that of the simulated client number Client,
// which begins at Member and goes on to the next when it must.
//
// Which fields a command reads:
//
//	crash        Member; the power fails: what was not synced is lost, but for each block of it with a chance of Torn percent;
//	             Keep = kill: only the process dies, the page cache survives
//	restart      Member
//	pause        Member
//	resume       Member
//	isolate      Member: cut from and to everyone else
//	cut          From, To; both directions, or only From to To with OneWay
//	heal         From, To, OneWay as cut; neither From nor To: with Member everything that touches it
//	heal-all     every cut link is healed, everyone resumed
//	campaign     Member times out now
//	transfer     Member: the leader hands over to it
//	put          Key, Value, PrevKV, IgnoreValue; Member = endpoint, 0 = the client's choice
//	get          Key, End, Rev, Limit, Serializable, KeysOnly, CountOnly, Order (ascend, descend), By (version, create, mod, value),
//	             MinMod, MaxMod, MinCreate, MaxCreate
//	delete       Key, End, PrevKV
//	txn          If, Then, Else
//	compact      Rev, Physical; negative = so many behind the newest revision that the client saw
//	alarm        Name (get, activate, deactivate), Value (nospace, corrupt, none at all), ID: whose
//	move-leader  ID: to whom; asked of Member, which must lead
//	status       asked of Member, as are
//	hash
//	hash-kv      Rev
//	members      Serializable
//	watch        Key, End, Rev, PrevKV, Progress, Fragment, Filter (no-put, no-delete, or both with a comma), ID (the watch id that it asks for, 0 = any);
//	             Leader: its stream wants a member that has a leader; a client's watches share a stream; answered by a request id
//	cancel-watch Request; 0 = the newest watch; with Client: that client asks to cancel the watch with the id ID
//	end-stream   Client: its watch stream ends, and all watches with it
//	hang-up      Client: the connection under its watches ends
//	vanish       Client: the same, and the member hears of it late
//	ask-progress Client: it asks how far its watches have come
//	stall        Member: its disk hangs for Value (a duration)
//	fail         Member: an operation of its disk fails: Name (write, full, sync, read, commit), after Rev that do not
//	rot          Member: its log decays: Name (bit, misdirected, zeros, cut) at byte Rev of what is in use; Limit = which bit,
//	             how far astray, or 1 for zeros of 4 KiB instead of a sector; cut only while the member is down
//	strike       Member: before its step Name of package driver, after Rev that are let pass, Value: power fails (of what was not synced
//	             Torn percent survive), its process dies (kill), the disk refuses (error), or it is full: Torn percent of a write get there
//	defragment   Member
//	garble       Member: of the next database that it receives the byte Rev has bit Limit changed
//	clock        Member: it ticks at Value times the rate; Name = step: its time of day jumps by Value (a duration)
//	set          Name, Value: see Settings; a disk setting with Member turns that disk only
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
	MinMod       int64  `json:"minMod,omitempty"`
	MaxMod       int64  `json:"maxMod,omitempty"`
	MinCreate    int64  `json:"minCreate,omitempty"`
	MaxCreate    int64  `json:"maxCreate,omitempty"`
	Request      uint64 `json:"request,omitempty"`

	If   []Compare `json:"if,omitempty"`
	Then []Command `json:"then,omitempty"`
	Else []Command `json:"else,omitempty"`

	Name string `json:"name,omitempty"`
}

// Compare is one condition of a txn command.
type Compare struct {
	Target string `json:"target"` // value, version, create, mod, lease
	Key    string `json:"key"`
	End    string `json:"end,omitempty"` // of a range, all keys of which must satisfy it
	Op     string `json:"op"`            // = != > <
	Value  string `json:"value"`
}

// Timed is a command with the moment at which it is done.
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

// A Setting is what a set command can turn.
type Setting struct {
	Name string `json:"name"`
	Form string `json:"form"` // of its value: probability, duration, number, preset
}

// Settings lists them.
func Settings() []Setting {
	return []Setting{
		{"network", "preset"}, // lan or teaching
		{"loss", "probability"},
		{"duplicate", "probability"},
		{"latency", "duration"}, // the fixed one-way part
		{"jitter", "duration"},  // the mean of the random part
		{"client-latency", "duration"},
		{"write", "duration"},
		{"fsync", "duration"},                // the mean
		{"spike", "duration"},                // mean of an fsync that hangs
		{"spike-probability", "probability"}, // of an fsync
		{"apply", "duration"},
		{"rate", "number"}, // operations a simulated second
	}
}

var verbs = map[string]bool{
	"crash": true, "restart": true, "pause": true, "resume": true, "isolate": true,
	"cut": true, "heal": true, "heal-all": true, "campaign": true, "transfer": true,
	"put": true, "get": true, "delete": true, "txn": true, "compact": true,
	"watch": true, "cancel-watch": true, "hang-up": true, "vanish": true, "ask-progress": true, "end-stream": true, "stall": true, "set": true,
	"fail": true, "rot": true, "clock": true, "strike": true, "defragment": true, "garble": true,
	"alarm": true, "move-leader": true, "status": true, "hash": true, "hash-kv": true, "members": true,
}

// UnmarshalJSON takes value and rev as strings or numbers, so that a page may
// write {cmd: "set", name: "loss", value: 0.1}.
func (c *Command) UnmarshalJSON(data []byte) error {
	type plain Command
	aux := struct {
		*plain
		Value json.RawMessage `json:"value"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(data, &aux); err != nil {
		return err
	}
	if len(aux.Value) == 0 || string(aux.Value) == "null" {
		return nil
	}
	switch aux.Value[0] {
	case '"':
		return json.Unmarshal(aux.Value, &c.Value)
	case '{', '[':
		return fmt.Errorf("value is neither text nor a number")
	}
	c.Value = string(aux.Value)
	return nil
}

// ParseJSON reads a command in JSON and validates its verb.
func ParseJSON(data []byte) (Command, error) {
	var c Command
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("sim: command: %w", err)
	}
	if !verbs[c.Cmd] {
		return c, fmt.Errorf("sim: unknown command %q", c.Cmd)
	}
	return c, nil
}

// String is the canonical text form: ParseCommand gives the same command back.
func (c Command) String() string { return string(c.Append(nil)) }

// Append appends the canonical text form.
func (c *Command) Append(dst []byte) []byte {
	dst = append(dst, c.Cmd...)
	dst = appendUint(dst, "client", uint64(c.Client))
	dst = appendUint(dst, "member", c.Member)
	dst = appendIDs(dst, "from", c.From)
	dst = appendIDs(dst, "to", c.To)
	dst = appendText(dst, "name", c.Name)
	dst = appendText(dst, "key", c.Key)
	dst = appendText(dst, "end", c.End)
	dst = appendText(dst, "value", c.Value)
	dst = appendInt(dst, "rev", c.Rev)
	dst = appendInt(dst, "limit", c.Limit)
	dst = appendText(dst, "order", c.Order)
	dst = appendText(dst, "by", c.By)
	dst = appendText(dst, "filter", c.Filter)
	for _, f := range c.bounds() {
		dst = appendInt(dst, f.name, *f.value)
	}
	dst = appendInt(dst, "torn", int64(c.Torn))
	dst = appendUint(dst, "request", c.Request)
	for _, f := range c.flags() {
		if *f.value {
			dst = append(append(dst, ' '), f.name...)
		}
	}
	dst = appendCompares(dst, c.If)
	dst = appendOps(dst, "then", c.Then)
	return appendOps(dst, "else", c.Else)
}

// named is a field of a command with its word in the text form.
type named[T any] struct {
	name  string
	value *T
}

// flags are the fields that are words by themselves.
func (c *Command) flags() [11]named[bool] {
	return [...]named[bool]{
		{"oneway", &c.OneWay}, {"keep", &c.Keep}, {"serializable", &c.Serializable}, {"keysOnly", &c.KeysOnly},
		{"countOnly", &c.CountOnly}, {"prevKV", &c.PrevKV}, {"progress", &c.Progress}, {"fragment", &c.Fragment}, {"leader", &c.Leader}, {"ignoreValue", &c.IgnoreValue},
		{"physical", &c.Physical},
	}
}

// bounds are the filters of a get by revision, and other numbers.
func (c *Command) bounds() [5]named[int64] {
	return [...]named[int64]{{"id", &c.ID}, {"minMod", &c.MinMod}, {"maxMod", &c.MaxMod}, {"minCreate", &c.MinCreate}, {"maxCreate", &c.MaxCreate}}
}

func appendCompares(dst []byte, list []Compare) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, " if=["...)
	for i := range list {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		x := &list[i]
		dst = appendWord(append(append(dst, x.Target...), ' '), x.Key)
		if x.End != "" {
			dst = appendWord(append(dst, " to "...), x.End)
		}
		dst = append(append(append(dst, ' '), x.Op...), ' ')
		dst = appendWord(dst, x.Value)
	}
	return append(dst, ']')
}

func appendOps(dst []byte, name string, ops []Command) []byte {
	if len(ops) == 0 {
		return dst
	}
	dst = append(append(append(dst, ' '), name...), "=["...)
	for i := range ops {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		dst = ops[i].Append(dst)
	}
	return append(dst, ']')
}

func appendUint(dst []byte, name string, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = append(append(append(dst, ' '), name...), '=')
	return strconv.AppendUint(dst, v, 10)
}

func appendInt(dst []byte, name string, v int64) []byte {
	if v == 0 {
		return dst
	}
	dst = append(append(append(dst, ' '), name...), '=')
	return strconv.AppendInt(dst, v, 10)
}

func appendIDs(dst []byte, name string, ids []uint64) []byte {
	for i, id := range ids {
		if i == 0 {
			dst = append(append(append(dst, ' '), name...), '=')
		} else {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, id, 10)
	}
	return dst
}

func appendText(dst []byte, name, v string) []byte {
	if v == "" {
		return dst
	}
	return appendWord(append(append(append(dst, ' '), name...), '='), v)
}

// appendWord quotes what would not survive the tokenizer bare.
func appendWord(dst []byte, v string) []byte {
	if v == "" || strings.ContainsFunc(v, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"=;[],`, r)
	}) {
		return strconv.AppendQuote(dst, v)
	}
	return append(dst, v...)
}

// ParseCommand reads the canonical text form.
func ParseCommand(line string) (Command, error) {
	p := commandParser{rest: line}
	c := p.command(0)
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("unexpected %q", p.rest)
	}
	if p.err != nil {
		return Command{}, fmt.Errorf("sim: command %q: %w", line, p.err)
	}
	return c, nil
}

type commandParser struct {
	rest string
	err  error
}

func (p *commandParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = ""
}

// word takes a bare word or a quoted string.
func (p *commandParser) word() string {
	p.rest = strings.TrimLeft(p.rest, " \t")
	if strings.HasPrefix(p.rest, `"`) {
		q, err := strconv.QuotedPrefix(p.rest)
		if err != nil {
			p.fail("bad quotes at %q", p.rest)
			return ""
		}
		p.rest = p.rest[len(q):]
		v, err := strconv.Unquote(q)
		if err != nil {
			p.fail("bad quotes %s", q)
		}
		return v
	}
	i := strings.IndexAny(p.rest, " \t=;[]")
	if i < 0 {
		i = len(p.rest)
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return w
}

func (p *commandParser) take(prefix string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t")
	var ok bool
	p.rest, ok = strings.CutPrefix(p.rest, prefix)
	return ok
}

func (p *commandParser) command(depth int) Command {
	c := Command{Cmd: p.word()}
	if !verbs[c.Cmd] {
		p.fail("unknown command %q", c.Cmd)
	}
	if depth > 8 {
		p.fail("nested too deeply")
	}
	for p.err == nil {
		p.rest = strings.TrimLeft(p.rest, " \t")
		if p.rest == "" || p.rest[0] == ';' || p.rest[0] == ']' {
			break
		}
		name := p.word()
		if name == "" {
			p.fail("unexpected %q", p.rest)
			break
		}
		if !p.take("=") {
			p.flag(&c, name)
			continue
		}
		switch name {
		case "if":
			c.If = p.compares()
		case "then":
			c.Then = p.ops(depth + 1)
		case "else":
			c.Else = p.ops(depth + 1)
		default:
			p.field(&c, name, p.word())
		}
	}
	return c
}

func (p *commandParser) flag(c *Command, name string) {
	for _, f := range c.flags() {
		if f.name == name {
			*f.value = true
			return
		}
	}
	p.fail("unknown word %q", name)
}

func (p *commandParser) field(c *Command, name, v string) {
	var err error
	switch name {
	case "member":
		c.Member, err = strconv.ParseUint(v, 10, 64)
	case "client":
		c.Client, err = strconv.Atoi(v)
	case "request":
		c.Request, err = strconv.ParseUint(v, 10, 64)
	case "from":
		c.From, err = parseIDs(v)
	case "to":
		c.To, err = parseIDs(v)
	case "rev":
		c.Rev, err = strconv.ParseInt(v, 10, 64)
	case "limit":
		c.Limit, err = strconv.ParseInt(v, 10, 64)
	case "torn":
		c.Torn, err = strconv.Atoi(v)
	case "name":
		c.Name = v
	case "key":
		c.Key = v
	case "end":
		c.End = v
	case "value":
		c.Value = v
	case "order":
		c.Order = v
	case "by":
		c.By = v
	case "filter":
		c.Filter = v
	default:
		err = p.bound(c, name, v)
	}
	if err != nil {
		p.fail("%s=%s: not a number", name, v)
	}
}

func (p *commandParser) bound(c *Command, name, v string) (err error) {
	for _, f := range c.bounds() {
		if f.name == name {
			*f.value, err = strconv.ParseInt(v, 10, 64)
			return err
		}
	}
	p.fail("unknown field %q", name)
	return nil
}

func parseIDs(v string) ([]uint64, error) {
	var ids []uint64
	for s := range strings.SplitSeq(v, ",") {
		id, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (p *commandParser) compares() []Compare {
	var list []Compare
	if !p.take("[") {
		p.fail("if wants a list in brackets")
	}
	for p.err == nil {
		x := Compare{Target: p.word(), Key: p.word()}
		if p.take("to ") {
			x.End = p.word()
		}
		for _, op := range []string{"!=", "=", ">", "<"} {
			if p.take(op) {
				x.Op = op
				break
			}
		}
		x.Value = p.word()
		if !slices.Contains([]string{"value", "version", "create", "mod", "lease"}, x.Target) || x.Op == "" {
			p.fail("a condition is value|version|create|mod|lease KEY [to END] =|!=|>|< VALUE")
		}
		list = append(list, x)
		if p.take("]") {
			break
		}
		if !p.take(";") {
			p.fail("a list in brackets has no end")
		}
	}
	return list
}

func (p *commandParser) ops(depth int) []Command {
	var list []Command
	if !p.take("[") {
		p.fail("wants a list in brackets")
	}
	for p.err == nil {
		list = append(list, p.command(depth))
		if p.take("]") {
			break
		}
		if !p.take(";") {
			p.fail("a list in brackets has no end")
		}
	}
	return list
}

// parseDuration reads 10ms, or a bare number of nanoseconds.
func parseDuration(v string) (time.Duration, error) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(n), nil
	}
	return time.ParseDuration(v)
}
