package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const module = "go.etcd.io/etcd/tests/v3"

var suites = []string{"common", "e2e"}

// built is a folder of programs: the suites, and for each server a folder as the suites want it.
type built struct {
	dir     string // absolute
	sources string // the module's own directory: tests find their fixtures beside themselves
}

// unavailable names what this machine lacks.
func unavailable() error {
	var missing []error
	if os.Geteuid() != 0 {
		missing = append(missing, errors.New("a network of its own for each test needs root"))
	}
	for _, program := range []string{"unshare", "ip", "curl", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("there is no program %q (packages: util-linux, iproute2, curl)", program))
		}
	}
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	out, err := exec.Command("unshare", isolate("true")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("no network of its own: unshare: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// build compiles what is not there yet; go's cache makes a second time cheap.
func build(ctx context.Context, o options) (*built, error) {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	sources, err := goTool(ctx, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, err
	}
	b := &built{dir: dir, sources: strings.TrimSpace(sources)}
	if b.sources == "" {
		if _, err := goTool(ctx, "mod", "download", module); err != nil {
			return nil, err
		}
		if sources, err = goTool(ctx, "list", "-m", "-f", "{{.Dir}}", module); err != nil {
			return nil, err
		}
		b.sources = strings.TrimSpace(sources)
	}
	for _, suite := range suites {
		if _, err := goTool(ctx, "test", "-c", "-tags", "e2e", "-o", b.suite(suite), module+"/"+suite); err != nil {
			return nil, err
		}
	}
	programs := []string{"etcdctl", "etcdutl"}
	if !o.smoke {
		programs = append(programs, "server")
	}
	for _, p := range programs {
		if _, err := goTool(ctx, "build", "-o", filepath.Join(dir, "programs", p), "go.etcd.io/etcd/"+p+"/v3"); err != nil {
			return nil, err
		}
	}
	return b, b.arrange(o.vitrine)
}

// arrange makes a folder for each server in which it is called etcd and has etcd's tools beside it.
func (b *built) arrange(vitrine string) error {
	vitrine, err := filepath.Abs(vitrine)
	if err != nil {
		return err
	}
	servers := map[string]string{"vitrine": vitrine, "etcd": filepath.Join(b.dir, "programs", "server")}
	for server, program := range servers {
		dir := b.bin(server)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		tools := filepath.Join(b.dir, "programs")
		for name, target := range map[string]string{
			"etcd": program, "etcdctl": filepath.Join(tools, "etcdctl"), "etcdutl": filepath.Join(tools, "etcdutl"),
		} {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *built) suite(name string) string { return filepath.Join(b.dir, "programs", name+".test") }

func (b *built) bin(server string) string { return filepath.Join(b.dir, "bin", server) }

// list says which tests are asked for, in the order of the suites.
func (b *built) list(ctx context.Context, o options, only *regexp.Regexp, kept *data) ([]test, error) {
	var tests []test
	for _, suite := range suites {
		if o.suite != "" && o.suite != suite {
			continue
		}
		cmd := exec.CommandContext(ctx, b.suite(suite), "-test.list", ".")
		cmd.Dir = filepath.Join(b.sources, suite)
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list the tests of %s: %w", suite, err)
		}
		for name := range strings.Lines(string(out)) {
			t := test{suite, strings.TrimSpace(name)}
			if !strings.HasPrefix(t.name, "Test") || !only.MatchString(t.name) || o.smoke && !kept.smoke[t] {
				continue
			}
			tests = append(tests, t)
		}
	}
	if len(tests) == 0 {
		return nil, errors.New("no test is called like that")
	}
	return tests, nil
}

func goTool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, problems.Bytes(), out)
	}
	return string(out), nil
}
