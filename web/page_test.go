//go:build browser

package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"vitrine/wasm/player"
	opener "vitrine/wasm/world"
)

const (
	escape = "\x1b"
	enter  = "\r"
	tab    = "\t"
)

// leader runs the world quickly to its first leader, waits until the panels show
// it, and gives its id.
func (b *browser) leader() int {
	b.t.Helper()
	b.do(`for (let i = 0; i < 200 && !vitrine.state().leader; i++) vitrine.step(5e7)`)
	b.until("a leader", `s.leader > 0 && document.getElementById('tool-crash').textContent.includes('S' + s.leader)`)
	return eval[int](b, `vitrine.state().leader`)
}

// The story of the page: a newcomer sees a cluster, crashes its leader with the
// mouse, sees another elected, and brings the old one back.
func TestCrashTheLeaderByMouse(t *testing.T) {
	b := world(t, 7, 5, 3)
	first := b.leader()
	b.clickOn(fmt.Sprintf("member/%d", first))
	b.until("the selection", fmt.Sprintf(`s.selected.member === %d`, first))
	b.shot("selected")
	b.click("#act-crash")
	b.until("the crash", fmt.Sprintf(`!s.members[%d].alive && s.members[%d].process === 'crashed'`, first-1, first-1))
	b.until("another leader", fmt.Sprintf(`s.leader > 0 && s.leader !== %d`, first))
	b.until("the headline",
		fmt.Sprintf(
			`document.getElementById('title-text').textContent === 'S' + s.leader + ' leads' &&
				document.getElementById('subtitle').textContent.includes('S%d crashed')`, first))
	b.until("the feed", fmt.Sprintf(`document.getElementById('feed').textContent.includes('S%d crashed')`, first))
	b.shot("crashed")
	b.click("#act-restart")
	b.until("the restart", fmt.Sprintf(`s.members[%d].process === 'running' && s.members[%d].commit === s.commit`, first-1,
		first-1))
}

func TestCrashTheLeaderByKey(t *testing.T) {
	b := world(t, 3, 3, 2)
	first := b.leader()
	b.keys("k")
	b.until("the crash", fmt.Sprintf(`!s.members[%d].alive`, first-1))
	b.keys(fmt.Sprint(first))
	b.until("the selection", fmt.Sprintf(`s.selected.member === %d`, first))
	b.keys("r")
	b.until("the restart", fmt.Sprintf(`s.members[%d].process === 'running'`, first-1))
	b.keys("p")
	b.until("the pause", fmt.Sprintf(`s.members[%d].process === 'paused'`, first-1))
	b.keys("p")
	b.until("the end of the pause", fmt.Sprintf(`s.members[%d].process === 'running'`, first-1))
	b.keys("i")
	b.until("isolation", `s.links.filter((l) => l.cut).length === 4`)
	b.keys("h")
	b.until("health", `s.links.every((l) => !l.cut)`)
	b.keys("d")
	b.until("the kill", fmt.Sprintf(`s.members[%d].process === 'killed'`, first-1))
}

