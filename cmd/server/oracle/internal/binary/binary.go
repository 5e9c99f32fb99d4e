// Package binary finds the programs that are compared, and builds them from
// source when they are not there yet: vitrine from the module above, etcd,
// etcdctl and etcdutl from the versions that this module requires, and an
// etcd that serves version 2 from the module old.
package binary

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// version is etcd's, part of the path of the cache; oldVersion is that of the module old.
const version, oldVersion = "3.7.3", "3.4.13"

// program is where one is built: a module and a package.
type program struct{ dir, pkg, version string }

var programs = map[string]program{
	"etcd":    {".", "go.etcd.io/etcd/server/v3", version},
	"etcdctl": {".", "go.etcd.io/etcd/etcdctl/v3", version},
	"etcdutl": {".", "go.etcd.io/etcd/etcdutl/v3", version},
	"etcd3.4": {"old", "go.etcd.io/etcd", oldVersion},
}

// Path returns the path of a program. ORACLE_BIN names a folder with etcd's
// programs, by their names here; without it they are built once into the user's cache directory.
// VITRINE_BIN names a vitrine; without it one is built into scratch.
func Path(name, scratch string) (string, error) {
	if name == "vitrine" {
		return vitrine(scratch)
	}
	if dir := os.Getenv("ORACLE_BIN"); dir != "" {
		return filepath.Join(dir, name), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	p := programs[name]
	path := filepath.Join(cache, "vitrine-oracle-"+p.version, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	half := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := build(p.dir, half, p.pkg); err != nil {
		return "", err
	}
	return path, os.Rename(half, path)
}

func vitrine(scratch string) (string, error) {
	if path := os.Getenv("VITRINE_BIN"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "vitrine").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m vitrine: %w", err)
	}
	path := filepath.Join(scratch, "vitrine")
	return path, build(string(bytes.TrimSpace(dir)), path, "./cmd/server")
}

func build(dir, path, pkg string) error {
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
