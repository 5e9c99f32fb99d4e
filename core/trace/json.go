package trace

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// maxExact is the largest integer that every reader of JSON keeps exact.
const maxExact = 1<<53 - 1

// AppendJSON appends e as one line of NDJSON, newline included:
//
//	{"seq":7,"now":1500000,"kind":"message-sent","msg":"MsgApp","member":1,"peer":2,"term":3}
//
// The order of fields is fixed and zero fields are left out, but for seq, now
// and kind. Integers beyond 2^53-1, which JavaScript would round, are strings
// of decimal digits. A text that is not UTF-8 is written as "bytes", in base64.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"seq":`...)
	dst = appendUint(dst, e.Seq)
	dst = appendField(dst, `,"cause":`, e.Cause)
	dst = append(dst, `,"now":`...)
	dst = appendInt(dst, int64(e.Now))
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, e.Kind.String()...)
	dst = append(dst, '"')
	if e.Msg != 0 {
		dst = append(dst, `,"msg":"`...)
		dst = append(dst, MessageName(e.Msg)...)
		dst = append(dst, '"')
	}
	dst = appendField(dst, `,"member":`, e.Member)
	dst = appendField(dst, `,"peer":`, e.Peer)
	dst = appendField(dst, `,"term":`, e.Term)
	dst = appendField(dst, `,"index":`, e.Index)
	if e.Rev != 0 {
		dst = append(dst, `,"rev":`...)
		dst = appendInt(dst, e.Rev)
	}
	dst = appendField(dst, `,"request":`, e.Request)
	dst = appendField(dst, `,"a":`, e.A)
	dst = appendField(dst, `,"b":`, e.B)
	dst = appendField(dst, `,"c":`, e.C)
	dst = appendText(dst, e.Text)
	return append(dst, '}', '\n')
}

func appendField(dst []byte, name string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return appendUint(append(dst, name...), n)
}

func appendUint(dst []byte, n uint64) []byte {
	if n <= maxExact {
		return strconv.AppendUint(dst, n, 10)
	}
	dst = strconv.AppendUint(append(dst, '"'), n, 10)
	return append(dst, '"')
}

func appendInt(dst []byte, n int64) []byte {
	if n <= maxExact && n >= -maxExact {
		return strconv.AppendInt(dst, n, 10)
	}
	dst = strconv.AppendInt(append(dst, '"'), n, 10)
	return append(dst, '"')
}

func appendText(dst []byte, s string) []byte {
	switch {
	case s == "":
		return dst
	case !utf8.ValidString(s):
		dst = append(dst, `,"bytes":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
		return append(dst, '"')
	}
	dst = append(dst, `,"text":"`...)
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
