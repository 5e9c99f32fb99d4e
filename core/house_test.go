package core

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// order lists the packages of the core; each may import only earlier ones.
// A package that is not listed fails the test until someone gives it a place.
var order = []string{
	"limits", "trace", "invariant", "mutant", "pb",
	"vfs",
	"wal", "backend", "backend/bolt",
	"mvcc", "audit", "lease", "auth", "membership",
	"watch", "store",
	"consensus", "duty", "api/overlap", "api", "member",
	"driver", "inspect",
	"model", "check", "check/fold", "check/history",
	"script", "picture",
	"sim/dice", "sim/clock", "sim/roster", "sim/mirror", "sim/decoding", "sim/setup", "sim/chaos", "sim/disk",
	"sim/secret", "sim/judge", "sim/client", "sim/pass", "sim/checkup", "sim/settle",
	"sim", "story", "replay",
}

// only narrows the rule for packages that must know less than their place allows.
var only = map[string][]string{
	"model": {"pb", "limits"},
	// These judge members, so they must not share their code.
	"check":         {"trace", "limits", "invariant"},
	"check/fold":    {"pb", "model"},
	"picture":       {"trace"}, // it draws what events tell, and has nothing else to go by
	"check/history": {"trace", "invariant", "pb", "model", "check", "check/fold"},
}

// drivers may do what the core may not: they touch the operating system.
var drivers = map[string]bool{"backend/bolt": true}

type source struct {
	pkg  string // relative to core
	name string // relative to the module
	file *ast.File
}

