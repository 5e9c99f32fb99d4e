//go:build js

// Command wasm is the page's half in Go: a whole cluster under the simulator,
// the player that gives it time, and the stage that draws it. It is compiled
// for js/wasm and started by web/js/main.js.
package main

import (
	"runtime/debug"

	"vitrine/wasm/bridge"
)

func main() {
	// Collecting less often costs memory, of which a small world needs little,
	// and keeps pauses out of the frames.
	debug.SetGCPercent(300)
	if err := bridge.Run(); err != nil {
		panic(err)
	}
}
