package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// page serves the files of the user interface. A file that has a compressed twin
// (name.br, made when the page was built) is sent as that to browsers that take it.
type page struct {
	files fs.FS

	mu    sync.Mutex
	cache map[string]*asset // by file name; there are few and they never change
}

type asset struct {
	body []byte
	tag  string
}

func newPage(files fs.FS) http.Handler {
	if files == nil {
		return http.HandlerFunc(noPage)
	}
	return &page{files: files, cache: map[string]*asset{}}
}

// policy lets the page load what it came with, run WebAssembly, and nothing else. Others
// may show it in a frame: it acts on nothing but the world that it simulates itself.
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; " +
	"object-src 'none'; base-uri 'none'; frame-ancestors *; form-action 'none'"

// kept begins the folder whose name changes with its contents, see web/build.
const kept = "kept-"

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	a, err := p.load(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Vary", "Accept-Encoding")
	if takesBrotli(r) {
		if small, err := p.load(name + ".br"); err == nil {
			a = small
			h.Set("Content-Encoding", "br")
		}
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	if strings.HasPrefix(name, kept) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else { // a browser asks each time, and is told that nothing is new
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("ETag", a.tag)
	if matches(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(a.body)))
	if r.Method == http.MethodGet {
		w.Write(a.body)
	}
}

func (p *page) load(name string) (*asset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.cache[name]; a != nil {
		return a, nil
	}
	body, err := fs.ReadFile(p.files, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	a := &asset{body: body, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	p.cache[name] = a
	return a, nil
}

// contentType does not depend on what the machine's mime table says.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case ".ttf":
		return "font/ttf"
	case ".md", ".txt":
		return "text/plain; charset=utf-8"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func takesBrotli(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "br") && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// noPage says how to get the page.
func noPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, "This server was built without its page.\n\n"+
		"    make build        builds bin/vitrine with the page inside\n"+
		"    make run          the same, and starts it\n")
}

// toPage leads browsers to the page; tools that ask for / get what they always got.
func toPage(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/ui/", http.StatusFound)
		return
	}
	http.NotFound(w, r)
}
