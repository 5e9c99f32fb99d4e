//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// tab opens a tab of the inspector by the keyboard, from the one that is open.
func (b *browser) tab(name string) {
	b.t.Helper()
	b.do(`document.querySelector('#tabs [aria-selected="true"]').focus()`)
	for range 9 {
		if eval[bool](b, fmt.Sprintf(`document.activeElement.id === 'tab-%s'`, name)) {
			break
		}
		call(b.t, b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown,
			Key: "ArrowRight", Code: "ArrowRight"})
	}
	b.until("the tab "+name, fmt.Sprintf(`document.querySelector('#tabs [aria-selected="true"]').id === 'tab-%s'`, name))
}

// readable looks that everything in the open tab has a name and can be read.
func (b *browser) readable(tab string) {
	b.t.Helper()
	for what, js := range map[string]string{"without a name": unnamed, "hard to read": faint} {
		js = strings.ReplaceAll(js, "document.body", "document.getElementById('tabpanel')")
		js = strings.ReplaceAll(js, "document.querySelectorAll(", "document.getElementById('tabpanel').querySelectorAll(")
		if got := eval[string](b, js); got != "" {
			b.t.Errorf("%s: %s:\n%s", tab, what, got)
		}
	}
}

// shows waits until the open tab says something.
func (b *browser) shows(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("the words %q", text),
		fmt.Sprintf(`document.getElementById('tabpanel').textContent.includes(%q)`, text))
}

