// Package setup is what a world is built from: everything that a run depends on
// besides its commands.
package setup

import (
	"fmt"
	"slices"
	"time"

	"vitrine/core/driver"
)

// Config is everything that a run depends on besides its commands: the same
// Config and the same commands at the same times give the same events.
// Durations are nanoseconds in JSON.
type Config struct {
	Seed    uint64 `json:"seed"`
	Members int    `json:"members"` // voters at the start, ids 1..Members

	TickEvery      time.Duration `json:"tickEvery"`      // one raft tick
	ElectionTicks  int           `json:"electionTicks"`  // a follower waits between 1 and 2 times this
	HeartbeatTicks int           `json:"heartbeatTicks"` // a leader sends one every so many ticks
	NoPreVote      bool          `json:"noPreVote,omitempty"`
	NoCheckQuorum  bool          `json:"noCheckQuorum,omitempty"`

	SnapshotCount   uint64        `json:"snapshotCount"`            // applied entries between two local snapshots
	SnapshotCatchUp uint64        `json:"snapshotCatchUp"`          // entries kept behind a snapshot for slow followers
	CompactEntries  uint64        `json:"compactEntries,omitempty"` // entries between compactions in memory, 0 = 100
	SegmentBytes    int64         `json:"segmentBytes"`             // WAL segment size
	CommitEvery     time.Duration `json:"commitEvery"`              // at most so long between write buffer and disk
	CommitOps       int           `json:"commitOps"`                // backend: or so many operations
	Quota           int64         `json:"quota,omitempty"`          // size of the file that raises NOSPACE, 0 = 2 GiB
	Progress        time.Duration `json:"progress"`                 // interval of watch progress notifications

	// LongRange is how many keys a range may touch before it is read on a view,
	// beside the writers; 0 = a server's 1000.
	LongRange int `json:"longRange,omitempty"`

	// Founding is when power fails while the disks of the first members are made.
	Founding []Founding `json:"founding,omitempty"`

	Network  Network  `json:"network"`
	Disk     Disk     `json:"disk"`
	Process  Process  `json:"process"`
	Watch    Watching `json:"watch"`
	Workload Workload `json:"workload"`
	Faults   bool     `json:"faults"` // draw faults from the seed, see Options

	// Loose: members are changed without a look at whether a quorum would be there afterwards, as with etcd's
	// --strict-reconfig-check=false.
	Loose bool `json:"loose,omitempty"`

	// Always names classes of faults that are on whatever the seed says.
	Always []string `json:"always,omitempty"`

	// FaultsFor ends the fault phase: then everything heals and the cluster must
	// converge. 0 = the faults, if any, never end by themselves.
	FaultsFor time.Duration `json:"faultsFor"`

	// Mutant is a bug of package mutant that the core is to have. It needs a
	// binary that carries mutants: go build -tags mutants.
	Mutant string `json:"mutant,omitempty"`

	// Judged is how many operations of the clients are kept before they are judged
	// and forgotten, 0 = 5000; the rest is judged at the end.
	Judged int `json:"judged,omitempty"`

	// Checkpoints is how long a lease runs before what is left of it is written down; 0 = etcd's five minutes.
	Checkpoints time.Duration `json:"checkpoints,omitempty"`

	// Retention is how much history a leader keeps that compacts by itself; zeros: it does not.
	Retention Retention `json:"retention,omitzero"`

	// Audits are how leaders compare the members' keys; zeros: they do not.
	Audits Audits `json:"audits,omitzero"`

	LogWindow int  `json:"logWindow"`        // entries of each log that State shows
	Hashes    bool `json:"hashes,omitempty"` // events tell the hash of each member's keys at each revision

	Mirrored bool `json:"-"`        // State shows logs: a test compares it with the picture
	NoChecks bool `json:"noChecks"` // measure the simulator without its checkers
	Record   bool `json:"-"`        // keep what the clients decide among the commands, see World.Replay
}

// Retention is a period, or a number of revisions that is looked at each Every.
type Retention struct {
	Period    time.Duration `json:"period,omitempty"`
	Revisions int64         `json:"revisions,omitempty"`
	Every     time.Duration `json:"every,omitempty"`
}

// Audits are how often a leader compares the newest revision of all members, and what compactions have left; 0 = never.
// With Start, a member that starts again compares itself with the others before. With Wrong, one member of a settled
// cluster is given a pair that the others do not have, and must be found.
type Audits struct {
	Leading     time.Duration `json:"leading,omitempty"`
	Compactions time.Duration `json:"compactions,omitempty"`
	Start       bool          `json:"start,omitempty"`
	Wrong       bool          `json:"wrong,omitempty"`
}

