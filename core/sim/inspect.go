package sim

import (
	"strconv"

	"vitrine/core/invariant"
	"vitrine/core/picture"
	"vitrine/core/sim/mirror"
)

// What the world itself knows of its members, from inside: the test of what
// core/picture makes of their events. Stations of requests are not among it:
// events are all that there is of them.

// mirrors are a member's log in memory, in its file, and on its disk. Only a world
// that is compared with its picture keeps them.
type mirrors struct{ memory, file, disk mirror.Log }

// Lights are the invariants that a world is judged by. It leaves out what one run
// cannot tell: whether another would tell the same story.
func Lights() (lights []picture.Light) {
	for _, info := range invariant.Table() {
		if info.Number != invariant.Deterministic {
			lights = append(lights, picture.Light{ID: "I" + strconv.Itoa(info.Number), Name: info.Name, OK: true})
		}
	}
	return lights
}
