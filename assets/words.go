// Package assets holds the words of the project in its languages. The page
// loads the catalogues as JSON; programs find them here:
//
//	words, err := assets.Load("en")
//	words.Text("feed.vote", map[string]any{"member": "S2", "peer": "S1", "term": 3})
//
// A catalogue maps a key to a sentence with {blanks} and plurals, {n, plural,
// =0 {nothing} one {# entry} other {# entries}}, in the notation of ICU.
package assets

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed messages/*.json
var files embed.FS

// Catalogue is the words of one language.
type Catalogue struct {
	texts map[string]string
	lang  string
}

// Load reads the catalogue of a language: "en" or "zh".
func Load(lang string) (*Catalogue, error) {
	data, err := files.ReadFile("messages/" + lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("assets: there is no language %q", lang)
	}
	c := &Catalogue{lang: lang}
	if err := json.Unmarshal(data, &c.texts); err != nil {
		return nil, fmt.Errorf("assets: %s: %w", lang, err)
	}
	return c, nil
}

// Has reports whether there are words for a key.
func (c *Catalogue) Has(key string) bool { return c.texts[key] != "" }

// Text is the sentence of a key with its blanks filled; the key itself if there
// is none.
func (c *Catalogue) Text(key string, values map[string]any) string {
	text, ok := c.texts[key]
	if !ok {
		return key
	}
	return fill(text, values)
}

// List joins names as the language does.
func (c *Catalogue) List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	comma, and := ", ", " and "
	if c.lang == "zh" {
		comma, and = "、", " 和 "
	}
	last := len(names) - 1
	return strings.Join(names[:last], comma) + and + names[last]
}

// fill replaces the blanks of a sentence; branches of a plural may hold blanks.
func fill(text string, values map[string]any) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := closing(rest)
		if end < 0 {
			return b.String() + "{" + rest
		}
		b.WriteString(blank(rest[:end], values))
		text = rest[end+1:]
	}
}

// closing is where the brace ends that was opened before text.
func closing(text string) int {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func blank(inside string, values map[string]any) string {
	name, rest, plural := strings.Cut(inside, ", plural,")
	value, ok := values[strings.TrimSpace(name)]
	if !ok {
		return "{" + inside + "}"
	}
	if !plural {
		return fmt.Sprint(value)
	}
	n := fmt.Sprint(value)
	chosen := ""
	for {
		label, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		end := closing(after)
		if end < 0 {
			break
		}
		label = strings.TrimSpace(label)
		if label == "="+n {
			chosen = after[:end]
			break
		}
		if label == "other" && chosen == "" || label == "one" && n == "1" {
			chosen = after[:end]
		}
		rest = after[end+1:]
	}
	return fill(strings.ReplaceAll(chosen, "#", n), values)
}
