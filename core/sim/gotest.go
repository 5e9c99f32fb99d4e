package sim

import (
	"fmt"
	"go/format"
	"strings"
	"text/template"
	"unicode"
)

// GoTest is the run as a Go file with one test, complete in itself. A run
// without a violation must end with the same hash; one with a violation is a
// bug to be fixed, so the test demands that it does not break any more. With a
// planted bug it must go on breaking the same invariant, and the file is only
// for builds that carry such bugs.
func (r *Replay) GoTest(name string) ([]byte, error) {
	text, err := r.Format()
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(text), "`") {
		return nil, fmt.Errorf("sim: a backquote in the replay cannot be part of a Go test")
	}
	var b strings.Builder
	err = goTest.Execute(&b, map[string]any{
		"Name": identifier(name), "Text": string(text), "Mutant": r.Config.Mutant, "Violated": r.Violated, "Hash": r.Hash,
	})
	if err != nil {
		return nil, err
	}
	return format.Source([]byte(b.String()))
}

// identifier makes a name that Go takes.
func identifier(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
		}
		up = false
		b.WriteRune(r)
	}
	return b.String()
}

var goTest = template.Must(template.New("test").Parse(`{{if .Mutant}}//go:build mutants

{{end}}package sim_test

import (
	"testing"

	"vitrine/core/sim"
)

// TestReplay{{.Name}} repeats a recorded run{{if .Mutant}} with the planted bug {{.Mutant}}{{end}}.
func TestReplay{{.Name}}(t *testing.T) {
	r, err := sim.ParseReplay([]byte(replay{{.Name}}))
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.World()
	if err != nil {
		t.Fatal(err)
	}
	v := r.Run(w)
{{- if .Mutant}}
	if v == nil || v.Number != {{.Violated}} {
		t.Fatalf("I{{.Violated}} should break, got %v", v)
	}
{{- else}}
	if v != nil {
		t.Fatalf("I%d breaks: %v\n%s", v.Number, v, w.Stack())
	}
{{- end}}
{{- if and .Hash (or .Mutant (not .Violated))}}
	if w.HashText() != r.Hash {
		t.Errorf("hash %s, recorded %s", w.HashText(), r.Hash)
	}
{{- end}}
}

const replay{{.Name}} = ` + "`{{.Text}}`\n"))