func TestCutByDraggingAndHeal(t *testing.T) {
	b := open(t, desk, "seed=7&members=5&speed=0.5") // anew: nobody has read Chinese in it
	b.leader()
	b.keys(" ")
	b.until("the pause", `!s.playing`)
	x, y := b.middle("member/1")
	below := y + eval[float64](b, `vitrine.rectOf('member/1').height / 2 + 12`)
	b.drag(x-170, below, x+170, below)
	b.until("four cut links",
		`s.links.filter((l) => l.cut).length === 8 && s.links.every((l) => !l.cut || l.from === 1 || l.to === 1)`)
	b.shot("cut")
	b.click("#tool-heal")
	b.until("healed links", `s.links.every((l) => !l.cut)`)

	b.clickOn("link/2-5")
	b.until("the menu of the link", `!document.getElementById('menu').hidden`)
	b.click("#menu button:nth-of-type(2)")
	b.until("one direction", `s.links.filter((l) => l.cut).map((l) => l.from + '-' + l.to).join() === '2-5'`)
	b.until("the menu to follow", `document.querySelectorAll('#menu [aria-pressed="true"]').length === 1`)
	b.shot("link")
	b.click("#link-both")
	b.until("both directions", `s.links.filter((l) => l.cut).length === 2`)
	b.until("the menu to follow", `document.getElementById('link-both').textContent.includes('heal')`)
	b.click("#link-both")
	b.until("a healed link", `s.links.every((l) => !l.cut)`)
	// The sentences of the core arrive later than the language: the menu that was opened meanwhile stays.
	eval[any](b, `(() => {
		const real = fetch;
		globalThis.fetch = (url, ...more) => !String(url).includes('said.json') ? real(url, ...more) :
			new Promise((done) => (globalThis.arrive = () => { done(real(url, ...more)); return true; })) })()`)
	b.click("#lang")
	b.until("another language, which closes the menu", `document.getElementById('menu').hidden && globalThis.arrive`)
	b.clickOn("link/2-5")
	b.until("the menu of the link", `!document.getElementById('menu').hidden`)
	eval[bool](b, "arrive()")
	time.Sleep(200 * time.Millisecond)
	if eval[bool](b, `document.getElementById('menu').hidden`) {
		t.Error("words that arrived late have closed the menu")
	}
	b.keys(escape)
	b.until("the menu closed", `document.getElementById('menu').hidden`)
}

func TestAMajorityGoesOnWithoutTheLeader(t *testing.T) {
	b := world(t, 9, 5, 5)
	first := b.leader()
	b.click("#tool-split")
	b.until("the cut", `s.links.some((l) => l.cut)`)
	b.until("a leader of the others",
		fmt.Sprintf(`s.members.some((m) => m.role === 'leader' && m.id !== %d && m.term > s.members[%d].term - 1)`, first,
			first-1))
	b.keys("h")
	b.until("one leader",
		`s.members.filter((m) => m.role === 'leader').length === 1 && s.members.every((m) => m.term === s.term)`)
	b.until("rules that hold", `s.invariants.length >= 8 && s.invariants.every((i) => i.ok)`)
}

// put and get as the visitor sends them, with the keyboard in the form.
func TestAskTheCluster(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	b.click(`#ask [name="key"]`)
	b.do(
		`document.querySelector('#ask [name="key"]').value = ''; document.querySelector('#ask [name="value"]').value = ''`)
	b.keys("greeting")
	b.click(`#ask [name="value"]`)
	b.keys("hello" + enter)
	mine := `s.requests.filter((r) => r.client === 0)`
	b.until("the put", mine+`.some((r) => r.op === 'put' && r.status === 'ok' && r.text === 'put greeting hello')`)
	b.until("its stations",
		mine+
			`[0].stations.map((x) => x.name).join().includes('synced on a majority,committed') &&
				document.getElementById('lane').textContent.includes('put greeting hello')`)
	b.shot("put")
	revision := eval[int](b, `vitrine.state().requests.find((r) => r.client === 0).revision`)
	for _, read := range []string{"linearizable", "serializable"} {
		b.click(`#op label:nth-child(2)`)
		b.do(
			fmt.Sprintf(
				`const s = document.querySelector('#ask [name="read"]'); s.value = %q;
					s.dispatchEvent(new Event('change', { bubbles: true }))`, read))
		b.until("members that have applied it", fmt.Sprintf(`s.members.every((m) => m.revision >= %d)`, revision))
		b.click("#send")
		b.until("the "+read+" get",
			fmt.Sprintf(
				`(() => { const r = %s.at(-1); return r.op === 'get' && r.status === 'ok' && r.result.includes('hello') &&
					r.stations.some((x) => x.name === 'read index received') === %v })()`, mine, read == "linearizable"))
	}
	b.click(`#op label:nth-child(4)`)
	b.do(
		`document.querySelector('#ask [name="compare"]').value = 'hello';
			document.querySelector('#ask [name="value"]').value = 'bye'`)
	b.click("#send")
	b.until("the txn", mine+`.at(-1).op === 'txn' && `+mine+`.at(-1).status === 'ok'`)
	b.click(`#op label:nth-child(5)`)
	b.click("#send")
	b.until("the watch", `s.watches.some((w) => w.client === 0 && w.open)`)
	b.click(`#op label:nth-child(3)`)
	b.click("#send")
	b.until("the delete", mine+`.some((r) => r.op === 'delete' && r.status === 'ok')`)
	b.until("its event",
		`s.watches.some((w) => w.client === 0 && w.events.some((e) => e.type === 'DELETE' && e.key === 'greeting'))`)
}

