//go:build browser

package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// lent is a world that goes on by steps only, in which a lease of so many seconds has two keys.
func lent(t *testing.T, s screen, members, ttl int) (b *browser, leader int) {
	t.Helper()
	b = worldOn(t, s, 7, members, 0.02)
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 })`)
	leader = b.leader()
	b.do(fmt.Sprintf(`vitrine.step(1e9); vitrine.dispatch({ cmd: 'lease-grant', lease: 1, ttl: %d }); vitrine.step(5e8);
		for (const key of ['lock', 'session']) vitrine.dispatch({ cmd: 'put', key, value: '1', lease: 1 });
		vitrine.step(1e9)`, ttl))
	b.until("an hourglass", `vitrine.rectOf('lease/1')`)
	return b, leader
}

// shelfOf is JavaScript: how far the shelf stands from a member.
func shelfOf(member int) string {
	return fmt.Sprintf(`(() => { const at = (id) => { const r = vitrine.rectOf(id); return r && [r.x + r.width / 2,
		r.y + r.height / 2] }, a = at('lease/1'), b = at('member/%d'); return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1])
			: 1e9 })()`, member)
}

const heard = `document.querySelector('#leases-list button')?.textContent`

// A lease is an hourglass beside the leader, by mouse, by key and by ear; a new leader fills it, it is kept alive, and
// when it has run out its keys go with it in one revision.
func TestALeaseIsAnHourglass(t *testing.T) {
	b, leader := lent(t, desk, 5, 30)
	b.until("it beside the leader", shelfOf(leader)+` < 300`)
	b.until("what one hears", heard+fmt.Sprintf(` === 'lease 1, ' + %s + ' of 30 s: S%d counts its time., ' +
		'Its 2 keys go with it, in one revision: lock, session, at S%[2]d'`,
		heard+`.match(/\S+ s left/)[0]`, leader))
	b.shot("lease")
	b.clickOn("lease/1")
	b.until("the tab of leases", fmt.Sprintf(`s.selected.member === %d && !!document.querySelector('[data-lease="1"]') &&
		document.getElementById('tab-leases').ariaSelected === 'true'`, leader))
	b.do(`document.getElementById('tab-raft').click(); vitrine.dispatch({ cmd: 'select', member: 0 });
		document.querySelector('#leases-list button').focus()`)
	b.keys(enter)
	b.until("the tab by key", `!!document.querySelector('[data-lease="1"]')`)

	const left = `+(` + heard + `.match(/([\d.]+) s left/)?.[1] ?? NaN)`
	b.do(`vitrine.step(12e9)`)
	b.until("less sand", left+` < 18`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.step(1e8)`, leader))
	b.until("nobody to count", `!s.leader && `+heard+`.includes('nobody counts its time')`)
	b.shot("lease-nobody")
	next := b.leader()
	b.do(`vitrine.step(1e9)`)
	b.until("a full glass at the new leader", left+` >= 29 && `+shelfOf(next)+` < 300`)
	b.shot("lease-refilled")
	b.click("#lang")
	b.until("the same in Chinese", heard+fmt.Sprintf(`.includes('由 S%d 计时')`, next))
	b.shot("lease-zh")
	b.click("#lang")
	x, y := b.middle("lease/1")
	call(t, b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved,
		X: x, Y: y})
	b.until("the words of an hourglass", `/lock, session/.test(document.getElementById('tip').textContent)`)

	b.do(`vitrine.step(9e9)`)
	b.until("less sand again", left+` < 22`)
	b.do(`document.querySelector('[data-id="keep-alive-1"]')?.click() ?? vitrine.dispatch({ cmd: 'keep-alive', lease: 1 });
		vitrine.step(5e8)`)
	b.until("it is kept alive", left+` > 28`)
	before := eval[int](b, `vitrine.state().members.find((m) => m.id === vitrine.state().leader).revision`)
	b.do(`for (let i = 0; i < 400 && vitrine.inspect(vitrine.state().leader, 'leases').count; i++) vitrine.step(1e8)`)
	b.until("no lease, and its keys gone in one revision", fmt.Sprintf(`document.getElementById('leases-list').hidden &&
		s.members.find((m) => m.id === s.leader).revision === %d &&
		!vitrine.inspect(s.leader, 'kv').keys.some((k) => k.exists && ['lock', 'session'].includes(k.key))`, before+1))
	b.until("what has gone, for a moment", `vitrine.rectOf('lease/1')`)
	b.shot("lease-gone")
	b.do(`vitrine.step(1e8)`)
	b.until("nothing any more", `!vitrine.rectOf('lease/1')`)
}

// overlapping is JavaScript: what of the stage lies on something else, as the page's own drawing tells.
const overlapping = `(() => {
	const d = vitrineHost.drawn(), bad = [], meet = ([ax, ay, aw, ah], [bx, by, bw, bh]) =>
		ax + 1 < bx + bw && bx + 1 < ax + aw && ay + 1 < by + bh && by + 1 < ay + ah;
	for (const l of d.leases) {
		for (const c of d.captions) if (meet(l, c.rect)) bad.push('the words of S' + c.member);
		for (const c of d.clients) if (meet(l, c)) bad.push('a client');
		for (const [id, x, y, r] of d.members) {
			const dx = Math.max(l[0] - x, x - l[0] - l[2], 0), dy = Math.max(l[1] - y, y - l[1] - l[3], 0);
			if (Math.hypot(dx, dy) < r) bad.push('S' + id);
		}
	}
	return bad.join() || (d.leases.length ? '' : 'nothing is drawn');
})()`

// At every size and for every number of members the hourglasses cover neither members nor words nor clients, and there
// are never more than a few of them.
func TestHourglassesHaveTheirPlace(t *testing.T) {
	for _, n := range []int{1, 3, 5, 7, 9} {
		b, _ := lent(t, desk, n, 60)
		b.do(`for (const lease of [2, 3, 4, 5]) vitrine.dispatch({ cmd: 'lease-grant', lease, ttl: 10 * lease });
			vitrine.step(1e9)`)
		for _, size := range [][2]int64{{1440, 900}, {1280, 720}, {768, 1024}, {390, 844}} {
			b.resize(size[0], size[1])
			if size[0] < 800 {
				b.do(`document.documentElement.dataset.snap = 'half'`)
				b.until("the stage to follow", `document.querySelector('canvas').clientHeight === document.body.clientHeight`)
			}
			b.do(`vitrine.step(1e6)`)
			if !b.holds(`(` + overlapping + `) === ''`) {
				t.Errorf("%v, %d members: a lease lies on %s", size, n, eval[string](b, overlapping))
			}
			if drawn := eval[int](b, `vitrineHost.drawn().leases.length`); drawn > 3 {
				t.Errorf("%v, %d members: %d hourglasses", size, n, drawn)
			}
			b.shot(fmt.Sprintf("lease-%dx%d-%d", size[0], size[1], n))
		}
	}
}
