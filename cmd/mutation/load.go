package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// module is the import path under which the packages are.
const module = "vitrine"

// loaded is a package with its syntax and its types.
type loaded struct {
	name  string // relative to core, such as backend/bolt
	dir   string
	fset  *token.FileSet
	files []*ast.File
	src   map[*ast.File][]byte
	paths map[*ast.File]string
	info  *types.Info
	pkg   *types.Package

	plantedOnly map[types.Object]bool // functions that only planted bugs call
	traceOnly   map[types.Object]bool // functions that only tell the trace
}

// listing is what go list says of a package.
type listing struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
}

// load reads the packages of the core with these names. Their imports come from
// the export data of the build, so that only they are type-checked.
func load(root string, names []string) ([]*loaded, error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles"}
	for _, name := range names {
		args = append(args, "./"+below(name))
	}
	var stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	listed := map[string]listing{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listing
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		listed[l.ImportPath] = l
	}
	var all []*loaded
	for _, name := range names {
		p, err := check(name, listed)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// below is the directory of a package.
func below(name string) string { return path.Join("core", name) }

func check(name string, listed map[string]listing) (*loaded, error) {
	l := listed[module+"/"+below(name)]
	p := &loaded{
		name: name, dir: l.Dir, fset: token.NewFileSet(), src: map[*ast.File][]byte{}, paths: map[*ast.File]string{},
		info: &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
			Defs: map[*ast.Ident]types.Object{},
		},
	}
	for _, file := range l.GoFiles {
		name := filepath.Join(l.Dir, file)
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(p.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
		p.src[f], p.paths[f] = src, name
	}
	conf := types.Config{Importer: importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) {
		if listed[path].Export == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(listed[path].Export)
	})}
	var err error
	if p.pkg, err = conf.Check(l.ImportPath, p.fset, p.files, p.info); err != nil {
		return nil, err
	}
	p.plantedOnly, p.traceOnly = map[types.Object]bool{}, map[types.Object]bool{}
	p.findPlanted()
	p.findTraceOnly()
	return p, nil
}

// mutants finds all that can be mutated in the package and writes the source
// that holds it. Numbers go on from first.
func (l *loaded) mutants(first uint32) (found []*mutant, files map[string][]byte) {
	files = map[string][]byte{}
	for _, f := range l.files {
		if ast.IsGenerated(f) {
			continue
		}
		p := newPass(l, f, first+uint32(len(found)))
		p.walk()
		found = append(found, p.found...)
		if len(p.found) > 0 {
			p.insert(f.Name.End(), `; import µ "`+module+`/cmd/mutation/toggle"`)
			files[l.paths[f]] = apply(l.src[f], p.edits)
		}
	}
	count := map[string]int{}
	for _, m := range found {
		key := m.key()
		count[key]++
		m.Nth = count[key]
	}
	return found, files
}

// mutant is one small change of the source.
type mutant struct {
	Number   uint32 // in this build
	Package  string
	Function string // with its receiver's type
	Operator string
	Change   string // what is changed, in the words of the source
	Nth      int    // of those of which all that is the same
	File     string // for the reader, as is the line
	Line     int
	Source   string // hash of the declaration that it is in
}

// key names a mutant so that edits elsewhere do not rename it.
func (m *mutant) key() string {
	key := strings.Join([]string{m.Package, m.Function, m.Operator}, " ") + ": " + m.Change
	if m.Nth > 1 {
		key += fmt.Sprintf(" #%d", m.Nth)
	}
	return key
}
