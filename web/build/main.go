// Command build makes the page: it compiles ./wasm for js/wasm, gathers what
// the browser loads in web/dist, and compresses each file with brotli.
//
//	go run ./web/build              # quick: brotli 7
//	go run ./web/build -quality 11  # for a release: slow, 15 % smaller
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
)

func main() {
	quality := flag.Int("quality", 7, "brotli quality, 0 to 11")
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	begin := time.Now()
	raw, packed, err := build(*root, *quality)
	if err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
	fmt.Printf("page: %.2f MB, %.2f MB in brotli %d, in web/dist after %.1f s\n", float64(raw)/1e6, float64(packed)/1e6, *quality, time.Since(begin).Seconds())
}

// build fills dist and tells the size of the page in bytes, plain and packed.
func build(root string, quality int) (raw, packed int64, err error) {
	dist := filepath.Join(root, "web", "dist")
	if err := empty(dist); err != nil {
		return 0, 0, err
	}
	if err := compile(root, filepath.Join(dist, "vitrine.wasm")); err != nil {
		return 0, 0, err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("go env GOROOT: %w", err)
	}
	for from, to := range map[string]string{
		filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"): "wasm_exec.js",
		filepath.Join(root, "web", "index.html"):                                        "index.html",
		filepath.Join(root, "web", "style.css"):                                         "style.css",
	} {
		if err := copyFile(from, filepath.Join(dist, to)); err != nil {
			return 0, 0, err
		}
	}
	for from, to := range map[string]string{
		filepath.Join(root, "web", "js"):          "js",
		filepath.Join(root, "assets", "icons"):    "assets/icons",
		filepath.Join(root, "assets", "fonts"):    "assets/fonts",
		filepath.Join(root, "assets", "messages"): "assets/messages",
		filepath.Join(root, "assets", "replays"):  "assets/replays",
	} {
		if err := os.CopyFS(filepath.Join(dist, filepath.FromSlash(to)), os.DirFS(from)); err != nil {
			return 0, 0, err
		}
	}
	return compress(dist, quality)
}

// empty removes what an earlier build left, but not what git keeps.
func empty(dist string) error {
	entries, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "README.md" || e.Name() == ".gitignore" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dist, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func compile(root, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "mutants", "-ldflags=-s -w", "-o", out, "./wasm")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile the page: %w", err)
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// compress writes a .br beside every file that gains by it.
func compress(dist string, quality int) (raw, packed int64, err error) {
	err = filepath.WalkDir(dist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "README.md" || d.Name() == ".gitignore" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raw += int64(len(data))
		var out bytes.Buffer
		w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: quality, LGWin: 24})
		if _, err := w.Write(data); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if out.Len() >= len(data) {
			packed += int64(len(data)) // a font is compressed already
			return nil
		}
		packed += int64(out.Len())
		return os.WriteFile(path+".br", out.Bytes(), 0o644)
	})
	return raw, packed, err
}
