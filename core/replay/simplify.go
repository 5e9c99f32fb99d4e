package replay

import (
	"reflect"
	"slices"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim"
)

// What a failing run is made of becomes plainer: see Shrinker.

// fewerMembers makes the cluster smaller.
func (s *Shrinker) fewerMembers() {
	for n := max(1, s.AtLeast); n < s.best.Config.Members; n++ {
		c := s.edit()
		c.Config.Members = n
		c.Commands = c.Commands[:0]
		for _, t := range s.best.Commands {
			if t.Fit(uint64(n)) {
				c.Commands = append(c.Commands, t)
			}
		}
		if s.try(c) {
			return
		}
	}
}

// fewerClients gives the work of one client to another, and drops the idle.
func (s *Shrinker) fewerClients() {
	for _, from := range s.clients() {
		for _, to := range s.clients() {
			if to >= from {
				continue
			}
			c := s.edit()
			for i := range c.Commands {
				if c.Commands[i].Client == from {
					c.Commands[i].Client = to
				}
			}
			if s.try(c) {
				break
			}
		}
	}
	used := s.clients()
	c := s.edit()
	for i := range c.Commands {
		if k := slices.Index(used, c.Commands[i].Client); k >= 0 {
			c.Commands[i].Client = k + 1
		}
	}
	c.Config.Workload.Clients = max(1, len(used))
	c.Config.Workload.Rate, c.Config.Workload.Watches = 0, 0
	if !reflect.DeepEqual(c, s.best) {
		s.try(c)
	}
}

// clients lists the simulated clients that do something.
func (s *Shrinker) clients() (used []int) {
	for i := range s.best.Commands {
		if id := s.best.Commands[i].Client; id != 0 && !slices.Contains(used, id) {
			used = append(used, id)
		}
	}
	slices.Sort(used)
	return used
}

// fewerKeys makes one key do for another.
func (s *Shrinker) fewerKeys() {
	names := s.keys()
	for i := len(names) - 1; i > 0; i-- {
		for k := range i {
			c := s.edit()
			c.rekey(func(key string) string {
				if key == names[i] {
					return names[k]
				}
				return key
			})
			if s.try(c) {
				break
			}
		}
	}
}

// keys lists the keys in the order in which they are used.
func (s *Shrinker) keys() (names []string) {
	c := s.edit()
	c.rekey(func(key string) string {
		if !slices.Contains(names, key) {
			names = append(names, key)
		}
		return key
	})
	return names
}

// rekey gives the keys of all commands other names. Ends of ranges are not keys.
func (r *Replay) rekey(to func(string) string) {
	r.Commands = rekeyed(r.Commands, to)
}

func rekeyed(list []script.Timed, to func(string) string) []script.Timed {
	list = slices.Clone(list)
	for i := range list {
		list[i].Command = list[i].Command.Rekeyed(to)
	}
	return list
}

// lessChance takes chance and variety out of the configuration, one thing at a
// time.
func (s *Shrinker) lessChance() {
	plain := sim.DefaultConfig()
	if s.Slow {
		plain.Network, plain.Disk = sim.Teaching(), sim.Disk{Write: time.Millisecond, Fsync: 6 * time.Millisecond}
	}
	for _, change := range []func(c *sim.Config){
		func(c *sim.Config) { c.Network.Loss, c.Network.Duplicate = 0, 0 },
		func(c *sim.Config) { c.Disk.SpikeProb, c.Disk.Spike = 0, 0 },
		func(c *sim.Config) { c.Network = plain.Network },
		func(c *sim.Config) { c.Network.Jitter, c.Network.Uniform = 0, 0 },
		func(c *sim.Config) { c.Disk = plain.Disk },
		func(c *sim.Config) {
			c.SnapshotCount, c.SnapshotCatchUp, c.CompactEntries = plain.SnapshotCount, plain.SnapshotCatchUp,
				plain.CompactEntries
		},
		func(c *sim.Config) { c.SegmentBytes = plain.SegmentBytes },
		func(c *sim.Config) { c.CommitEvery, c.CommitOps = plain.CommitEvery, plain.CommitOps },
		func(c *sim.Config) { c.Progress = plain.Progress },
		func(c *sim.Config) { c.Process = plain.Process },
		func(c *sim.Config) { c.Workload.Mix = plain.Workload.Mix },
		func(c *sim.Config) { c.LogWindow = plain.LogWindow },
	} {
		c := s.edit()
		change(&c.Config)
		if !reflect.DeepEqual(c.Config, s.best.Config) {
			s.try(c)
		}
	}
	for i := 0; i < len(s.best.Commands); i++ {
		c := s.edit()
		c.Commands[i].Soften()
		if !reflect.DeepEqual(c.Commands[i], s.best.Commands[i]) {
			s.try(c)
		}
	}
}