// sources parses every Go file below root; tests and files that a build
// constraint keeps out of js, and generated ones, are left out when pure is set.
func sources(t *testing.T, fset *token.FileSet, root string, pure bool) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir // a module of its own
			}
			if d.Name() == "testdata" || d.Name() == "dist" || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if pure && (!inBrowser(t, p) || ast.IsGenerated(f)) {
			return nil
		}
		rel, _ := filepath.Rel(root, filepath.Dir(p))
		all = append(all, source{pkg: filepath.ToSlash(rel), name: filepath.ToSlash(p), file: f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// inBrowser reports whether the file is part of the build for js/wasm.
func inBrowser(t *testing.T, p string) bool {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH = "js", "wasm"
	in, err := ctx.MatchFile(filepath.Split(p))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestThePageKnowsThePictureOnly: one file opens the simulator; the others play
// events, whoever wrote them.
func TestThePageKnowsThePictureOnly(t *testing.T) {
	const opens = "world.go"
	for _, root := range []string{"../wasm", "../web"} {
		for _, src := range sources(t, token.NewFileSet(), root, false) {
			for _, imp := range imports(src.file) {
				simulator := imp == "vitrine/core/sim" || imp == "vitrine/core/replay"
				if simulator && (src.pkg != "world" || filepath.Base(src.name) != opens) {
					t.Errorf("%s imports %s: only wasm/world/%s may", src.name, imp, opens)
				}
			}
		}
	}
}

func imports(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

func TestImportsPointOneWay(t *testing.T) {
	fset := token.NewFileSet()
	for _, src := range sources(t, fset, ".", false) {
		if src.pkg == "." {
			continue
		}
		rank := slices.Index(order, src.pkg)
		if rank < 0 {
			if !slices.ContainsFunc(order, func(p string) bool { return strings.HasPrefix(src.pkg, p+"/") }) {
				t.Errorf("%s: package core/%s has no place in the order of packages", src.name, src.pkg)
			}
			continue
		}
		for _, imp := range imports(src.file) {
			dep, ours := strings.CutPrefix(imp, "vitrine/core/")
			switch {
			case ours && only[src.pkg] != nil:
				if !slices.Contains(only[src.pkg], dep) {
					t.Errorf("%s: core/%s may import %v only, not core/%s", src.name, src.pkg, only[src.pkg], dep)
				}
			case ours:
				if at := slices.Index(order, dep); at < 0 || at >= rank {
					t.Errorf("%s: core/%s imports core/%s, which does not come before it", src.name, src.pkg, dep)
				}
			case strings.HasPrefix(imp, "vitrine/"):
				t.Errorf("%s: the core imports %s", src.name, imp)
			}
		}
	}
}

func TestServerKnowsNoSimulator(t *testing.T) {
	forbidden := []string{
		"vitrine/core/sim", "vitrine/core/check", "vitrine/core/model", "vitrine/core/script", "vitrine/core/story",
		"vitrine/core/replay", "vitrine/wasm",
	}
	fset := token.NewFileSet()
	for _, src := range sources(t, fset, "../cmd/server", false) {
		for _, imp := range imports(src.file) {
			if slices.ContainsFunc(forbidden, func(f string) bool { return imp == f || strings.HasPrefix(imp, f+"/") }) {
				t.Errorf("%s: the server imports %s", src.name, imp)
			}
		}
	}
}

// floors lists the packages of the server; each may import only earlier ones.
var floors = []string{
	"port", "authority", "tasks", "secure", "relay", "listen", "dial", "logs", "version", "secret", "discovery",
	"tracing", "config", "namespace", "upstream", "broadcast",
	"telemetry", "peer", "disk", "node", "corruption", "serving", "lockpb", "lock", "descriptors", "grpcapi", "gateway",
	"v2", "admin", "proxy", "serve",
}

func TestServerHasUprightFloors(t *testing.T) {
	fset := token.NewFileSet()
	for _, src := range sources(t, fset, "../cmd/server/internal", false) {
		rank := slices.Index(floors, src.pkg)
		if rank < 0 {
			t.Errorf("%s: package %s has no place in the order of the server's packages", src.name, src.pkg)
		}
		for _, imp := range imports(src.file) {
			if dep, ours := strings.CutPrefix(imp, "vitrine/cmd/server/internal/"); ours {
				if at := slices.Index(floors, dep); at < 0 || at >= rank {
					t.Errorf("%s: %s imports %s, which does not come before it", src.name, src.pkg, dep)
				}
			}
		}
	}
}

// forbiddenImports maps an import to the reason why the core has none of it.
var forbiddenImports = map[string]string{
	"os": "files", "net": "sockets", "net/http": "sockets", "os/exec": "processes", "os/signal": "processes",
	"syscall": "the operating system", "golang.org/x/sys/unix": "the operating system",
	"sync": "locks", "math/rand": "global randomness", "crypto/rand": "global randomness",
	"log": "a global logger", "go.uber.org/zap": "a global logger", "google.golang.org/grpc": "a transport",
	"runtime": "the scheduler",
}

// raft draws its election timeouts from crypto/rand.Reader; the simulator,
// and nothing else, puts a seeded reader there (ARCHITECTURE.md, Determinism).
var allowedImports = map[string][]string{"sim/dice": {"crypto/rand"}}

var forbiddenCalls = map[string][]string{
	"time": {"Now", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Since", "Until"},
	"rand": {"Int", "IntN", "Int64", "Int64N", "Int32", "Int32N", "Uint32", "Uint64", "Uint64N", "Uint32N", "UintN",
		"Float64", "Float32", "Perm", "Shuffle", "NormFloat64", "ExpFloat64", "N", "Seed"},
	"maps":      {"Keys", "Values", "All"},
	"log":       {"Print", "Printf", "Println", "Fatal", "Fatalf"},
	"prototext": {"Format", "Marshal"},
}

func TestCoreIsPure(t *testing.T) {
	fset := token.NewFileSet()
	for _, src := range sources(t, fset, ".", true) {
		if drivers[src.pkg] {
			continue
		}
		for _, imp := range imports(src.file) {
			if why, bad := forbiddenImports[imp]; bad && !slices.Contains(allowedImports[src.pkg], imp) {
				t.Errorf("%s: imports %q: the core knows no %s", src.name, imp, why)
			}
		}
		ast.Inspect(src.file, func(n ast.Node) bool {
			if fault := impurity(n); fault != "" {
				t.Errorf("%s: %s", fset.Position(n.Pos()), fault)
			}
			return true
		})
	}
}

func impurity(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "starts a goroutine"
	case *ast.SelectStmt:
		return "selects between channels"
	case *ast.ChanType:
		return "has a channel"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Obj == nil && slices.Contains(forbiddenCalls[x.Name], n.Sel.Name) {
			return fmt.Sprintf("uses %s.%s", x.Name, n.Sel.Name)
		}
	}
	return ""
}

// TestNoMutableGlobals finds assignments inside functions to variables of the
// package: five members must be able to live in one process.
func TestNoMutableGlobals(t *testing.T) {
	fset := token.NewFileSet()
	byPkg := map[string][]source{}
	for _, src := range sources(t, fset, ".", false) {
		shipped, err := build.Default.MatchFile(filepath.Split(src.name)) // not so a file for the tag mutants
		if err != nil {
			t.Fatal(err)
		}
		if shipped && !ast.IsGenerated(src.file) {
			byPkg[src.pkg] = append(byPkg[src.pkg], src)
		}
	}
	for _, files := range byPkg {
		globals := map[string]bool{}
		for _, src := range files {
			for _, decl := range src.file.Decls {
				if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
					for _, spec := range gen.Specs {
						for _, name := range spec.(*ast.ValueSpec).Names {
							globals[name.Name] = true
						}
					}
				}
			}
		}
		for _, src := range files {
			for _, at := range globalWrites(src.file, globals) {
				t.Errorf("%s: writes a variable of the package", fset.Position(at))
			}
		}
	}
}

func globalWrites(f *ast.File, globals map[string]bool) []token.Pos {
	var found []token.Pos
	write := func(lhs ast.Expr) {
		for {
			switch x := lhs.(type) {
			case *ast.IndexExpr:
				lhs = x.X
				continue
			case *ast.SelectorExpr:
				lhs = x.X
				continue
			case *ast.StarExpr:
				lhs = x.X
				continue
			case *ast.Ident:
				// A local of the same name has an object that is not file scope.
				if globals[x.Name] && (x.Obj == nil || f.Scope.Lookup(x.Name) == x.Obj) {
					found = append(found, x.Pos())
				}
			}
			return
		}
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil || fn.Name.Name == "init" {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						write(l)
					}
				}
			case *ast.IncDecStmt:
				write(n.X)
			}
			return true
		})
	}
	return found
}