// A lease is kept alive and ended from the form, as any other request is asked; without one the form says how to get
// one. Its way and that of a read have their stations in the lane.
func TestAskForALease(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	b.click(`#op label:nth-child(6)`)
	b.until("the fields of a lease", `document.querySelector('#ask [name="which"]').getClientRects().length &&
		!document.querySelector('#ask [name="key"]').getClientRects().length`)
	b.click("#send")
	b.until("why not", `document.getElementById('toast').textContent.startsWith('There is no lease yet')`)
	b.do(`vitrine.dispatch({ cmd: 'lease-grant', lease: 7, ttl: 60 })`)
	b.until("the lease to choose", `document.querySelector('#ask [name="which"]').value === '7'`)
	const mine = `s.requests.filter((r) => r.client === 0).at(-1)`
	b.click("#send")
	b.until("it is kept alive", mine+`.op === 'keep-alive' && `+mine+`.status === 'ok'`)
	b.do(`const what = document.querySelector('#ask [name="what"]'); what.value = 'lease-revoke';
		what.dispatchEvent(new Event('change', { bubbles: true }))`)
	b.shot("ask-lease")
	b.click("#send")
	b.until("its end", mine+`.op === 'lease-revoke' && `+mine+`.status === 'ok'`)
	b.until("no lease to choose", `document.querySelector('#ask [name="which"]').value === ''`)
	b.click(`#op label:nth-child(2)`)
	b.click("#send")
	b.until("a read with its stations", `['confirms who leads', 'reads the keys'].every((words) =>
		document.getElementById('lane').textContent.includes(words)) && /revision \d/.test(document.getElementById('lane')
		.textContent)`)
	b.shot("read-stations")
}

// The second button of the mouse opens the menu of what it points at.
func TestActWhereTheMemberStands(t *testing.T) {
	b := world(t, 7, 5, 1)
	b.leader()
	x, y := b.middle("member/2")
	b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y, chromedp.ButtonRight)))
	b.until("the menu", `!document.getElementById('menu').hidden && s.selected.member === 2`)
	b.shot("menu")
	b.click("#menu-kill")
	b.until("the kill", `s.members[1].process === 'killed' && document.getElementById('menu').hidden`)
	b.do(`document.querySelector('[data-member="2"]').focus()`)
	// as the menu key does
	b.do(`document.activeElement.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }))`)
	b.until("the menu by key", `document.activeElement.id === 'menu-crash'`)
	b.do(`document.getElementById('menu-restart').focus()`)
	b.keys(enter)
	b.until("the restart", `s.members[1].process === 'running' && document.getElementById('menu').hidden`)
	b.until("the focus to come back", `document.activeElement.dataset.member === '2'`)
	if leader := eval[int](b, `vitrine.state().leader`); leader != 3 {
		b.do(`vitrine.dispatch({ cmd: 'select', member: 3 })`)
		b.keys("m")
		b.until("a new leader", `s.leader === 3`)
	}
	b.keys("f")
	b.until("a hanging disk", `s.members[2].disk === 'stalled'`)
}

