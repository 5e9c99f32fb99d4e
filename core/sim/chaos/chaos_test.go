package chaos

import (
	"testing"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/clock"
)

// victims is a world in which everything is possible and nothing happens.
type victims struct {
	members []uint64
	done    []script.Command
	later   int
}

func (v *victims) Do(c script.Command) error {
	v.done = append(v.done, c)
	return nil
}

func (v *victims) Later(time.Duration, script.Command) { v.later++ }

func (v *victims) Members() []uint64 { return v.members }

func (v *victims) Leader() uint64 { return v.members[0] }

func (v *victims) Learners() []uint64 { return nil }

func (v *victims) Machines() int { return len(v.members) }

func unleash(t *testing.T, seed uint64, members int) (*Chaos, *victims) {
	t.Helper()
	drawn, err := Draw(seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := new(victims)
	for id := range members {
		v.members = append(v.members, uint64(10*id+3)) // ids mean nothing
	}
	return New(v, new(clock.Clock), seed, drawn), v
}

// TestAQuorumOfDisksDoesNotRot, but in the runs that are to halt safely.
func TestAQuorumOfDisksDoesNotRot(t *testing.T) {
	beyond := 0
	for seed := range uint64(400) {
		x, v := unleash(t, seed, 5)
		may := 0
		for _, id := range v.members {
			if x.mayRot(id) {
				may++
			}
		}
		switch {
		case x.options.Rotting>>60 == 0 && may == 5:
			beyond++
		case may != 2:
			t.Fatalf("seed %d: %d of 5 disks may rot", seed, may)
		}
	}
	if beyond == 0 || beyond > 60 {
		t.Errorf("in %d of 400 runs all may rot", beyond)
	}
}

// TestRing: each member reaches a majority, no two the same, both ways.
func TestRing(t *testing.T) {
	for _, members := range []int{5, 7, 9} {
		x, v := unleash(t, 1, members)
		x.ring(0)
		cut := map[[2]uint64]bool{}
		for _, c := range v.done {
			for _, from := range c.From {
				for _, to := range c.To {
					cut[[2]uint64{from, to}], cut[[2]uint64{to, from}] = true, true
				}
			}
		}
		seen := map[uint64]bool{}
		for i, from := range v.members {
			reached, who := 1, uint64(1)<<i
			for j, to := range v.members {
				if i != j && !cut[[2]uint64{from, to}] {
					reached, who = reached+1, who|1<<j
				}
			}
			if reached <= members/2 || reached == members || seen[who] {
				t.Errorf("%d members: member %d reaches %d: %b", members, from, reached, who)
			}
			seen[who] = true
		}
		if v.later != len(v.done) {
			t.Errorf("%d members: %d cuts, %d of them healed", members, len(v.done), v.later)
		}
	}
}

// TestAlwaysNamesClasses: a class that there is not is refused.
func TestAlwaysNamesClasses(t *testing.T) {
	if o, err := Draw(1, []string{"coup", "rot"}); err != nil || !o.On[Coup] || !o.On[Rot] {
		t.Errorf("%v, %v", o.On, err)
	}
	if _, err := Draw(1, []string{"mutiny"}); err == nil {
		t.Error("a mutiny is accepted")
	}
}

// TestEveryDrawIsACommand that makes sense, whatever the bits say.
func TestEveryDrawIsACommand(t *testing.T) {
	for seed := range uint64(200) {
		x, v := unleash(t, seed, 5)
		x.Begin()
		for x.clock.Len() > 0 && x.clock.Now < int64(20*time.Second) {
			e := x.clock.Next()
			x.Happens(&e)
		}
		if x.End(); len(v.done) == 0 {
			t.Errorf("seed %d: nothing happens", seed)
		}
		for _, c := range v.done {
			if err := c.Check(); err != nil {
				t.Errorf("seed %d: %s: %v", seed, &c, err)
			}
		}
	}
}
