package replay

import (
	"time"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/sim"
)

// MutantRun is how long a mutant has the chance to be found on one seed; the
// faults last as long, and then the cluster must settle.
const MutantRun = 60 * time.Second

// MutantConfig is the run in which a mutant is looked for under a seed: the
// ordinary faults, three members or five. Some need a busy cluster whose members
// often lag behind the log, or one that hardly ever agrees on a leader.
func MutantConfig(info mutant.Info, seed uint64) sim.Config {
	cfg := sim.DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Mutant = seed, 3+2*int(seed%2), info.Name
	cfg.Faults, cfg.FaultsFor = true, MutantRun
	switch info.Needs {
	case mutant.Snapshots, mutant.Installs:
		cfg.SnapshotCount, cfg.SnapshotCatchUp, cfg.CompactEntries, cfg.CommitEvery = 2, 1, 1, 10*time.Millisecond
		cfg.Workload.Rate, cfg.Workload.Clients, cfg.Workload.Watches, cfg.Workload.Timeout = 200, 10, 8, 300*time.Millisecond
		cfg.Always = []string{"disk", "stall", "pause"}
		if info.Needs == mutant.Installs {
			cfg.Always, cfg.CommitEvery = append(cfg.Always, "install"), 200*time.Millisecond
		}
	case mutant.Users, mutant.UsersCrash:
		cfg.Workload.Users, cfg.Workload.Mix.Txn, cfg.Workload.Rate = true, 40, 200
		cfg.Faults = info.Needs == mutant.UsersCrash
	case mutant.Logins, mutant.Signatures:
		cfg.Faults, cfg.Workload.Users, cfg.Workload.Rate = false, true, 200
		cfg.Workload.Logins = sim.Logins{TTL: 2 * time.Second, Work: 50 * time.Millisecond,
			Signed: info.Needs == mutant.Signatures}
	case mutant.Changes:
		cfg.SnapshotCount, cfg.SnapshotCatchUp, cfg.CompactEntries = 10, 2, 2
		cfg.Always, cfg.Loose = []string{"members"}, true
	case mutant.Segments:
		cfg.SnapshotCount, cfg.SnapshotCatchUp, cfg.CompactEntries, cfg.SegmentBytes = 10, 2, 2, 4096
		cfg.Workload.Large, cfg.Always = 1024, []string{"strike", "crash"}
	case mutant.Defrags:
		cfg.Always = []string{"defragment", "strike", "refusal"}
	case mutant.Notes:
		cfg.SnapshotCount, cfg.SnapshotCatchUp, cfg.CompactEntries, cfg.CommitEvery = 60, 4, 40, 500*time.Millisecond
		cfg.Always = []string{"note", "pause", "partition"}
	case mutant.Audits:
		cfg.Audits = sim.Audits{Leading: time.Duration(seed%2) * 3 * time.Second, Compactions: 2 * time.Second, Wrong: true}
	case mutant.Clocks:
		cfg.Workload.Rate, cfg.Workload.Clients = 200, 10
		cfg.Always = []string{"clock", "crash"}
	case mutant.Starts:
		cfg.Audits = sim.Audits{Start: true, Wrong: true}
	case mutant.Elections:
		cfg.Members, cfg.TickEvery, cfg.Always = 3, 20*time.Millisecond, []string{"coup"}
	}
	return cfg
}

// retellings is how often a seed is told again that is accused of telling two
// stories: where little can differ, the same may come out by chance.
const retellings = 4

// TryMutant runs a mutant on a seed and returns how it broke, nil if it did
// not.
func TryMutant(info mutant.Info, seed uint64) (*sim.Violation, error) {
	w, err := sim.New(MutantConfig(info, seed))
	if err != nil {
		return nil, err
	}
	v := w.Run(MutantRun)
	if !info.Convicted(invariant.Deterministic) {
		return v, nil
	}
	for range retellings {
		if v != nil {
			break
		}
		again, err := sim.New(w.Config())
		if err != nil {
			return nil, err
		}
		again.Run(MutantRun)
		v = w.SameStory(again)
	}
	return v, nil
}
