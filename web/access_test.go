//go:build browser

package web_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// accessAll has axe look at every view in both themes, both languages and at both
// sizes; otherwise each of these is seen, but not with each of the others.
var accessAll = flag.Bool("access.all", false, "look at every view in every theme, language and size")

// axeFile is where npm puts axe-core; tools/js says which.
const axeFile = "../tools/js/node_modules/axe-core/axe.min.js"

// view is a state of the page that one can be in: how to get there, and what is then there.
type view struct{ name, enter, there string }

// views are those of a desk and of a phone.
func views(phone bool) (all []view) {
	tab := func(name string) view {
		return view{"tab " + name, fmt.Sprintf(`document.getElementById('tab-%s').click()`, name),
			fmt.Sprintf(`document.getElementById('tab-%s').ariaSelected === 'true'`, name)}
	}
	dialog := func(name, opener string) view {
		return view{name, fmt.Sprintf(`document.getElementById(%q).click()`, opener),
			fmt.Sprintf(`document.getElementById(%q).open`, name)}
	}
	for _, name := range []string{"kv", "wal", "store", "leases", "users", "watch", "messages", "raft"} {
		all = append(all, tab(name))
	}
	all = append(all,
		view{"more", `document.querySelector('#more summary').click()`, `document.getElementById('more').open`},
		dialog("help-dialog", "help"), dialog("gallery-dialog", "gallery"), dialog("links-dialog", "tool-links"),
		view{"menu", `document.querySelector('[data-member="2"]').dispatchEvent(new MouseEvent('contextmenu', { bubbles:
			true, cancelable: true }))`, `!document.getElementById('menu').hidden`})
	for _, op := range []string{"get", "txn", "watch", "delete", "lease", "put"} {
		all = append(all, view{"ask " + op, fmt.Sprintf(`document.querySelector('#op input[value=%q]').click()`, op),
			`document.getElementById('ask-hint').textContent`})
	}
	if phone {
		for _, name := range []string{"ask", "request", "feed", "checks", "dials", "member"} {
			all = append(all, view{"sheet " + name, fmt.Sprintf(`document.querySelector('[data-sheet=%q]').click()`, name),
				fmt.Sprintf(`document.documentElement.dataset.sheet === %q`, name)})
		}
	}
	return all
}

// leave closes what a view has opened.
const leave = `for (const d of document.querySelectorAll('dialog[open]')) d.close();
	document.querySelector('#more').open = false; document.body.click();
	dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
	document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`

// axe looks at the page as it is and returns what it finds, a line each.
func (b *browser) axe() []string {
	b.t.Helper()
	found := eval[string](b, `(async () => {
		await Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime < 2000)
			.map((a) => a.finished.catch(() => {})));
		const { violations } = await axe.run(document, { resultTypes: ['violations'] });
		return JSON.stringify(violations.flatMap((v) => v.nodes.map((n) => v.id + ' (' + v.impact + '): ' +
			n.target.join(' ') + ' ' + n.html.slice(0, 90) + ' ' +
			n.any.concat(n.all).map((c) => c.message).join('; ').slice(0, 160))));
	})()`)
	var lines []string
	must(b.t, json.Unmarshal([]byte(found), &lines))
	return lines
}