// TestNobodyPanics: a broken invariant stops the program through core/invariant, which tells the trace before. The
// guard of a mapped file passes on what it has caught.
func TestNobodyPanics(t *testing.T) {
	allowed := []string{"invariant", "backend/bolt"}
	fset := token.NewFileSet()
	for _, src := range sources(t, fset, ".", false) {
		if slices.Contains(allowed, src.pkg) || ast.IsGenerated(src.file) {
			continue
		}
		ast.Inspect(src.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "panic" && f.Obj == nil {
				t.Errorf("%s: panics by itself", fset.Position(call.Pos()))
			}
			return true
		})
	}
}

// TestEveryLimitIsUsed: a bound that nobody takes from core/limits is another one somewhere else, or none. Those of
// leases wait for the duties of a leader.
func TestEveryLimitIsUsed(t *testing.T) {
	fset := token.NewFileSet()
	unused := map[string]token.Pos{}
	for _, src := range sources(t, fset, "limits", false) {
		for _, decl := range src.file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.CONST {
				for _, spec := range gen.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						unused[name.Name] = name.Pos()
					}
				}
			}
		}
	}
	if len(unused) < 50 {
		t.Fatalf("%d limits were found", len(unused))
	}
	for _, root := range []string{".", "../cmd", "../wasm"} {
		for _, src := range sources(t, fset, root, false) {
			ast.Inspect(src.file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "limits" {
						delete(unused, n.Sel.Name)
					}
				case *ast.FuncDecl: // those of package limits use its constants, too
					if src.pkg == "limits" && root == "." {
						ast.Inspect(n, func(n ast.Node) bool {
							if x, ok := n.(*ast.Ident); ok {
								delete(unused, x.Name)
							}
							return true
						})
					}
				}
				return true
			})
		}
	}
	for name, pos := range unused {
		t.Errorf("%s: nobody uses limits.%s", fset.Position(pos), name)
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	fset := token.NewFileSet()
	documented := map[string]bool{}
	for _, root := range []string{".", "../cmd", "../wasm", "../web"} {
		for _, src := range sources(t, fset, root, false) {
			dir := path.Dir(src.name)
			documented[dir] = documented[dir] || src.file.Doc != nil && strings.TrimSpace(src.file.Doc.Text()) != ""
		}
	}
	dirs := make([]string, 0, len(documented))
	for dir := range documented {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		if !documented[dir] {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

// TestCoreBuildsForTheBrowser compiles all of the core but bolt, and the page,
// for js/wasm, and looks that gRPC stays out of it.
func TestCoreBuildsForTheBrowser(t *testing.T) {
	env := append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	compile := exec.Command("go", "build", "./core/...", "./wasm/...")
	compile.Dir, compile.Env = "..", env
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("go build for js/wasm: %v\n%s", err, out)
	}
	list := exec.Command("go", "list", "-deps", "./wasm/...")
	list.Dir, list.Env = "..", env
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if dep == "google.golang.org/grpc" || dep == "net/http" || strings.HasPrefix(dep, "go.uber.org/zap") {
			t.Errorf("the page depends on %s", dep)
		}
	}
}
