package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sampleName is the program of testdata, as a package is named: relative to core.
const sampleName = "../cmd/mutation/testdata/sample"

// TestOperators builds the program of testdata once with all its mutants, turns
// each of them on, and compares what has become of the output with a file: of
// each mutant the lines that changed. A mutant that is missing there, or that
// should not be, is a difference, too.
func TestOperators(t *testing.T) {
	b := instrumentSample(t)
	bin := filepath.Join(b.dir, "sample")
	overlay := writeOverlay(t, b)
	if err := b.goTool("build", "-overlay", overlay, "-o", bin, "./"+below(sampleName)); err != nil {
		t.Fatal(err)
	}
	clean := output(t, bin, 0)
	plain, err := exec.Command("go", "run", "./testdata/sample").Output()
	if err != nil || string(plain) != clean {
		t.Errorf("without a mutant the program says %q, the unchanged one %q (%v)", clean, plain, err)
	}
	var got strings.Builder
	for _, m := range b.mutants {
		fmt.Fprintln(&got, strings.TrimPrefix(m.key(), sampleName+" "))
		before, after := strings.Split(clean, "\n"), strings.Split(output(t, bin, m.Number), "\n")
		for i, line := range after {
			if i >= len(before) || line != before[i] {
				fmt.Fprintln(&got, "\t"+line)
			}
		}
	}
	compare(t, "testdata/operators.txt", got.String())
	for _, name := range []string{
		opBoundary, opNegate, opLogic, opOperand, opArithmetic, opStep, opConstant,
		opTruth, opExtreme, opSlice, opDrop, opLoop, opResult,
	} {
		if !slices.ContainsFunc(b.mutants, func(m *mutant) bool { return m.Operator == name }) {
			t.Errorf("the sample has nothing for %s", name)
		}
	}
}

func instrumentSample(t *testing.T) *instrumented {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b, err := plan(&options{root: root, dir: t.TempDir(), packages: sampleName, out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeOverlay(t *testing.T, b *instrumented) string {
	t.Helper()
	file, err := b.writeSources()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// output is what the program says with a mutant on.
func output(t *testing.T, bin string, n uint32) string {
	t.Helper()
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), fmt.Sprintf("VITRINE_MUTANT=%d", n), "VITRINE_MUTANT_CPU=1")
	out, err := cmd.Output()
	if err != nil {
		return string(out) + err.Error() + "\n"
	}
	return string(out)
}

// compare looks whether a file says the same; it writes the file if UPDATE is set.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d: got %q, want %q (UPDATE=1 writes the file)", file, i+1, g[i], append(w, "")[min(i, len(w))])
		}
	}
	t.Fatalf("%s has more lines", file)
}

// TestHits: the clean run tells what is reached.
func TestHits(t *testing.T) {
	b := instrumentSample(t)
	bin := filepath.Join(b.dir, "sample")
	if err := b.goTool("build", "-overlay", writeOverlay(t, b), "-o", bin, "./"+below(sampleName)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(b.dir, "hits")
	if err := os.WriteFile(file, make([]byte, len(b.mutants)+1), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "VITRINE_MUTANT_HITS="+file)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	hits, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range b.mutants {
		if unused := m.Function == "unused"; (hits[m.Number] == 0) != unused {
			t.Errorf("%s: hit %d", m.key(), hits[m.Number])
		}
	}
}

// TestSampleIsStable: it is the same for one seed, another for another, and what
// is drawn of fewer is drawn of more.
func TestSampleIsStable(t *testing.T) {
	b := instrumentSample(t)
	draw := func(n int, seed uint64) (keys []string) {
		for _, m := range b.sample(&options{packages: sampleName, sample: n, seed: seed}) {
			keys = append(keys, m.key())
		}
		return keys
	}
	ten := draw(10, 1)
	if len(ten) != 10 || !slices.Equal(ten, draw(10, 1)) || !slices.Equal(ten, draw(20, 1)[:10]) {
		t.Errorf("drawn %q, then %q", ten, draw(20, 1))
	}
	if slices.Equal(ten, draw(10, 2)) {
		t.Error("another seed draws the same")
	}
	if all := draw(0, 1); len(all) != len(b.mutants) {
		t.Errorf("all are %d of %d", len(all), len(b.mutants))
	}
}

// TestKeysAreUnique: results and explanations are told apart by them.
func TestKeysAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range instrumentSample(t).mutants {
		if seen[m.key()] {
			t.Errorf("two are called %s", m.key())
		}
		seen[m.key()] = true
	}
}
