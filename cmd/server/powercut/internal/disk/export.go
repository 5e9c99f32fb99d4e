package disk

import (
	"fmt"
	"os"
	"path/filepath"
)

// Export writes a file or a tree to a real file system, with holes where there are zeros.
func (d *Disk) Export(n *Node, path string) error {
	if n == nil {
		return fmt.Errorf("disk: export %s: %w", path, os.ErrNotExist)
	}
	if n.IsDir {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		for _, name := range n.List() {
			if err := d.Export(n.Lookup(name), filepath.Join(path, name)); err != nil {
				return err
			}
		}
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const piece = 64 << 10
	p := make([]byte, piece)
	for off := int64(0); off < n.Size(); off += piece {
		k := d.Read(n, p, off)
		if isZero(p[:k]) {
			continue
		}
		if _, err := f.WriteAt(p[:k], off); err != nil {
			return err
		}
	}
	if err := f.Truncate(n.Size()); err != nil {
		return err
	}
	return f.Close()
}
