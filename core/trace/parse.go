package trace

import (
	"encoding/base64"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// parser reads one flat JSON object. encoding/json would work through
// reflection, and its weight would be in the page.
type parser struct {
	src  []byte
	at   int
	seen uint32 // bit per field: a field comes once
}

// value is a string or a number; digits of a number are in text.
type value struct {
	text   string
	number bool
}

func (p *parser) object(e *Event) error {
	if !p.take('{') {
		return p.fault("no object")
	}
	if !p.take('}') {
		for {
			if err := p.member(e); err != nil {
				return err
			}
			if p.take('}') {
				break
			}
			if !p.take(',') {
				return p.fault("no comma")
			}
		}
	}
	if p.space(); p.at != len(p.src) {
		return p.fault("more after the object")
	}
	return nil
}

func (p *parser) member(e *Event) error {
	name, err := p.value()
	if err != nil {
		return err
	}
	if name.number || !p.take(':') {
		return p.fault("no field name")
	}
	v, err := p.value()
	if err != nil {
		return err
	}
	return p.set(e, name.text, v)
}

func (p *parser) set(e *Event, name string, v value) error {
	bit, known := uint32(0), true
	var ok bool
	number := func(i int, field *uint64) {
		bit = 1 << i
		*field, ok = unsigned(v)
	}
	signed := func(i int, field *int64) {
		bit = 1 << i
		*field, ok = signedOf(v)
	}
	switch name {
	case "seq":
		number(0, &e.Seq)
	case "cause":
		number(1, &e.Cause)
	case "now":
		signed(2, (*int64)(&e.Now))
	case "kind":
		bit = 1 << 3
		e.Kind, ok = KindOf(v.text)
		ok = ok && !v.number
	case "msg":
		bit = 1 << 4
		e.Msg, ok = MessageOf(v.text)
		ok = ok && !v.number
	case "member":
		number(5, &e.Member)
	case "peer":
		number(6, &e.Peer)
	case "term":
		number(7, &e.Term)
	case "index":
		number(8, &e.Index)
	case "rev":
		signed(9, &e.Rev)
	case "request":
		number(10, &e.Request)
	case "a":
		number(11, &e.A)
	case "b":
		number(12, &e.B)
	case "c":
		number(13, &e.C)
	case "text":
		bit = 1 << 14
		e.Text, ok = v.text, !v.number && len(v.text) <= MaxText
	case "bytes":
		bit = 1 << 14
		raw, err := base64.StdEncoding.DecodeString(v.text)
		e.Text, ok = string(raw), err == nil && !v.number && len(raw) <= MaxText
	default:
		known = false
	}
	switch {
	case !known:
		return p.fault("unknown field " + strconv.Quote(name))
	case !ok:
		return p.fault("bad value of " + name)
	case p.seen&bit != 0:
		return p.fault("second " + name)
	}
	p.seen |= bit
	return nil
}

func unsigned(v value) (uint64, bool) {
	n, err := strconv.ParseUint(v.text, 10, 64)
	return n, err == nil
}

func signedOf(v value) (int64, bool) {
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

func (p *parser) value() (value, error) {
	p.space()
	if p.at < len(p.src) && p.src[p.at] == '"' {
		p.at++
		s, err := p.quoted()
		return value{text: s}, err
	}
	start := p.at
	for p.at < len(p.src) && (p.src[p.at] == '-' || p.src[p.at] >= '0' && p.src[p.at] <= '9') {
		p.at++
	}
	if p.at == start {
		return value{}, p.fault("no string or integer")
	}
	return value{text: string(p.src[start:p.at]), number: true}, nil
}

// quoted reads the rest of a string whose opening quote is behind.
func (p *parser) quoted() (string, error) {
	var out []byte
	for p.at < len(p.src) {
		c := p.src[p.at]
		switch {
		case c == '"':
			p.at++
			if !utf8.Valid(out) {
				return "", p.fault("string is not UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", p.fault("control character in a string")
		case c == '\\':
			p.at++
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		default:
			out = append(out, c)
			p.at++
		}
	}
	return "", p.fault("string without an end")
}

func (p *parser) escape(out []byte) ([]byte, error) {
	if p.at == len(p.src) {
		return nil, p.fault("string without an end")
	}
	c := p.src[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, err := p.unit()
		if err != nil {
			return nil, err
		}
		if utf16.IsSurrogate(r) {
			if p.at+1 >= len(p.src) || p.src[p.at] != '\\' || p.src[p.at+1] != 'u' {
				return nil, p.fault("half of a surrogate pair")
			}
			p.at += 2
			low, err := p.unit()
			if err != nil {
				return nil, err
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, p.fault("half of a surrogate pair")
			}
		}
		return utf8.AppendRune(out, r), nil
	}
	return nil, p.fault("unknown escape")
}

func (p *parser) unit() (rune, error) {
	if p.at+4 > len(p.src) {
		return 0, p.fault("short escape")
	}
	n, err := strconv.ParseUint(string(p.src[p.at:p.at+4]), 16, 16)
	if err != nil {
		return 0, p.fault("bad escape")
	}
	p.at += 4
	return rune(n), nil
}

func (p *parser) take(c byte) bool {
	if p.space(); p.at < len(p.src) && p.src[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) space() {
	for p.at < len(p.src) && (p.src[p.at] == ' ' || p.src[p.at] == '\t' || p.src[p.at] == '\n' || p.src[p.at] == '\r') {
		p.at++
	}
}

func (p *parser) fault(what string) error {
	return malformed("%s at byte %d", what, p.at)
}
