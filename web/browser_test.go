//go:build browser

package web_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

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
	lab      *lab
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
			hit = document.elementFromPoint(x, y), was = globalThis.stood;
		globalThis.stood = { e, x, y, looks: was?.e === e && was.x === x && was.y === y ? was.looks + 1 : 1 };
		return (e === hit || e.contains(hit)) && globalThis.stood.looks > 2 ? [x, y] : null;
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

// middle of something on the stage, in pixels of the page. It is where the stage has drawn it last: so a frame is
// waited for, until the members have come to their places, and until it is in one place in two frames, unless it goes
// on moving. A busy machine draws seldom, and a stage at rest not at all.
func (b *browser) middle(id string) (x, y float64) {
	b.t.Helper()
	p := eval[[]float64](b, fmt.Sprintf(`(async () => {
		const frame = async () => {
			const drawn = vitrine.frameStats().frames + 1;
			while (performance.now() < end && vitrine.frameStats().frames < drawn && !vitrineHost.drawn().resting)
				await new Promise((done) => setTimeout(done, 10));
		};
		const end = performance.now() + %[2]d;
		await frame();
		while (performance.now() < end && vitrineHost.drawn().tight) await frame();
		let r = vitrine.rectOf(%[1]q);
		for (let n = 0, was = null; n < 10 && !(was && was.x === r.x && was.y === r.y); n++) {
			was = r;
			await frame();
			await new Promise((done) => setTimeout(done, 40));
			r = vitrine.rectOf(%[1]q) ?? r; // what flies may have arrived
		}
		return [r.x + r.width / 2, r.y + r.height / 2] })()`, id, patience.Milliseconds()))
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