// axe-core finds nothing in any view.
func TestAxeFindsNothing(t *testing.T) {
	source, err := os.ReadFile(axeFile)
	if err != nil {
		leftOut(t, "axe-core is not there: run npm ci in tools/js, or make lint")
	}
	t.Parallel()
	for i, s := range []screen{desk, {w: 390, h: 844, touch: true, light: true, lang: "zh"},
		{w: 1440, h: 900, light: true, lang: "zh"}, {w: 390, h: 844, touch: true, lang: "en"},
		{w: 1440, h: 900, light: true, lang: "en"}, {w: 1440, h: 900, lang: "zh"},
		{w: 390, h: 844, touch: true, light: true, lang: "en"}, {w: 390, h: 844, touch: true, lang: "zh"}} {
		if i > 1 && !*accessAll {
			break
		}
		t.Run(fmt.Sprintf("%dx%d-%s-light=%v", s.w, s.h, s.lang, s.light), func(t *testing.T) {
			b := worldOn(t, s, 7, 5, 1)
			eval[bool](b, string(source)+`; true`)
			b.leader()
			b.do(`vitrine.dispatch({ cmd: 'lease-grant', lease: 1, ttl: 600 });
				vitrine.dispatch({ cmd: 'put', key: 'x', value: '1' });
				vitrine.dispatch({ cmd: 'watch', key: 'x' }); vitrine.step(1e9);
				vitrine.dispatch({ cmd: 'crash', member: 5 }); vitrine.dispatch({ cmd: 'cut', from: [1], to: [2], oneway: true });
				vitrine.step(2e8); vitrine.dispatch({ cmd: 'pause' })`)
			for _, v := range views(s.touch) {
				b.do(v.enter)
				b.until("the view "+v.name, v.there)
				for _, line := range b.axe() {
					t.Errorf("%s: %s", v.name, line)
				}
				b.do(leave)
			}
			for _, query := range []string{"replay=read-without-quorum", "embed=1"} {
				if i > 1 {
					break
				}
				b := open(t, s, "seed=7&members=3&"+query)
				eval[bool](b, string(source)+`; true`)
				for _, line := range b.axe() {
					t.Errorf("%s: %s", query, line)
				}
			}
		})
	}
}

