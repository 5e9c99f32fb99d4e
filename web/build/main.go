// Command build makes the page: it compiles ./wasm for js/wasm, gathers what
// the browser loads in web/dist, and compresses each file with brotli.
//
//	go run ./web/build             # brotli 11, a minute for a new vitrine.wasm
//	go run ./web/build -quality 4  # two seconds: while one works on the page
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// budget is what the whole page may weigh on its way to a visitor, in bytes.
const budget = 3_300_000

// best is the quality for others to download: 4 % less than 10, in twice the time.
const best = 11

func main() {
	quality := flag.Int("quality", best, "brotli quality, 0 to 11")
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	begin := time.Now()
	raw, packed, err := build(*root, *quality)
	if err == nil && *quality >= best && packed > budget {
		err = fmt.Errorf("the page has %d bytes in brotli, %d are allowed", packed, budget)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
	fmt.Printf("page: %.2f MB, %.2f MB in brotli %d, in web/dist after %.1f s\n", float64(raw)/1e6, float64(packed)/1e6,
		*quality, time.Since(begin).Seconds())
}

// build fills dist and tells the size of the page in bytes, plain and packed.
func build(root string, quality int) (raw, packed int64, err error) {
	dist := filepath.Join(root, "web", "dist")
	earlier := remember(dist)
	if err := empty(dist); err != nil {
		return 0, 0, err
	}
	fresh := filepath.Join(dist, "fresh")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return 0, 0, err
	}
	if err := compile(root, filepath.Join(fresh, "vitrine.wasm")); err != nil {
		return 0, 0, err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("go env GOROOT: %w", err)
	}
	for from, to := range map[string]string{
		filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"): "wasm_exec.js",
		filepath.Join(root, "web", "style.css"):                                         "style.css",
	} {
		if err := copyFile(from, filepath.Join(fresh, to)); err != nil {
			return 0, 0, err
		}
	}
	for from, to := range map[string]string{
		filepath.Join(root, "web", "js"):          filepath.Join(fresh, "js"),
		filepath.Join(root, "assets", "icons"):    filepath.Join(fresh, "assets", "icons"),
		filepath.Join(root, "assets", "fonts"):    filepath.Join(fresh, "assets", "fonts"),
		filepath.Join(root, "assets", "messages"): filepath.Join(fresh, "assets", "messages"),
		filepath.Join(root, "assets", "replays"):  filepath.Join(dist, "assets", "replays"),
	} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return 0, 0, err
		}
	}
	return finish(root, dist, fresh, earlier, quality)
}

// finish compresses everything and gives the folder of what a browser may keep its
// name: that changes with any of its files.
func finish(root, dist, fresh string, earlier twins, quality int) (raw, packed int64, err error) {
	sum, err := digest(fresh)
	if err != nil {
		return 0, 0, err
	}
	kept := filepath.Join(dist, keptPrefix+sum)
	if err := os.Rename(fresh, kept); err != nil {
		return 0, 0, err
	}
	raw, packed, lowest, err := compress(kept, earlier, quality)
	if err != nil {
		return 0, 0, err
	}
	if err := index(root, dist, kept); err != nil {
		return 0, 0, err
	}
	rawRest, packedRest, lowestRest, err := compress(dist, earlier, quality)
	if err != nil {
		return 0, 0, err
	}
	note := fmt.Appendln(nil, min(lowest, lowestRest))
	return raw + rawRest, packed + packedRest, os.WriteFile(filepath.Join(dist, qualityFile), note, 0o644)
}

// index writes the page: it names the folder of the day, and how large the program is.
func index(root, dist, kept string) error {
	html, err := os.ReadFile(filepath.Join(root, "web", "index.html"))
	if err != nil {
		return err
	}
	text := string(html)
	folder := filepath.Base(kept) + "/"
	for _, attribute := range []string{`href="assets/`, `href="style.css"`, `src="assets/`, `src="js/`} {
		if !strings.Contains(text, attribute) {
			return fmt.Errorf("web/index.html has no %s", attribute)
		}
		name, file, _ := strings.Cut(attribute, `"`)
		text = strings.ReplaceAll(text, attribute, name+`"`+folder+file)
	}
	if text, err = tellSize(text, filepath.Join(kept, "vitrine.wasm")); err != nil {
		return err
	}
	text = strings.Replace(text, `name="commit" content=""`, fmt.Sprintf(`name="commit" content="%s"`, commit(root)), 1)
	return os.WriteFile(filepath.Join(dist, "index.html"), []byte(text), 0o644)
}