// What is under the pointer is told in words, and what Alt cuts is one direction.
func TestThePointerReadsAndCutsOneWay(t *testing.T) {
	b := world(t, 7, 5, 0.02)
	b.leader()
	const flying = `vitrine.state().messages.find((m) =>
		{ const way = (vitrine.state().now - m.sent) / (m.arrives - m.sent); return m.type === 'MsgApp' && m.entries &&
			!m.lost && way > 0.3 && way < 0.7 })`
	b.do(`vitrine.dispatch({ cmd: 'pause' }); for (let i = 0; i < 2000 && !` + flying +
		`; i++) { if (i % 100 === 0) vitrine.dispatch({ cmd: 'put', key: 'x', value: '1' }); vitrine.step(1e6) }`)
	hover := func(id string) {
		b.until(id+" on the stage", fmt.Sprintf(`vitrine.rectOf(%q)`, id))
		x, y := b.middle(id)
		call(t, b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved,
			X: x, Y: y})
	}
	hover(fmt.Sprintf("message/%d", eval[int](b, flying+`.id`)))
	b.until("the words of a message",
		`/^MsgApp · S\d → S\d/.test(document.getElementById('tip').textContent) &&
			document.getElementById('tip').textContent.includes('carries entr')`)
	b.shot("tip")
	hover(fmt.Sprintf("entry/1-%d", eval[int](b, `vitrine.state().members[0].commit`)))
	b.until("the words of an entry", `document.getElementById('tip').textContent.includes('synced, committed')`)

	x, y := b.middle("member/1")
	below := y + eval[float64](b, `vitrine.rectOf('member/1').height / 2 + 12`)
	b.stroke(alt, x-170, below, x+170, below)
	b.until("four cut directions",
		`s.links.filter((l) => l.cut).map((l) => l.from + '-' + l.to).join() === '1-2,1-3,1-4,1-5'`)
	b.shot("oneway")
}

// A page without its parts says so, in words, with a way to try again.
func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, name := range []string{"vitrine.wasm", "wasm_exec.js", "assets/messages/en.json"} {
		b := visitWithout(t, name, "seed=7")
		if !b.holds(
			`document.documentElement.dataset.state === 'failed' &&
				document.getElementById('title-text').textContent === 'The page could not start'`) {
			t.Errorf("without %s nothing is said", name)
		}
		if said := eval[string](b, `document.getElementById('subtitle').textContent`); !strings.Contains(said, name) {
			t.Errorf("without %s it says %q", name, said)
		}
		b.shot("missing")
		b.forgive()
	}
}

// A request that nobody can answer ends in etcd's words.
func TestNoMajorityNoAnswer(t *testing.T) {
	b := world(t, 5, 3, 10)
	b.leader()
	b.do(
		`const l = vitrine.state().leader;
			for (const id of [1, 2, 3]) if (id !== l) vitrine.dispatch({ cmd: 'crash', member: id });
				vitrine.dispatch({ cmd: 'put', key: 'x', value: '1', member: l })`)
	b.until("the failure",
		`s.requests.some((r) => r.client === 0 && (r.status === 'error' || r.status === 'unknown') &&
			/etcdserver|deadline/.test(r.error))`)
	b.until("the headline", `document.getElementById('title-text').textContent.startsWith('No majority: 1 of 3')`)
}

// tabs presses Tab from the beginning of the page until the focus has gone
// around, and tells where it was.
func (b *browser) tabs() (seen []string) {
	b.t.Helper()
	b.do(`document.querySelector('.skip').focus()`)
	for range 120 {
		b.keys(tab)
		at := eval[string](b,
			`document.activeElement.id || document.activeElement.dataset.member || document.activeElement.name ||
				document.activeElement.tagName`)
		if at == "BODY" || at == "A" {
			break
		}
		seen = append(seen, at)
	}
	return seen
}

// Everything without a mouse.
func TestKeyboardOnly(t *testing.T) {
	b := world(t, 7, 3, 0.5)
	b.leader()
	tabsReachEverything(t, b)
	b.leader()
	focusStays(t, b)
	b.do(`document.querySelector('[data-member="2"]').focus()`)
	b.keys(enter)
	b.until("the selection", `s.selected.member === 2`)
	label := eval[string](b, `document.querySelector('[data-member="2"]').textContent`)
	if !strings.HasPrefix(label, "S2, ") {
		t.Errorf("a screen reader hears %q", label)
	}
	b.keys(escape)
	keysAct(t, b)
}

