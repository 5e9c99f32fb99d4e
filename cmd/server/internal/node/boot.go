package node

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/secret"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

type (
	logWrite   = consensus.LogWrite
	applyBatch = consensus.ApplyBatch
)

// Open finds or makes the member in its data directory, recovers it and connects it to
// its peers. Nothing runs until Start, but peers may already be refused or answered.
func Open(cfg Config) (*Node, error) {
	n := &Node{
		cfg: cfg, log: cfg.Log, metrics: newMetrics(cfg.Registry), start: time.Now(),
		logLane: newLane[logWrite](), applyLane: newLane[applyBatch](), commits: newCommits(), keeper: keeper{make(chan struct{}, 1)},
		calls: map[uint64]*call{}, streams: map[uint64]*stream{}, beats: map[uint64]time.Time{},
		ready: make(chan struct{}), failed: make(chan error, 1), stopping: make(chan struct{}),
		reconnects: make(chan struct{}, 1), elected: make(chan struct{}, 1),
		images: make(chan struct{}, limits.ImagesSent), receiving: make(chan struct{}, 1),
	}
	n.scans = tasks.NewPool(&n.tasks, limits.WatchScans)
	n.inbox = newInbox(limits.InboxItems, limits.PeerInboxBytes)
	if n.cfg.FS == nil {
		n.cfg.FS = vfs.OS{}
	}
	n.flight.open(cfg.FlightRecorderBytes)
	n.disk = n.diskOf()
	boot, err := n.recover()
	if err != nil {
		return nil, err
	}
	if err := n.assemble(boot); err != nil {
		return nil, errors.Join(err, n.journal.Close(), n.state.Store.Backend.Close())
	}
	return n, nil
}

// recover brings back what the disk holds, or makes a new member's disk.
func (n *Node) recover() (boot consensus.Boot, err error) {
	restart := n.disk.HasLog()
	if restart {
		n.log.Info("Bootstrapping WAL from snapshot", zap.String("wal-dir", n.disk.Layout.WAL))
	}
	started, err := n.disk.Start(n.birth)
	if err != nil {
		return boot, err
	}
	meta, found := &pb.WALMetadata{}, started.Found
	if err := meta.UnmarshalVT(found.Metadata); err != nil {
		return boot, errors.Join(fmt.Errorf("failed to read WAL metadata: %w", err), started.Close())
	}
	if found.Repaired {
		n.log.Warn("repaired WAL", zap.Int64("truncated-bytes", found.Truncated))
	}
	n.id, n.cluster, n.journal, n.state = meta.GetNodeID(), meta.GetClusterID(), started.Log, started.State
	if restart {
		n.log.Info("restarting local member", zap.String("cluster-id", hexID(n.cluster)), zap.String("local-member-id", hexID(n.id)), zap.Uint64("commit-index", found.HardState.GetCommit()))
	}
	n.measure()
	return started.Boot, nil
}

// diskOf is where a node keeps what must survive it.
func (n *Node) diskOf() *driver.Disk {
	return &driver.Disk{
		FS: n.cfg.FS, Layout: driver.At(n.cfg.DataDir, n.cfg.WALDir), Open: n.openDB,
		WAL:    wal.Options{SegmentBytes: n.cfg.SegmentBytes, Recycle: true, UnsafeNoSync: n.cfg.NoFsync},
		Store:  store.Config{QuotaBytes: n.cfg.QuotaBytes},
		Tracer: n.begin(n.flight.apply, 0), LogTracer: n.flight.log, CommitTracer: n.flight.commit,
		UnsafeNoSync: n.cfg.NoFsync,
		Opened: func(path string, at backend.Applied) {
			n.log.Info("opened backend db", zap.String("path", path), zap.Duration("took", time.Duration(n.openTook.Load())), zap.Uint64("consistent-index", at.Index))
		},
		CatchUp: func(at, index uint64) {
			n.log.Info("Recovering from snapshot backend", zap.Uint64("consistent-index", at), zap.Uint64("snapshot-index", index))
		},
	}
}

func (n *Node) openDB(path string) (backend.Store, error) {
	start := time.Now()
	defer func() { n.openTook.Store(int64(time.Since(start))) }()
	db, err := bolt.Open(path, bolt.Options{
		NoSync: n.cfg.NoFsync, MmapSize: n.mmapSize(), LockTimeout: cmp.Or(n.cfg.LockTimeout, lockTimeout),
		Damaged: n.endDamaged,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open the database: %w", err)
	}
	return db, nil
}

// endDamaged ends the process when a read of the database meets damage: it has no answer, and to stop in order would
// take more reads.
func (n *Node) endDamaged(err error) {
	n.log.Error("the member has stopped", zap.Error(err))
	_ = n.log.Sync() // there is nobody left to tell
	os.Exit(1)
}

// bcryptCost is etcd's.
const bcryptCost = 10

// lockTimeout is how long a start waits for a process that is just ending.
const lockTimeout = 10 * time.Second

// mmapSize leaves room above a quota that was set, so that an alarm can be resolved.
func (n *Node) mmapSize() int64 {
	if q := n.cfg.QuotaBytes; q > 0 {
		return q + q/10
	}
	return 0
}

// assemble makes the member of what was found and gives it its surroundings.
func (n *Node) assemble(boot consensus.Boot) error {
	n.members.Store(n.state.Store.Members.Clone())
	n.users.Store(n.state.Store.Auth.Enabled())
	var err error
	if n.cfg.Secrets == nil {
		if n.cfg.Secrets, err = secret.New("simple", bcryptCost); err != nil {
			return err
		}
	}
	if n.release, err = membership.ParseVersion(n.cfg.Version); err != nil {
		return err
	}
	cfg := n.cfg.Config
	cfg.ID, cfg.ClusterID, cfg.Epoch = n.id, n.cluster, uint64(time.Now().UnixMilli())
	cfg.Watch.FragmentBytes = cfg.MaxRequestBytes + limits.RequestOverheadBytes
	cfg.Tracer = n.begin(n.flight.core, n.flight.apply.Caused())
	m, err := member.New(cfg, boot, driver.Info(n.state.Store), n.now())
	if err != nil {
		return err
	}
	n.member = m
	n.transport = peer.New(peer.Config{
		Self: n.id, Cluster: n.cluster, URLs: n.cfg.PeerURLs, Member: (*peerSide)(n), Log: n.log, Metrics: peer.NewMetrics(n.cfg.Registry), Dial: n.cfg.Dial,
		MaxRequestBytes: n.cfg.MaxRequestBytes,
	})
	n.reconnect()
	n.registerGauges(n.cfg.Registry)
	return nil
}

// connect follows the membership. It does not run on the core loop, which must not wait for a peer's connections to end.
func (n *Node) connect() {
	for {
		select {
		case <-n.stopping:
			return
		case <-n.reconnects:
			n.reconnect()
		}
	}
}

// reconnect makes the transport talk to the members, and to nobody else.
func (n *Node) reconnect() {
	ms := n.Members()
	for _, m := range ms.List() {
		n.transport.Add(m.ID, m.PeerURLs)
	}
	for _, id := range n.transport.Peers() {
		if ms.Get(id) == nil {
			n.transport.Remove(id)
		}
	}
}
