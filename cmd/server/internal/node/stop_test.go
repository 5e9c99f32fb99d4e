package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/watch"
)

// The tests of this file stop a node while something is under way. They run in bubbles of testing/synctest, which fail
// if a goroutine is left when the test is over: that nothing outlives a node needs no assertion of its own.

// hold lets somebody wait at a place of the test's choice.
type hold struct {
	mu       sync.Mutex
	armed    bool
	entered  chan struct{} // closed when somebody waits
	released chan struct{}
}

func newHold() *hold { return &hold{entered: make(chan struct{}), released: make(chan struct{})} }

func (h *hold) arm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = true
}

// pass waits if it is the first to come after arm.
func (h *hold) pass() {
	h.mu.Lock()
	waits := h.armed
	h.armed = false
	h.mu.Unlock()
	if waits {
		close(h.entered)
		<-h.released
	}
}

func (h *hold) release() { close(h.released) }

// slowStore is a node's own database with holds in front of a range of the keys, a commit and the sending of an image.
type slowStore struct {
	backend.Store
	reads, commits, images *hold
}

// slow puts a slowStore behind a node's buffer.
func slow(t *testing.T, n *Node) *slowStore {
	t.Helper()
	n.disk.Flush()
	s := &slowStore{reads: newHold(), commits: newHold(), images: newHold()}
	var err error
	n.disk.Exclusive(func(state *driver.State) {
		s.Store = state.Store.Backend.Store()
		_, err = state.Store.Backend.Replace(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *slowStore) Commit(ops []backend.Op) error {
	s.commits.pass()
	return s.Store.Commit(ops)
}

func (s *slowStore) View() (backend.StoreView, error) {
	v, err := s.Store.View()
	return slowView{v, s}, err
}

type slowView struct {
	backend.StoreView
	s *slowStore
}

func (v slowView) Range(b backend.Bucket, start, end []byte, fn func(k, v []byte) bool) {
	if b == backend.Key {
		v.s.reads.pass()
	}
	v.StoreView.Range(b, start, end, fn)
}

func (v slowView) Retain() backend.StoreView { return slowView{v.StoreView.Retain(), v.s} }

func (v slowView) Snapshot() (backend.Snapshot, error) {
	image, err := v.StoreView.Snapshot()
	return slowImage{image, v.s}, err
}

type slowImage struct {
	backend.Snapshot
	s *slowStore
}

func (i slowImage) WriteTo(w io.Writer) (int64, error) {
	i.s.images.pass()
	return i.Snapshot.WriteTo(w)
}

// bothWays runs a test with an orderly stop and with a kill, each in a bubble.
func bothWays(t *testing.T, test func(t *testing.T, stop func(n *Node) error)) {
	t.Run("stop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, (*Node).Stop) })
	})
	t.Run("kill", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, func(n *Node) error { n.Kill(); return nil }) })
	})
}

// patientConfig is of a node that commits when it is asked to, so that nothing wants the store's lock by itself.
func patientConfig(t *testing.T) Config {
	cfg := testConfig(t.TempDir())
	cfg.Disk.BackendInterval = time.Hour
	return cfg
}

// begin stops a node on another goroutine, until whoever is under way has to be waited for.
func begin(t *testing.T, n *Node, stop func(n *Node) error) (stopped chan error) {
	t.Helper()
	stopped = make(chan error, 1)
	go func() { stopped <- stop(n) }()
	synctest.Wait()
	select {
	case err := <-stopped:
		t.Fatalf("the stop did not wait (%v)", err)
	default:
	}
	return stopped
}

func watchFrom(t *testing.T, n *Node, revision int64) *stream {
	t.Helper()
	s, err := n.Watch(api.Call{Operation: api.Watch})
	if err != nil {
		t.Fatal(err)
	}
	create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l"), StartRevision: revision}
	s.(*stream).Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	return s.(*stream)
}