// tabsReachEverything: Tab comes to every control that can be seen, whatever the cluster is doing at the moment, and
// the canvas is no trap on the way.
func tabsReachEverything(t *testing.T, b *browser) {
	for _, state := range []string{"", "for (const id of [1, 2, 3]) vitrine.dispatch({ cmd: 'crash', member: id })",
		"vitrine.dispatch({ cmd: 'reset' })"} {
		b.do(state)
		b.until("the page to follow", `document.getElementById('tool-back').hidden === s.members.every((m) => m.alive)`)
		seen := b.tabs()
		for _, want := range []string{"reset", "key", "send", "1", "2", "3", "tool-crash", "tool-heal", "act-crash",
			"act-restart", "tab-raft", "play", "skip", "speed", "latency"} {
			if !slices.Contains(seen, want) {
				t.Errorf("after %q Tab does not come to %q; it went %s", state, want, seen)
			}
		}
		if slices.Contains(seen, "CANVAS") {
			t.Errorf("Tab stops at the canvas: %s", seen)
		}
	}
}

// focusStays: neither what is drawn anew nor what cannot act takes the focus away.
func focusStays(t *testing.T, b *browser) {
	// The requests to choose from change all the time; the focus stays among them.
	b.do(`vitrine.step(1e9)`)
	b.until("requests", `document.querySelectorAll('#picker button').length > 2`)
	b.do(`document.querySelector('#picker button').focus(); globalThis.chosen = document.activeElement; vitrine.step(5e9)`)
	b.until("other requests", `!chosen.isConnected`)
	if !eval[bool](b, `document.getElementById('picker').contains(document.activeElement)`) {
		t.Error("the focus is lost when the list of requests changes")
	}
	// A control that can do nothing now keeps the focus, and says why it does not act.
	b.do(`document.getElementById('tool-crash').focus()`)
	b.until("a leader to crash", `s.leader && document.getElementById('tool-crash').ariaDisabled === 'false'`)
	b.keys(enter)
	b.until("the crash",
		`s.members.some((m) => !m.alive) && document.getElementById('tool-crash').ariaDisabled === 'true'`)
	if focus := eval[string](b, `document.activeElement.id`); focus != "tool-crash" {
		t.Errorf("the crash has taken the focus from its button to %q", focus)
	}
	b.do(`vitrine.dispatch({ cmd: 'pause' })`)
	b.keys(enter)
	b.until("the reason",
		`document.getElementById('toast').matches(':popover-open') && s.members.filter((m) => !m.alive).length === 1`)
	b.do(
		`vitrine.dispatch({ cmd: 'heal-all' });
			for (const m of vitrine.state().members) if (!m.alive) vitrine.dispatch({ cmd: 'restart', member: m.id });
				vitrine.step(3e9); vitrine.dispatch({ cmd: 'play' })`)
	// A control that goes hands the focus on.
	b.until("everybody", `s.members.every((m) => m.alive) && document.getElementById('tool-back').hidden`)
	b.do(`vitrine.dispatch({ cmd: 'crash', member: 1 })`)
	b.until("the way back", `!document.getElementById('tool-back').hidden`)
	b.do(`document.getElementById('tool-back').focus()`)
	b.keys(enter)
	b.until("the restart", `document.getElementById('tool-back').hidden`)
	if focus := eval[string](b, `document.activeElement.id`); focus != "tool-crash" {
		t.Errorf("the way back has gone with the focus, to %q", focus)
	}
}

// keysAct: the short ways do what they say, and letters in a field are letters.
func keysAct(t *testing.T, b *browser) {
	b.keys("x")
	b.until("the grid of links", `document.getElementById('links-dialog').open`)
	b.do(`document.querySelector('#links-dialog [data-id="1-2"]').focus()`)
	b.keys(enter)
	b.until("a cut direction", `s.links.filter((l) => l.cut).map((l) => l.from + '-' + l.to).join() === '1-2'`)
	b.until("the focus kept", `document.activeElement.dataset.id === '1-2'`)
	b.keys(escape)
	b.until("the grid closed", `!document.getElementById('links-dialog').open`)
	b.keys("?")
	b.until("help", `document.getElementById('help-dialog').open`)
	b.shot("help")
	b.keys("?")
	b.until("help closed", `!document.getElementById('help-dialog').open`)
	b.keys(" ")
	b.until("the pause", `!s.playing`)
	now := eval[float64](b, `vitrine.state().now`)
	b.keys(".")
	b.until("a step", fmt.Sprintf(`s.now > %f`, now))
	b.keys("]")
	b.until("a higher speed", `s.speed > 0.5`)
	b.keys("[")
	b.keys("[")
	b.until("a lower speed", `s.speed < 0.5`)
	b.keys("a")
	b.until("the form", `document.activeElement.name === 'key'`)
	b.do(`document.activeElement.select()`) // the protocol types the letter of a prevented key all the same
	b.keys("k" + enter)                     // letters in a field are letters
	b.until("the request", `s.requests.some((r) => r.client === 0 && r.text.startsWith('put k '))`)
	if !eval[bool](b, `vitrine.state().members.every((m) => m.alive)`) {
		t.Error("a letter typed into a field crashed a member")
	}
}