// commit is what the page is built from, "" where there is no git.
func commit(root string) string {
	cmd := exec.Command("git", "rev-parse", "--short=7", "HEAD")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// tellSize writes into the page how many bytes its program has, and how many of them
// travel: what a browser counts while it loads is unpacked, and it is not told more.
func tellSize(html, program string) (string, error) {
	raw, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	travels := raw
	if twin, err := os.Stat(program + ".br"); err == nil {
		travels = twin
	}
	const blank = `name="program-bytes" content="0 0"`
	sizes := fmt.Sprintf(`name="program-bytes" content="%d %d"`, raw.Size(), travels.Size())
	told := strings.Replace(html, blank, sizes, 1)
	if told == html {
		return "", fmt.Errorf("web/index.html has no place for the size of the program: %s", blank)
	}
	return told, nil
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

// inlined are the packages in which the compiler may put a function's body in the place
// of its call: what runs for each event and for each thing that is drawn.
//
// Everywhere else that is left to the browser, whose own compiler does it where the
// program turns out to spend its time. A body in ten places is almost the same in each of
// them, but never quite, so that it does not compress: without inlining the page has as
// many bytes before it is packed, and a tenth less afterwards. It costs little: 15 seeds of
// the simulator in node take 4 % longer. Without inlining in these packages, too, they take
// a quarter longer, for another 3 % of the bytes.
var inlined = []string{
	"runtime", "internal/runtime/...", "internal/bytealg", "internal/abi", "math", "math/bits", "slices", "sync",
	"sync/atomic", "unicode/utf8", "hash/crc32", "github.com/google/btree", "go.etcd.io/raft/v3",
	"vitrine/core/trace", "vitrine/core/picture", "vitrine/core/check", "vitrine/wasm/scene", "vitrine/wasm/player",
}

// compile links the page. It has the planted bugs of its gallery, and packages that let
// the linker leave out what nobody calls.
func compile(root, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	overlay, err := overlay(root)
	if err != nil {
		return err
	}
	defer os.Remove(overlay)
	args := []string{"build", "-trimpath", "-tags", "mutants", "-ldflags=-s -w", "-overlay", overlay, "-gcflags=all=-l"}
	for _, pattern := range inlined {
		args = append(args, "-gcflags="+pattern+"=")
	}
	cmd := exec.Command("go", append(args, "-o", out, "./wasm")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile the page: %w", err)
	}
	return nil
}

// standIns are the packages of web/build that take the place of one of the standard
// library: each says in its comment who reaches that, and what it costs.
//
// Later versions of ebiten carry their shaders ready-made (its issues 2984 and 3157);
// with one of those, template is to go.
var standIns = map[string]string{"text/template": "template", "archive/zip": "zip", "compress/zlib": "zlib",
	"regexp": "regexp"}

// overlay writes an overlay for go build with all stand-ins, and returns its name.
func overlay(root string) (string, error) {
	replace := map[string]string{}
	for real, ours := range standIns {
		out, err := exec.Command("go", "list", "-f", "{{.Dir}}", real).Output()
		if err != nil {
			return "", fmt.Errorf("where is %s? %w", real, err)
		}
		dir := strings.TrimSpace(string(out))
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return "", err
		}
		for _, f := range files {
			replace[f] = "" // as if it were not there
		}
		if replace[filepath.Join(dir, ours+".go")], err = filepath.Abs(
			filepath.Join(root, "web", "build", ours, ours+".go")); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "vitrine-overlay-*.json")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Write(data)
	return f.Name(), err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
