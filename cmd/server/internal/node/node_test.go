package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/disk"
	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/duty"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"
)

// patience bounds every wait: far more than is needed, as the machine may be busy.
const patience = 40 * time.Second

func testConfig(dir string) Config {
	return Config{
		Config: member.Config{
			Config:       consensus.Config{ElectionTicks: 10},
			Limits:       api.Limits{MaxRequestBytes: 1 << 20, MaxTxnOps: 128, SlowRequest: time.Second},
			Self:         duty.Self{Name: "m", ClientURLs: []string{"http://127.0.0.1:2"}},
			TickInterval: 10 * time.Millisecond,
		},
		Disk: disk.Settings{
			DataDir: dir, BackendInterval: 10 * time.Millisecond, BackendOps: 1000,
			CompactionBatch: 10, CompactionPause: time.Millisecond, SlowApply: time.Second,
			SegmentBytes: 1 << 20, LockTimeout: 20 * time.Millisecond,
		},
		PeerURLs: []string{"http://127.0.0.1:1"},
		Cluster:  map[string][]string{"m": {"http://127.0.0.1:1"}}, NewCluster: true, Token: "t", Version: "3.7.3",
		TickAdvance: true, Log: zap.NewNop(),
	}
}

func open(t *testing.T, cfg Config) *Node {
	t.Helper()
	cfg.Registry = prometheus.NewRegistry()
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(n.Kill)
	select {
	case <-n.Ready():
	case <-time.After(patience):
		t.Fatal("never ready")
	}
	return n
}

// Ask is what package serving does with a call, as far as the tests here need it.
func (n *Node) Ask(ctx context.Context, c api.Call) (any, error) {
	switch r := c.Body.(type) {
	case *pb.DefragmentRequest:
		return &pb.DefragmentResponse{}, n.disk.Defragment()
	case *pb.HashKVRequest:
		return pb.Answer(n.disk.HashKV(r))
	case *pb.StatusRequest:
		s := &pb.StatusResponse{}
		return s, n.disk.Status(s)
	}
	a, err := n.Submit(ctx, c)
	if err != nil || !a.IsReady {
		return a.Reply.Response, errors.Join(err, a.Reply.Err)
	}
	resp, err := n.disk.Read(&a.Ready)
	return a.Ready.Finish(resp, err)
}

// bounded is a context for one call.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func put(n *Node, key, value string) (*pb.PutResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := n.Ask(ctx, api.Call{Body: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}})
	if err != nil {
		return nil, err
	}
	return resp.(*pb.PutResponse), nil
}

func count(t *testing.T, n *Node, key, end string) int64 {
	t.Helper()
	resp, err := n.Ask(bounded(t),
		api.Call{Body: &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end), CountOnly: true}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.(*pb.RangeResponse).Count
}

// A disk that fails stops the member: nothing that depends on the failed write is
// acknowledged, neither now nor when the disk works again, and what was acknowledged is
// there after a restart.
func TestFailingDiskStopsTheMember(t *testing.T) {
	for name, kind := range map[string]vfs.Kind{"fsync": vfs.OpSyncData, "full": vfs.OpWrite} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			cfg := testConfig(t.TempDir())
			cfg.Disk.FS = vfs.WithFaults(vfs.OS{}, func(op vfs.Op) error {
				if broken.Load() && op.Kind == kind && strings.HasSuffix(op.Path, ".wal") {
					return syscall.ENOSPC
				}
				return nil
			})
			n := open(t, cfg)
			for i := range 10 {
				if _, err := put(n, fmt.Sprint("k", i), "v"); err != nil {
					t.Fatal(err)
				}
			}
			broken.Store(true)
			if _, err := put(n, "lost", "v"); !errors.Is(err, api.ErrStopped) {
				t.Errorf("a put into a broken log: %v", err)
			}
			select {
			case err := <-n.Failed():
				if !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("failed with %v", err)
				}
			case <-time.After(patience):
				t.Fatal("the member goes on")
			}
			broken.Store(false)
			if _, err := put(n, "late", "v"); !errors.Is(err, api.ErrStopped) {
				t.Errorf("a put after the failure: %v", err)
			}
			n.Kill()
			cfg.Disk.FS = nil
			n = open(t, cfg)
			if got := count(t, n, "k", "l"); got != 10 {
				t.Errorf("%d keys after the restart, 10 were acknowledged", got)
			}
			if got := count(t, n, "late", ""); got != 0 {
				t.Error("what was refused exists")
			}
		})
	}
}

