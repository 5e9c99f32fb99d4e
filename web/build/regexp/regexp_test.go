package regexp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	real "regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPatternsOfEbiten: those that ebiten compiles are those that are known.
func TestPatternsOfEbiten(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hajimehoshi/ebiten/v2").Output()
	if err != nil {
		t.Fatalf("where is ebiten? %v", err)
	}
	var patterns []string
	for _, folder := range []string{"shader", "shaderir/glsl"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal", folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				patterns = append(patterns, compiled(t, name)...)
			}
		}
	}
	slices.Sort(patterns)
	if want := slices.Sorted(maps.Keys(known)); !slices.Equal(patterns, want) {
		t.Errorf("ebiten compiles %q, known are %q", patterns, want)
	}
}

// compiled lists the patterns in a file.
func compiled(t *testing.T, name string) (patterns []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		of, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := of.X.(*ast.Ident); ok && pkg.Name == "regexp" {
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a pattern that is no literal", name)
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			patterns = append(patterns, text)
		}
		return true
	})
	return patterns
}

// TestAsTheRealOne puts pieces of what matches together at random: both must say the same.
func TestAsTheRealOne(t *testing.T) {
	pieces := []string{"__t", "__T", "0", "12", "x", "//kage:unit", "//", " ", "\t", "\n", "\n\n", "\r", "\f", "\v",
		"pixels", "é", "$1"}
	dice := rand.New(rand.NewPCG(1, 2))
	matched := map[string]int{}
	theirs := map[string]*real.Regexp{}
	for text := range known {
		theirs[text] = real.MustCompile(text)
	}
	for range 200_000 {
		var s string
		for range dice.IntN(7) {
			s += pieces[dice.IntN(len(pieces))]
		}
		for _, text := range []string{Texture, Unit} {
			got, want := MustCompile(text).FindStringSubmatch(s), theirs[text].FindStringSubmatch(s)
			if !slices.Equal(got, want) {
				t.Fatalf("%s finds %q in %q, want %q", text, got, s, want)
			}
			if want != nil {
				matched[text]++
			}
		}
		got, want := MustCompile(Newlines).ReplaceAllString(s, "\n\n"), theirs[Newlines].ReplaceAllString(s, "\n\n")
		if got != want {
			t.Fatalf("%q becomes %q, want %q", s, got, want)
		}
	}
	if matched[Texture] < 100 || matched[Unit] < 100 {
		t.Errorf("too little was found to tell: %v", matched)
	}
}

func TestAnotherPatternIsNotKnown(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a pattern that it does not know compiles")
		}
	}()
	MustCompile(`a+`)
}
