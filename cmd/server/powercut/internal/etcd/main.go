// Command etcd is the real etcd, whose log turns its segments at the size that
// POWERCUT_SEGMENT_BYTES says: etcd has no flag for it, and 64 MB take too long to fill.
package main

import (
	"fmt"
	"os"
	"strconv"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

func main() {
	if text := os.Getenv("POWERCUT_SEGMENT_BYTES"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, "POWERCUT_SEGMENT_BYTES:", err)
			os.Exit(2)
		}
		wal.SegmentSizeBytes = n
	}
	etcdmain.Main(os.Args)
}
