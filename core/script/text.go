package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// String is the canonical text form: Parse gives the same command back.
func (c Command) String() string { return string(c.Append(nil)) }

// Append appends the canonical text form.
func (c *Command) Append(dst []byte) []byte {
	dst = append(dst, c.Cmd...)
	for i := range table {
		f := &table[i]
		switch v := f.of(c).(type) {
		case *int:
			dst = appendInt(dst, f.name, int64(*v))
		case *int64:
			dst = appendInt(dst, f.name, *v)
		case *uint64:
			dst = appendUint(dst, f.name, *v)
		case *string:
			dst = appendText(dst, f.name, *v)
		case *bool:
			if *v {
				dst = append(append(dst, ' '), f.name...)
			}
		case *[]uint64:
			dst = appendIDs(dst, f.name, *v)
		case *[]Compare:
			dst = appendCompares(dst, f.name, *v)
		case *[]Command:
			dst = appendOps(dst, f.name, *v)
		}
	}
	return dst
}

func appendCompares(dst []byte, name string, list []Compare) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(append(append(dst, ' '), name...), "=["...)
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

// Parse reads the canonical text form.
func Parse(line string) (Command, error) {
	p := commandParser{rest: line}
	c := p.command(0)
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("unexpected %q", p.rest)
	}
	if p.err != nil {
		return Command{}, fmt.Errorf("script: %q: %w", line, p.err)
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
	if _, err := verbNamed(c.Cmd); err != nil {
		p.fail("unknown command %q", c.Cmd)
	}
	if depth > maxDepth {
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
		p.field(&c, name, p.take("="), depth)
	}
	return c
}

// maxDepth bounds how deep transactions are nested.
const maxDepth = 8

// field reads one field; given says that a value follows its name.
func (p *commandParser) field(c *Command, name string, given bool, depth int) {
	f := fieldNamed(name)
	if f == nil {
		p.fail("unknown field %q", name)
		return
	}
	place := f.of(c)
	if flag, ok := place.(*bool); ok != !given {
		p.fail("%s: a value is given where there is none, or none where there is one", name)
		return
	} else if ok {
		*flag = true
		return
	}
	switch place := place.(type) {
	case *[]Compare:
		*place = p.compares()
	case *[]Command:
		*place = p.ops(depth + 1)
	default:
		if v := p.word(); set(place, v) != nil {
			p.fail("%s=%s: not a number", name, v)
		}
	}
}

// set reads the value of a field from its text.
func set(place any, v string) (err error) {
	switch place := place.(type) {
	case *int:
		*place, err = strconv.Atoi(v)
	case *int64:
		*place, err = strconv.ParseInt(v, 10, 64)
	case *uint64:
		*place, err = strconv.ParseUint(v, 10, 64)
	case *string:
		*place = v
	case *[]uint64:
		*place, err = parseIDs(v)
	}
	return err
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