// simplerOperations replaces each operation by a plainer one.
func (s *Shrinker) simplerOperations() {
	for i := len(s.best.Commands) - 1; i >= 0; i-- {
		if i >= len(s.best.Commands) {
			continue
		}
		for _, simple := range s.best.Commands[i].Simpler() {
			c := s.edit()
			simple.Client, simple.Member = c.Commands[i].Client, c.Commands[i].Member
			if reflect.DeepEqual(c.Commands[i].Command, simple) {
				continue
			}
			c.Commands[i].Command = simple
			if s.try(c) {
				break
			}
		}
	}
}

// closeGaps moves decisions closer together where nothing is decided for long,
// but leaves the time that an election takes.
func (s *Shrinker) closeGaps() {
	for _, gap := range []time.Duration{2 * time.Second, 500 * time.Millisecond, 50 * time.Millisecond} {
		for i := len(s.best.Commands) - 1; i >= 0; i-- {
			if i >= len(s.best.Commands) {
				continue
			}
			before := int64(0)
			if i > 0 {
				before = s.best.Commands[i-1].At
			}
			over := s.best.Commands[i].At - before - int64(gap)
			if over <= int64(gap) {
				continue
			}
			c := s.edit()
			for k := i; k < len(c.Commands); k++ {
				c.Commands[k].At -= over
			}
			c.For -= time.Duration(over)
			s.try(c)
		}
	}
}

// roundTimes makes the times readable.
func (s *Shrinker) roundTimes() {
	for _, unit := range []int64{int64(10 * time.Millisecond), int64(time.Millisecond), int64(10 * time.Microsecond)} {
		round := func(t *script.Timed) { t.At = (t.At + unit/2) / unit * unit }
		c := s.edit()
		for i := range c.Commands {
			round(&c.Commands[i])
		}
		if reflect.DeepEqual(c.Commands, s.best.Commands) || s.try(c) {
			return
		}
	}
	for i := range s.best.Commands {
		if i >= len(s.best.Commands) {
			return
		}
		c := s.edit()
		at := (c.Commands[i].At + int64(time.Millisecond)/2) / int64(time.Millisecond) * int64(time.Millisecond)
		if at == c.Commands[i].At || i > 0 && at < c.Commands[i-1].At || i+1 < len(c.Commands) && at > c.Commands[i+1].At {
			continue
		}
		c.Commands[i].At = at
		s.try(c)
	}
}

// rename calls the keys a to z and the values 1, 2, 3.
func (s *Shrinker) rename() {
	names := s.keys()
	if len(names) == 0 || len(names) > 26 {
		return
	}
	sorted := slices.Sorted(slices.Values(names)) // ranges depend on the order
	c := s.edit()
	c.rekey(func(key string) string { return string(rune('a' + slices.Index(sorted, key))) })
	for i := range c.Commands {
		c.Commands[i].Number(i + 1)
		if end := c.Commands[i].End; end != "" && end != "\x00" {
			at, _ := slices.BinarySearch(sorted, end)
			c.Commands[i].End = string(rune('a' + at))
		}
	}
	if !reflect.DeepEqual(c, s.best) {
		s.try(c)
	}
}
