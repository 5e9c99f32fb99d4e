package wal_test

import (
	"fmt"

	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// What was synced is there after a power loss; what was only appended may be.
func Example() {
	disk := vfs.NewMem()
	w, err := wal.Create(disk, "member/wal", []byte("who I am"), wal.Options{})
	if err != nil {
		panic(err)
	}
	entry := func(index uint64, data string) []*raftpb.Entry {
		return []*raftpb.Entry{{Term: new(uint64(1)), Index: &index, Data: []byte(data)}}
	}
	w.Append(nil, entry(1, "promised"))
	w.Sync()
	w.Append(nil, entry(2, "not yet"))

	disk = disk.LoseUnsynced()
	_, log, err := wal.Open(disk, "member/wal", nil, wal.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %d entry, %q\n", log.Metadata, len(log.Entries), log.Entries[0].Data)
	// Output: who I am: 1 entry, "promised"
}