// A focused canvas lets Tab and Escape go.
func TestTheCanvasIsNoTrap(t *testing.T) {
	b := world(t, 7, 3, 0.02)
	b.clickOn("member/1")
	b.do(`document.querySelector('canvas').focus()`)
	b.keys(tab)
	if got := eval[string](b, `document.activeElement.tagName`); got == "CANVAS" {
		t.Error("Tab does not leave the canvas")
	}
	b.do(`document.querySelector('canvas').focus()`)
	b.keys("2")
	b.until("the selection", `s.selected.member === 2`)
	b.keys(escape)
	b.until("no focus", `document.activeElement.tagName === 'BODY'`)
}

func TestLanguageAndTheme(t *testing.T) {
	b := world(t, 7, 5, 0.5)
	b.leader()
	b.click("#lang")
	b.until("Chinese",
		`document.documentElement.lang === 'zh' && document.getElementById('title-text').textContent.includes('领导者')`)
	if missing := eval[string](b,
		`[...document.querySelectorAll('[data-i18n]')].filter((e) => /^[a-z0-9]+\.[a-z]/i.test(e.textContent)).map((e) =>
			e.textContent).join()`); missing != "" {
		t.Errorf("without words: %s", missing)
	}
	b.click("#theme")
	b.until("the light theme",
		`document.documentElement.dataset.theme === 'light' &&
			getComputedStyle(document.documentElement).backgroundColor === 'rgb(251, 252, 254)'`)
	b.shot("zh-light")
	b.keys("l")
	b.until("English",
		`document.documentElement.lang === 'en' && document.getElementById('title-text').textContent.endsWith(' leads')`)
}

func TestTheAddressChoosesLanguageAndTheme(t *testing.T) {
	b := open(t, desk, "seed=7&members=3&lang=zh&theme=light")
	b.until("Chinese in light",
		`document.documentElement.lang === 'zh' && document.documentElement.dataset.theme === 'light' &&
			document.getElementById('ask-title').textContent === '向集群发请求'`)
}

// The address, reset, and the same story from the same seed: in the browser and
// in a native process.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	b := world(t, 42, 3, 0.02)
	b.do(
		`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'reset' }); vitrine.step(3e9);
			vitrine.dispatch({ cmd: 'put', key: 'x', value: '1' }); vitrine.dispatch({ cmd: 'crash', member: 1 });
				vitrine.step(4e9)`)
	got := eval[string](b, `vitrine.hash()`)
	p, err := player.New(opener.Opener{}, player.Settings{Seed: 42, Members: 3, Speed: 0.02})
	b.must(err)
	b.must(p.StepFor(3e9))
	for _, c := range []string{`{"cmd":"put","key":"x","value":"1"}`, `{"cmd":"crash","member":1}`} {
		_, err := p.Dispatch([]byte(c))
		b.must(err)
	}
	b.must(p.StepFor(4e9))
	if want := p.Hash(); got != want || len(got) != 16 {
		t.Errorf("hash %s in the browser, %s natively", got, want)
	}
	b.do(`vitrine.dispatch({ cmd: 'play' })`)
	b.click(`#members [data-members="5"]`)
	b.until("five members", `s.members.length === 5 && s.now < 3e9 && s.seed === 42`)
	if q := eval[string](b, `location.search`); !strings.Contains(q, "members=5") || !strings.Contains(q, "seed=42") {
		t.Errorf("the address says %s", q)
	}
	b.do(`document.getElementById('seed').focus(); document.getElementById('seed').select()`)
	b.keys("1234" + enter)
	b.until("the new seed", `s.seed === 1234`)
	if got := eval[string](b,
		`(() => { try { vitrine.dispatch({ cmd: 'crash', member: 9 });
			return 'nothing' } catch (e) { return e.message } })()`); !strings.Contains(got, "member 9") {
		t.Errorf("crashing a member that is not there: %s", got)
	}
}

