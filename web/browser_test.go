//go:build browser

package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"vitrine/web"
)

// prefix is where the page lies on the test's server: not at the root, so that
// an absolute address in it would show.
const prefix = "/some/where/ui/"

// policy is the content security policy that the server sends.
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

// serve offers the built page as the server does.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	files, built := web.Files()
	if !built {
		leftOut(t, "the page is not built: run make page")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, prefix)
		if name == "" {
			name = "index.html"
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".woff2": "font/woff2"}[path.Ext(name)])
		w.Write(data)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// leftOut skips a test so that nobody overlooks it.
func leftOut(t *testing.T, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "\n*** LEFT OUT: %s: %s ***\n\n", t.Name(), why)
	t.Skip(why)
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	leftOut(t, "there is no Chromium on this machine")
	return ""
}

// browser is one tab with the page in it.
type browser struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	problems []string // errors in its console
}

type screen struct {
	w, h  int64
	touch bool
	light bool
	lang  string
	still bool // prefers-reduced-motion
}

var desk = screen{w: 1440, h: 900, lang: "en"}

// open starts Chromium and loads the page with a query. It fails the test if
// anything complains in the console.
func open(t *testing.T, s screen, query string) *browser {
	t.Helper()
	bin := chromium(t)
	srv := serve(t)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(bin), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("use-gl", "angle"), chromedp.Flag("use-angle", "swiftshader"), chromedp.Flag("enable-unsafe-swiftshader", true))
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	b := &browser{t: t, ctx: ctx}
	b.must(chromedp.Do(ctx))
	b.must(chromedp.Listen(ctx, b.hear))
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	b.must(err)
	_, err = chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	b.must(err)
	_, err = chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.w, Height: s.h, DeviceScaleFactor: 1, Mobile: s.touch})
	b.must(err)
	theme, motion := "dark", "no-preference"
	if s.light {
		theme = "light"
	}
	if s.still {
		motion = "reduce"
	}
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: motion}}})
	b.must(err)
	source := fmt.Sprintf(`if (!localStorage.getItem('vitrine.lang')) localStorage.setItem('vitrine.lang', %q)`, s.lang)
	_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
	b.must(err)
	begin := time.Now()
	b.must(chromedp.Do(ctx, chromedp.Navigate(srv.URL+prefix+"?"+query)))
	b.ready()
	t.Logf("ready %.2f s after navigation", time.Since(begin).Seconds())
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.problems) > 0 {
			t.Errorf("the console has complaints:\n%s", strings.Join(b.problems, "\n"))
		}
	})
	return b
}

func (b *browser) hear(ev any) {
	problem := ""
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = string(e.Type)
			for _, a := range e.Args {
				problem += " " + string(a.Value) + a.Description
			}
		}
	case *runtime.EventExceptionThrown:
		problem = "exception " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			problem += " " + x.Description
		}
	case *log.EventEntryAdded:
		// The software renderer of a test machine warns of itself.
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning && !strings.Contains(e.Entry.Text, "GL Driver") && !strings.Contains(e.Entry.Text, "GPU stall") {
			problem = "log " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	if problem != "" {
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) ready() {
	b.t.Helper()
	eval[bool](b, `vitrine.ready.then(() => true)`)
}

// eval runs JavaScript and waits for a promise.
func eval[T any](b *browser, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 40*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// do runs JavaScript for its effect.
func (b *browser) do(js string) {
	b.t.Helper()
	eval[bool](b, `(async () => { `+js+`; return true })()`)
}

// until waits for a condition in JavaScript, in which s is vitrine.state(), and
// lets the world run meanwhile.
func (b *browser) until(what, js string) {
	b.t.Helper()
	for range 300 {
		if eval[bool](b, `(() => { const s = vitrine.state(); return Boolean(`+js+`) })()`) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("waited in vain for %s; state: %s", what, eval[string](b, `(() => { const { members, requests, now, playing } = vitrine.state(); return JSON.stringify({ now, playing, members: members.map((m) => [m.id, m.role, m.process, m.term]), focus: document.activeElement.outerHTML.slice(0, 120), requests: requests.filter((r) => r.client === 0).slice(-2) }) })()`))
}

// click presses the real mouse in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	free := fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (!e || e.disabled) return false; e.scrollIntoView({ block: 'nearest' }); const r = e.getBoundingClientRect(), hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); return e === hit || e.contains(hit) })()`, selector)
	for i := 0; !eval[bool](b, free); i++ { // panels follow the world with a frame's delay
		if i > 40 {
			b.t.Fatalf("%s cannot be clicked: it is missing, disabled or covered", selector)
		}
		time.Sleep(50 * time.Millisecond)
	}
	x := eval[float64](b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return r.x + r.width / 2 })()`, selector))
	y := eval[float64](b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return r.y + r.height / 2 })()`, selector))
	b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)))
}

// middle of something on the stage, in pixels of the page.
func (b *browser) middle(id string) (x, y float64) {
	b.t.Helper()
	p := eval[[]float64](b, fmt.Sprintf(`(() => { const r = vitrine.rectOf(%q); return [r.x + r.width / 2, r.y + r.height / 2] })()`, id))
	return p[0], p[1]
}

// clickOn presses the real mouse on something on the stage.
func (b *browser) clickOn(id string) {
	b.t.Helper()
	x, y := b.middle(id)
	b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)))
}

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.KeyEvent(keys)))
}

// drag draws a line with the real mouse.
func (b *browser) drag(x1, y1, x2, y2 float64) {
	b.t.Helper()
	event := func(kind input.DispatchMouseEventType, x, y float64) {
		_, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1})
		b.must(err)
	}
	event(input.DispatchMouseEventTypeMousePressed, x1, y1)
	for i := 1; i <= 8; i++ {
		f := float64(i) / 8
		event(input.DispatchMouseEventTypeMouseMoved, x1+(x2-x1)*f, y1+(y2-y1)*f)
	}
	event(input.DispatchMouseEventTypeMouseReleased, x2, y2)
}

// shot keeps a picture if VITRINE_SHOTS names a folder for it.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("VITRINE_SHOTS")
	if dir == "" {
		return
	}
	r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	b.must(err)
	b.must(os.WriteFile(path.Join(dir, name+".png"), []byte(r.Data), 0o644))
}
