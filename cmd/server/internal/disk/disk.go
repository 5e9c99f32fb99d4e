package disk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

// Settings are an operator's.
type Settings struct {
	DataDir         string
	WALDir          string // empty: <DataDir>/member/wal
	QuotaBytes      int64  // 0: etcd's; negative: none
	MaxLearners     int    // 0: etcd's; negative: none
	Alone           bool   // the member becomes the only one of its cluster
	PeerURLs        []string
	BackendInterval time.Duration
	BackendOps      int
	CompactionBatch int
	CompactionPause time.Duration
	SlowApply       time.Duration
	NoFsync         bool
	ArrayFreelist   bool // see bolt.Options
	Mlock           bool
	DefragAtStart   int64         // bytes that a defragmentation at the start must free; 0: there is none
	SegmentBytes    int64         // of the log; 0: etcd's
	FS              vfs.FS        // all files; nil: the operating system's
	LockTimeout     time.Duration // of the wait for another process's lock on the database; 0: 10 s
	// Defragmenting is told when a defragmentation begins and when it has ended. It may be nil.
	Defragmenting func(active bool)
}

// Config is what a Disk needs of its owner.
type Config struct {
	Settings
	MinLeaseTTL int64 // seconds
	Log         *zap.Logger
	Metrics     *telemetry.Metrics
	Pens        Pens
	Report      func(member.Input) // to the core
	Stopping    <-chan struct{}
	// Readers has whoever reads the store on a goroutine that is not the Disk's. It is closed, and empty, before Close.
	Readers *tasks.Group
}

// Pens write the events of the lanes. They are nil where nothing is recorded.
type Pens struct {
	Apply, Log, Commit *trace.Tracer
	Now                func() trace.Instant
}

// begin is a pen for what happens now because of cause.
func (p *Pens) begin(t *trace.Tracer, cause uint64) *trace.Tracer {
	if t.On() {
		t.At(p.Now(), cause)
	}
	return t
}

// Disk is a member's. Its methods may be called from any goroutine, but for those of the lanes.
type Disk struct {
	cfg     Config
	log     *zap.Logger
	metrics *telemetry.Metrics
	pens    *Pens
	report  func(member.Input)
	readers *tasks.Group
	files   *driver.Disk
	commits *commits
	keeper  keeper

	// Of the log lane alone.
	journal *driver.Log

	// mu guards the store: the apply lane writes, readers read. commitMu is held for a
	// commit of the backend and for the exchange of the store; it goes before mu.
	commitMu sync.Mutex
	mu       sync.RWMutex
	state    *driver.State
	size     atomic.Int64 // of the database file, as of its last commit
	users    atomic.Bool  // authentication is enabled in the store
	openTook atomic.Int64 // what opening the database has taken
	receipts atomic.Uint64
	retired  sync.WaitGroup // databases that were replaced and wait for their last reader
}

// Found is what a Disk had when it was opened.
type Found struct {
	ID, Cluster uint64
	Boot        consensus.Boot
}

// Open brings back what the disk holds, or makes a new member's disk, which begins with what birth says.
func Open(cfg Config, birth func() (driver.Birth, error)) (*Disk, Found, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.OS{}
	}
	d := &Disk{
		cfg: cfg, log: cfg.Log, metrics: cfg.Metrics, pens: &cfg.Pens, report: cfg.Report, readers: cfg.Readers,
		commits: newCommits(), keeper: keeper{make(chan struct{}, 1)},
	}
	d.files = d.layOut()
	found, err := d.recover(birth)
	return d, found, err
}

func (d *Disk) recover(birth func() (driver.Birth, error)) (f Found, err error) {
	restart, _ := d.files.HasLog() // Start tells the error
	if restart {
		d.log.Info("Bootstrapping WAL from snapshot", zap.String("wal-dir", d.files.Layout.WAL))
	}
	started, err := d.files.Start(birth)
	if err != nil {
		return f, err
	}
	meta, found := &pb.WALMetadata{}, started.Found
	if err := meta.UnmarshalVT(found.Metadata); err != nil {
		return f, errors.Join(fmt.Errorf("failed to read WAL metadata: %w", err), started.Close())
	}
	if found.Repaired {
		d.log.Warn("repaired WAL", zap.Int64("truncated-bytes", found.Truncated))
	}
	d.journal, d.state = started.Log, started.State
	f = Found{ID: meta.GetNodeID(), Cluster: meta.GetClusterID(), Boot: started.Boot}
	switch {
	case restart && d.cfg.Alone:
		d.log.Info("forcing restart member", zap.String("cluster-id", membership.IDString(f.Cluster)),
			zap.String("local-member-id", membership.IDString(f.ID)),
			zap.Uint64("commit-index", f.Boot.HardState.GetCommit()))
	case restart:
		d.log.Info(
			"restarting local member",
			zap.String("cluster-id", membership.IDString(f.Cluster)),
			zap.String("local-member-id", membership.IDString(f.ID)),
			zap.Uint64("commit-index", found.HardState.GetCommit()),
		)
	}
	d.measure()
	d.users.Store(d.state.Store.Auth.Enabled())
	return f, nil
}

