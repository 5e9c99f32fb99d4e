// Package regexp stands in for the standard library's when the page is linked.
//
// Who reaches that is ebiten, for three patterns in the compiler of its shaders. With
// them come a parser of all patterns, three machines that match them, and the tables of
// every script and class of Unicode: a fiftieth of the page. This package knows the three
// patterns by their texts and no other. web/build overlays it.
package regexp

import "strings"

// Regexp is one of the patterns that ebiten has.
type Regexp struct {
	submatch func(s string) []string
	replace  func(src, repl string) string
}

// The patterns.
const (
	Texture  = `\A__t(\d+)\z`                                      // the name of a texture
	Unit     = `^[ \t\r\n]*//kage:unit\s+([^ \t\r\n]+)[ \t\r\n]*$` // a line that says what a shader measures in
	Newlines = `\n\n+`                                             // empty lines in what it has written
)

var known = map[string]*Regexp{
	Texture:  {submatch: texture},
	Unit:     {submatch: unit},
	Newlines: {replace: newlines},
}

// MustCompile returns the pattern of that text. It panics if it does not know it.
func MustCompile(text string) *Regexp {
	r := known[text]
	if r == nil {
		panic("regexp: web/build/regexp does not know the pattern " + text)
	}
	return r
}

// FindStringSubmatch returns the match and what its group holds, nil if there is none.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.submatch(s) }

// ReplaceAllString puts a text in the place of every match.
func (r *Regexp) ReplaceAllString(src, repl string) string { return r.replace(src, repl) }

func texture(s string) []string {
	digits, found := strings.CutPrefix(s, "__t")
	if !found || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	return []string{s, digits}
}

// space is what the pattern of a unit has between its words; \s has a form feed besides.
const space = " \t\r\n"

func unit(s string) []string {
	rest, found := strings.CutPrefix(strings.TrimLeft(s, space), "//kage:unit")
	body := strings.TrimRight(rest, space)
	word := strings.TrimLeft(body, space+"\f")
	if word == "" && len(body) > 1 && strings.HasSuffix(body, "\f") {
		word = "\f" // \s takes every form feed, and gives the last one back if nothing follows
	}
	apart := len(strings.TrimLeft(rest, space+"\f")) < len(rest)
	if !found || !apart || word == "" || strings.ContainsAny(word, space) {
		return nil
	}
	return []string{s, word}
}

func newlines(src, repl string) string {
	var out strings.Builder
	for {
		at := strings.Index(src, "\n\n")
		if at < 0 {
			out.WriteString(src)
			return out.String()
		}
		out.WriteString(src[:at])
		out.WriteString(repl)
		src = strings.TrimLeft(src[at:], "\n")
	}
}