// The log is made of several segments, and old ones go once the database has what they hold.
func TestLogIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t.TempDir())
		cfg.Disk.SegmentBytes, cfg.SnapshotCount, cfg.CatchUpEntries = 64<<10, 50, 10
		n := open(t, cfg)
		value := strings.Repeat("x", 2000)
		for i := range 400 {
			if _, err := put(n, fmt.Sprint("k", i%10), value); err != nil {
				t.Fatal(err)
			}
		}
		segments := func() int {
			names, err := filepath.Glob(filepath.Join(cfg.Disk.DataDir, "member", "wal", "*.wal"))
			if err != nil {
				t.Fatal(err)
			}
			return len(names)
		}
		for deadline := time.Now().Add(patience); segments() > 6; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d segments of 64 KB are left of 800 KB", segments())
			}
			if _, err := put(n, "k0", value); err != nil { // marks are made as entries come
				t.Fatal(err)
			}
		}
		n.Kill()
		n = open(t, cfg)
		if got := count(t, n, "k", "l"); got != 10 {
			t.Errorf("%d keys after the restart", got)
		}
	})
}

func TestPhysicalCompactionIsAnsweredWhenDone(t *testing.T) {
	cfg := testConfig(t.TempDir())
	n := open(t, cfg)
	var last int64
	for i := range 100 {
		resp, err := put(n, "k", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		last = resp.Header.Revision
	}
	if _, err := n.Ask(bounded(t), api.Call{Body: &pb.CompactionRequest{Revision: last, Physical: true}}); err != nil {
		t.Fatal(err)
	}
	var compacting bool
	n.disk.Look(func(s *store.Store) { compacting = s.Compacting() })
	if compacting {
		t.Error("the compaction is still under way")
	}
	n.Kill()
	n = open(t, cfg)
	var rev int64
	n.disk.Look(func(s *store.Store) { rev = s.KV.CompactRevision() })
	if rev != last {
		t.Errorf("compact revision %d after the restart, want %d", rev, last)
	}
}

// A transaction that only reads may fail, too.
func TestReadOnlyTxnThatFails(t *testing.T) {
	n := open(t, testConfig(t.TempDir()))
	future := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("k"),
		Revision: 99}}}
	if _, err := n.Ask(bounded(t), api.Call{Body: &pb.TxnRequest{Success: []*pb.RequestOp{future}}}); !errors.Is(err,
		api.ErrFutureRev) {
		t.Errorf("error %v", err)
	}
}

