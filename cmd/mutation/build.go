package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// instrumented are the sources with all mutants, and what is built from them.
type instrumented struct {
	*options
	mutants []*mutant
	files   map[string][]byte // by the path that they take the place of
	hashes  map[string]string // of what a judge's verdict of a survivor rests on
}

// plan finds the mutants of all packages.
func plan(o *options) (*instrumented, error) {
	b := &instrumented{options: o, files: map[string][]byte{}, hashes: map[string]string{}}
	all, err := load(o.root, o.names())
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		found, files := l.mutants(uint32(len(b.mutants)) + 1)
		b.mutants = append(b.mutants, found...)
		for path, src := range files {
			b.files[path] = src
		}
		if b.hashes[l.name], err = hashOf(l.dir, true); err != nil {
			return nil, err
		}
	}
	b.hashes[judgeSim], err = hashOf(filepath.Join(o.root, "core"), false)
	return b, err
}

// hashOf is the hash of the Go files below dir, of its tests only if they count.
func hashOf(dir string, tests bool) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || !tests && strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n", path, len(src))
		h.Write(src)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil))[:16], err
}

// sample draws the mutants to run: of each package those whose names have the
// least hashes.
func (b *instrumented) sample(o *options) (drawn []*mutant) {
	of := map[string][]*mutant{}
	for _, m := range b.mutants {
		if strings.HasPrefix(m.key(), o.only) {
			of[m.Package] = append(of[m.Package], m)
		}
	}
	rank := map[*mutant]uint64{}
	for _, m := range b.mutants {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", o.seed, m.key()))
		rank[m] = binary.BigEndian.Uint64(sum[:])
	}
	for _, name := range o.names() {
		list := of[name]
		slices.SortFunc(list, func(a, b *mutant) int { return cmp.Compare(rank[a], rank[b]) })
		if o.sample > 0 && o.only == "" {
			list = list[:min(len(list), o.sample)]
		}
		drawn = append(drawn, list...)
	}
	return drawn
}

// writeSources writes the sources with the mutants and the overlay that puts
// them in the place of those without.
func (b *instrumented) writeSources() (overlay string, err error) {
	replace := map[string]string{}
	src := filepath.Join(b.dir, "_src") // a directory that ./... passes over
	if err := errors.Join(os.RemoveAll(src), os.MkdirAll(src, 0o755)); err != nil {
		return "", err
	}
	for path, text := range b.files {
		rel, err := filepath.Rel(b.root, path)
		if err != nil {
			return "", err
		}
		to := filepath.Join(src, strings.ReplaceAll(rel, string(filepath.Separator), "+"))
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return "", err
		}
		replace[path] = to
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(b.dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o644)
}

// build builds the judges. Go's cache makes it quick when nothing has changed.
func (b *instrumented) build() error {
	overlay, err := b.writeSources()
	if err != nil {
		return err
	}
	if err := b.goTool("build", "-trimpath", "-overlay", overlay, "-o", b.binary(judgeSim), "./cmd/sim"); err != nil {
		return err
	}
	for _, name := range b.names() {
		if err := b.goTool("test", "-c", "-overlay", overlay, "-o", b.binary(name), "./"+below(name)); err != nil {
			return err
		}
	}
	return nil
}

func (b *instrumented) goTool(args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = b.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// binary is the simulator, or the tests of a package.
func (b *instrumented) binary(name string) string {
	if name != judgeSim {
		name += ".test"
	}
	return filepath.Join(b.dir, strings.ReplaceAll(name, "/", "+"))
}
