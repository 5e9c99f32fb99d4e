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

// wide are rooms whose lines are still to be broken. The list may only become shorter.
var wide = []string{
	"cmd/server/internal/admin/", "cmd/server/internal/config/", "cmd/server/internal/grpcapi/",
	"cmd/server/internal/listen/", "cmd/server/internal/logs/", "cmd/server/internal/node/", "cmd/server/internal/peer/",
	"cmd/server/internal/secret/", "cmd/server/internal/serve/", "cmd/server/main.go", "cmd/server/oracle/bench/", "cmd/sim/", "core/",
	"wasm/",
}

func TestLinesFitThePage(t *testing.T) {
	written(t, func(name string, text []byte) {
		if slices.ContainsFunc(wide, func(room string) bool { return strings.HasPrefix(name, room) }) {
			return
		}
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

// long are functions that are still to be cut. The list may only become shorter.
var long = map[string]bool{
	"cmd/server/oracle/wire_test.go unaryCalls":                      true,
	"core/check/checker_test.go TestFires":                           true,
	"core/check/history/history_test.go TestUnlinearizableHistories": true,
	"core/driver/crash_test.go TestCrashAnywhere":                    true,
	"core/driver/crash_test.go tell":                                 true,
	"core/lease/lessor_test.go TestAgainstNaive":                     true,
	"core/mvcc/model_test.go TestAgainstModel":                       true,
	"core/mvcc/store_test.go TestOpenWhatEtcdLeaves":                 true,
	"core/mutant/list.go List":                                       true,
	"core/sim/judge_test.go TestJudgeIsWired":                        true,
}

func TestFunctionsFitTheScreen(t *testing.T) {
	eachGoFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			if lines > maxFunctionLines && !long[name+" "+fn.Name.Name] {
				t.Errorf("%s: %s has %d lines, %d are allowed", name, fn.Name.Name, lines, maxFunctionLines)
			}
		}
	})
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
