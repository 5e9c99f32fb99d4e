package serving

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/node"
	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/duty"
	"vitrine/core/member"
	"vitrine/core/pb"
)

// patience bounds every wait: far more than is needed, as the machine may be busy.
const patience = 40 * time.Second

// bounded is a context for one call.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open starts a server of a cluster of one, which may leave its disk unsynced.
func open(t testing.TB, noFsync bool) *Server {
	t.Helper()
	n, err := node.Open(node.Config{
		Config: member.Config{
			Config:       consensus.Config{ElectionTicks: 10},
			Limits:       api.Limits{MaxRequestBytes: 1 << 20, MaxTxnOps: 128, SlowRequest: time.Second},
			Self:         duty.Self{Name: "m", ClientURLs: []string{"http://127.0.0.1:2"}},
			TickInterval: 10 * time.Millisecond,
		},
		Disk: disk.Settings{
			DataDir: t.TempDir(), BackendInterval: 10 * time.Millisecond, BackendOps: 1000,
			CompactionBatch: 10, CompactionPause: time.Millisecond, SlowApply: time.Second,
			SegmentBytes: 1 << 20, NoFsync: noFsync,
		},
		PeerURLs: []string{"http://127.0.0.1:1"},
		Cluster:  map[string][]string{"m": {"http://127.0.0.1:1"}}, NewCluster: true, Token: "t", Version: "3.7.3",
		TickAdvance: true, Log: zap.NewNop(), Registry: prometheus.NewRegistry(),
	})
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
	return New(n)
}

// Everything that reads runs beside writers, compactions and an exchange of the database.
// Each reader checks that what it saw was one state: the pairs a/i and b/i are always
// written together, with one value.
func TestReadersBesideWriters(t *testing.T) {
	n := open(t, false)
	const pairs = 700 // more keys than a short range has
	write := func(i, value int) error {
		_, err := n.Ask(bounded(t), api.Call{Body: pair(i, value)})
		return err
	}
	for i := range pairs {
		if err := write(i, 0); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	var wg sync.WaitGroup
	run := func(what string, do func(i int) error) {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := do(i); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	run("put", func(i int) error { return write(i%pairs, i) })
	whole := func(r *pb.RangeRequest) error {
		resp, err := n.Ask(ctx, api.Call{Body: r})
		if err != nil {
			return err
		}
		return onlyPairs(resp.(*pb.RangeResponse).Kvs, pairs)
	}
	run("linearizable range", func(int) error { return whole(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}) })
	run("serializable range", func(int) error {
		return whole(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Serializable: true})
	})
	run("stream", func(int) error {
		kvs, err := merged(ctx, n)
		if errors.Is(err, api.ErrCompacted) {
			return nil // it was overtaken by a compaction, as it may be
		}
		return errors.Join(err, onlyPairs(kvs, pairs))
	})
	run("hash", func(int) error {
		_, err := n.Ask(ctx, api.Call{Body: &pb.HashKVRequest{}})
		return err
	})
	run("snapshot", func(int) error {
		c := api.Call{Operation: api.Snapshot, Body: &pb.SnapshotRequest{}}
		return n.Snapshot(ctx, c, func(*pb.SnapshotResponse) error { return nil })
	})
	for range 2 {
		resp, err := n.Ask(bounded(t), api.Call{Body: &pb.RangeRequest{Key: []byte("a")}})
		if err != nil {
			t.Fatal(err)
		}
		compact := &pb.CompactionRequest{Revision: pb.HeaderRevision(resp), Physical: true}
		if _, err := n.Ask(bounded(t), api.Call{Body: compact}); err != nil {
			t.Error(err)
		}
		if _, err := n.Ask(bounded(t), api.Call{Body: &pb.DefragmentRequest{}}); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

// merged are all keys, read as a stream.
func merged(ctx context.Context, s *Server) (kvs []*pb.KeyValue, err error) {
	all := api.Call{Operation: api.RangeStream, Body: &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}}
	err = s.RangeStream(ctx, all, func(r *pb.RangeStreamResponse) error {
		kvs = append(kvs, r.RangeResponse.Kvs...)
		return nil
	})
	return kvs, err
}

// pair writes a/i and b/i.
func pair(i, value int) *pb.TxnRequest {
	op := func(key string) *pb.RequestOp {
		put := &pb.PutRequest{Key: fmt.Appendf(nil, "%s/%04d", key, i), Value: fmt.Append(nil, value)}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
	}
	return &pb.TxnRequest{Success: []*pb.RequestOp{op("a"), op("b")}}
}

func onlyPairs(kvs []*pb.KeyValue, pairs int) error {
	if len(kvs) != 2*pairs {
		return fmt.Errorf("%d keys, want %d", len(kvs), 2*pairs)
	}
	for i := range pairs {
		a, b := kvs[i], kvs[pairs+i]
		if string(a.Value) != string(b.Value) || a.ModRevision != b.ModRevision {
			return fmt.Errorf("%s=%s and %s=%s are of different states", a.Key, a.Value, b.Key, b.Value)
		}
	}
	return nil
}
