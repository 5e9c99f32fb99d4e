package node

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/consensus"
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

// dirs is the data directory, laid out as etcd's:
//
//	<data>/member/snap/db                    the backend
//	<data>/member/snap/<index>.snap.db       a database that a leader has sent
//	<data>/member/wal/<seq>-<index>.wal      the log
type dirs struct{ data, member, snap, wal string }

func dirsOf(cfg *Config) dirs {
	m := filepath.Join(cfg.DataDir, "member")
	d := dirs{data: cfg.DataDir, member: m, snap: filepath.Join(m, "snap"), wal: filepath.Join(m, "wal")}
	if cfg.WALDir != "" {
		d.wal = cfg.WALDir
	}
	return d
}

func (d dirs) db() string { return filepath.Join(d.snap, "db") }

func (d dirs) image(index uint64) string {
	return filepath.Join(d.snap, fmt.Sprintf("%016x.snap.db", index))
}

// prepare makes the directories and removes what a crash has left half-written.
func (d dirs) prepare() error {
	for _, dir := range []string{d.data, d.member, d.snap} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cannot access data directory: %w", err)
		}
	}
	if err := d.keepNames(); err != nil {
		return err
	}
	names, err := os.ReadDir(d.snap)
	if err != nil {
		return err
	}
	for _, e := range names {
		if strings.HasPrefix(e.Name(), "tmp") || strings.HasPrefix(e.Name(), "db.tmp") {
			if err := os.Remove(filepath.Join(d.snap, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepNames makes the names of the directories durable: a log that is synced into a directory whose name is not is
// lost with it. Those that were there may have been made by a process that was killed before it came to this.
func (d dirs) keepNames() error {
	err := syncDir(filepath.Dir(d.data))
	if errors.Is(err, fs.ErrPermission) {
		err = nil // we could not have made a directory in it
	}
	if err == nil {
		err = syncDir(d.data)
	}
	if err == nil {
		err = syncDir(d.member)
	}
	return err
}

// dropImages removes received databases up to index: they are installed, or of no use any more.
func (d dirs) dropImages(index uint64) {
	names, err := os.ReadDir(d.snap)
	if err != nil {
		return
	}
	for _, e := range names {
		var at uint64
		hex, ok := strings.CutSuffix(e.Name(), ".snap.db")
		if _, err := fmt.Sscanf(hex, "%016x", &at); ok && err == nil && at <= index {
			_ = os.Remove(filepath.Join(d.snap, e.Name())) // left over at worst; the next start tries again
		}
	}
}

// dropImage removes one received database.
func (d dirs) dropImage(index uint64) error {
	if err := os.Remove(d.image(index)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Open finds or makes the member in its data directory, recovers it and connects it to
// its peers. Nothing runs until Start, but peers may already be refused or answered.
func Open(cfg Config) (*Node, error) {
	n := &Node{
		cfg: cfg, log: cfg.Log, metrics: newMetrics(cfg.Registry), start: time.Now(), dirs: dirsOf(&cfg),
		logLane: newLane[logWrite](), applyLane: newLane[applyBatch](), commits: newCommits(), keeper: keeper{make(chan struct{}, 1)},
		calls: map[uint64]*call{}, streams: map[uint64]*stream{}, beats: map[uint64]time.Time{},
		ready: make(chan struct{}), failed: make(chan error, 1), stopping: make(chan struct{}),
		reconnects: make(chan struct{}, 1), elected: make(chan struct{}, 1),
		images: make(chan struct{}, maxImages), receiving: make(chan struct{}, 1),
	}
	n.scans = tasks.NewPool(&n.tasks, limits.WatchScans)
	n.inbox = newInbox(inboxLimit, inboxLimitBytes)
	if n.cfg.FS == nil {
		n.cfg.FS = vfs.OS{}
	}
	if err := n.dirs.prepare(); err != nil {
		return nil, err
	}
	boot, err := n.recover()
	if err != nil {
		return nil, err
	}
	if err := n.assemble(boot); err != nil {
		n.wal.Close()
		n.store.Backend.Close()
		return nil, err
	}
	return n, nil
}

const (
	// inboxLimit bounds requests and peer messages that wait for the core loop, inboxLimitBytes what is in
	// the messages: a peer's first one beyond it is dropped, and raft sends it again.
	inboxLimit      = 200_000
	inboxLimitBytes = limits.PeerInboxBytes
)

// recover brings back what the disk holds, or makes a new member's disk.
func (n *Node) recover() (boot consensus.Boot, err error) {
	restart := wal.Exists(n.cfg.FS, n.dirs.wal)
	if restart {
		n.log.Info("Bootstrapping WAL from snapshot", zap.String("wal-dir", n.dirs.wal))
	}
	_, statErr := os.Stat(n.dirs.db())
	b, err := n.openBackend()
	if err != nil {
		return boot, err
	}
	if err := syncDir(n.dirs.snap); err != nil { // bbolt syncs the database, not its name
		return boot, errors.Join(err, b.Close())
	}
	switch {
	case restart:
		b, boot, err = n.reopen(b, errors.Is(statErr, os.ErrNotExist))
	case b.Applied().Index > 0: // a new log would belong to another life of this member
		err = fmt.Errorf("the log of the database %s (index %d) is missing: there is none in %s", n.dirs.db(), b.Applied().Index, n.dirs.wal)
		err = errors.Join(err, b.Close())
	default:
		if boot, err = n.found(); err != nil {
			err = errors.Join(err, b.Close())
		}
	}
	if err != nil {
		return boot, err
	}
	n.store, err = store.Open(b, store.Config{QuotaBytes: n.cfg.QuotaBytes}, nil)
	if err != nil {
		return boot, errors.Join(fmt.Errorf("cannot use the database %s: %w", n.dirs.db(), err), b.Close(), n.wal.Close())
	}
	n.measure()
	n.dirs.dropImages(math.MaxUint64) // none is needed any more; what raft still wants, a leader sends again
	return boot, nil
}

func (n *Node) openBackend() (*backend.Backend, error) {
	start := time.Now()
	db, err := n.openDB()
	if err != nil {
		return nil, err
	}
	b, err := backend.New(db)
	if err != nil {
		db.Close()
		return nil, err
	}
	n.log.Info("opened backend db", zap.String("path", n.dirs.db()), zap.Duration("took", time.Since(start)), zap.Uint64("consistent-index", b.Applied().Index))
	return b, nil
}

func (n *Node) openDB() (*bolt.DB, error) {
	db, err := bolt.Open(n.dirs.db(), bolt.Options{
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

// lockTimeout is how long a start waits for a process that is just ending.
const lockTimeout = 10 * time.Second

// mmapSize leaves room above a quota that was set, so that an alarm can be resolved.
func (n *Node) mmapSize() int64 {
	if q := n.cfg.QuotaBytes; q > 0 {
		return q + q/10
	}
	return 0
}

// reopen reads an existing log. If it begins at a received snapshot and the database is
// older, the crash came between saving the image and installing it: it is installed now. On
// an error the database is closed.
func (n *Node) reopen(b *backend.Backend, noDB bool) (*backend.Backend, consensus.Boot, error) {
	w, found, boot, err := member.Recover(n.cfg.FS, n.dirs.wal, b, n.walOptions())
	if missing, ok := errors.AsType[*member.MissingImageError](err); ok {
		if b, err = n.catchUp(b, missing.Index, noDB); err != nil {
			return nil, boot, err
		}
		w, found, boot, err = member.Recover(n.cfg.FS, n.dirs.wal, b, n.walOptions())
	}
	if err != nil {
		return nil, boot, errors.Join(fmt.Errorf("failed to open WAL: %w", err), b.Close())
	}
	meta := &pb.WALMetadata{}
	if err := meta.UnmarshalVT(found.Metadata); err != nil {
		return nil, boot, errors.Join(fmt.Errorf("failed to read WAL metadata: %w", err), w.Close(), b.Close())
	}
	if found.Repaired {
		n.log.Warn("repaired WAL", zap.Int64("truncated-bytes", found.Truncated))
	}
	n.id, n.cluster, n.wal = meta.GetNodeID(), meta.GetClusterID(), w
	n.log.Info("restarting local member", zap.String("cluster-id", hexID(n.cluster)), zap.String("local-member-id", hexID(n.id)), zap.Uint64("commit-index", found.HardState.GetCommit()))
	return b, boot, nil
}

// catchUp puts the received database of index in the place of an older one.
func (n *Node) catchUp(b *backend.Backend, index uint64, noDB bool) (*backend.Backend, error) {
	at := b.Applied().Index
	if err := b.Close(); err != nil {
		return nil, err
	}
	switch _, err := os.Stat(n.dirs.image(index)); {
	case err != nil && noDB:
		return nil, fmt.Errorf("database file (%v) of the backend is missing", n.dirs.db())
	case err != nil:
		return nil, fmt.Errorf("failed to find database snapshot file (snap: snapshot file doesn't exist): the database %s stands at %d, the snapshot at %d", n.dirs.db(), at, index)
	}
	n.log.Info("Recovering from snapshot backend", zap.Uint64("consistent-index", at), zap.Uint64("snapshot-index", index))
	return n.adopt(index)
}

func (n *Node) walOptions() wal.Options {
	return wal.Options{SegmentBytes: n.cfg.SegmentBytes, Recycle: true, UnsafeNoSync: n.cfg.NoFsync}
}

// assemble makes the member of what was found and gives it its surroundings.
func (n *Node) assemble(boot consensus.Boot) error {
	n.members.Store(n.store.Members.Clone())
	var err error
	if n.release, err = membership.ParseVersion(n.cfg.Version); err != nil {
		return err
	}
	m, err := member.New(member.Config{
		ID: n.id, ClusterID: n.cluster, TickInterval: n.cfg.Tick, ElectionTicks: n.cfg.ElectionTicks, NoPreVote: !n.cfg.PreVote,
		SnapshotCount: n.cfg.SnapshotCount, CatchUpEntries: n.cfg.CatchUpEntries,
		MaxRequestBytes: n.cfg.MaxRequestBytes, MaxTxnOps: n.cfg.MaxTxnOps, SlowRequest: n.cfg.SlowRequest,
		Name: n.cfg.Name, ClientURLs: n.cfg.ClientURLs,
		Epoch: uint64(time.Now().UnixMilli()), Watch: n.watchConfig(),
	}, boot, n.storeInfo(), n.now())
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

func (n *Node) storeInfo() member.StoreInfo {
	return member.StoreInfo{
		Revision: n.store.KV.Revision(), CompactRevision: n.store.KV.CompactRevision(),
		Members: n.store.Members.Clone(), Alarms: n.store.Alarms.List(pb.AlarmType_NONE),
	}
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
