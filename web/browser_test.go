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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
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

// lab is what all tests share: the page on a server, and one tab of one Chromium.
// To start a browser and to compile the page for the first time takes longer than
// most tests do.
type lab struct {
	url     string
	tab     context.Context
	profile string // Chromium's folder
	close   func()
	reader  atomic.Pointer[browser] // the test that hears the console now
	prelude page.ScriptIdentifier
	lost    atomic.Pointer[string] // a file that the server has not
	visited bool                   // the page knows random visitors
	desk    bool                   // the page is open on a desk, and no test has failed on it
}

var laboratory *lab // made by the first test that opens the page; tests run one by one

func TestMain(m *testing.M) {
	code := m.Run()
	if laboratory != nil {
		laboratory.close()
	}
	os.Exit(code)
}

// newLab starts the server and Chromium.
func newLab(t *testing.T) *lab {
	t.Helper()
	files, built := web.Files()
	if !built {
		leftOut(t, "the page is not built: run make page")
	}
	bin, found := chromium()
	if !found {
		leftOut(t, "there is no Chromium on this machine")
	}
	profile, err := os.MkdirTemp("", "vitrine-browser-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{}
	srv := httptest.NewServer(l.serve(files))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(bin), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("use-gl", "angle"), chromedp.Flag("use-angle", "swiftshader"),
		chromedp.Flag("enable-unsafe-swiftshader", true))
	tab, cancelTab := chromedp.NewContext(allocator)
	l.url, l.tab, l.profile, l.close = srv.URL+prefix, tab, profile, func() {
		cancelTab()
		cancel()
		srv.Close()
		os.RemoveAll(profile)
	}
	laboratory = l
	must(t, chromedp.Do(tab))
	must(t, chromedp.Listen(tab, func(ev any) {
		if b := l.reader.Load(); b != nil {
			b.hear(ev)
		}
	}))
	call(t, tab, log.Enable, cdp.Empty{})
	call(t, tab, runtime.Enable, cdp.Empty{})
	call(t, tab, network.Enable, network.EnableParams{})
	return l
}

// serve offers the built page as the server does.
func (l *lab) serve(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, prefix)
		if name == "" {
			name = "index.html"
		}
		data, err := fs.ReadFile(files, name)
		if lost := l.lost.Load(); err != nil || lost != nil && strings.HasSuffix(name, "/"+*lost) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css",
			".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml",
			".woff2": "font/woff2"}[path.Ext(name)])
		w.Header().Set("Cache-Control", "max-age=3600") // a browser keeps what it has compiled as long as it keeps the file
		w.Write(data)
	})
}

func chromium() (string, bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call sends a command of the DevTools protocol.
func call[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	r, err := chromedp.Call(ctx, command, params)
	must(t, err)
	return r
}

// leftOut skips a test so that nobody overlooks it.
func leftOut(t *testing.T, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "\n*** LEFT OUT: %s: %s ***\n\n", t.Name(), why)
	t.Skip(why)
}

// browser is the tab in the hands of one test.
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

// open loads the page anew with a query, as for a visitor who has never been here.
// It fails the test if anything complains in the console.
func open(t *testing.T, s screen, query string) *browser {
	t.Helper()
	b := visit(t, s, query)
	begin := time.Now()
	b.ready()
	t.Logf("ready %.2f s after the document", time.Since(begin).Seconds())
	return b
}

// visit is open without waiting for the world.
func visit(t *testing.T, s screen, query string) *browser {
	t.Helper()
	l := laboratory
	if l == nil {
		l = newLab(t)
	}
	must(t, chromedp.Do(l.tab, chromedp.Navigate("about:blank")))
	l.dress(t, s)
	b := l.hand(t)
	l.desk = s == desk
	l.visited = false
	must(t, chromedp.Do(b.ctx, chromedp.Navigate(l.url+"?"+query)))
	return b
}

// visitWithout is visit at a server that has lost a file.
func visitWithout(t *testing.T, name, query string) *browser {
	t.Helper()
	l := laboratory
	if l == nil {
		l = newLab(t)
	}
	l.lost.Store(&name)
	call(t, l.tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	t.Cleanup(func() {
		l.lost.Store(nil)
		l.desk = false
		call(t, l.tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: false})
	})
	return visit(t, desk, query)
}

// forgive takes complaints in the console as they had to come.
func (b *browser) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil
}

