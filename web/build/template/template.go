// Package template stands in for text/template when the page is linked.
//
// text/template calls methods whose names are not known before it runs. A
// program that reaches it must therefore keep every exported method of every
// type: in the page that is a fifth of all code, downloaded and compiled by
// every visitor. Who reaches it is ebiten, to put together the source of its
// shaders from six conditions. This package knows what they are made of and
// nothing else,
//
//	{{if .Field}} {{if eq .Field .Other}} {{else if ...}} {{else}} {{end}}
//
// and answers everything else with an error. web/build overlays it.
package template

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Template is a parsed text.
type Template struct{ pieces []piece }

// piece is a text, or the arms of a condition of which one is written.
type piece struct {
	text string
	arms []arm
}

// arm is written if its test holds; one without a test holds always.
type arm struct {
	test   []string // .Field, or eq .Field .Other
	pieces []piece
}

// New returns an empty template. Nobody asks for its name.
func New(string) *Template { return new(Template) }

// Must is for templates that are part of a program.
func Must(t *Template, err error) *Template {
	if err != nil {
		panic(err)
	}
	return t
}

// Parse replaces the template's text.
func (t *Template) Parse(text string) (*Template, error) {
	pieces, action, _, err := parse(text)
	if err == nil && action != nil {
		err = fmt.Errorf("template: %v without an if", action)
	}
	if err != nil {
		return nil, err
	}
	t.pieces = pieces
	return t, nil
}

// parse reads up to the end of the text or of the present arm; action is what
// ended it, else or end, and rest the text behind that.
func parse(text string) (pieces []piece, action []string, rest string, err error) {
	for {
		plain, behind, found := strings.Cut(text, "{{")
		pieces = append(pieces, piece{text: plain})
		if !found {
			return pieces, nil, "", nil
		}
		inside, behind, found := strings.Cut(behind, "}}")
		words := strings.Fields(inside)
		if !found || len(words) == 0 {
			return nil, nil, "", fmt.Errorf("template: unfinished action at %.20q", inside)
		}
		switch words[0] {
		case "else", "end":
			return pieces, words, behind, nil
		case "if":
			condition, after, err := parseIf(words[1:], behind)
			if err != nil {
				return nil, nil, "", err
			}
			pieces, text = append(pieces, condition), after
		default:
			return nil, nil, "", fmt.Errorf("template: unknown action %q", inside)
		}
	}
}

// parseIf reads the arms of a condition whose first test is given.
func parseIf(test []string, text string) (condition piece, rest string, err error) {
	for {
		if len(test) != 1 && (len(test) != 3 || test[0] != "eq") {
			return piece{}, "", fmt.Errorf("template: unknown test %v", test)
		}
		body, action, behind, err := parse(text)
		if err != nil {
			return piece{}, "", err
		}
		condition.arms = append(condition.arms, arm{test, body})
		switch {
		case len(action) > 1 && action[1] == "if":
			test, text = action[2:], behind
			continue
		case len(action) == 1 && action[0] == "else":
			if body, action, behind, err = parse(behind); err != nil {
				return piece{}, "", err
			}
			condition.arms = append(condition.arms, arm{nil, body})
		}
		if len(action) != 1 || action[0] != "end" {
			return piece{}, "", fmt.Errorf("template: if %v has no end", test)
		}
		return condition, behind, nil
	}
}

// Execute writes the text for data, a struct.
func (t *Template) Execute(w io.Writer, data any) error {
	return write(w, t.pieces, reflect.ValueOf(data))
}

func write(w io.Writer, pieces []piece, data reflect.Value) error {
	for _, p := range pieces {
		if _, err := io.WriteString(w, p.text); err != nil {
			return err
		}
		for _, a := range p.arms {
			holds, err := holds(a.test, data)
			if err != nil {
				return err
			}
			if !holds {
				continue
			}
			if err := write(w, a.pieces, data); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

func holds(test []string, data reflect.Value) (bool, error) {
	var values []any
	for _, word := range test {
		if word == "eq" {
			continue
		}
		v := data.FieldByName(strings.TrimPrefix(word, "."))
		if !v.IsValid() {
			return false, fmt.Errorf("template: there is no %s", word)
		}
		values = append(values, v.Interface())
	}
	switch len(values) {
	case 0:
		return true, nil
	case 1:
		return values[0] == true, nil
	}
	return values[0] == values[1], nil
}
