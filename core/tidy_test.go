package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Bounds of what a reader should have to see at once.
const (
	maxColumns       = 120 // characters of a line; a tab is one
	maxFunctionLines = 70
)

// written calls visit with every file of the repository that people write and whose name ends in one of the suffixes,
// also those of the modules below it. Names are relative to the repository.
func written(t *testing.T, visit func(name string, text []byte), suffixes ...string) {
	t.Helper()
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		if d.IsDir() {
			if skip := []string{"testdata", "dist", "node_modules", "build", "bin", ".git"}; slices.Contains(skip, d.Name()) &&
				name != "web/build" {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			return nil
		}
		text, err := os.ReadFile(p)
		if err == nil && !generated.Match(text) {
			visit(name, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestLinesFitThePage(t *testing.T) {
	written(t, func(name string, text []byte) {
		n := 0
		for line := range strings.SplitSeq(string(text), "\n") {
			if n++; utf8.RuneCountInString(line) > maxColumns {
				t.Errorf("%s:%d: the line has more than %d characters", name, n, maxColumns)
			}
		}
	}, ".go", ".js", ".mjs", ".css", ".sh", ".proto")
}

// eachGoFile parses what people have written in Go, with tests and the modules below.
func eachGoFile(t *testing.T, visit func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	written(t, func(name string, text []byte) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		visit(name, fset, file)
	}, ".go")
}

// TestFunctionsFitTheScreen: a person can see what a function does at once. A table in it (a literal of a slice or a
// map) is one line: it is read row by row, like data.
func TestFunctionsFitTheScreen(t *testing.T) {
	eachGoFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := lines(fset, fn) - tableLines(fset, fn); n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, %d are allowed", name, fn.Name.Name, n, maxFunctionLines)
			}
		}
	})
}

// lines is how many lines a node begins, continues or ends on.
func lines(fset *token.FileSet, n ast.Node) int {
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// tableLines is how many lines tables take beyond one each.
func tableLines(fset *token.FileSet, fn *ast.FuncDecl) (sum int) {
	ast.Inspect(fn, func(n ast.Node) bool {
		table, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch table.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			sum += lines(fset, table) - 1
			return false // not those within it once more
		}
		return true
	})
	return sum
}

// TestGoroutinesHaveOwners: no go statement but in package tasks, whose groups bound, refuse and wait. Who waits for
// what it starts in the same function may use sync.WaitGroup.Go, so that the waiting is there to see.
func TestGoroutinesHaveOwners(t *testing.T) {
	const owner = "cmd/server/internal/tasks/tasks.go"
	eachGoFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		if name == owner || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "cmd/server/powercut/") ||
			strings.HasPrefix(name, "cmd/server/oracle/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a goroutine without an owner: use tasks.Group or sync.WaitGroup.Go", fset.Position(g.Pos()))
			}
			return true
		})
	})
}