// media has the page believe that its visitor prefers something.
func (b *browser) media(name, value string) {
	b.t.Helper()
	call(b.t, b.ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}

// Where the visitor's system chooses all colors, what is pressed, chosen, off or
// at a place of a scale is still to be told from what is not.
func TestForcedColors(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	b.do(`vitrine.dispatch({ cmd: 'crash', member: 3 }); vitrine.dispatch({ cmd: 'pause' })`)
	b.media("forced-colors", "active")
	b.until("forced colors", `matchMedia('(forced-colors: active)').matches`)
	b.shot("forced-colors")
	// A look is all of a control's style that an eye can tell.
	const look = `const look = (el) => { const s = getComputedStyle(el); return [s.color, s.backgroundColor, s.borderColor,
		s.borderStyle, s.outlineStyle, s.outlineColor, s.textDecorationLine, s.fontWeight].join('|') };
		const all = (q) => [...document.querySelectorAll(q)].filter((el) => el.getClientRects().length); `
	told := func(what, one, other string) {
		t.Helper()
		if problem := eval[string](b, `(() => { `+look+fmt.Sprintf(`const a = all(%q), b = all(%q);
			if (!a.length || !b.length) return a.length + ' and ' + b.length + ' are there';
			return look(a[0]) === look(b[0]) ? look(a[0]) : ''; })()`, one, other)); problem != "" {
			t.Errorf("%s cannot be told: %s", what, problem)
		}
	}
	told("the number of members", `#members [aria-pressed="true"]`, `#members [aria-pressed="false"]`)
	told("the kind of request", `#op input:checked + span`, `#op input:not(:checked) + span`)
	told("the tab", `#tabs [aria-selected="true"]`, `#tabs [aria-selected="false"]`)
	told("what cannot act", `#acts [aria-disabled="true"]`, `#acts [aria-disabled="false"]`)
	told("the request that is shown", `#picker [aria-pressed="true"]`, `#picker [aria-pressed="false"]`)
	for _, id := range []string{"speed", "latency", "loss", "fsync", "rate"} {
		if s := eval[string](b, fmt.Sprintf(`getComputedStyle(document.getElementById(%q)).appearance`, id)); s != "auto" {
			t.Errorf("the slider %s is drawn by the page (%s): its colors are gone", id, s)
		}
	}
	if s := eval[string](b, `(() => { const s = getComputedStyle(document.getElementById('play'));
		return s.borderStyle + ' ' + parseFloat(s.borderWidth) })()`); !strings.HasPrefix(s, "solid") {
		t.Errorf("the button that plays has the border %q", s)
	}
	b.do(`document.getElementById('tool-split').focus()`)
	b.keys(tab)
	if s := eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`); s == "none" {
		t.Error("what has the focus cannot be seen")
	}
}

// reachable lists controls that a desk has and that cannot be brought into view here,
// in no sheet either.
const reachable = `(async () => {
	const lost = [], frame = () => new Promise((done) => setTimeout(done, 30));
	const inView = (el) => { el.scrollIntoView({ block: 'nearest', inline: 'nearest' });
		const r = el.getBoundingClientRect(), x = r.x + r.width / 2;
		const top = Math.max(r.top, 0), bottom = Math.min(r.bottom, innerHeight), y = Math.min((top + bottom) / 2, top + 60);
		if (r.width < 1 || bottom - top < 1 || x < 0 || x > innerWidth) return false;
		const hit = document.elementFromPoint(x, y);
		return Boolean(hit) && (el.contains(hit) || hit.contains(el)); };
	const tabs = [...document.querySelectorAll('[data-sheet]:is(button)')];
	for (const id of %s) {
		const el = document.querySelector(id);
		let found = inView(el);
		for (let i = 0; i < 2 * tabs.length && !found; i++) {
			tabs[Math.floor(i / 2)].click(); // a second time makes it larger
			await frame();
			found = inView(el);
		}
		if (!found) lost.push(id);
	}
	return lost.join(' ');
})()`

// At two and four times the size, in a window of 1440 by 900, nothing is lost.
func TestZoomLosesNothing(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	all := eval[string](b, `JSON.stringify([...document.querySelectorAll('button[id], input[id], select[id], ' +
		'[name="key"], [name="value"], #feed, #lane, #checks, #tabpanel')].filter((el) => el.checkVisibility())
		.map((el) => el.id ? '#' + CSS.escape(el.id) : '[name="' + el.name + '"]')
		.filter((id) => !['#full', '#version'].includes(id)))`) // help has the version
	if n := strings.Count(all, ","); n < 40 {
		t.Fatalf("only %d controls on a desk: %s", n, all)
	}
	for _, zoom := range []float64{2, 4} {
		call(t, b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: int64(1440 / zoom), Height: int64(900 / zoom), DeviceScaleFactor: zoom})
		b.until("the stage to follow", `document.querySelector('canvas').clientWidth === document.body.clientWidth`)
		if lost := eval[string](b, fmt.Sprintf(reachable, all)); lost != "" {
			t.Errorf("at %.0f %% these cannot be reached: %s", 100*zoom, lost)
		}
		b.shot(fmt.Sprintf("zoom-%.0f", 100*zoom))
	}
}

// The headline says all that it has to say, at every size: where there is no room
// for a line it takes another, and nothing is cut.
func TestTheHeadlineIsWhole(t *testing.T) {
	b := world(t, 7, 5, 1)
	leader := b.leader()
	deeds := []string{
		``, `vitrine.dispatch({ cmd: 'cut', from: [1], to: [2, 3] })`,
		fmt.Sprintf(`vitrine.dispatch({ cmd: 'stall', member: %d, value: '500s' })`, leader),
		`vitrine.dispatch({ cmd: 'crash', member: 4 })`, `vitrine.dispatch({ cmd: 'crash', member: 5 });
			vitrine.dispatch({ cmd: 'pause', member: 1 })`}
	for i, deed := range deeds {
		if b.do(deed + `; vitrine.step(1e6)`); i%2 == 1 {
			continue // with the next one
		}
		for _, lang := range []string{"en", "zh"} {
			b.do(fmt.Sprintf(`if (document.documentElement.lang !== %q) document.getElementById('lang').click()`, lang))
			for _, size := range [][2]int64{{390, 844}, {768, 1024}, {1280, 720}} {
				b.resize(size[0], size[1])
				if cut := eval[string](b, `(() => { const out = [];
					for (const id of ['title', 'subtitle']) { const el = document.getElementById(id), r = el.getBoundingClientRect();
						if (!el.textContent.trim()) continue;
						const range = document.createRange(); range.selectNodeContents(el);
						for (const line of range.getClientRects()) if (line.width > 1 && (line.right > r.right + 1 || line.bottom >
							r.bottom + 3 || line.right > innerWidth || line.left < 0)) { out.push(id + ': ' + el.textContent); break } }
					return out.join('; '); })()`); cut != "" {
					t.Errorf("at %v in %s this is cut: %s", size, lang, cut)
				}
				b.shot(filepath.Base(fmt.Sprintf("headline-%d-%s-%d", len(deed), lang, size[0])))
			}
		}
	}
}
