// Package web holds the page: HTML, a style sheet and ES modules without a
// build step of their own. The command web/build compiles the Go half of the
// page for js/wasm and puts everything, with a compressed twin of every file,
// into dist, from where this package embeds it into the server.
//
//	files, built := web.Files()
//	if !built { ... } // go run ./web/build makes the page
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files is the built page: index.html, the gallery's assets/replays/, and a folder
// kept-DIGEST with all that a browser may keep for ever, as its name changes with it:
// style.css, js/, assets/, vitrine.wasm and wasm_exec.js. For each file of some size
// there is NAME.br, the same in brotli. All addresses in it are relative. It reports
// false when the page was not built.
func Files() (fs.FS, bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, false
	}
	if found, err := fs.Glob(files, "kept-*/vitrine.wasm"); err != nil || len(found) != 1 {
		return nil, false
	}
	return files, true
}
