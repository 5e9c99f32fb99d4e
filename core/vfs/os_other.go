//go:build !unix && !js

package vfs

import "os"

// Directories cannot be opened for syncing here; a rename is made durable by
// the system itself.
func syncDir(*os.File) error { return nil }

func syncData(f *os.File) error { return f.Sync() }

func reserve(f *os.File, _, size int64) error { return extend(f, size) }

func lockFile(*os.File) error { return nil }
