package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestCompressedTwinsHoldTheSame(t *testing.T) {
	dir := t.TempDir()
	text := []byte(strings.Repeat("a see-through etcd ", 200))
	noise := []byte{7, 201, 33, 90, 14, 255, 0, 61}
	for name, data := range map[string][]byte{"page.txt": text, "sub/noise.bin": noise} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, packed, _, err := compress(dir, twins{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(len(text) + len(noise)); raw != want {
		t.Errorf("%d bytes plain, want %d", raw, want)
	}
	twin, err := os.ReadFile(filepath.Join(dir, "page.txt.br"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(brotli.NewReader(bytes.NewReader(twin)))
	if err != nil || !bytes.Equal(back, text) {
		t.Errorf("the twin holds %d bytes (%v), want %d", len(back), err, len(text))
	}
	if want := int64(len(twin) + len(noise)); packed != want {
		t.Errorf("%d bytes packed, want %d", packed, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "sub", "noise.bin.br")); err == nil {
		t.Error("a file that only grows was compressed")
	}
}

func TestEmptyKeepsWhatGitKeeps(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README.md", ".gitignore", "old.wasm", "js/old.js"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := empty(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); got != ".gitignore README.md" {
		t.Errorf("left over: %s", got)
	}
}

// TestWhatHasNotChangedIsNotCompressedAgain gives the build a twin that could not
// be its own: it is kept as long as the file is the same and the quality suffices.
func TestWhatHasNotChangedIsNotCompressedAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.txt")
	build := func(text string, quality int) string {
		t.Helper()
		earlier := remember(dir)
		if err := os.WriteFile(path, []byte(strings.Repeat(text, 200)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(path + ".br"); err != nil {
			t.Fatal(err)
		}
		_, _, lowest, err := compress(dir, earlier, quality)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, qualityFile), fmt.Appendln(nil, lowest), 0o644); err != nil {
			t.Fatal(err)
		}
		twin, err := os.ReadFile(path + ".br")
		if err != nil {
			t.Fatal(err)
		}
		return string(twin)
	}
	build("a see-through etcd ", 5)
	const mark = "made earlier"
	if err := os.WriteFile(path+".br", []byte(mark), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := build("a see-through etcd ", 4); got != mark {
		t.Error("the same file was compressed again")
	}
	if got := build("a see-through etcd ", 6); got == mark {
		t.Error("a twin of a lower quality was kept")
	}
	if err := os.WriteFile(path+".br", []byte(mark), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := build("another text ", 6); got == mark {
		t.Error("the twin of another text was kept")
	}
}

// The folder that browsers keep changes its name with any of its files, and a twin
// of an earlier day is used again.
func TestTheKeptFolderIsNamedByItsContents(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	name := func() string {
		t.Helper()
		sum, err := digest(dir)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	write("js/main.js", "one")
	first := name()
	if name() != first || len(first) != 12 {
		t.Errorf("the digest of the same files is %q and %q", first, name())
	}
	write("js/main.js", "two")
	if name() == first {
		t.Error("another script, and the same name")
	}
	if err := os.RemoveAll(filepath.Join(dir, "js")); err != nil {
		t.Fatal(err)
	}
	write(keptPrefix+"0123/js/main.js", "script")
	write(keptPrefix+"0123/js/main.js.br", "small")
	write(qualityFile, "5")
	earlier := remember(dir)
	if got := earlier.of("js/main.js", []byte("script"), 5); string(got) != "small" {
		t.Errorf("the twin of yesterday is %q", got)
	}
}

// TestStandInsAreForEbitenAlone: what takes the place of a package of the standard library
// can do only what ebiten needs, so nobody else may reach it.
func TestStandInsAreForEbitenAlone(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags", "mutants", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`,
		"vitrine/wasm")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		for _, to := range imports[1:] {
			if _, ours := standIns[to]; !ours {
				continue
			}
			reached[to] = true
			if !strings.HasPrefix(imports[0], "github.com/hajimehoshi/ebiten/v2/") {
				t.Errorf("%s imports %s, of which the page has a stand-in only", imports[0], to)
			}
		}
	}
	for real := range standIns {
		if !reached[real] {
			t.Errorf("nothing imports %s: its stand-in is to go", real)
		}
	}
}
