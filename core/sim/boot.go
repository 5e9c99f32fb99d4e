package sim

import (
	"errors"
	"fmt"
	"slices"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/duty"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/disk"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/wal"
	"vitrine/core/watch"
)

// clusterID is every simulated cluster's: ids have no meaning here.
const clusterID = 0x76697472696e65

// layout is where a member keeps its files.
func (n *node) layout() driver.Layout { return driver.At(".", "") }

// filesOf makes the driver's files of a disk. They are those that a server has, but
// that its database is the memory store and that faults stand between.
func filesOf(n *node) *driver.Disk {
	w := n.world
	d := &driver.Disk{
		FS:     vfs.WithFaults(n.fs, n.wear.Before),
		Layout: n.layout(), Tracer: n.tracer, LogTracer: n.tracer, CommitTracer: n.tracer, Store: w.storeConfig(),
		WAL: wal.Options{SegmentBytes: w.cfg.SegmentBytes, Recycle: true},
		Hook: func(s driver.Step) error {
			if s == driver.LogSync && mutant.On(mutant.FsyncLies) && n.disk.Chance(0.1) {
				return driver.ErrLeftOut
			}
			return n.wear.Reaches(s)
		},
	}
	d.Open = func(path string) (backend.Store, error) { return backend.OpenMemFile(d.Watched(), path) }
	return d
}

// format gives a node the disk that every first member starts from: a log that
// names all members, in etcd's form. Power may fail meanwhile, as often as the
// configuration says.
func (n *node) format(peers []consensus.Peer) error {
	w := n.world
	n.fs = vfs.NewMem()
	for i := range w.cfg.Founding {
		if f := &w.cfg.Founding[i]; f.Member == n.id {
			how := script.PowerFails
			if f.Keep {
				how = script.ProcessDies
			}
			n.wear.Strike(driver.StepNamed(f.Step), disk.Strike{How: how, Torn: f.Torn})
		}
	}
	for {
		d := filesOf(n)
		d.Tracer = nil // no process lives on it yet
		started, err := d.Start(func() (driver.Birth, error) { return birth(n, peers) })
		if n.wear.Struck() {
			n.fs = n.wear.Fallen().Left
			continue
		}
		n.wear.DisarmStrikes()
		if err != nil {
			return err
		}
		return started.Close()
	}
}

// birth is what the log of a first member begins with; that of one that joins knows no peers.
func birth(n *node, peers []consensus.Peer) (b driver.Birth, err error) {
	b.Metadata, err = (&pb.WALMetadata{NodeID: new(n.id), ClusterID: new(uint64(clusterID))}).MarshalVT()
	if err == nil && peers != nil {
		b.Entries, b.HardState, err = consensus.Bootstrap(peers)
	}
	return b, err
}

// firstPeers are the members that a new cluster's log begins with.
func (w *World) firstPeers() []consensus.Peer {
	peers := make([]consensus.Peer, len(w.nodes))
	for i, n := range w.nodes {
		m := &membership.Member{ID: n.id, PeerURLs: []string{script.MachineURL(n.id)}}
		peers[i] = consensus.Peer{ID: n.id, Context: m.Bootstrap()}
	}
	return peers
}

func nodeName(id uint64) string { return fmt.Sprintf("s%d", id) }

// boot starts a process on what its disk holds: a real recovery. A disk that
// cannot be read is a reason to stop, and a broken invariant unless the damage
// was planted.
func (n *node) boot() {
	w := n.world
	n.life++
	boot, err := n.recoverDisk()
	if err != nil {
		if !n.wear.Struck() {
			n.bootFailed(err)
		}
		return
	}
	if n.starts == 1 || !w.checkups.AtStart(n, n.stop, func() { enter(n, boot) }) {
		enter(n, boot)
	}
}