// hand gives the tab to a test, which fails if anything complains in the console.
func (l *lab) hand(t *testing.T) *browser {
	b := &browser{t: t, ctx: l.tab}
	l.reader.Store(b)
	t.Cleanup(func() {
		l.reader.Store(nil)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.problems) > 0 {
			t.Errorf("the console has complaints:\n%s", strings.Join(b.problems, "\n"))
		}
		l.desk = l.desk && !t.Failed()
	})
	return b
}

// again leaves the page as it would be after open, without loading it.
const again = `(({ seed, members, speed }) => {
	for (const d of document.querySelectorAll('dialog[open]')) d.close();
	document.activeElement.blur();
	if (document.getElementById('toast').matches(':popover-open')) document.getElementById('toast').hidePopover();
	const root = document.documentElement, ask = document.getElementById('ask');
	if (root.lang !== 'en') document.getElementById('lang').click();
	if (root.dataset.theme !== 'dark') document.getElementById('theme').click();
	ask.reset();
	ask.dispatchEvent(new Event('change'));
	document.getElementById('tab-raft').click();
	document.querySelector('#sheet-tabs [data-sheet]').click();
	vitrineHost.crowd(0);
	history.replaceState(null, '', '?' + new URLSearchParams({ seed, members, speed }));
	for (const command of [{ cmd: 'reset', seed, members }, { cmd: 'speed', value: speed }, { cmd: 'skip', on: true },
		{ cmd: 'play' }]) vitrine.dispatch(command);
	return new Promise((done) => {
		let epoch, end;
		end = vitrine.subscribe((f) => {
			epoch ??= f.epoch; // the first frame is the one shown before the reset
			if (f.epoch === epoch) return;
			end();
			done(true);
		});
	});
})(%s)`

// world is a new world on a desk, on the page that is there already if it can be.
func world(t *testing.T, seed, members int, speed float64) *browser {
	t.Helper()
	if laboratory == nil || !laboratory.desk {
		return open(t, desk, fmt.Sprintf("seed=%d&members=%d&speed=%g", seed, members, speed))
	}
	b := laboratory.hand(t)
	eval[bool](b, fmt.Sprintf(again, fmt.Sprintf(`{ seed: %d, members: %d, speed: %g }`, seed, members, speed)))
	return b
}

// dress gives the tab the screen, the preferences and the empty storage of a
// visitor. VITRINE_THROTTLE=4 makes the visitor's processor four times slower.
func (l *lab) dress(t *testing.T, s screen) {
	t.Helper()
	call(t, l.tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.w, Height: s.h,
		DeviceScaleFactor: 1, Mobile: s.touch})
	// Tab beyond the last control leads to the browser's own, and keys would follow.
	call(t, l.tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	theme, motion := "dark", "no-preference"
	if s.light {
		theme = "light"
	}
	if s.still {
		motion = "reduce"
	}
	call(t, l.tab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme},
			{Name: "prefers-reduced-motion", Value: motion}}})
	if rate, err := strconv.ParseFloat(os.Getenv("VITRINE_THROTTLE"), 64); err == nil {
		call(t, l.tab, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: rate})
	}
	if l.prelude != "" {
		call(t, l.tab, page.RemoveScriptToEvaluateOnNewDocument,
			page.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: l.prelude})
	}
	// Once in a session: what a test stores outlives a load that it causes itself.
	source := fmt.Sprintf(
		`if (location.href !== 'about:blank' && sessionStorage.getItem('dressed') !== %[1]q) { localStorage.clear();
			sessionStorage.clear(); sessionStorage.setItem('dressed', %[1]q); localStorage.setItem('vitrine.lang', %[2]q) }`,
		t.Name()+time.Now().String(), s.lang)
	l.prelude = call(t, l.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: source}).Identifier
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
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning && !strings.Contains(e.Entry.Text,
			"GL Driver") && !strings.Contains(e.Entry.Text, "GPU stall") {
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
	must(b.t, err)
}

func (b *browser) ready() {
	b.t.Helper()
	eval[bool](b, `vitrine.ready.then(() => true)`)
}

// patience bounds every wait of the tests. It is meant for a machine that does
// much else at the same time.
const patience = 60 * time.Second

// eval runs JavaScript and waits for a promise.
func eval[T any](b *browser, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience+10*time.Second)
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