// restarted is a node with some history that is on disk alone.
func restarted(t *testing.T, cfg Config) *Node {
	t.Helper()
	n := open(t, cfg)
	for i := range 5 {
		if _, err := put(n, fmt.Sprint("k", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	return open(t, cfg)
}

func TestStopWaitsForAScan(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		n := restarted(t, patientConfig(t))
		s := slow(t, n)
		s.reads.arm()
		defer watchFrom(t, n, 1).Close()
		<-s.reads.entered
		stopped := begin(t, n, stop)
		s.reads.release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A scan that is asked for when the node is stopping does not run.
func TestNoScanBeginsWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, testConfig(t.TempDir()))
		n.Kill()
		n.scans.Go(func() { t.Error("it runs") })
		n.startImage(&raftpb.Message{To: new(uint64(7)), Snapshot: &raftpb.Snapshot{}})
		if v := n.StorageVersion(); v != "" {
			t.Errorf("storage version %q of a closed database", v)
		}
		for _, body := range []any{&pb.RangeRequest{Key: []byte("k"), Serializable: true}, &pb.DefragmentRequest{},
			&pb.PutRequest{Key: []byte("k")}} {
			if _, err := n.Ask(t.Context(), api.Call{Body: body}); !errors.Is(err, api.ErrStopped) {
				t.Errorf("%T of a stopped node: %v", body, err)
			}
		}
	})
}

func TestStopWaitsForALongRead(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		n := restarted(t, patientConfig(t))
		s := slow(t, n)
		s.reads.arm()
		done := make(chan error, 1)
		go func() {
			_, err := n.Ask(context.Background(), api.Call{Body: &pb.HashKVRequest{}})
			done <- err
		}()
		<-s.reads.entered
		stopped := begin(t, n, stop)
		s.reads.release()
		if err := errors.Join(<-stopped, <-done); err != nil {
			t.Error(err)
		}
	})
}

func snapshotFor(id uint64) *raftpb.Message {
	return &raftpb.Message{Type: raftpb.MsgSnap.Enum(), To: &id,
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(1))}}}
}

// The image is being taken: the node has to make a commit first, and is told to stop meanwhile.
func TestStopWhileAnImageIsTaken(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		for range 10 { // what the commit lane does first is left to chance
			n := open(t, patientConfig(t))
			s := slow(t, n)
			if _, err := put(n, "k", "v"); err != nil {
				t.Fatal(err)
			}
			s.commits.arm()
			n.startImage(snapshotFor(7))
			<-s.commits.entered
			n.startImage(snapshotFor(8))
			stopped := begin(t, n, stop)
			s.commits.release()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		}
	})
}

// The image is on its way: a peer has taken the connection and reads nothing.
func TestStopWhileAnImageIsOnItsWay(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		cfg := patientConfig(t)
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { theirs.Close() })
			return ours, nil
		}
		n := open(t, cfg)
		synctest.Wait() // connections follow the membership, of which the peer is no part
		n.transport.Add(7, []string{"http://peer"})
		s := slow(t, n)
		s.images.arm()
		n.startImage(snapshotFor(7)) // waits before its first byte
		n.startImage(snapshotFor(7)) // waits in the pipe
		<-s.images.entered
		stopped := begin(t, n, stop)
		s.images.release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestImagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, patientConfig(t))
		s := slow(t, n)
		if _, err := put(n, "k", "v"); err != nil {
			t.Fatal(err)
		}
		s.commits.arm()
		for range 2 * limits.ImagesSent {
			n.startImage(snapshotFor(7))
		}
		synctest.Wait()
		if got := len(n.images); got != limits.ImagesSent {
			t.Errorf("%d images are under way, want %d", got, limits.ImagesSent)
		}
		s.commits.release()
		synctest.Wait()
		if got := len(n.images); got != 0 {
			t.Errorf("%d images are still under way", got)
		}
	})
}