func TestDialsTurnTheNetwork(t *testing.T) {
	b := world(t, 7, 3, 0.5)
	b.leader()
	for dial, want := range map[string]string{"loss": `s.dials.loss > 0.2`, "latency": `s.dials.latency > 20e6`,
		"fsync": `s.dials.fsync > 50e6`, "rate": `s.dials.rate > 20`, "speed": `s.speed > 1`} {
		x := eval[[]float64](b,
			fmt.Sprintf(
				`(() => { const r = document.getElementById(%q).getBoundingClientRect();
					return [r.x + r.width * 0.75, r.y + r.height / 2] })()`, dial))
		b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x[0], x[1])))
		b.until("the dial "+dial, want)
	}
}

// The browser may take the graphics away; ebiten then reloads the page, and the
// visitor must not lose the story.
func TestTheStorySurvivesTheLossOfTheGraphics(t *testing.T) {
	b := world(t, 7, 3, 0.5)
	first := b.leader()
	b.do(
		fmt.Sprintf(`vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.dispatch({ cmd: 'pause' }); vitrine.step(1e9)`,
			first))
	hash := eval[string](b, `vitrine.hash()`)
	b.do(
		`globalThis.old = true; const c = document.querySelector('canvas');
			setTimeout(() => (c.getContext('webgl2') ||
				c.getContext('webgl')).getExtension('WEBGL_lose_context').loseContext(), 0)`)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		// An error only says that the page goes away at this moment.
		again, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`Boolean(!globalThis.old && globalThis.vitrine)`))
		if err == nil && again {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the page was not loaded again")
		}
	}
	b.ready()
	b.until("the story", fmt.Sprintf(`vitrine.hash() === %q && !s.members[%d].alive && !s.playing`, hash, first-1))
}

// unnamed lists controls that a screen reader could not name.
const unnamed = `[...document.querySelectorAll('button, input, select, dialog, aside, nav, main, ' +
	'[role="dialog"], [role="toolbar"]')]
	.filter((e) => !e.closest('[hidden]') && !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') ||
		e.labels?.length || e.textContent.trim()))
	.map((e) => e.outerHTML.slice(0, 80)).join('\n')`

// faint lists visible words whose contrast with their ground is below 4.5:1.
// Disabled controls are exempt, as WCAG has it.
const faint = `(() => {
	const rgb = (s) => { const m = s.match(/[\d.]+/g).map(Number); const k = s.startsWith('color(') ? 255 : 1;
		return [m[0] * k, m[1] * k, m[2] * k, m[3] ?? 1]; };
	const lum = ([r, g, b]) => { const f = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
	const out = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walker.nextNode());) {
		const e = n.parentElement;
		if (!n.textContent.trim() || !e.checkVisibility({ visibilityProperty: true }) ||
			e.closest(':disabled, .mirror, noscript, .skip, .narrator, option')) continue;
		let ground = [0, 0, 0, 0], p = e;
		for (; p && ground[3] < 0.9; p = p.parentElement) ground = rgb(getComputedStyle(p).backgroundColor);
		if (ground[3] < 0.9) ground = rgb(getComputedStyle(document.documentElement).backgroundColor);
		const a = lum(rgb(getComputedStyle(e).color)), b = lum(ground),
			ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) out.push(ratio.toFixed(2) + ' ' + n.textContent.trim().slice(0, 40));
	}
	return out.join('\n');
})()`

