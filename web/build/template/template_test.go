package template

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	real "text/template"
)

type choice struct {
	Filter, FilterNearest, FilterLinear                       int
	Address, AddressUnsafe, AddressClampToZero, AddressRepeat int
	UseColorM                                                 bool
}

// TestShadersOfEbiten writes every shader that ebiten may ask for with both
// packages.
func TestShadersOfEbiten(t *testing.T) {
	text := shaderTemplate(t)
	ours, theirs := Must(New("").Parse(text)), real.Must(real.New("").Parse(text))
	for filter := range 2 {
		for address := range 3 {
			for _, useColorM := range []bool{false, true} {
				data := choice{filter, 0, 1, address, 0, 1, 2, useColorM}
				var got, want strings.Builder
				if err := ours.Execute(&got, data); err != nil {
					t.Fatal(err)
				}
				if err := theirs.Execute(&want, data); err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() || !strings.Contains(got.String(), "func Fragment") {
					t.Errorf("%+v:\n%s\nwant\n%s", data, got.String(), want.String())
				}
			}
		}
	}
}

// shaderTemplate is the longest string in ebiten's package of built-in shaders.
func shaderTemplate(t *testing.T) (text string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hajimehoshi/ebiten/v2").Output()
	if err != nil {
		t.Fatalf("where is ebiten? %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "internal",
		"builtinshader", "shader.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && len(s) > len(text) {
				text = s
			}
		}
		return true
	})
	if !strings.Contains(text, "{{if eq") {
		t.Fatal("ebiten's shaders are not made by a template any more; then the page needs no overlay")
	}
	return text
}

func TestWhatItDoesNotKnowIsAnError(t *testing.T) {
	for _, text := range []string{"{{.Name}}", "{{range .X}}{{end}}", "{{if .A", "{{if .A}}", "{{if .A}}{{else}}",
		"{{end}}", "{{else}}", "{{if ne .A .B}}{{end}}", "{{if .A}}{{else}}{{else}}{{end}}", "{{}}"} {
		if _, err := New("").Parse(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if err := Must(New("").Parse("{{if .Missing}}{{end}}")).Execute(new(strings.Builder), choice{}); err == nil {
		t.Error("a field that is not there: no error")
	}
}
