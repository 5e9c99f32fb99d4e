package sim

import "vitrine/core/sim/mirror"

// What the world itself knows of its members, from inside: the test of what
// core/picture makes of their events. Stations of requests are not among it:
// events are all that there is of them.

// mirrors are a member's log in memory, in its file, and on its disk. Only a world
// that is compared with its picture keeps them.
type mirrors struct{ memory, file, disk mirror.Log }