// layOut is where the member keeps what must survive it.
func (d *Disk) layOut() *driver.Disk {
	return &driver.Disk{
		FS: d.cfg.FS, Layout: driver.At(d.cfg.DataDir, d.cfg.WALDir), Open: d.openDB,
		WAL: wal.Options{SegmentBytes: d.cfg.SegmentBytes, Recycle: true, UnsafeNoSync: d.cfg.NoFsync},
		Store: store.Config{QuotaBytes: d.cfg.QuotaBytes, MinLeaseTTL: d.cfg.MinLeaseTTL,
			MaxLearners: d.cfg.MaxLearners},
		Tracer: d.pens.begin(d.pens.Apply, 0), LogTracer: d.pens.Log, CommitTracer: d.pens.Commit,
		UnsafeNoSync: d.cfg.NoFsync, Alone: d.cfg.Alone, PeerURLs: d.cfg.PeerURLs,
		Opened: func(path string, at backend.Applied) {
			d.log.Info(
				"opened backend db",
				zap.String("path", path),
				zap.Duration("took", time.Duration(d.openTook.Load())),
				zap.Uint64("consistent-index", at.Index),
			)
		},
		CatchUp: func(at, index uint64) {
			d.log.Info(
				"Recovering from snapshot backend",
				zap.Uint64("consistent-index", at),
				zap.Uint64("snapshot-index", index),
			)
		},
	}
}

func (d *Disk) openDB(path string) (backend.Store, error) {
	start := time.Now()
	defer func() { d.openTook.Store(int64(time.Since(start))) }()
	patience := cmp.Or(d.cfg.LockTimeout, lockTimeout)
	for ; ; time.Sleep(lockPause) {
		db, err := bolt.Open(path, bolt.Options{
			NoSync: d.cfg.NoFsync, MmapSize: d.mmapSize(), Damaged: d.endDamaged, ArrayFreelist: d.cfg.ArrayFreelist,
			Mlock: d.cfg.Mlock,
		})
		switch locked := errors.Is(err, bolt.ErrLocked); {
		case err == nil:
			return db, nil
		case !locked:
			return nil, fmt.Errorf("cannot open the database: %w", err)
		case time.Since(start) > patience:
			return nil, fmt.Errorf("cannot open the database: %w (waited %v)", err, patience)
		}
	}
}

// endDamaged ends the process when a read of the database meets damage: it has no answer, and to stop in order would
// take more reads.
func (d *Disk) endDamaged(err error) {
	d.log.Error("the member has stopped", zap.Error(err))
	_ = d.log.Sync() // there is nobody left to tell
	os.Exit(1)
}

const (
	// lockTimeout is how long a start waits for a process that is just ending, and lockPause how long between two looks.
	lockTimeout = 10 * time.Second
	lockPause   = 50 * time.Millisecond
)

// mmapSize leaves room above a quota that was set, so that an alarm can be resolved.
func (d *Disk) mmapSize() int64 {
	if q := d.cfg.QuotaBytes; q > 0 {
		return q + q/10
	}
	return 0
}

// Wake lets the keeper look for what a compaction has left.
func (d *Disk) Wake() { d.keeper.wake() }

// Quota is the quota in force, in bytes; not positive = none. Size is how much of it the database takes, as of its
// last commit.
func (d *Disk) Quota() int64 { return cmp.Or(d.cfg.QuotaBytes, int64(limits.QuotaBackendBytes)) }
func (d *Disk) Size() int64  { return d.size.Load() }

// Users tells whether authentication is enabled in the store.
func (d *Disk) Users() bool { return d.users.Load() }

// SnapDir is where databases from peers are kept.
func (d *Disk) SnapDir() string { return d.files.Layout.Snap }

// StopCommits ends the commit lane.
func (d *Disk) StopCommits() { close(d.commits.stop) }

// Close closes the files. An orderly one makes what was applied durable before.
func (d *Disk) Close(orderly bool) (err error) {
	d.retired.Wait()
	if orderly {
		err = d.flushLast()
	}
	return errors.Join(err, d.journal.Close(), d.state.Store.Backend.Close())
}

// flushLast commits what the lanes have left, unless the backend has failed.
func (d *Disk) flushLast() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.state.Store.Backend.Err(); err != nil {
		return err
	}
	return d.state.Store.Backend.Flush()
}

// Look lets f read the store while nobody changes it. It must be short.
func (d *Disk) Look(f func(*store.Store)) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	f(d.state.Store)
}

// Exclusive lets f change the store, or exchange its database, while nobody reads, writes or commits it.
func (d *Disk) Exclusive(f func(*driver.State)) {
	d.commitMu.Lock()
	defer d.commitMu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d.state)
}
