package chaos

import (
	"slices"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/dice"
)

// errorClasses are the classes of faults by what a disk refuses.
var errorClasses = [script.DiskErrors]Class{WriteError, Full, SyncError, ReadError, CommitError}

// mayRot names the members whose disks may decay: a minority, so that the others
// can always repair what is lost. In one rotting run of sixteen all may, and there
// the cluster must halt safely.
func (x *Chaos) mayRot(id uint64) bool {
	bits := x.options.Rotting
	if bits>>60 == 0 {
		return true
	}
	smaller := 0
	for _, o := range x.world.Members() {
		if dice.Mix(bits+o) < dice.Mix(bits+id) {
			smaller++
		}
	}
	return smaller < (len(x.world.Members())-1)/2
}

// drawDiskFault inflicts a fault of the disk's classes on a member.
func (x *Chaos) drawDiskFault(class Class, id, how, long uint64) {
	if class != Rot {
		kind := slices.Index(errorClasses[:], class)
		name := script.DiskError(kind).String()
		x.inflict(class, script.Command{Cmd: script.Fail, Member: id, Name: name, Rev: int64(how % 4)})
		if class == ReadError { // reads happen at boots
			x.crashLater(id, how, long)
		}
		return
	}
	members := x.world.Members()
	for range members { // the first candidate from the victim on
		if x.mayRot(id) {
			break
		}
		id = members[(slices.Index(members, id)+1)%len(members)]
	}
	if !x.mayRot(id) {
		return // nobody may: there is but one copy
	}
	c := script.Command{
		Cmd: script.Rot, Member: id, Name: script.Decays()[how>>8%4],
		Rev: int64(long >> 16 % (1 << 40)), Limit: int64(how >> 16 % (1 << 10)),
	}
	if c.Name == script.DecayCut { // of a member that is down
		x.crashAndRestart(class, powerFailure(id, how), spread(long, time.Millisecond, time.Second))
		x.world.Later(1, c)
		return
	}
	if x.inflict(class, c) && how>>10%2 == 0 { // else it is found some day
		x.crashLater(id, how, long)
	}
}

func (x *Chaos) crashLater(id, how, long uint64) {
	wait := spread(how, time.Millisecond, 100*time.Millisecond)
	x.world.Later(wait, powerFailure(id, how))
	x.world.Later(wait+spread(long, time.Millisecond, time.Second), script.Command{Cmd: script.Restart, Member: id})
}