// Founding is one power loss, or kill, before a member has ever run.
type Founding struct {
	Member uint64 `json:"member"`
	Step   string `json:"step"`           // of package driver, before which it happens
	Keep   bool   `json:"keep,omitempty"` // only the process dies
	Torn   int    `json:"torn,omitempty"` // percent of what was not synced that survives
}

// Network describes all links; cut commands end single ones.
type Network struct {
	Base      time.Duration `json:"base"`      // fixed part of the one-way latency
	Jitter    time.Duration `json:"jitter"`    // mean of the exponential part, capped at 8 times its mean
	Uniform   time.Duration `json:"uniform"`   // half width of a uniform part around Base
	Loss      float64       `json:"loss"`      // probability per message
	Duplicate float64       `json:"duplicate"` // probability per message
	Client    time.Duration `json:"client"`    // one-way latency between a client and a member
}

// Disk describes every member's disk.
type Disk struct {
	Write     time.Duration `json:"write"`     // into the page cache
	Fsync     time.Duration `json:"fsync"`     // mean of fdatasync; drawn between half and twice of it
	SpikeProb float64       `json:"spikeProb"` // an fsync that takes Spike instead
	Spike     time.Duration `json:"spike"`     // mean length of a spike
}

// Process describes how long a member computes.
type Process struct {
	Apply   time.Duration `json:"apply"`   // applying one batch of entries
	PerItem time.Duration `json:"perItem"` // and for each entry in it
	Read    time.Duration `json:"read"`    // one range
	Restart time.Duration `json:"restart"` // from start to serving
}

// Watching describes how members and clients handle watches. Zeros are the
// core's own bounds, and clients who read at once.
type Watching struct {
	Pushes        int           `json:"pushes,omitempty"`        // responses on their way to one stream
	Recent        int           `json:"recent,omitempty"`        // newest revisions kept for catching up without a scan
	Revisions     int           `json:"revisions,omitempty"`     // of one scan
	ScanBytes     int           `json:"scanBytes,omitempty"`     // of one scan
	ResponseBytes int           `json:"responseBytes,omitempty"` // from which a response takes no further revision
	FragmentBytes int           `json:"fragmentBytes,omitempty"` // of a response that may be split
	Read          time.Duration `json:"read,omitempty"`          // what every second client takes to read a response
	Turn          time.Duration `json:"turn,omitempty"`          // mean time between changes of a watch, 0 = 4 s
}

// Workload describes the simulated clients.
type Workload struct {
	Clients int           `json:"clients"`
	Rate    float64       `json:"rate"`            // operations a simulated second, all clients together
	Keys    int           `json:"keys"`            // size of the key set: small enough to collide
	Timeout time.Duration `json:"timeout"`         // a client's patience with one request
	Watches int           `json:"watches"`         // how many of the clients also hold a watch
	Large   int           `json:"large,omitempty"` // one value in 16 has up to so many bytes

	// Hasty is a client's patience with one request in eight; 0 = with those too
	// it waits for Timeout.
	Hasty time.Duration `json:"hasty,omitempty"`

	// Alarms: clients that call raise some by hand.
	Alarms bool `json:"alarms,omitempty"`

	// Users: the first client lets others do little, and changes that now and then.
	Users bool `json:"users,omitempty"`

	// Logins are how the others of them show who they are; zeros: by certificates.
	Logins Logins `json:"logins,omitzero"`

	// Explicit clients do nothing by themselves: what they do is in the commands.
	Explicit bool `json:"explicit,omitempty"`

	Mix Mix `json:"mix"`
}

// Logins: clients have passwords, and show the tokens that they are given for them.
type Logins struct {
	TTL    time.Duration `json:"ttl,omitempty"`    // of a token, from its last use or its signature on; 0 = no logins
	Work   time.Duration `json:"work,omitempty"`   // the mean time that a member is at a password
	Signed bool          `json:"signed,omitempty"` // tokens are signed, and no member keeps any
}

// Mix weighs the operations of the workload against each other.
type Mix struct {
	Put          int `json:"put"`
	Get          int `json:"get"`          // linearizable
	Serializable int `json:"serializable"` // get
	Delete       int `json:"delete"`
	Txn          int `json:"txn"`
	Range        int `json:"range"`          // many keys, all options, old revisions
	Compact      int `json:"compact"`        // a little behind the head
	Call         int `json:"call,omitempty"` // what operators ask, MoveLeader and alarms among it
	Lease        int `json:"lease,omitempty"`
}

func (m Mix) weights() [9]int {
	return [...]int{m.Put, m.Get, m.Serializable, m.Delete, m.Txn, m.Range, m.Compact, m.Call, m.Lease}
}

// Sum is what all weights add up to.
func (m Mix) Sum() (n int) {
	for _, weight := range m.weights() {
		n += weight
	}
	return n
}

