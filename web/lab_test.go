//go:build browser

package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
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

// lab is the page on a server, and one tab of one Chromium. To start a browser, to
// compile the page for the first time and to load it takes longer than most tests
// do, so that one test hands it to the next.
type lab struct {
	url     string
	tab     context.Context
	profile string // Chromium's folder
	close   func()
	reader  atomic.Pointer[browser] // the test that hears the console now
	prelude page.ScriptIdentifier
	lost    atomic.Pointer[string] // a file that the server has not
	late    atomic.Pointer[gate]   // the program does not come before it opens
	visited bool                   // the page knows random visitors
	usable  bool                   // the page is open, and another test can have a new world on it
}

type gate chan struct{}

// labs are those that there are. As many tests as go test lets run side by side
// (-parallel) have one each.
var labs struct {
	sync.Mutex
	free []*lab
	held map[string]*lab // by the name of the test
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, l := range labs.free {
		l.close()
	}
	os.Exit(code)
}

// labOf is the lab of a test, who from then on runs beside another one. A test that
// knows random visitors rather has the page that knows them, too.
func labOf(t *testing.T) *lab {
	t.Helper()
	if l := heldBy(t); l != nil {
		return l
	}
	t.Parallel()
	l := take(strings.HasPrefix(t.Name(), "TestVisitors"))
	if l == nil {
		l = newLab(t)
	}
	labs.Lock()
	defer labs.Unlock()
	if labs.held == nil {
		labs.held = map[string]*lab{}
	}
	labs.held[t.Name()] = l
	t.Cleanup(func() {
		labs.Lock()
		defer labs.Unlock()
		delete(labs.held, t.Name())
		labs.free = append(labs.free, l)
	})
	return l
}

func heldBy(t *testing.T) *lab {
	labs.Lock()
	defer labs.Unlock()
	return labs.held[t.Name()]
}

// take takes a free lab, if there is one.
func take(visited bool) *lab {
	labs.Lock()
	defer labs.Unlock()
	if len(labs.free) == 0 {
		return nil
	}
	at := len(labs.free) - 1
	for i, l := range labs.free {
		if l.visited == visited {
			at = i
		}
	}
	l := labs.free[at]
	labs.free = append(labs.free[:at], labs.free[at+1:]...)
	return l
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
		chromedp.Flag("enable-unsafe-swiftshader", true),
		chromedp.Flag("disable-gpu-rasterization", true)) // documents are painted faster without a false GPU
	tab, cancelTab := chromedp.NewContext(allocator)
	l.url, l.tab, l.profile, l.close = srv.URL+prefix, tab, profile, func() {
		cancelTab()
		cancel()
		srv.Close()
		os.RemoveAll(profile)
	}
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
		if late := l.late.Load(); late != nil && path.Ext(name) == ".wasm" {
			<-*late
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css",
			".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml",
			".woff2": "font/woff2"}[path.Ext(name)])
		w.Header().Set("Cache-Control", "max-age=3600") // a browser keeps what it has compiled as long as it keeps the file
		w.Write(data)
	})
}

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
	l := labOf(t)
	must(t, chromedp.Do(l.tab, chromedp.Navigate("about:blank")))
	l.dress(t, s)
	l.forget(t, s)
	b := l.hand(t)
	// What is a frame, or a phone's, stays that.
	l.usable = !s.touch && !strings.Contains(query, "embed")
	l.visited = false
	must(t, chromedp.Do(b.ctx, chromedp.Navigate(l.url+"?"+query)))
	return b
}

