//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// founded is a world that stands still some seconds after its first election: earlier a cluster refuses to be changed.
func founded(t *testing.T, s screen, members int) *browser {
	t.Helper()
	b := worldOn(t, s, 7, members, 0.02)
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 }); vitrine.step(6e9)`)
	b.until("a leader", `s.leader && document.getElementById('mark').classList.contains('leads')`)
	return b
}

// addMember presses a button of the list of members.
func (b *browser) addMember(button string) {
	b.t.Helper()
	b.until("a page that shows this moment", `(() => { let now; vitrine.subscribe((f) => (now = f.now))();
		return now === s.now; })()`) // a button pressed now must mean what the members are now
	if eval[bool](b, `document.getElementById('menu').hidden`) {
		b.keys("n")
	}
	b.until("the members", `!document.getElementById('menu').hidden && document.getElementById('add-learner')`)
	b.until("a button to press", fmt.Sprintf(`document.getElementById(%q).ariaDisabled === 'false'`, button))
	b.click("#" + button)
}

// standing is a condition: who decides, and who learns.
func standing(quorum, voters, learners int) string {
	return fmt.Sprintf(`s.conf.quorum === %d && s.conf.voters.length === %d && s.conf.learners.length === %d`,
		quorum, voters, learners)
}

// title is what the title of an element says.
func title(id string) string { return `document.getElementById('` + id + `').title` }

// settled lets time pass until nothing is on its way and nobody joins.
func (b *browser) settled(what, js string) {
	b.t.Helper()
	b.do(`for (let i = 0; i < 40; i++) { vitrine.step(2e8); const s = vitrine.state();
		if (!s.conf.pending && s.members.every((m) => !m.joining)) break }`)
	b.until(what, js)
}

// Members are added, promoted and removed by click; what counts is what the leader has applied, at that moment and not
// earlier.
func TestMembersComeAndGo(t *testing.T) {
	b := founded(t, desk, 5)
	leader := eval[int](b, `vitrine.state().leader`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'set', name: 'apply', value: '300ms', member: %d })`, leader))
	b.addMember("add-learner")
	b.do(`for (let i = 0; i < 400 && !vitrine.state().conf.pending; i++) vitrine.dispatch({ cmd: 'step', unit: 'event' })`)
	b.until("the learner on its way", `s.conf.pending.kind === 'learner' && s.conf.pending.member === 6 &&
		s.members.length === 5 && `+standing(3, 5, 0)+` &&
		document.getElementById('menu').textContent.includes('S6 is added as a learner')`)
	b.until("one change at a time", title("add-member")+`.startsWith('One change at a time')`)
	b.shot("members-pending")
	b.do(`for (let i = 0; i < 4000 && vitrine.state().members.length < 6; i++)
		vitrine.dispatch({ cmd: 'step', unit: 'event' })`)
	b.until("one that joins, and no other quorum", `s.members[5].joining && s.members[5].standing === 'learner' &&
		s.conf.quorum === 3 && s.conf.voters.length === 5 &&
		document.getElementById('menu').textContent.includes('joining')`)
	b.until("its place", `vitrine.rectOf('member/6')`)
	b.shot("members-joins")
	b.settled("a learner", `!s.members[5].joining && s.members[5].learner &&
		document.querySelector('#menu [data-id="promote-6"]').hidden === false`)
	b.keys(escape)
	b.clickOn("member/6")
	b.until("its panel", `document.getElementById('member-role').textContent.startsWith('learner') &&
		document.getElementById('act-promote').ariaDisabled === 'false'`)
	b.until("the words below", `document.getElementById('subtitle').textContent.includes('3 of 5 voters decide')`)
	b.shot("members-learner")

	b.click("#act-promote")
	b.do(`for (let i = 0; i < 400 && !vitrine.state().conf.pending; i++) vitrine.dispatch({ cmd: 'step', unit: 'event' })`)
	b.until("a promotion on its way", standing(3, 5, 1)+` && s.conf.pending.quorum === 4 && s.conf.pending.voters === 6 &&
		document.getElementById('subtitle').textContent.includes('4 of 6 once')`)
	index := eval[int](b, `vitrine.state().conf.pending.index`)
	ok := eval[string](b, fmt.Sprintf(`(() => {
		for (let i = 0; i < 8000; i++) {
			const s = vitrine.state(), applied = s.members.find((m) => m.id === %d).applied;
			if ((applied >= %d) !== (s.conf.quorum === 4)) return 'quorum ' + s.conf.quorum + ' at applied ' + applied;
			if (s.conf.quorum === 4) return s.members.some((m) => m.commit >= %[2]d) ? '' : 'not committed';
			vitrine.dispatch({ cmd: 'step', unit: 'event' });
		}
		return 'never';
	})()`, leader, index))
	if ok != "" {
		t.Errorf("the quorum changes when the leader applies entry %d: %s", index, ok)
	}
	b.settled("six voters", standing(4, 6, 0)+` && `+title("act-promote")+`.startsWith('S6 is no learner')`)

	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'set', name: 'apply', value: '0s', member: %d });
		vitrine.dispatch({ cmd: 'select', member: %[1]d })`, leader))
	b.until("the leader's panel", fmt.Sprintf(`document.getElementById('member-name').textContent === 'S%d'`, leader))
	b.click("#act-remove")
	b.do(`vitrine.step(5e8)`)
	b.until("a ghost", fmt.Sprintf(`s.members.find((m) => m.id === %d)?.standing === 'removed' && `, leader)+
		standing(3, 5, 0))
	b.until("the word for it", `document.getElementById('member-role').textContent.startsWith('removed')`)
	b.shot("members-ghost")
	b.do(`vitrine.step(5e9)`)
	b.until("it to leave the ring", fmt.Sprintf(`s.leader && s.leader !== %d && s.members.length === 5 &&
		!s.members.some((m) => m.id === %[1]d) && !vitrine.rectOf('member/%[1]d')`, leader))
	b.until("the others in every list", fmt.Sprintf(`![...document.getElementById('ask-member').options].some((o) =>
		+o.value === %d) && document.querySelectorAll('#members-list button').length === 5`, leader))
	b.do(`vitrine.dispatch({ cmd: 'put', key: 'after', value: '1' }); vitrine.step(1e9)`)
	b.until("a write", `s.requests.some((r) => r.text === 'put after 1' && r.status === 'ok')`)
	b.click("#reset")
	b.until("the world as it was founded", `s.now < 1e9 && s.members.length === 5 && s.members[4].id === 5`)
}

// What a cluster refuses it says by name, and the page says why.
func TestChangesAreRefused(t *testing.T) {
	b := world(t, 7, 3, 0.02)
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 }); vitrine.step(2e9)`)
	b.until("a leader", `s.leader && document.getElementById('title-text').textContent.includes('leads')`)
	b.addMember("add-member")
	b.do(`vitrine.step(1e9)`)
	b.until("too early", `document.getElementById('toast').textContent.includes('unhealthy cluster') &&
		document.getElementById('toast').textContent.includes('must have been connected to a majority')`)
	b.until("the same on its way", `document.getElementById('lane').textContent.includes('strict-reconfig-check')`)
	b.do(`vitrine.step(5e9)`)
	b.addMember("add-learner")
	b.settled("a learner", standing(2, 3, 1))
	b.addMember("add-learner")
	b.settled("one learner at a time", `document.getElementById('toast').textContent.includes('etcd takes one at a time')`)
	b.keys(escape)
	b.do(`vitrine.dispatch({ cmd: 'isolate', member: 4 });
		for (let i = 0; i < 60; i++)
			vitrine.dispatch({ cmd: 'put', key: 'k' + i, value: 'v', member: vitrine.state().leader });
		vitrine.step(1e9); vitrine.dispatch({ cmd: 'select', member: 4 })`)
	b.until("the learner's panel", `document.getElementById('member-name').textContent === 'S4' &&
		document.getElementById('act-promote').ariaDisabled === 'false'`)
	b.click("#act-promote")
	b.do(`vitrine.step(1e9)`)
	b.until("how far it is",
		`/S4 has the log up to \d+, S\d up to \d+/.test(document.getElementById('toast').textContent)`)
	b.shot("members-refused")
	b.click("#lang")
	b.until("the same in Chinese", `/S4 的日志到 \d+/.test(document.getElementById('lane').textContent)`)

	b = founded(t, desk, 1)
	if why := eval[string](b, `document.getElementById('act-remove').title`); !strings.Contains(why, "only voter") {
		t.Errorf("the last voter can be removed: %q", why)
	}
}

