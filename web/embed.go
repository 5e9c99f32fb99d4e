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

// Files is the built page: index.html, style.css, js/, assets/, vitrine.wasm and
// wasm_exec.js, and for each file of some size NAME.br, the same in brotli. All
// addresses in it are relative. It reports false when the page was not built.
func Files() (fs.FS, bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(files, "vitrine.wasm"); err != nil {
		return nil, false
	}
	return files, true
}