// visitWithout is visit at a server that has lost a file.
func visitWithout(t *testing.T, name, query string) *browser {
	t.Helper()
	l := labOf(t)
	l.lost.Store(&name)
	call(t, l.tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	t.Cleanup(func() {
		l.lost.Store(nil)
		l.usable = false
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
	b := &browser{t: t, ctx: l.tab, lab: l}
	l.reader.Store(b)
	t.Cleanup(func() {
		l.reader.Store(nil)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.problems) > 0 {
			t.Errorf("the console has complaints:\n%s", strings.Join(b.problems, "\n"))
		}
		l.usable = l.usable && !t.Failed()
	})
	return b
}

// again leaves the page as it would be after open, without loading it, on a window that may just have become another.
const again = `(({ seed, members, speed, lang, theme }) => {
	for (const d of document.querySelectorAll('dialog[open]')) d.close();
	for (const d of document.querySelectorAll('details[open]')) d.open = false;
	document.activeElement.blur();
	if (document.getElementById('toast').matches(':popover-open')) document.getElementById('toast').hidePopover();
	const root = document.documentElement, ask = document.getElementById('ask');
	if (root.lang !== lang) document.getElementById('lang').click();
	if (root.dataset.theme !== theme) document.getElementById('theme').click();
	ask.reset();
	ask.dispatchEvent(new Event('change'));
	document.getElementById('tab-raft').click();
	root.dataset.snap = 'peek'; // from which a tab opens it to half
	document.querySelector('#sheet-tabs [data-sheet]').click();
	vitrineHost.crowd(0);
	history.replaceState(null, '', '?' + new URLSearchParams({ seed, members, speed }));
	for (const command of [{ cmd: 'reset', seed, members, election: 0, preVote: true, checkQuorum: true },
		{ cmd: 'speed', value: speed }, { cmd: 'skip', on: true }, { cmd: 'play' }]) vitrine.dispatch(command);
	return new Promise((done) => {
		let epoch, end;
		end = vitrine.subscribe((f) => {
			epoch ??= f.epoch; // the first frame is the one shown before the reset
			if (f.epoch === epoch || document.querySelector('canvas').clientWidth !== document.body.clientWidth) return;
			end();
			done(true);
		});
	});
})(%s)`

// world is a new world on a desk, on the page that is there already if it can be.
func world(t *testing.T, seed, members int, speed float64) *browser {
	t.Helper()
	return worldOn(t, desk, seed, members, speed)
}

// worldOn is world on any screen.
func worldOn(t *testing.T, s screen, seed, members int, speed float64) *browser {
	t.Helper()
	l := labOf(t)
	if !l.usable || s.touch {
		return open(t, s, fmt.Sprintf("seed=%d&members=%d&speed=%g", seed, members, speed))
	}
	l.dress(t, s)
	b := l.hand(t)
	eval[bool](b, fmt.Sprintf(again, fmt.Sprintf(`{ seed: %d, members: %d, speed: %g, lang: %q, theme: %q }`, seed,
		members, speed, s.lang, s.theme())))
	b.until("a form without the users of before", `document.getElementById('ask-as').closest('label').hidden`)
	return b
}

func (s screen) theme() string {
	if s.light {
		return "light"
	}
	return "dark"
}

// dress gives the tab the screen and the preferences of a visitor. VITRINE_THROTTLE=4 makes the visitor's processor
// four times slower.
func (l *lab) dress(t *testing.T, s screen) {
	t.Helper()
	call(t, l.tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.w, Height: s.h,
		DeviceScaleFactor: 1, Mobile: s.touch})
	// Tab beyond the last control leads to the browser's own, and keys would follow.
	call(t, l.tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	motion := "no-preference"
	if s.still {
		motion = "reduce"
	}
	call(t, l.tab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.theme()},
			{Name: "prefers-reduced-motion", Value: motion}}})
	if rate, err := strconv.ParseFloat(os.Getenv("VITRINE_THROTTLE"), 64); err == nil {
		call(t, l.tab, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: rate})
	}
}

// sharp draws the stage in all pixels. Where neither bars nor pictures of it are wanted, every second one of every
// second line does: a machine without a graphics card spends most of its time on pixels at which no test looks.
var sharp = os.Getenv("VITRINE_SHOTS") != ""

const coarse = `Object.defineProperty(window, 'devicePixelRatio', { configurable: true, get: () => 0.5 });`

// forget gives the tab the empty storage of a visitor who has never been here, at the next load.
func (l *lab) forget(t *testing.T, s screen) {
	t.Helper()
	if l.prelude != "" {
		call(t, l.tab, page.RemoveScriptToEvaluateOnNewDocument,
			page.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: l.prelude})
	}
	// Once in a session: what a test stores outlives a load that it causes itself.
	source := fmt.Sprintf(
		`if (location.href !== 'about:blank' && sessionStorage.getItem('dressed') !== %[1]q) { localStorage.clear();
			sessionStorage.clear(); sessionStorage.setItem('dressed', %[1]q); localStorage.setItem('vitrine.lang', %[2]q) }`,
		t.Name()+time.Now().String(), s.lang)
	if !sharp {
		source = coarse + source
	}
	l.prelude = call(t, l.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: source}).Identifier
}
