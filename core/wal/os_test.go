//go:build !js

package wal

import (
	"path/filepath"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

func BenchmarkAppendSync(b *testing.B) {
	w, err := Create(vfs.OS{}, filepath.ToSlash(b.TempDir())+"/wal", nil, Options{})
	check(b, err)
	index := uint64(0)
	for b.Loop() {
		index++
		check(b, w.Append(nil, []*raftpb.Entry{entry(3, index, strings.Repeat("x", 256))}))
		check(b, w.Sync())
	}
	check(b, w.Close())
}
