package core

import (
	"bytes"
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

// Bounds of a room: more than that holds several nouns.
const (
	maxPackageLines = 3500 // without tests and what is generated
	maxMethods      = 60   // of one type of the simulator
)

func TestRoomsAreOneNoun(t *testing.T) {
	lines, methods := map[string]int{}, map[string]int{}
	written(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, "_test.go") {
			lines[path.Dir(name)] += bytes.Count(text, []byte("\n"))
		}
	}, ".go")
	for dir, n := range lines {
		if n > maxPackageLines {
			t.Errorf("%s has %d lines, %d are allowed", dir, n, maxPackageLines)
		}
	}
	eachGoFile(t, func(name string, _ *token.FileSet, file *ast.File) {
		if !strings.HasPrefix(name, "core/sim/") || strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv != nil {
				methods[path.Dir(name)+"."+receiver(fn)]++
			}
		}
	})
	for name, n := range methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods, %d are allowed", name, n, maxMethods)
		}
	}
}

// receiver names the type of a method.
func receiver(fn *ast.FuncDecl) string {
	x := fn.Recv.List[0].Type
	for {
		switch of := x.(type) {
		case *ast.StarExpr:
			x = of.X
		case *ast.IndexExpr:
			x = of.X
		case *ast.Ident:
			return of.Name
		default:
			return "?"
		}
	}
}
