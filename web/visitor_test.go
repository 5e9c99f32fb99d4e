//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Whatever a script or a visitor sends, the page goes on, and shows no value as
// another one: what is cut says so, and a frame stays short.
func TestNoValueIsTooMuch(t *testing.T) {
	b := world(t, 7, 5, 3)
	b.leader()
	b.do(
		`for (const value of ['值'.repeat(30), 'v1343', '\n\t\u200b', 'é😀', 'x'.repeat(1e6)]) vitrine.dispatch({ cmd: 'put',
			key: '键', value })`)
	b.until("five answers", `s.requests.filter((r) => r.client === 0 && r.status === 'ok').length === 5`)
	if texts := eval[string](b,
		`vitrine.state().requests.filter((r) => r.client === 0).map((r) => [...r.text].length > 300 ||
			!r.text.isWellFormed() ? 'bad' : '').join('')`); texts != "" {
		t.Errorf("texts of requests: %s", texts)
	}
	if texts := eval[string](b,
		`vitrine.state().members[0].log.map((e) => e.text).filter((x) => x.startsWith('键=v')).join()`); texts != "键=v1343" {
		t.Errorf("the log says %q of a value v1343", texts)
	}
	b.shot("long-values")
	if p50 := eval[float64](b, `vitrine.frameStats().p50`); p50 > 250 { // it was minutes
		t.Errorf("a frame takes %.0f ms", p50)
	}
}

// Space plays and pauses, whatever was clicked before; it never repeats a crash.
func TestAClickGivesUpTheFocus(t *testing.T) {
	b := world(t, 7, 5, 3)
	b.leader()
	b.click("#tool-crash")
	b.until("the crash", `s.members.filter((m) => !m.alive).length === 1`)
	b.keys(" ")
	b.until("the pause", `!s.playing && s.members.filter((m) => !m.alive).length === 1`)
	b.do(
		`document.getElementById('unit').focus(); document.getElementById('unit').value = 'event';
			document.getElementById('unit').dispatchEvent(new Event('change', { bubbles: true }))`)
	now := eval[float64](b, `vitrine.state().now`)
	b.keys(".")
	b.until("a step", fmt.Sprintf(`s.now > %f`, now))
	b.do(`document.getElementById('speed').focus()`)
	b.keys(" ")
	b.until("play", `s.playing`)
}

// Letters can be turned off, and stay off.
func TestLettersCanBeTurnedOff(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	b.keys("?")
	b.until("help", `document.getElementById('help-dialog').open`)
	b.click("#letters")
	b.until("the choice kept", `localStorage.getItem('vitrine.letters') === 'off'`)
	b.keys(escape)
	b.until("help closed", `!document.getElementById('help-dialog').open && document.activeElement === document.body`)
	b.keys("k")
	b.keys("s")
	b.keys(" ")
	b.until("only Space acts", `!s.playing && s.members.every((m) => m.alive) && s.links.every((l) => !l.cut)`)
	b.do(`document.getElementById('help').click(); document.getElementById('letters').click()`)
	b.keys(escape)
	b.until("help closed again",
		`!document.getElementById('help-dialog').open && document.activeElement === document.body`)
	b.keys("k")
	b.until("letters act again", `s.members.some((m) => !m.alive)`)
}

// Parameters of the address and seeds that say nothing are named, and put right.
func TestBadNumbersAreNamed(t *testing.T) {
	b := open(t, desk, "seed=abc&members=99&speed=-1")
	b.until("words", `document.getElementById('toast').matches(':popover-open')`)
	for _, what := range []string{"seed=abc", "members=99", "speed=-1"} {
		if text := eval[string](b, `document.getElementById('toast').textContent`); !strings.Contains(text, what) {
			t.Errorf("the page says %q, nothing of %s", text, what)
		}
	}
	if address := eval[string](b, `location.search`); address != "" {
		t.Errorf("the address is still %s", address)
	}
	for _, seed := range []string{"abc", "-5", "3.7", "1e20", ""} {
		b.do(fmt.Sprintf(`document.getElementById('seed').value = %q; document.getElementById('seed-form').requestSubmit()`,
			seed))
		if text := eval[string](b, `document.getElementById('toast').textContent`); !strings.Contains(text, seed) ||
			!strings.Contains(text, "no seed") {
			t.Errorf("of the seed %q the page says %q", seed, text)
		}
		if shown := eval[string](b, `document.getElementById('seed').value`); shown != "7" {
			t.Errorf("after the seed %q the box shows %q", seed, shown)
		}
	}
}

// A word about a bad file is seen above the dialog that asks for one, and has an end.
func TestABadFileIsNamedAboveTheDialog(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.keys("g")
	b.until("the gallery", `document.getElementById('gallery-dialog').open`)
	b.do(
		`(() => { const d = new DataTransfer();
			d.items.add(new File([new Uint8Array(3000).map((_, i) => i * 7)], 'picture.png'));
				const f = document.getElementById('replay-file'); f.files = d.files; f.dispatchEvent(new Event('change')); })()`)
	b.until("words above it",
		`document.getElementById('toast').matches(':popover-open') &&
			document.getElementById('toast').textContent.length > 10 &&
				document.getElementById('toast').textContent.length <= 301 &&
					(() => { const r = document.getElementById('toast').getBoundingClientRect();
						return document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2) === document.getElementById('toast');
							})()`)
	b.shot("bad-file")
}

