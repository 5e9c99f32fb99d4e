package core

import (
	"flag"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

//go:generate go test . -run TestTableOfRooms -update

var update = flag.Bool("update", false, "write the imports of packages into ARCHITECTURE.md")

// strict is set by make lint, which CI runs. While several people move imports at one time, each would find the other's
// table old; so go test alone tells of it and passes.
var strict = flag.Bool("strict", false, "fail when the imports in ARCHITECTURE.md are old")

// outside are modules that ARCHITECTURE's table names beside packages of our own.
var outside = map[string]string{
	"go.etcd.io/raft/v3": "raft", "go.etcd.io/bbolt": "bbolt", "google.golang.org/grpc": "gRPC",
	"github.com/hajimehoshi/ebiten/v2": "ebiten",
}

// TestTableOfRooms: the column of imports in ARCHITECTURE's table of packages is what the source says, and every
// package of the core has a row. go generate ./core writes it.
func TestTableOfRooms(t *testing.T) {
	const page = "../ARCHITECTURE.md"
	complain := t.Logf
	if *strict {
		complain = t.Errorf
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := roomImports(t)
	missing := map[string]bool{}
	for room := range all {
		missing[room] = strings.HasPrefix(room, "core/")
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 || !strings.HasPrefix(line, "| `") || !strings.HasSuffix(line, " |") {
			continue
		}
		rooms := rowRooms(cells[0], all)
		if len(rooms) == 0 {
			continue
		}
		for _, room := range rooms {
			delete(missing, room)
		}
		want := strings.Join([]string{cells[0], cells[1], rowImports(rooms, all) + " |"}, " | ")
		if line != want {
			if !*update {
				complain("ARCHITECTURE.md, line %d: the table is old, go generate ./core renews it:\n got %s\nwant %s", i+1, line,
					want)
			}
			lines[i] = want
		}
	}
	for room, must := range missing {
		if must && room != "core" && !strings.Contains(room, "/internal") {
			complain("ARCHITECTURE.md: the table of packages has no row for %s", room)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// roomImports is what each package of the repository imports from others of it, and from modules outside.
func roomImports(t *testing.T) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, root := range []string{".", "../cmd", "../wasm", "../web", "../assets"} {
		for _, src := range sources(t, token.NewFileSet(), root, false) {
			room := path.Join("core", path.Dir(src.name))
			if all[room] == nil {
				all[room] = map[string]bool{}
			}
			for _, imp := range imports(src.file) {
				if ours, ok := strings.CutPrefix(imp, "vitrine/"); ok {
					all[room][ours] = true
				}
				for module, name := range outside {
					if imp == module || strings.HasPrefix(imp, module+"/") {
						all[room][name] = true
					}
				}
			}
		}
	}
	return all
}

// rowRooms are the packages that the first cell of a row names, each in backquotes; outside of the core a name stands
// for all packages below it, too.
func rowRooms(cell string, all map[string]map[string]bool) []string {
	var rooms []string
	for i, name := range strings.Split(cell, "`") {
		if i%2 == 0 {
			continue
		}
		for room := range all {
			if room == name || !strings.HasPrefix(name, "core/") && strings.HasPrefix(room, name+"/") {
				rooms = append(rooms, room)
			}
		}
	}
	return rooms
}

// rowImports is the third cell: what the packages of a row import beyond themselves.
func rowImports(rooms []string, all map[string]map[string]bool) string {
	var names []string
	for _, room := range rooms {
		for imp := range all[room] {
			if !slices.Contains(rooms, imp) {
				names = append(names, strings.TrimPrefix(imp, "core/"))
			}
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}
