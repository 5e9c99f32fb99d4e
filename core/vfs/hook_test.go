package vfs

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestWrappersCompose(t *testing.T) {
	full := errors.New("no space left on device")
	var counts Counts
	var spent time.Duration
	var seen []string
	fsys := WithLatency(NewMem(), func(op Op) time.Duration { return time.Duration(op.Size) * time.Microsecond },
		func(_ Op, d time.Duration) { spent += d })
	fsys = WithFaults(fsys, func(op Op) error {
		seen = append(seen, fmt.Sprintf("%v %s %d+%d", op.Kind, op.Path, op.Offset, op.Size))
		switch {
		case op.Kind == OpWrite && op.Offset+op.Size > 100:
			return &ShortWrite{Bytes: int(100 - op.Offset), Err: full}
		case op.Kind == OpSyncDir:
			return full
		}
		return nil
	})
	fsys = WithCount(fsys, &counts)

	f := must(fsys.Create("f"))(t)
	must(f.Write(make([]byte, 60)))(t)
	if n, err := f.Write(make([]byte, 60)); n != 40 || !errors.Is(err, full) {
		t.Fatalf("write on a full disk: %d, %v", n, err)
	}
	check(t, f.SyncData())
	if err := fsys.SyncDir("."); !errors.Is(err, full) {
		t.Fatalf("sync of the directory: %v", err)
	}
	if info := must(fsys.Stat("f"))(t); info.Size != 100 {
		t.Errorf("%d bytes were written", info.Size)
	}
	want := []string{"create f 0+0", "write f 0+60", "write f 60+60", "sync-data f 0+0", "sync-dir . 0+0", "stat f 0+0"}
	if !slices.Equal(seen, want) {
		t.Errorf("operations:\n%q\nwant\n%q", seen, want)
	}
	if counts.Ops[OpWrite] != 2 || counts.Bytes[OpWrite] != 120 || counts.Ops[OpSyncData] != 1 {
		t.Errorf("counts: %+v", counts)
	}
	if spent != 100*time.Microsecond {
		t.Errorf("time spent: %v", spent)
	}
}
