package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/secret"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// Config is what a node is made of. It comes checked (package config). Of what the member is told, the node finds ids
// and epoch itself.
type Config struct {
	member.Config
	Disk     disk.Settings
	PeerURLs []string

	Cluster    map[string][]string // name to peer URLs, for a member that has no log yet
	NewCluster bool
	Token      string
	// Discover finds the members of a new cluster; self is this one's id. nil: Cluster has them.
	Discover func(self uint64) (map[string][]string, error)
	Verify   func() error // what must hold before a member is born

	Version string // etcd's, as Status says it

	TickAdvance bool // hasten the first election

	DowngradeCheck time.Duration // from one look whether a downgrade has ended to the next; 0: none

	FlightRecorderBytes int           // of memory for the newest events; 0: none are kept
	Dial                dial.Func     // how peers are reached; nil: over the network
	LocalAddr           net.Addr      // where connections to peers come from; nil: as the system chooses
	PeerTLS             *secure.Side  // nil: peers over https are reached without a certificate
	PeerReadTimeout     time.Duration // of connections to peers; 0: etcd's
	PeerWriteTimeout    time.Duration
	Secrets             *secret.Keeper // nil: as by default

	Log      *zap.Logger
	Registry prometheus.Registerer
}

// Node is one member with everything around it. Its methods may be called from any goroutine.
type Node struct {
	cfg     Config
	log     *zap.Logger
	metrics *telemetry.Metrics
	start   time.Time
	id      uint64
	cluster uint64
	disk    *disk.Disk
	flight  flight

	inbox     *inbox
	logLane   *lane[logWrite]
	applyLane *lane[applyBatch]
	transport *peer.Transport

	// Of the core loop alone.
	member    *member.Member
	out       member.Output
	calls     map[uint64]*call
	streams   map[uint64]*stream
	beats     map[uint64]time.Time // a leader's last heartbeats, by peer
	halted    error
	refused   refused
	published bool

	nextCall, nextStream        atomic.Uint64
	term, lead                  atomic.Uint64
	commitIndex, appliedIndex   atomic.Uint64
	learner, wantsPrev, leading atomic.Bool
	leaderSince                 atomic.Int64 // nanoseconds since 1970
	members                     atomic.Pointer[membership.Members]
	reconnects                  chan struct{} // a token when the membership has changed
	elected                     chan struct{} // a token when this member has become leader
	release                     membership.Version
	callPool                    sync.Pool // of *call

	ready    chan struct{} // closed when the cluster knows this member
	failed   chan error    // gets the reason when the member has stopped for good
	failOnce sync.Once
	stopping chan struct{}
	stopOnce sync.Once

	// Every goroutine belongs to one of these, and shutdown waits for them in this order. What reads the store
	// is in lanes, helpers or tasks, so that the store is closed behind its last reader.
	lanes   sync.WaitGroup // log, apply, core
	helpers sync.WaitGroup // ticker, commit, housekeeping, connections
	tasks   tasks.Group    // scans, images, and calls while they read; none begins once the node is stopping
	scans   *tasks.Pool
	// forwards are questions to other members, by forwarder; they end with ctx.
	forwards  *tasks.Pool
	forwarder *http.Client
	ctx       context.Context
	cancel    context.CancelFunc
	images    chan struct{} // a token for each image on its way to a peer
	reception reception
}

// Start begins to work. Peer messages are taken from now on; client requests wait for a leader.
func (n *Node) Start() {
	n.lanes.Go(n.writeLog)
	n.lanes.Go(n.applyAll)
	n.lanes.Go(n.core)
	n.helpers.Go(n.disk.Commit)
	n.helpers.Go(n.disk.Housekeep)
	n.helpers.Go(n.disk.DefragmentAtStart)
	n.helpers.Go(n.tick)
	n.helpers.Go(n.connect)
	n.helpers.Go(n.followVersions)
	n.disk.Wake()
}

// tick is raft's clock. A loop that cannot follow gets no backlog of ticks: time that
// was lost is not made up, as that would only cause an election.
func (n *Node) tick() {
	n.advance()
	ticker := time.NewTicker(n.cfg.TickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-n.stopping:
			return
		case <-ticker.C:
			n.inbox.offer(item{in: member.Input{Kind: member.Tick}})
		}
	}
}

// advance hastens the first election: a lone member need not wait for anybody, and one
// of several waits two ticks once it has heard that others are there.
func (n *Node) advance() {
	if !n.cfg.TickAdvance {
		return
	}
	ticks := n.cfg.ElectionTicks - 1
	if max(len(n.Members().List()), len(n.cfg.Cluster)) > 1 {
		if ticks = n.cfg.ElectionTicks - 2; !n.awaitPeers() {
			return
		}
	}
	for range ticks {
		n.inbox.put(member.Input{Kind: member.Tick})
	}
}

