//go:build !js

package bolt

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// compactTxBytes bounds one transaction of a copy.
const compactTxBytes = 4 << 20

// CompactTo writes what is committed into a new file without the free pages
// between it. It may run beside views, not beside Commit. The file is synced
// transaction by transaction, not for its own sake, as nobody reads it before
// the caller has synced it: at the end of a large copy the log's syncs would
// wait behind all of it.
func (d *DB) CompactTo(path string) (err error) {
	to, err := bbolt.Open(path, fileMode, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		NoSync: d.options.NoSync, NoGrowSync: true,
	})
	if err != nil {
		return fmt.Errorf("bolt: open %s: %w", path, err)
	}
	defer func() {
		err = errors.Join(err, to.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := d.copyTo(to); err != nil {
		return fmt.Errorf("bolt: compact %s: %w", d.path, err)
	}
	return nil
}

func (d *DB) copyTo(to *bbolt.DB) (err error) {
	defer d.caught(&err)()
	return bbolt.Compact(to, d.db, compactTxBytes)
}
