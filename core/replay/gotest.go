package replay

import (
	"fmt"
	"strings"
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
		return nil, fmt.Errorf("replay: a backquote in the replay cannot be part of a Go test")
	}
	name = identifier(name)
	planted, head := "", ""
	if m := r.Config.Mutant; m != "" {
		planted, head = " with the planted bug "+m, "//go:build mutants\n\n"
	}
	b := []byte(head + "package replay_test\n\nimport (\n\t\"testing\"\n\n\t\"vitrine/core/replay\"\n)\n\n")
	b = fmt.Appendf(b, "// TestReplay%s repeats a recorded run%s.\n", name, planted)
	b = fmt.Appendf(b, "func TestReplay%s(t *testing.T) {\n", name)
	b = fmt.Appendf(b, "\tr, err := replay.Parse([]byte(replay%s))\n", name)
	b = append(b, "\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tw, err := r.World()\n"...)
	b = append(b, "\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tv := r.Run(w)\n"...)
	if planted != "" && r.Violated != 0 {
		b = fmt.Appendf(b, "\tif v == nil || v.Number != %d {\n", r.Violated)
		b = fmt.Appendf(b, "\t\tt.Fatalf(\"I%d should break, got %%v\", v)\n\t}\n", r.Violated)
	} else {
		b = append(b, "\tif v != nil {\n\t\tt.Fatalf(\"I%d breaks: %v\\n%s\", v.Number, v, w.Stack())\n\t}\n"...)
	}
	if r.Hash != "" && (planted != "" || r.Violated == 0) {
		b = append(b, "\tif w.HashText() != r.Hash {\n\t\tt.Errorf(\"hash %s, recorded %s\", w.HashText(), r.Hash)\n\t}\n"...)
	}
	return fmt.Appendf(b, "}\n\nconst replay%s = `%s`\n", name, text), nil
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
