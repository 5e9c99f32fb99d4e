package web_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// speakers are the functions whose formats may reach a reader: of checkers, of the simulator, of the core's errors.
var speakers = []string{
	"violate", "Broken", "breaks", "torn", "unasked", "Sprintf", "Errorf", "wrong", "fail", "New",
}

// unsaid are texts of the packages that speak which no page shows.
var unsaid = []string{
	"client: ", // commands of a simulated client that make no sense
	"fold: ", "sim: mutant ", "sim: format the disk ",
}

// A log that is damaged says so by these, and whoever stops because of it by the others.
var (
	damage = []string{"corrupt", "damaged", "torn", "Sprintf"}
	ends   = []string{"Errorf", "New"}
)

// spoken lists the formats that speakers are given in the sources of some packages.
func spoken(t *testing.T, speakers []string, patterns ...string) (formats []string) {
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && slices.Contains(speakers, called(call)) {
					for _, arg := range call.Args {
						if text, ok := constant(arg); ok && strings.Contains(text, " ") {
							formats = append(formats, text)
						}
					}
				}
				return true
			})
		}
	}
	return formats
}

func called(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		return fn.Sel.Name
	}
	return ""
}

// constant is a text, or texts that are put together.
func constant(e ast.Expr) (string, bool) {
	if sum, ok := e.(*ast.BinaryExpr); ok {
		a, isText := constant(sum.X)
		b, too := constant(sum.Y)
		return a + b, isText && too
	}
	return literal(e)
}

// Every sentence that a checker, the simulator or an error of the core can say exists in Chinese, with all that is
// filled into it, and none is there that nobody says.
func TestEverySentenceOfTheCoreIsInChinese(t *testing.T) {
	data, err := os.ReadFile("../assets/messages/said.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]string
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	formats := spoken(t, speakers, "../core/check/*.go", "../core/check/history/*.go", "../core/check/fold/*.go",
		"../core/audit/*.go", "../core/sim/*.go", "../core/sim/judge/*.go", "../core/sim/client/*.go",
		"../core/sim/settle/*.go")
	errors := spoken(t, speakers, "../core/api/errors.go")
	formats = append(formats, spoken(t, damage, "../core/wal/decode.go", "../core/wal/end.go",
		"../core/wal/recover.go")...)
	formats = append(formats, spoken(t, ends, "../core/member/leave.go", "../core/sim/disk/disk.go")...)
	// Of these the page shows only what ends a member.
	more := spoken(t, ends, "../core/wal/*.go", "../core/member/*.go", "../core/driver/start.go", "../core/backend/*.go")
	blanks := regexp.MustCompile(`%[-+# 0]*\d*(?:\.\d+)?[a-z]`)
	for _, format := range slices.Concat(formats, errors) {
		if slices.ContainsFunc(unsaid, func(p string) bool { return strings.HasPrefix(format, p) }) {
			continue
		}
		chinese := table[format]
		if chinese == "" {
			t.Errorf("%q has no Chinese in assets/messages/said.json", format)
			continue
		}
		for i := range blanks.FindAllString(format, -1) {
			if blank := fmt.Sprintf("{%d}", i+1); !strings.Contains(chinese, blank) {
				t.Errorf("the Chinese of %q has no %s", format, blank)
			}
		}
	}
	for format := range table {
		if n := len(blanks.FindAllString(format, -1)); strings.Contains(table[format], fmt.Sprintf("{%d}", n+1)) {
			t.Errorf("the Chinese of %q fills in more than there is", format)
		}
		if strings.Contains(format, "%") && strings.Count(format, " ") > 3 && !slices.Contains(formats, format) &&
			!slices.Contains(more, format) && !strings.Contains(format, " s") {
			t.Errorf("nobody says %q", format)
		}
	}
}