// A window of almost nothing does not end the program, and more device pixels
// than two to a pixel are not drawn.
func TestOddWindows(t *testing.T) {
	for _, s := range []screen{{w: 200, h: 200, lang: "en"}, {w: 360, h: 225, lang: "en"}} {
		b := open(t, s, "seed=7&members=5")
		b.until("a leader", `s.leader > 0 || s.now > 0`)
		if h := eval[float64](b, `document.querySelector('canvas').getBoundingClientRect().height`); h < 90 {
			t.Errorf("at %dx%d the stage is %.0f high", s.w, s.h, h)
		}
		b.shot(fmt.Sprintf("odd-%dx%d", s.w, s.h))
	}
}

// resize gives the page another window while it is open.
func (b *browser) resize(w, h int64) {
	b.t.Helper()
	call(b.t, b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: w, Height: h,
		DeviceScaleFactor: 1})
	b.until("the stage to follow", `document.querySelector('canvas').clientWidth === document.body.clientWidth`)
}

// nameless lists buttons of the bars that a finger misses, or that have no words.
const nameless = `[...document.querySelectorAll('.top button, .bar button, .sheet-tabs button, #seed')].filter((b) => {
	const r = b.getBoundingClientRect();
	return r.width && (r.width < 24 || r.height < 24 || b.tagName === 'BUTTON' && !b.ariaLabel && !b.innerText.trim());
}).map((b) => b.id || b.textContent).join()`

// At every size the time, its ratio and the choice to skip idle spans are to be
// seen, nothing of the left column covers another part of it, and a large window
// has large words.
func TestEverySizeShowsItsTime(t *testing.T) {
	b := world(t, 7, 9, 1)
	b.leader()
	for _, size := range [][2]int64{{2560, 1440}, {1280, 720}, {768, 1024}, {390, 844}, {640, 360}, {360, 225}} {
		b.resize(size[0], size[1])
		for _, id := range []string{"now", "ratio", "skip", "play", "step", "speed"} {
			if !b.holds(fmt.Sprintf(`(() => { const r = document.getElementById(%q).getBoundingClientRect();
				return r.width > 9 && r.height > 9 && r.left >= 0 && r.top >= 0 && r.right <= innerWidth + 1 &&
					r.bottom <= innerHeight + 1; })()`, id)) {
				t.Errorf("%v: #%s is not to be seen", size, id)
			}
		}
		if covered := eval[string](b, `(() => { const panels = [...document.querySelectorAll('.left .panel')].filter((p) =>
			getComputedStyle(p).position === 'static').map((p) => [p.dataset.panel, p.getBoundingClientRect(), p.scrollHeight]);
			return panels.filter(([name, r, high], i) => panels.slice(0, i).some(([, o]) => r.top < o.bottom - 1) ||
				name === 'ask' && high > r.height + 1).map(([name]) => name).join(); })()`); covered != "" {
			t.Errorf("%v: in the left column %s lies on others", size, covered)
		}
		if bad := eval[string](b, nameless); bad != "" {
			t.Errorf("%v: small or without a name: %s", size, bad)
		}
		b.shot(fmt.Sprintf("size-%dx%d", size[0], size[1]))
	}
	b.resize(2560, 1440)
	if !b.holds(`document.querySelector('.title').getBoundingClientRect().height >= 32`) {
		t.Error("in a large window the title is small")
	}
	x, y := b.middle("member/2")
	b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)))
	b.until("the member where it is drawn", `s.selected.member === 2`)
}

// A step that finds nothing says so; a machine that cannot keep up is told of; what
// the button of the toolbar did is taken back where it was done.
func TestNearStepsTruePaceAndTheWayBack(t *testing.T) {
	b := world(t, 7, 5, 1)
	b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' }); document.getElementById('unit').value = 'term'`)
	now := eval[float64](b, `vitrine.state().now`)
	b.keys(".")
	b.until("words", `document.getElementById('toast').textContent.startsWith('No new term in the next')`)
	if d := (eval[float64](b, `vitrine.state().now`) - now) / 1e9; d > 5.1 {
		t.Errorf("a step that found nothing went %.1f s ahead", d)
	}
	b.do(`document.getElementById('unit').value = 'message'; vitrine.dispatch({ cmd: 'speed', value: 1000 })`)
	b.keys(" ")
	b.until("the true pace", `document.getElementById('ratio').classList.contains('lags') &&
		!document.getElementById('ratio').textContent.includes('16.7 min')`)
	b.do(`vitrine.dispatch({ cmd: 'speed', value: 1 })`)
	leader := b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' })`)
	b.click("#tool-crash")
	b.until("the crash and the way back", fmt.Sprintf(`!s.members[%d].alive &&
		document.getElementById('tool-back').textContent === 'restart S%d'`, leader-1, leader))
	b.shot("way-back")
	// A world that was made again knows the way back, too: after a step back, and from a link.
	b.do(`vitrine.step(3e8)`)
	back := fmt.Sprintf(`document.getElementById('tool-back').textContent === 'restart S%d' &&
		!document.getElementById('tool-back').hidden`, leader)
	now = eval[float64](b, `vitrine.state().now`)
	b.do(`vitrine.dispatch({ cmd: 'speed', value: 0.1 })`)
	b.keys(",")
	b.until("the moment before, and the way back", fmt.Sprintf(`s.now === %.0f && %s`, now-1e8, back))
	title := eval[string](b, `document.getElementById('title-text').textContent`)
	if title != fmt.Sprintf("S%d crashed: no leader yet", leader) {
		t.Errorf("after a step back the headline says %q", title)
	}
	b.shot("way-back-again")
	b.click("#tool-back")
	b.do(`vitrine.dispatch({ cmd: 'play' })`)
	b.until("the restart", fmt.Sprintf(`s.members[%d].alive && document.getElementById('tool-back').hidden`, leader-1))
}
