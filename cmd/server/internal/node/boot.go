package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/secret"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/store"
)

type (
	logWrite   = consensus.LogWrite
	applyBatch = consensus.ApplyBatch
)

// Open finds or makes the member in its data directory, recovers it and connects it to
// its peers. Nothing runs until Start, but peers may already be refused or answered.
func Open(cfg Config) (_ *Node, err error) {
	n := &Node{
		cfg: cfg, log: cfg.Log, metrics: telemetry.New(cfg.Registry), start: time.Now(),
		logLane: newLane[logWrite](), applyLane: newLane[applyBatch](),
		calls: map[uint64]*call{}, streams: map[uint64]*stream{}, beats: map[uint64]time.Time{},
		ready: make(chan struct{}), failed: make(chan error, 1), stopping: make(chan struct{}),
		reconnects: make(chan struct{}, 1), elected: make(chan struct{}, 1),
		images: make(chan struct{}, limits.ImagesSent),
	}
	n.scans, n.forwards = tasks.NewPool(&n.tasks, limits.WatchScans), tasks.NewPool(&n.tasks, forwardsAtOnce)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.forwarder = n.newForwarder()
	n.inbox = newInbox(limits.InboxItems, limits.PeerInboxBytes)
	n.flight.open(cfg.FlightRecorderBytes)
	if n.release, err = membership.ParseVersion(cfg.Version); err != nil {
		return nil, err
	}
	boot, err := n.openDisk()
	if err != nil {
		return nil, err
	}
	if err := n.assemble(boot); err != nil {
		return nil, errors.Join(err, n.disk.Close(false))
	}
	return n, nil
}

// openDisk brings back what the disk holds, or makes a new member's disk.
func (n *Node) openDisk() (consensus.Boot, error) {
	d, found, err := disk.Open(disk.Config{
		Settings: n.cfg.Disk, MinLeaseTTL: store.LeaseTTL(n.cfg.ElectionTicks, n.cfg.TickInterval), Log: n.log,
		Metrics: n.metrics,
		Pens:    disk.Pens{Apply: n.flight.apply, Log: n.flight.log, Commit: n.flight.commit, Now: n.Now},
		Report:  func(in member.Input) { n.inbox.put(in) }, Stopping: n.stopping, Readers: &n.tasks,
	}, n.birth)
	n.disk, n.id, n.cluster = d, found.ID, found.Cluster
	return found.Boot, err
}

// bcryptCost is etcd's.
const bcryptCost = 10

// assemble makes the member of what was found and gives it its surroundings.
func (n *Node) assemble(boot consensus.Boot) error {
	var info member.StoreInfo
	n.disk.Look(func(s *store.Store) { info = driver.Info(s) })
	n.members.Store(info.Members.Clone())
	var err error
	if n.cfg.Secrets == nil {
		if n.cfg.Secrets, err = secret.New("simple", bcryptCost); err != nil {
			return err
		}
	}
	cfg := n.cfg.Config
	cfg.ID, cfg.ClusterID = n.id, n.cluster
	cfg.FirstID, cfg.Began = rand.Uint64(), uint64(time.Now().UnixMilli())
	cfg.Watch.FragmentBytes = cfg.MaxRequestBytes + limits.RequestOverheadBytes
	cfg.Tracer = n.begin(n.flight.core, n.flight.apply.Caused())
	m, err := member.New(cfg, boot, info, n.Now())
	if err != nil {
		return err
	}
	n.member = m
	n.transport = peer.New(peer.Config{
		Self: n.id, Cluster: n.cluster, URLs: n.cfg.PeerURLs, Member: (*peerSide)(n), Log: n.log,
		Metrics: peer.NewMetrics(n.cfg.Registry), Dial: n.cfg.Dial, TLS: n.cfg.PeerTLS,
		LocalAddr:   n.cfg.LocalAddr,
		ReadTimeout: n.cfg.PeerReadTimeout, WriteTimeout: n.cfg.PeerWriteTimeout,
		MaxRequestBytes: n.cfg.MaxRequestBytes,
	})
	n.reconnect()
	n.metrics.Register(n.cfg.Registry, n)
	return nil
}

// connect follows the membership. It does not run on the core loop, which must not wait for a peer's connections to
// end.
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