// enter makes a process a member of the cluster.
func enter(n *node, boot consensus.Boot) {
	w := n.world
	n.process, n.told = running, figures{}
	w.judge.Began(n.id, n.store.Backend.Applied().Index)
	n.tellStore()
	w.rand.Use(n)
	m, err := member.New(memberConfig(n), boot, driver.Info(n.store), trace.Instant(w.clock.Now))
	w.rand.Use(nil)
	if errors.Is(err, member.ErrRemoved) {
		n.stop(err)
		return
	}
	if err != nil {
		n.stop(err)
		w.judge.Broken(invariant.Boot, "member %d does not boot after a crash: %v", n.id, err)
		return
	}
	n.member, n.led = m, w.clock.Now
	n.nextTick = w.clock.Now + 1 + int64(n.disk.Uint64N(uint64(n.tickEvery)))
	n.clockSet()
	w.clock.Push(clock.Event{At: n.nextTick, Kind: evTick, Member: uint32(n.id), Life: n.life})
	n.member.Poll(&n.out)
	n.dispatch()
	n.needHousekeeping()
}

// recover opens the disk, as a server does.
func (n *node) recoverDisk() (consensus.Boot, error) {
	w := n.world
	n.wear.Restart()
	n.ghost, n.files = nil, filesOf(n)
	n.tracer.At(trace.Instant(w.clock.Now), 0)
	started, err := n.files.Start(func() (b driver.Birth, err error) {
		return b, fmt.Errorf("sim: the log of member %d is gone", n.id)
	})
	if err != nil {
		return consensus.Boot{}, err
	}
	n.log, n.images = started.Log, true
	n.have(started.State)
	n.starts++
	found := started.Found
	n.written, n.synced, n.bootMark = n.log.Written(), n.log.Synced(), found.Snapshot.GetIndex()
	n.ends.Started, n.ends.Found, n.ends.Torn, n.ends.Cut = true, n.written.Index, found.Repaired, found.Truncated
	n.log.Forecast = func() int64 { return n.forecastSync() }
	clear(n.heard)
	if w.cfg.Mirrored {
		n.mirrors = mirrors{}
		n.mirrors.memory.Append(found.Entries)
		n.mirrors.file, n.mirrors.disk = slices.Clone(n.mirrors.memory), slices.Clone(n.mirrors.memory)
	}
	return started.Boot, nil
}

// have makes a state the one that a member's lanes work on.
func (n *node) have(s *driver.State) { n.state, n.store, n.backend = s, s.Store, s.Store.Backend }

func memberConfig(n *node) member.Config {
	w := n.world
	return member.Config{
		Config: consensus.Config{
			ID: n.id, ElectionTicks: w.cfg.ElectionTicks, HeartbeatTicks: w.cfg.HeartbeatTicks,
			SnapshotCount: w.cfg.SnapshotCount, CatchUpEntries: w.cfg.SnapshotCatchUp, CompactEntries: w.cfg.CompactEntries,
			FirstID: firstID(n), Tracer: n.tracer, NoPreVote: w.cfg.NoPreVote, NoCheckQuorum: w.cfg.NoCheckQuorum,
		},
		Limits: api.Limits{SlowRequest: -1, TokenTTL: w.cfg.Workload.Logins.TTL},
		Self: duty.Self{Name: n.name, ClientURLs: []string{"http://" + n.name + ":2379"},
			ClusterVersion: clusterVersion, Retention: duty.Retention(w.cfg.Retention)},
		ClusterID: clusterID, TickInterval: w.cfg.TickEvery, LeaseCheckpointInterval: w.cfg.Checkpoints,
		Watch: watch.Config{
			ProgressInterval: w.cfg.Progress, NoEncoding: true, StreamPushes: w.cfg.Watch.Pushes,
			RecentRevisions: w.cfg.Watch.Recent, ScanRevisions: int64(w.cfg.Watch.Revisions), ScanBytes: w.cfg.Watch.ScanBytes,
			ResponseBytes: w.cfg.Watch.ResponseBytes, FragmentBytes: w.cfg.Watch.FragmentBytes,
		},
		TraceValues: true, NewID: newID, LooseReconfig: w.cfg.Loose,
	}
}