// A write that would go over the quota does not reach the log.
func TestQuotaRefusesBeforeTheLog(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Disk.QuotaBytes = 200_000
	n := open(t, cfg)
	value := strings.Repeat("x", 20_000)
	var last int64
	for i := range 30 {
		resp, err := put(n, "k", fmt.Sprint(i, value))
		if errors.Is(err, api.ErrNoSpace) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		last = resp.Header.Revision
		n.disk.Flush()
	}
	resp, err := n.Ask(bounded(t), api.Call{Body: &pb.RangeRequest{Key: []byte("k")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.(*pb.RangeResponse).Header.Revision; got != last || last > 20 {
		t.Errorf("revision %d after the refusal, %d before", got, last)
	}
	if alarms := n.Alarms(); len(alarms) != 1 || alarms[0].MemberID != n.ID() || alarms[0].Alarm != pb.AlarmType_NOSPACE {
		t.Errorf("alarms %v", alarms)
	}
}

func TestCanceledCallerLeavesNothingBehind(t *testing.T) {
	n := open(t, testConfig(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := n.Ask(ctx, api.Call{Body: &pb.PutRequest{Key: []byte("k")}}); !errors.Is(err, context.Canceled) &&
			err != nil {
			t.Fatal(err)
		}
	}
	if _, err := put(n, "k", "v"); err != nil {
		t.Fatal(err)
	}
	n.Kill()
	if len(n.calls) != 0 {
		t.Errorf("%d calls are still on the books", len(n.calls))
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	cfg := testConfig(t.TempDir())
	open(t, cfg)
	cfg.Registry = prometheus.NewRegistry()
	if other, err := Open(cfg); err == nil {
		other.Kill()
		t.Error("two members share a directory")
	}
}

func TestMissingDatabaseIsSaid(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SnapshotCount = 5
	n := open(t, cfg)
	for i := range 100 {
		if _, err := put(n, fmt.Sprint(i), "v"); err != nil {
			t.Fatal(err)
		}
		n.disk.Flush()
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(cfg.Disk.DataDir, "member", "snap", "db")); err != nil {
		t.Fatal(err)
	}
	cfg.Registry = prometheus.NewRegistry()
	if n, err := Open(cfg); err == nil {
		n.Kill()
		t.Error("a member without its database starts")
	} else if !strings.Contains(err.Error(), "of the backend is missing") {
		t.Error(err)
	}
}

func TestMissingLogIsSaid(t *testing.T) {
	cfg := testConfig(t.TempDir())
	n := open(t, cfg)
	if _, err := put(n, "k", "v"); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(cfg.Disk.DataDir, "member", "wal")
	if err := os.Rename(log, log+".away"); err != nil {
		t.Fatal(err)
	}
	cfg.Registry = prometheus.NewRegistry()
	if n, err := Open(cfg); err == nil {
		n.Kill()
		t.Error("a member without its log starts")
	} else if !strings.Contains(err.Error(), "is missing: there is none in "+log) {
		t.Error(err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("a new log was begun")
	}
	if err := os.Rename(log+".away", log); err != nil {
		t.Fatal(err)
	}
	if got := count(t, open(t, cfg), "k", ""); got != 1 {
		t.Errorf("%d keys with the log back", got)
	}
}

func TestBornTwice(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Verify = func() error { return errors.New("not a member of its own cluster") }
	cfg.Registry = prometheus.NewRegistry()
	if n, err := Open(cfg); err == nil {
		n.Kill()
		t.Error("a member that fails its checks is born")
	}
	cfg.Verify = nil
	n := open(t, cfg)
	id := n.ID()
	n.Kill()
	// What the flags say of the first cluster counts at birth only.
	cfg.Verify = func() error { return errors.New("asked again") }
	cfg.Cluster = map[string][]string{"other": {"http://127.0.0.1:9"}}
	if n = open(t, cfg); n.ID() != id {
		t.Errorf("id %x after the restart, %x before", n.ID(), id)
	}
}

func TestDefragmentBesideWrites(t *testing.T) {
	cfg := testConfig(t.TempDir())
	n := open(t, cfg)
	size := func() int64 {
		resp, err := n.Ask(bounded(t), api.Call{Body: &pb.StatusRequest{}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.(*pb.StatusResponse).DbSize
	}
	big := strings.Repeat("x", 50000)
	var last int64
	for i := range 100 {
		resp, err := put(n, "big", fmt.Sprint(i, big))
		if err != nil {
			t.Fatal(err)
		}
		last = resp.Header.Revision
	}
	if _, err := n.Ask(bounded(t), api.Call{Body: &pb.CompactionRequest{Revision: last, Physical: true}}); err != nil {
		t.Fatal(err)
	}
	before := size()
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		i := 0
		defer func() { done <- i }()
		for ; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := put(n, fmt.Sprint("k", i), "v"); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 3 {
		if _, err := n.Ask(bounded(t), api.Call{Body: &pb.DefragmentRequest{}}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	written := <-done
	if after := size(); after > before/4 {
		t.Errorf("the database has %d bytes, %d before", after, before)
	}
	n.Kill()
	n = open(t, cfg)
	if got := count(t, n, "k", "l"); got != int64(written) {
		t.Errorf("%d keys after the restart, %d were written", got, written)
	}
}