// A snapshot on its way shows how much of it has come: in the card of its message, at the member, in its panel.
func TestASnapshotOnItsWay(t *testing.T) {
	b := founded(t, desk, 3)
	b.do(`for (let i = 0; i < 1200; i++) {
			vitrine.dispatch({ cmd: 'put', key: 'k' + i, value: 'v'.repeat(40), member: vitrine.state().leader });
			if (i % 50 === 0) vitrine.step(2e8);
		}
		vitrine.step(3e9)`)
	b.addMember("add-learner")
	b.do(`vitrine.step(1e7); vitrine.dispatch({ cmd: 'set', name: 'write', value: '50ms' });
		for (let i = 0; i < 3000 && !vitrine.state().messages.some((m) => m.type === 'MsgSnap'); i++)
			vitrine.dispatch({ cmd: 'step', unit: 'event' });
		vitrine.step(1e7)`)
	b.keys(escape)
	crate := `s.messages.find((m) => m.type === 'MsgSnap')`
	b.until("a crate that has a size", crate+`?.size > 10000 && vitrine.rectOf('message/' + `+crate+`.id)`)
	b.clickOn(fmt.Sprintf("message/%d", eval[int](b, `((s) => `+crate+`.id)(vitrine.state())`)))
	b.until("how much is under way",
		`/database[\d.]+ KiB of [\d.]+ KiB/.test(document.getElementById('menu').textContent)`)
	b.shot("members-snapshot-card")
	b.keys(escape)
	b.do(`for (let i = 0; i < 3000 && !(vitrine.state().members[3].image?.got > 0); i++)
			vitrine.dispatch({ cmd: 'step', unit: 'event' });
		vitrine.dispatch({ cmd: 'select', member: 4 })`)
	b.until("a part of it", `s.members[3].image.got < s.members[3].image.size && s.members[3].joining &&
		/KiB of [\d.]+ KiB from S1/.test(document.getElementById('tabpanel').textContent)`)
	b.shot("members-snapshot")
	b.do(`vitrine.dispatch({ cmd: 'set', name: 'write', value: '1ms' })`)
	b.settled("all of it", `!s.members[3].image && !s.members[3].joining && s.members[3].first > 100`)
}

