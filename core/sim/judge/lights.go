package judge

import (
	"strconv"

	"vitrine/core/invariant"
	"vitrine/core/picture"
)

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
