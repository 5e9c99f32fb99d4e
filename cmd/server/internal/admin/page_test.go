package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWithoutAPage(t *testing.T) {
	w := get(newPage(nil), "/")
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestPageFiles(t *testing.T) {
	h := newPage(fstest.MapFS{
		"index.html":     {Data: []byte("start")},
		"js/main.js":     {Data: []byte("script")},
		"js/main.js.br":  {Data: []byte("small")},
		"fonts/a.woff2":  {Data: []byte("font")},
		"kept-12/a.js":   {Data: []byte("kept")},
		"vitrine.wasm":   {Data: []byte("wasm")},
		"secret/../x.js": {Data: []byte("never")},
	})
	for _, test := range []struct {
		path, accept  string
		code          int
		body, typ, ce string
	}{
		{"/", "", 200, "start", "text/html; charset=utf-8", ""},
		{"/js/main.js", "", 200, "script", "text/javascript; charset=utf-8", ""},
		{"/js/main.js", "gzip, br;q=0.9", 200, "small", "text/javascript; charset=utf-8", "br"},
		{"/js/main.js", "br;q=0", 200, "script", "text/javascript; charset=utf-8", ""},
		{"/fonts/a.woff2", "br", 200, "font", "font/woff2", ""},
		{"/vitrine.wasm", "", 200, "wasm", "application/wasm", ""},
		{"/js", "", 404, "404 page not found\n", "text/plain; charset=utf-8", ""},
		{"/../index.html", "", 200, "start", "text/html; charset=utf-8", ""},
	} {
		w := get(h, test.path, "Accept-Encoding", test.accept)
		if w.Code != test.code || w.Body.String() != test.body || w.Header().Get("Content-Type") != test.typ ||
			w.Header().Get("Content-Encoding") != test.ce {
			t.Errorf("%s (%s): %d %q %v", test.path, test.accept, w.Code, w.Body, w.Header())
		}
	}
	tag := get(h, "/").Header().Get("ETag")
	if w := get(h, "/", "If-None-Match", `"other", W/`+tag); tag == "" || w.Code != http.StatusNotModified ||
		w.Body.Len() > 0 {
		t.Errorf("the same page again: %d %q", w.Code, w.Body)
	}
	for path, want := range map[string]string{"/": "no-cache", "/kept-12/a.js": "public, max-age=31536000, immutable"} {
		if got := get(h, path).Header(); got.Get("Cache-Control") != want ||
			!strings.Contains(got.Get("Content-Security-Policy"), "frame-ancestors *;") {
			t.Errorf("%s: %v", path, got)
		}
	}
	post := httptest.NewRecorder()
	h.ServeHTTP(post, httptest.NewRequest(http.MethodPost, "/", nil))
	if post.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", post.Code)
	}
}