// placed looks that nothing of the stage covers anything else, by what the page itself says.
const placed = `(() => {
	const all = vitrine.state().members.map((m) => vitrine.rectOf('member/' + m.id)), at = (r) => [r.x + r.width / 2,
		r.y + r.height / 2], far = (a, b) => Math.hypot(at(a)[0] - at(b)[0], at(a)[1] - at(b)[1]);
	if (all.some((r) => !r)) return 'one has no place';
	for (let i = 0; i < all.length; i++) for (let j = 0; j < i; j++)
		if (far(all[i], all[j]) < all[i].width + 8) return i + ' and ' + j + ' are ' + far(all[i], all[j]) + ' apart';
	const stage = vitrine.rectOf('stage');
	return all.every((r) => r.x >= stage.x && r.y >= stage.y && r.x + r.width <= stage.x + stage.width &&
		r.y + r.height <= stage.y + stage.height) ? '' : 'one leaves the stage';
})()`

// From one member to nine, on a desk and on a phone; then there is no more room.
func TestOneMemberBecomesNine(t *testing.T) {
	for name, s := range map[string]screen{"desk": desk, "phone": {w: 390, h: 844, touch: true, light: true, lang: "zh",
		still: true}} {
		b := founded(t, s, 1)
		for n := 2; n <= 9; n++ {
			how := "add-member"
			if n == 9 {
				how = "add-learner"
			}
			b.do(fmt.Sprintf(`document.getElementById('menu').hidden && document.getElementById('members-open').click();
				document.getElementById(%q).click(); vitrine.step(5.5e9)`, how))
			b.until(fmt.Sprint(n, " members"), fmt.Sprintf(`s.members.length === %d && s.members.every((m) => !m.joining)`, n))
			b.until("places for all", `(() => { const p = `+placed+`; return p === '' })()`)
		}
		b.until("no more", `document.getElementById('add-member').ariaDisabled === 'true' &&
			/9/.test(document.getElementById('add-member').title)`)
		b.shot("members-nine-list-" + name)
		b.do(`document.getElementById('members-open').click(); document.activeElement.dispatchEvent(
			new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`)
		b.until("the stage", `document.getElementById('menu').hidden`)
		if p := eval[string](b, placed); p != "" {
			t.Errorf("%s: %s", name, p)
		}
		b.shot("members-nine-" + name)
	}
}