// wait is JavaScript that waits in the page until an expression is true, and gives
// its value, or null after all patience.
func wait(js string) string {
	return fmt.Sprintf(
		`(async () => { for (const end = performance.now() + %d; performance.now() < end;
			await new Promise((done) => setTimeout(done, 20))) { const value = %s; if (value) return value } return null })()`,
		patience.Milliseconds(), js)
}

// holds waits in the page for a condition in JavaScript.
func (b *browser) holds(js string) bool {
	b.t.Helper()
	return eval[bool](b, fmt.Sprintf(`%s.then(Boolean)`, wait(js)))
}

// until waits for a condition in JavaScript, in which s is vitrine.state(), and
// lets the world run meanwhile.
func (b *browser) until(what, js string) {
	b.t.Helper()
	if b.holds(`((s) => ` + js + `)(vitrine.state())`) {
		return
	}
	b.t.Fatalf("waited in vain for %s; state: %s", what,
		eval[string](b,
			`(() => { const { members, requests, now, playing } = vitrine.state();
				return JSON.stringify({ now, playing, members: members.map((m) => [m.id, m.role, m.process, m.term]),
					focus: document.activeElement.outerHTML.slice(0, 120), toast: document.getElementById('toast').textContent,
						requests: requests.filter((r) => r.client === 0).slice(-2) }) })()`))
}

// click presses the real mouse in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	at := b.still(selector)
	b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(at[0], at[1])))
}

// still is the middle of an element, as soon as the element is there, can act,
// stands still, and nothing covers it: panels follow the world with a frame's delay.
func (b *browser) still(selector string) []float64 {
	b.t.Helper()
	at := eval[[]float64](b, wait(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		if (!e || e.disabled || e.ariaDisabled === 'true' ||
			document.getAnimations().some((a) => a.playState === 'running' &&
				a.effect.getComputedTiming().endTime < 1000)) return null;
		e.scrollIntoView({ block: 'nearest' });
		const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2,
			hit = document.elementFromPoint(x, y);
		return e === hit || e.contains(hit) ? [x, y] : null;
	})()`, selector)))
	if len(at) != 2 {
		b.t.Fatalf("%s cannot be clicked: it is missing, disabled or covered by %s", selector,
			eval[string](b,
				fmt.Sprintf(
					`(() => { const r = document.querySelector(%q)?.getBoundingClientRect();
						return r ? document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)?.outerHTML.slice(0,
							120) ?? 'nothing' : 'nothing' })()`, selector)))
	}
	return at
}

// middle of something on the stage, in pixels of the page.
func (b *browser) middle(id string) (x, y float64) {
	b.t.Helper()
	p := eval[[]float64](b,
		fmt.Sprintf(`(() => { const r = vitrine.rectOf(%q); return [r.x + r.width / 2, r.y + r.height / 2] })()`, id))
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
	b.stroke(0, x1, y1, x2, y2)
}

// alt is the key Alt as the protocol has it.
const alt = 1

// stroke is drag with keys held.
func (b *browser) stroke(modifiers int64, x1, y1, x2, y2 float64) {
	b.t.Helper()
	event := func(kind input.DispatchMouseEventType, x, y float64) {
		call(b.t, b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y,
			Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1, Modifiers: modifiers})
	}
	event(input.DispatchMouseEventTypeMousePressed, x1, y1)
	for i := 1; i <= 8; i++ {
		f := float64(i) / 8
		event(input.DispatchMouseEventTypeMouseMoved, x1+(x2-x1)*f, y1+(y2-y1)*f)
	}
	event(input.DispatchMouseEventTypeMouseReleased, x2, y2)
}

// touch puts a real finger down, or lifts it.
func (b *browser) touch(down bool, x, y float64) {
	b.t.Helper()
	kind, points := input.DispatchTouchEventTypeTouchEnd, []*input.TouchPoint{}
	if down {
		kind, points = input.DispatchTouchEventTypeTouchStart, append(points, &input.TouchPoint{X: x, Y: y})
	}
	call(b.t, b.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
}

// shot keeps a picture if VITRINE_SHOTS names a folder for it.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("VITRINE_SHOTS")
	if dir == "" {
		return
	}
	r := call(b.t, b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	b.must(os.WriteFile(path.Join(dir, name+".png"), []byte(r.Data), 0o644))
}