// Whoever waits when a node stops is told so: a watcher, a client that has asked for more than fits, a reader without a
// leader.
func TestStopEndsWatches(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		n := open(t, testConfig(t.TempDir()))
		s := watchFrom(t, n, 0)
		defer s.Close()
		asked := make(chan struct{})
		go func() { // a client that asks and never reads
			defer close(asked)
			for range 1000 {
				s.Request(
					&pb.WatchRequest{
						RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("k")}}})
			}
		}()
		idle := watchFrom(t, n, 0)
		defer idle.Close()
		var responses []*watch.Response
		ended := make(chan error)
		go func() {
			var err error
			for err == nil {
				responses, _, err = idle.Next(t.Context(), responses[:0])
			}
			ended <- err
		}()
		synctest.Wait()
		if err := stop(n); err != nil {
			t.Error(err)
		}
		<-asked
		if err := <-ended; !errors.Is(err, api.ErrStopped) {
			t.Errorf("the watch ended with %v", err)
		}
		if _, err := n.Watch(api.Call{Operation: api.Watch}); !errors.Is(err, api.ErrStopped) {
			t.Errorf("a watch of a stopped node: %v", err)
		}
	})
}

// A put waits for the disk when the node stops. It may be told either thing, but what was acknowledged must be there.
func TestStopWithAPutThatWaits(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		cfg := patientConfig(t)
		disk := newHold()
		cfg.Disk.FS = vfs.WithFaults(vfs.OS{}, func(op vfs.Op) error {
			if op.Kind == vfs.OpSyncData && strings.HasSuffix(op.Path, ".wal") {
				disk.pass()
			}
			return nil
		})
		n := open(t, cfg)
		disk.arm()
		acknowledged := make(chan bool, 1)
		go func() {
			_, err := put(n, "k", "v")
			if err != nil && !errors.Is(err, api.ErrStopped) {
				t.Errorf("the put ended with %v", err)
			}
			acknowledged <- err == nil
		}()
		<-disk.entered
		stopped := begin(t, n, stop)
		disk.release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		cfg.Disk.FS = nil
		if ok, got := <-acknowledged, count(t, open(t, cfg), "k", ""); ok && got != 1 {
			t.Error("a put was acknowledged and is gone")
		}
	})
}

// Stops strike a defragment wherever it is; the database is whole afterwards, and no copy is left.
func TestStopDuringADefragment(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		cfg := testConfig(t.TempDir())
		n := open(t, cfg)
		for i := range 20 {
			if _, err := put(n, fmt.Sprint("k", i), strings.Repeat("x", 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 10 {
			ended := make(chan error, 1)
			go func() {
				for {
					if _, err := n.Ask(context.Background(), api.Call{Body: &pb.DefragmentRequest{}}); err != nil {
						ended <- err
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			time.Sleep(time.Duration(round) * time.Millisecond / 3)
			if err := stop(n); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, api.ErrStopped) {
				t.Fatalf("the defragment ended with %v", err)
			}
			n = open(t, cfg)
			if got := count(t, n, "k", "l"); got != 20 {
				t.Fatalf("%d keys after round %d", got, round)
			}
			if left, err := filepath.Glob(filepath.Join(n.disk.SnapDir(), "*.tmp*")); err != nil || len(left) > 0 {
				t.Fatalf("%v are left (%v)", left, err)
			}
		}
	})
}

// A client's copy of the database is cut off, not torn: the client gets an error.
func TestStopWhileAClientTakesASnapshot(t *testing.T) {
	bothWays(t, func(t *testing.T, stop func(n *Node) error) {
		n := open(t, patientConfig(t))
		s := slow(t, n)
		s.images.arm()
		gone := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- n.disk.WithImage(func(image backend.Snapshot) error {
				_, err := image.WriteTo(client(gone))
				return err
			})
		}()
		<-s.images.entered
		stopped := begin(t, n, stop)
		s.images.release()
		synctest.Wait()
		// as gRPC does with the connection
		close(gone)
		if err := <-ended; err == nil || !strings.Contains(err.Error(), io.ErrClosedPipe.Error()) { // bbolt wraps in words
			t.Errorf("the snapshot ended with %v", err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// client is one that takes no piece until it has gone.
type client chan struct{}

func (c client) Write([]byte) (int, error) {
	<-c
	return 0, io.ErrClosedPipe
}
