package trial

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"vitrine/powercut/internal/disk"
)

// checkVariable names, in the environment, the database that this program is to check and nothing else.
const checkVariable = "POWERCUT_CHECK_DATABASE"

// CheckDatabaseInstead does that, and ends the process, if it was asked for. Programs that make trials call it
// first: bbolt panics on some damage, in a goroutine of its own, so it is checked in a process of its own.
func CheckDatabaseInstead() {
	path := os.Getenv(checkVariable)
	if path == "" {
		return
	}
	if err := checkFile(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// checkDatabase runs bbolt's own check on what a cut has left of a database. A file that was never
// finished is none yet: whether the server copes with it is seen when it boots.
func checkDatabase(d *disk.Disk) error {
	n := d.Root()
	for _, name := range []string{"data", "member", "snap", "db"} {
		if n = n.Lookup(name); n == nil {
			return nil
		}
	}
	dir, err := os.MkdirTemp("", "powercut")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "db")
	if err := d.Export(n, path); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), checkVariable+"="+path)
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		first, _, _ := strings.Cut(out.String(), "\n")
		return fmt.Errorf("%w: %s", err, first)
	}
	return nil
}

// unbegun is the size that bbolt writes first, in one piece, and syncs.
const unbegun = 4 * 4096

func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil && (errors.Is(err, bbolterrors.ErrInvalid) || info.Size() <= unbegun) {
		return nil
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	})
}