// What a member holds can be seen, down to its files: keys at any revision, the log with what a crash tears off, the
// buffers, and the history of terms.
func TestWhatAMemberHolds(t *testing.T) {
	b := world(t, 7, 3, 0.02)
	first := b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 })`)
	b.do(`for (const c of [{ cmd: 'put', key: 'x', value: 'one' }, { cmd: 'put', key: 'x', value: 'two' },
		{ cmd: 'delete', key: 'x' }, { cmd: 'put', key: 'x', value: 'three' }, { cmd: 'watch', key: 'x' }])
			{ vitrine.dispatch(c); vitrine.step(4e8) }`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'select', member: %d })`, first))

	b.tab("kv")
	b.shows("three")
	b.do(`document.querySelector('.pairs summary[data-id="x"]').click()`)
	b.until("the lives of x", `document.querySelectorAll('.life').length === 2 &&
		document.querySelectorAll('.tomb').length === 1`)
	two := `vitrine.inspect(s.leader, 'kv').keys.find((k) => k.key === 'x').lives[0].revs[1]`
	b.do(fmt.Sprintf(`const s = vitrine.state(); document.querySelectorAll('.life .tiny').forEach((e) =>
		e.textContent === %s && e.click())`, two))
	b.until("the older value", `document.querySelector('.pairs summary[data-id="x"]').textContent.includes('two') &&
		document.getElementById('kv-rev').value === `+two)
	b.do(`const e = document.getElementById('kv-rev'); e.value = e.max; e.dispatchEvent(new Event('input'))`)
	b.shows("three")
	b.until("the pin of the watch", `document.querySelectorAll('.axis .pin').length >= 1 &&
		document.querySelector('.pins').textContent.includes('watch x')`)
	b.do(fmt.Sprintf(`document.querySelectorAll('.life .tiny').forEach((e) => e.textContent === %s && e.click())`,
		strings.ReplaceAll(two, "s.leader", "vitrine.state().leader")))
	b.click(`[data-id="watch-x"]`)
	b.do(`vitrine.step(4e8)`)
	b.until("a watch from there", `s.watches.some((w) => w.client === 0 && w.events?.length === 3)`)
	b.click("#kv-compact")
	b.do(`vitrine.step(4e8)`)
	b.until("a compaction there", `s.members.every((m) => m.compactRevision === +document.getElementById('kv-rev').min)
		&& document.getElementById('kv-compact').ariaDisabled === 'true'`)
	b.do(`const e = document.getElementById('kv-rev'); e.value = e.max; e.dispatchEvent(new Event('input'))`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'stall', member: %d, value: '10s' });
		vitrine.dispatch({ cmd: 'put', key: 'x', value: 'four', member: %d });
		const logged = () => vitrine.state().requests.at(-1).stations.some((x) => x.name === 'appended to the log');
		for (let i = 0; i < 500 && !logged(); i++) vitrine.step(1e6)`, first, first))
	b.until("the write on its way", `document.querySelector('.pending')?.textContent.includes('four') &&
		document.querySelector('.pairs summary[data-id="x"] i')?.textContent.includes('four')`)
	b.readable("kv")
	b.shot("holds-kv")

	b.tab("wal")
	b.shows("checksum")
	b.do(`vitrine.dispatch({ cmd: 'heal-all' }); for (let i = 0; i < 400; i++) {
		vitrine.dispatch({ cmd: 'step', unit: 'event' });
		const m = vitrine.state().members[vitrine.state().leader - 1];
		if (m.written > m.synced && m.written === m.last) break; }`)
	b.until("an unsynced record", `document.querySelectorAll('.records .unsynced').length > 0`)
	b.readable("wal")
	b.shot("holds-wal")
	b.tab("store")
	b.shows("If the power failed now")
	b.until("three layers", `document.querySelectorAll('.layer').length === 3`)
	b.readable("store")
	b.shot("holds-store")
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'crash', member: %d })`, first))
	b.shows("The process is not there")
	b.tab("wal")
	b.shows("the power failed")
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'restart', member: %d }); vitrine.step(3e9)`, first))
	b.shows("The next start found")
	b.tab("raft")
	b.until("the history of terms", fmt.Sprintf(`document.querySelectorAll('.terms li').length >= 2 &&
		document.querySelector('.terms').textContent.includes('S%d led from')`, first))
	b.readable("raft")
	b.shot("holds-terms")
}

// Leases and users are acted on, and what is refused says why.
func TestLeasesAndUsersByHand(t *testing.T) {
	b := world(t, 7, 3, 0.5)
	b.leader()
	b.do(`vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 })`)
	b.tab("leases")
	b.do(`document.getElementById('lease-ttl').value = '0'`)
	b.click("#lease-grant")
	b.until("words about the number", `document.getElementById('toast').textContent.includes('no time to live')`)
	b.do(`document.getElementById('lease-ttl').value = '30'`)
	b.click("#lease-grant")
	b.until("the lease", `document.querySelectorAll('.leases li').length === 1`)
	b.until("the choice in the form", `document.querySelector('#ask-lease option[value="1"]')`)
	b.do(`document.querySelector('#ask [name="key"]').value = 'lock'; document.getElementById('ask-lease').value = '1'`)
	b.click("#send")
	b.until("its key", `document.querySelector('.leases li .chips').textContent === 'lock'`)
	left := `(vitrine.inspect(vitrine.state().leader, 'leases').leases.find((l) => l.id === 1)?.expiry ?? 0)`
	before := eval[float64](b, left)
	b.click(`[data-id="keep-alive-1"]`)
	b.until("a longer life", fmt.Sprintf(`%s > %f`, left, before))
	b.readable("leases")
	b.shot("holds-lease")
	b.click(`[data-id="lease-revoke-1"]`)
	b.until("the end of lease and key", `document.querySelectorAll('.leases li').length === 0 &&
		!vitrine.inspect(s.leader, 'kv').keys.some((k) => k.key === 'lock' && k.exists)`)
	b.do(`document.getElementById('ask-lease').value = '+5'`)
	b.click("#send")
	b.until("a put with a new lease", `document.querySelector('.leases li .chips')?.textContent === 'lock'`)
	b.do(`vitrine.step(9e9)`)
	b.until("its end by time", `document.querySelectorAll('.leases li').length === 0 &&
		!vitrine.inspect(s.leader, 'kv').keys.some((k) => k.key === 'lock' && k.exists)`)

	b.tab("users")
	b.click("#users-demo")
	b.until("users who are checked", `vitrine.inspect(s.leader, 'users').enabled`)
	b.until("the choice of who asks", `!document.getElementById('ask-as').closest('label').hidden &&
		document.querySelector('#ask-as option[value="alice"]')`)
	b.do(`document.getElementById('ask-as').value = 'alice'; document.getElementById('ask-lease').value = '';
		document.querySelector('#ask [name="key"]').value = 'b1'`)
	b.click("#send")
	b.until("the refusal", `document.getElementById('lane').textContent.includes('alice may not write b1')`)
	b.do(`document.querySelector('#op [value="watch"]').click(); document.getElementById('ask-as').value = 'alice'`)
	b.until("who watches", `!document.getElementById('ask-as').closest('label').hidden`)
	b.click("#send")
	b.until("a watch that is refused", `document.getElementById('lane').textContent.includes('alice may not read b1')`)
	b.do(`document.querySelector('#ask [name="key"]').value = 'a1'`)
	b.click("#send")
	b.until("one that is not", `s.watches.some((w) => w.client === 0 && w.key === 'a1' && w.open)`)
	b.do(`document.querySelector('#op [value="put"]').click()`)
	b.readable("users")
	b.do(`document.getElementById('theme').click()`)
	b.readable("users, light")
	b.do(`document.getElementById('theme').click()`)
	b.shot("holds-users")
	b.do(`document.querySelector('.change [name="what"]').value = 'user-add';
		document.querySelector('.change [name="name"]').value = 'carol'`)
	b.click("#users-send")
	b.until("carol", `vitrine.inspect(s.leader, 'users').users.some((u) => u.name === 'carol')`)
	b.click(`[data-id="user-delete-carol"]`)
	b.until("carol gone", `!vitrine.inspect(s.leader, 'users').users.some((u) => u.name === 'carol')`)
	b.click("#users-auth")
	b.until("nobody checked", `!vitrine.inspect(s.leader, 'users').enabled`)
}

// A message is a thing that one can lay hands on: it stays, is copied, is lost, or goes on; and an entry says where it
// came from.
func TestHandsOnAMessage(t *testing.T) {
	b := world(t, 7, 3, 0.02)
	leader := b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: 0 }); vitrine.step(1e9)`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'put', key: 'x', value: 'hello', member: %d });
		for (let i = 0; i < 500; i++) {
			if (vitrine.state().messages.filter((m) => m.type === 'MsgApp' && m.entries).length === 2) break;
			vitrine.dispatch({ cmd: 'step', unit: 'event' });
		}
		vitrine.step(4e6);`, leader))
	first := `s.messages.filter((m) => m.type === 'MsgApp' && m.entries)[0]`
	id := eval[int](b, `((s) => `+first+`.id)(vitrine.state())`)
	one := fmt.Sprintf(`s.messages.find((m) => m.id === %d)`, id)
	b.until("a frame with it", fmt.Sprintf(`vitrine.rectOf('message/%d')`, id))
	b.clickOn(fmt.Sprintf("message/%d", id))
	b.until("the card", `['put x hello', 'logTerm', 'commit', 'Where it came from', 'value=hello'].every((w) =>
		document.getElementById('menu').textContent.includes(w))`)
	b.click("#hand-hold")
	b.until("a message that is held", one+`.held > 0 && document.getElementById('hand-hold').ariaDisabled === 'true'`)
	b.shot("holds-message")
	b.do(`vitrine.step(3e7)`)
	b.until("it to stay", one)
	b.click("#hand-duplicate")
	b.until("a copy", fmt.Sprintf(`s.messages.filter((m) => m.seq === %d).length === 2`, id))
	b.click("#hand-release")
	b.until("it to be free", `!`+one+`.held`)
	b.click("#hand-drop")
	b.until("its loss", one+`.lost === 'hand'`)
	b.keys(escape)
	b.tab("messages")
	b.do(`document.querySelector('.flying button').focus()`)
	b.keys(enter)
	b.until("a card by the keyboard", `!document.getElementById('menu').hidden &&
		document.getElementById('menu').contains(document.activeElement)`)
	b.keys(escape)
	b.until("the focus back", `document.getElementById('menu').hidden && document.activeElement.closest('.flying')`)
	b.do(`vitrine.step(1e9)`)
	b.until("the write all the same", `s.members.every((m) => m.applied === s.commit)`)
	index := eval[int](b, `vitrine.state().commit`)
	b.until("a frame with the entry", fmt.Sprintf(`vitrine.rectOf('entry/%d-%d')`, leader, index))
	b.clickOn(fmt.Sprintf("entry/%d-%d", leader, index))
	b.until("where the entry came from", `['x=hello', 'synced, committed, applied', 'value=hello'].every((w) =>
		document.getElementById('menu').textContent.includes(w))`)
	b.shot("holds-entry")
	b.click("#card-close")
	b.until("the card gone", `document.getElementById('menu').hidden`)
}

// What can go wrong besides, and how elections are held. Each control is moved, and changes what it says.
func TestMoreFaults(t *testing.T) {
	b := world(t, 7, 3, 0.5)
	leader := b.leader()
	other := leader%3 + 1
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'select', member: %d })`, other))
	b.click("#more summary")
	b.until("the controls", fmt.Sprintf(`document.getElementById('more-fsync') &&
		document.getElementById('more').textContent.includes('At S%d')`, other))
	slide := func(id, place, want string) {
		t.Helper()
		b.do(fmt.Sprintf(`const e = document.getElementById('more-%s'); e.value = '%s'; e.dispatchEvent(new Event('input'))`,
			id, place))
		b.until(id, want)
	}
	own := fmt.Sprintf(`s.dials.members[%d]`, other-1)
	rest := fmt.Sprintf(`s.dials.members[%d]`, leader-1)
	slide("fsync", "1", own+`.fsync === 2e9 && `+rest+`.fsync < 1e8`)
	slide("fsync", "0", own+`.fsync === 0`)
	slide("apply", "1", own+`.apply === 2e9 && `+rest+`.apply < 1e8`)
	slide("apply", "0", own+`.apply === 0`)
	slide("clock", "1", own+`.clock > 3.9 && `+rest+`.clock === 1`)
	slide("clock", "0.5", own+`.clock === 1`)
	slide("jitter", "0.5", `s.dials.jitter > 1e6`)
	slide("duplicate", "0.2", `s.dials.duplicate === 0.2`)
	b.until("doubled messages", `s.messages.some((m) => m.id !== m.seq)`)
	slide("duplicate", "0", `s.dials.duplicate === 0`)
	slide("spread", "0", `s.dials.spread === 0`)
	slide("spread", "1", `s.dials.spread === 1`)
	b.shot("more")
	member := fmt.Sprintf(`s.members[%d]`, other-1)
	b.click("#more-fail")
	b.until("a disk that failed", member+`.process === 'stopped' && `+member+`.reason.length > 0`)
	b.do(`document.getElementById('more-rot-kind').value = 'cut'`)
	b.click("#more-rot")
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'restart', member: %d })`, other))
	b.until("the damage told", member+`.process === 'stopped' && `+member+`.reason.includes('corrupt')`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'select', member: %d })`, leader))
	b.click("#more-torn")
	b.until("a crash that tears", fmt.Sprintf(`s.members[%d].process === 'crashed'`, leader-1))

	b.do(`document.getElementById('more-members').value = '9'; document.getElementById('more-election').value = '20';
		document.getElementById('more-prevote').click(); document.getElementById('more-quorum').click()`)
	b.click("#more-world")
	b.until("another world", `s.members.length === 9 && s.raft.election === 20 && s.raft.noPreVote &&
		s.raft.noCheckQuorum`)
	b.leader()
	b.until("no pre-vote before its election", `s.members.every((m) => m.timeout === 0 || m.timeout >= 20)`)
	b.shot("more-world")
}