// awaitPeers waits up to five seconds for connections to peers.
func (n *Node) awaitPeers() bool {
	const patience, look = 5 * time.Second, 50 * time.Millisecond
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		active := 0
		for _, id := range n.transport.Peers() {
			if !n.transport.ActiveSince(id).IsZero() {
				active++
			}
		}
		if active > 0 {
			return true
		}
		if !n.sleep(look) {
			return false
		}
	}
	return false
}

// Ready is closed when the cluster knows this member's name, so that it may serve clients.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Failed delivers the reason if the member stops for good by itself.
func (n *Node) Failed() <-chan error { return n.failed }

// fail reports why the member has stopped.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.log.Error("the member has stopped", zap.String("local-member-id", hexID(n.id)), zap.Error(err))
		n.failed <- err
	})
}

// ID and ClusterID identify the member.
func (n *Node) ID() uint64        { return n.id }
func (n *Node) ClusterID() uint64 { return n.cluster }

// Leader is the member that leads, as far as this one knows; 0 if none.
func (n *Node) Leader() uint64 { return n.lead.Load() }

// Learner tells whether this member does not vote yet.
func (n *Node) Learner() bool { return n.learner.Load() }

// Transport is the way to the peers.
func (n *Node) Transport() *peer.Transport { return n.transport }

// Traffic is what this member has told other members, and they it.
func (n *Node) Traffic() peer.Traffic { return n.transport.Traffic() }

// Members is the membership as of the last change that was applied.
func (n *Node) Members() *membership.Members { return n.members.Load() }

// Alarms are the alarms in force.
func (n *Node) Alarms() []*pb.AlarmMember { return n.disk.Alarms() }

// StorageVersion is the version of the database's schema, "" while unknown.
func (n *Node) StorageVersion() string { return n.disk.StorageVersion() }

// Quota is the quota in force, in bytes; Version the release of etcd that this member says it is. Look lets f read the
// store while nobody changes it.
func (n *Node) Quota() int64              { return n.disk.Quota() }
func (n *Node) Version() string           { return n.cfg.Version }
func (n *Node) Look(f func(*store.Store)) { n.disk.Look(f) }

// Config is what the node was made of; Disk and Metrics are parts of it, for whoever serves clients.
func (n *Node) Config() Config              { return n.cfg }
func (n *Node) Disk() *disk.Disk            { return n.disk }
func (n *Node) Metrics() *telemetry.Metrics { return n.metrics }

// Header is the identity of an answer that is made without the core loop.
func (n *Node) Header() api.Header {
	return api.Header{ClusterID: n.cluster, MemberID: n.id, RaftTerm: n.term.Load(), Revision: n.disk.Revision()}
}

// Resign hands leadership over if this member has it, and waits until another leads or
// the context ends.
func (n *Node) Resign(ctx context.Context) error {
	successor := n.successor()
	if n.Leader() != n.id || successor == 0 {
		return nil // nobody is there to take it
	}
	n.log.Info("leadership transfer starting", zap.String("local-member-id", hexID(n.id)))
	start := time.Now()
	n.inbox.put(member.Input{Kind: member.TransferLeadership, Peer: successor})
	for n.Leader() == n.id || n.Leader() == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.stopping:
			return api.ErrStopped
		case <-time.After(5 * time.Millisecond):
		}
		if n.transport.ActiveSince(successor).IsZero() {
			return fmt.Errorf("node: %s, to whom leadership was to go, is gone", hexID(successor))
		}
	}
	n.log.Info("leadership transfer finished", zap.String("local-member-id", hexID(n.id)),
		zap.String("new-leader", hexID(n.Leader())), zap.Duration("took", time.Since(start)))
	return nil
}

// successor is the voter with the longest unbroken connection, 0 if there is none.
func (n *Node) successor() uint64 {
	var best uint64
	var since time.Time
	for _, id := range n.Members().Voters() {
		if s := n.transport.ActiveSince(id); id != n.id && !s.IsZero() && (best == 0 || s.Before(since)) {
			best, since = id, s
		}
	}
	return best
}

// Stop ends the node in order: what was written is made durable, files are closed. It waits for calls that are reading;
// one whose answers nobody takes must be ended by whoever called (gRPC does it by closing the connection).
func (n *Node) Stop() error { return n.shutdown(true) }

// Kill ends the node as a crash of the process would: nothing is flushed.
func (n *Node) Kill() { _ = n.shutdown(false) }

func (n *Node) shutdown(orderly bool) (err error) {
	n.stopOnce.Do(func() {
		close(n.stopping)
		n.cancel()
		n.tasks.Close()
		n.forwarder.CloseIdleConnections()
		n.transport.Close()
		n.inbox.close()
		if orderly {
			n.logLane.close()
			n.applyLane.close()
		} else {
			n.logLane.abandon()
			n.applyLane.abandon()
		}
		n.disk.StopCommits()
		n.lanes.Wait()
		n.helpers.Wait()
		n.tasks.Wait()
		err = n.disk.Close(orderly)
	})
	return err
}