// Kind finds the operation that a number below sum falls to.
func (m Mix) Kind(pick int) int {
	for i, weight := range m.weights() {
		if pick < weight {
			return i
		}
		pick -= weight
	}
	return 0
}

// Default is a quick local network with etcd's default timing, three
// members and fifty operations a second.
func Default() Config {
	return Config{
		Seed: 1, Members: 3,
		TickEvery: 100 * time.Millisecond, ElectionTicks: 10, HeartbeatTicks: 1,
		SnapshotCount: 1000, SnapshotCatchUp: 500, SegmentBytes: 1 << 20,
		CommitEvery: 100 * time.Millisecond, CommitOps: 10_000, Progress: 10 * time.Minute, LongRange: 4,
		Network: LAN(),
		Disk:    Disk{Write: 20 * time.Microsecond, Fsync: 2 * time.Millisecond},
		Process: Process{Apply: 20 * time.Microsecond, PerItem: 10 * time.Microsecond, Read: 20 * time.Microsecond,
			Restart: 50 * time.Millisecond},
		Workload: Workload{Clients: 5, Rate: 50, Keys: 8, Timeout: 5 * time.Second, Watches: 2,
			Mix: Mix{Put: 40, Get: 25, Serializable: 10, Delete: 8, Txn: 12, Range: 4, Compact: 1}},
		LogWindow: 24,
	}
}

// LAN is a network of 0.5 ms one-way latency.
func LAN() Network {
	return Network{Base: 400 * time.Microsecond, Jitter: 100 * time.Microsecond, Client: 200 * time.Microsecond}
}

// Teaching is a network of 10±5 ms, slow enough to follow by eye.
func Teaching() Network {
	return Network{Base: 10 * time.Millisecond, Uniform: 5 * time.Millisecond, Client: 8 * time.Millisecond}
}

// Preset returns the network of that name: "lan" or "teaching".
func Preset(name string) (Network, error) {
	switch name {
	case "lan":
		return LAN(), nil
	case "teaching":
		return Teaching(), nil
	}
	return Network{}, fmt.Errorf("setup: no network preset %q: want lan or teaching", name)
}

// MaxMembers bounds the size of a simulated cluster.
const MaxMembers = 9

// Validate names the first field that no world can be built from.
func (c *Config) Validate() error {
	switch {
	case c.Members < 1 || c.Members > MaxMembers:
		return fmt.Errorf("setup: members = %d: want 1 to %d", c.Members, MaxMembers)
	case c.TickEvery <= 0:
		return fmt.Errorf("setup: tickEvery = %v: want a positive duration", c.TickEvery)
	case c.HeartbeatTicks < 1 || c.ElectionTicks <= c.HeartbeatTicks:
		return fmt.Errorf("setup: electionTicks = %d must exceed heartbeatTicks = %d, which must be at least 1",
			c.ElectionTicks, c.HeartbeatTicks)
	case c.Workload.Rate < 0 || c.Workload.Clients < 0 || c.Workload.Keys < 0:
		return fmt.Errorf("setup: a negative workload")
	case c.Workload.Rate > 0 && (c.Workload.Clients == 0 || c.Workload.Keys == 0):
		return fmt.Errorf("setup: workload.rate = %v needs clients and keys", c.Workload.Rate)
	case c.Workload.Rate > 0 && c.Workload.Mix.Sum() < 1:
		return fmt.Errorf("setup: workload.mix weighs nothing")
	case bad01(c.Network.Loss) || bad01(c.Network.Duplicate) || bad01(c.Disk.SpikeProb):
		return fmt.Errorf("setup: a probability is not between 0 and 1")
	case c.Network.Base < c.Network.Uniform || c.Network.Jitter < 0 || c.Network.Client < 0:
		return fmt.Errorf("setup: a network latency could be negative")
	case c.Disk.Write < 0 || c.Disk.Fsync < 0 || c.Disk.Spike < 0:
		return fmt.Errorf("setup: a disk latency is negative")
	case slices.ContainsFunc(c.Founding, func(f Founding) bool { return !driver.StepNamed(f.Step).Founding() }):
		return fmt.Errorf("setup: founding = %v: one of them is no step of a founding", c.Founding)
	case c.LongRange < 0:
		return fmt.Errorf("setup: longRange = %d: want a number of keys", c.LongRange)
	case c.SnapshotCount == 0 || c.SegmentBytes < 4096 || c.CommitEvery <= 0 || c.CommitOps < 1:
		return fmt.Errorf("setup: snapshotCount, segmentBytes (at least 4096), commitEvery and commitOps must be positive")
	}
	return nil
}

func bad01(p float64) bool { return !(p >= 0 && p <= 1) }