func TestEverythingHasANameAndCanBeRead(t *testing.T) {
	b := world(t, 7, 5, 0.5)
	for _, lang := range []string{"en", "zh"} {
		if lang == "zh" {
			b.do(`vitrine.dispatch({ cmd: 'reset' })`)
			b.click("#lang")
			b.click("#theme")
		}
		first := b.leader()
		b.do(
			fmt.Sprintf(
				`vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.dispatch({ cmd: 'put', key: 'x', value: '1' });
					vitrine.step(3e9)`, first))
		b.until("another leader",
			fmt.Sprintf(
				`s.leader > 0 && s.leader !== %d && document.getElementById('title-text').textContent.includes('S' + s.leader)`,
				first))
		if got := eval[string](b, unnamed); got != "" {
			t.Errorf("%s: without a name:\n%s", lang, got)
		}
		if got := eval[string](b, faint); got != "" {
			t.Errorf("%s: hard to read:\n%s", lang, got)
		}
	}
}

func TestPhone(t *testing.T) {
	b := open(t, screen{w: 390, h: 844, touch: true, lang: "en"}, "seed=7&members=5&speed=0.5")
	first := b.leader()
	if wide := eval[float64](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %.0f wide on a screen of 390", wide)
	}
	x, y := b.middle(fmt.Sprintf("member/%d", first))
	b.touch(true, x, y)
	b.touch(false, x, y)
	b.until("the selection", fmt.Sprintf(`s.selected.member === %d`, first))
	b.touch(true, x, y)
	b.until("the menu of a long press", `!document.getElementById('menu').hidden`)
	b.touch(false, x, y)
	b.keys(escape)
	b.until("the menu closed", `document.getElementById('menu').hidden`)

	stage := `document.body.clientHeight`
	low := eval[float64](b, stage)
	b.click("#grip")
	b.until("the whole sheet", `document.documentElement.dataset.snap === 'full'`)
	if got := eval[float64](b, stage); got != low {
		t.Errorf("the stage is %.0f high below a high sheet, and was %.0f", got, low)
	}
	b.click("#grip")
	b.until("a stage that uses the room, drawn anew",
		fmt.Sprintf(`%s > %f && document.querySelector('canvas').height >= %[1]s * devicePixelRatio`, stage, low+100))
	b.shot("phone-peek")
	b.click(`#sheet-tabs [data-sheet="member"]`)
	b.until("half a sheet", `document.documentElement.dataset.snap === 'half'`)
	pull := func(way float64) {
		at := b.still(`#sheet-tabs [data-sheet="ask"]`)
		b.drag(at[0], at[1], at[0], at[1]+way)
	}
	pull(-260)
	b.until("a sheet pulled up",
		`document.documentElement.dataset.snap === 'full' && document.documentElement.dataset.sheet === 'member'`)
	pull(300)
	b.until("a sheet pulled down",
		`document.documentElement.dataset.snap === 'half' && document.documentElement.dataset.sheet === 'member'`)
	for _, sheet := range []string{"ask", "request", "feed", "checks", "dials", "member"} {
		b.click(fmt.Sprintf(`#sheet-tabs [data-sheet=%q]`, sheet))
		b.until("the sheet "+sheet, fmt.Sprintf(`document.documentElement.dataset.sheet === %q`, sheet))
		b.shot("phone-" + sheet)
	}
	b.click("#act-crash")
	b.until("the crash", fmt.Sprintf(`!s.members[%d].alive`, first-1))
	b.shot("phone")
	b.click("#more summary")
	if !b.holds(`(({ scrollHeight, clientHeight }) => clientHeight > 300 && scrollHeight <= clientHeight + 1)(
		document.getElementById('more'))`) {
		t.Error("a part of the faults is hidden in a box within the panel")
	}
	b.click(`#sheet-tabs [data-sheet="dials"]`)
	if !b.holds(`!document.getElementById('tool-back').hidden && document.getElementById('tool-heal')
		.getBoundingClientRect().bottom <= document.querySelector('.dials .dial').getBoundingClientRect().top`) {
		t.Error("the buttons lie on the dials when something can be taken back")
	}
	b.shot("phone-back")
}

func TestReducedMotion(t *testing.T) {
	s := desk
	s.still = true
	b := worldOn(t, s, 7, 3, 0.1)
	b.leader()
	b.until("messages", `s.messages.length > 0`)
}
