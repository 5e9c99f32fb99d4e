//go:build browser

package web_test

import (
	"fmt"
	"testing"
)

// The stage alone has all the room, the chip leads to what is real here and says of
// which versions, and both ways lead back.
func TestTheStageAlone(t *testing.T) {
	b := world(t, 7, 5, 1)
	b.leader()
	narrow := eval[float64](b, `document.querySelector('canvas').clientWidth`)
	b.keys("v")
	b.until("the stage alone", `document.querySelector('canvas').clientWidth === innerWidth &&
		document.getElementById('full').ariaPressed === 'true'`)
	b.shot("alone")
	b.click("#full")
	if !b.holds(`!('alone' in document.documentElement.dataset) && !document.fullscreenElement`) {
		t.Error("there is no way back from the stage alone")
	}
	b.until("the panels", `document.querySelector('canvas').clientWidth < innerWidth`)
	if now := eval[float64](b, `document.querySelector('canvas').clientWidth`); now != narrow {
		t.Errorf("the stage is %.0f wide, and was %.0f", now, narrow)
	}
	b.click("#version")
	b.until("what is real", `document.getElementById('help-dialog').open &&
		/raft v3.*go1/.test(document.getElementById('help-body').textContent)`)
	b.keys(escape)
}

// In a frame of another page there are the stage, its caption and one button; it
// begins still, takes no letters, and leads to the whole page.
func TestEmbedded(t *testing.T) {
	b := open(t, screen{w: 600, h: 400, lang: "en"}, "seed=7&members=5&speed=1&embed=1")
	b.until("a still beginning", `!s.playing`)
	if seen := eval[string](b, `[...document.querySelectorAll('button, input, select, a')].filter((e) => {
		const r = e.getBoundingClientRect(), s = getComputedStyle(e);
		return r.width > 2 && r.height > 2 && s.visibility === 'visible' && !e.closest('.top, .mirror, .skip');
	}).map((e) => e.id).join()`); seen != "play,whole" {
		t.Errorf("a frame shows %s", seen)
	}
	b.click("#play")
	b.until("a leader, told by the caption",
		`s.leader && document.getElementById('title-text').textContent.includes('leads')`)
	b.keys("k")
	b.keys(" ")
	b.until("the pause", `!s.playing && s.members.every((m) => m.alive)`)
	if href := eval[string](b, `document.getElementById('whole').search`); href != "?seed=7&members=5&speed=1" {
		t.Errorf("the whole page is at %s", href)
	}
	b.shot("embedded")
}

// Time stands still while somebody reads help or the gallery, and goes on as it was; an exhibit plays, and closing it
// gives back a world that runs as before.
func TestTimeStandsStillWhileOneReads(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	for _, id := range []string{"help", "gallery"} {
		b.click("#" + id)
		b.until("time to stand still", fmt.Sprintf(`!s.playing && document.getElementById('%s-dialog').open`, id))
		b.keys(escape)
		b.until("time to go on", fmt.Sprintf(`s.playing && !document.getElementById('%s-dialog').open`, id))
	}
	b.keys(" ")
	b.until("a pause", `!s.playing`)
	b.click("#help")
	b.keys(escape)
	b.until("the pause to last", `!s.playing && !document.getElementById('help-dialog').open`)
	b.keys(" ")
	b.until("the end of the pause", `s.playing`)
	b.click("#gallery")
	b.until("time to stand still", `!s.playing`)
	b.click(`[data-mutant="vote-forgotten"] button`)
	b.until("the exhibit", `s.replay && s.playing`)
	b.click("#show-close")
	b.until("my world, as it ran", `!s.replay && s.playing && s.members.length === 3`)
}

// What the clients do not come to is not claimed.
func TestTheLoadIsThatOfTheClients(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'set', name: 'rate', value: '500' })`)
	b.do(`for (let i = 0; i < 5; i++) { vitrine.step(1.5e9); await new Promise((done) => setTimeout(done, 300)) }`)
	if !b.holds(`parseFloat(document.getElementById('rate-out').textContent) < 200 &&
		document.getElementById('rate').title.startsWith('500/s are wanted')`) {
		t.Errorf("the load is %s, because: %s", eval[string](b, `document.getElementById('rate-out').textContent`),
			eval[string](b, `document.getElementById('rate').title`))
	}
	b.do(`vitrine.dispatch({ cmd: 'set', name: 'rate', value: '4' })`)
	if !b.holds(`document.getElementById('rate-out').textContent === '4/s' &&
		document.getElementById('rate').title === ''`) {
		t.Error("a load that the clients come to is not told as it is")
	}
}

// No choice is cut, in any form, window and language: a select is as wide as the widest of what it offers.
func TestNoChoiceIsCut(t *testing.T) {
	for _, s := range []screen{desk, {w: 1280, h: 720, lang: "zh"}, {w: 1280, h: 720, lang: "en"},
		{w: 390, h: 844, lang: "zh"}} {
		b := worldOn(t, s, 7, 5, 1)
		b.leader()
		b.do(`vitrine.dispatch({ cmd: 'lease-grant', lease: 1, ttl: 60, as: 'root' });
			vitrine.dispatch({ cmd: 'user-add', name: 'alice', as: 'root' }); vitrine.step(1e9);
			document.getElementById('more').open = true;
			if (innerWidth < 700) document.querySelector('[data-sheet=ask]').click()`)
		for _, op := range []string{"put", "get", "delete", "txn", "watch", "lease"} {
			if cut := eval[string](b, fmt.Sprintf(`(() => {
				document.querySelector('[name=op][value=%s]').click();
				return [...document.querySelectorAll('select')].filter((s) => s.getClientRects().length).flatMap((s) => {
					const c = s.cloneNode(true);
					Object.assign(c.style, { position: 'absolute', visibility: 'hidden', width: 'max-content' });
					s.after(c);
					const wanted = c.offsetWidth;
					c.remove();
					return wanted > s.offsetWidth ? [(s.id || s.name) + ' wants ' + wanted + ' and has ' + s.offsetWidth] : [];
				}).join('; ') })()`, op)); cut != "" {
				t.Errorf("%dx%d %s, %s: %s", s.w, s.h, s.lang, op, cut)
			}
		}
	}
}

// One can go back: by a key what one sees pass in a second, by a button further; the run is the same, paused.
func TestOneCanGoBack(t *testing.T) {
	b := world(t, 7, 3, 1)
	leader := b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' }); vitrine.step(2e9)`)
	before := eval[float64](b, `vitrine.state().now`)
	hash := eval[string](b, `vitrine.hash()`)
	b.do(fmt.Sprintf(`vitrine.step(5e8); vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.step(5e8)`, leader))
	b.keys(",")
	b.until("the second before", fmt.Sprintf(`s.now === %f && !s.playing && s.members.every((m) => m.alive)`, before))
	if got := eval[string](b, `vitrine.hash()`); got != hash {
		t.Errorf("the run has hash %s there, and had %s", got, hash)
	}
	if !b.holds(fmt.Sprintf(`document.getElementById('title-text').textContent === 'S%d leads'`, leader)) {
		t.Error("the headline is not that of the moment")
	}
	b.do(`document.getElementById('more').open = true`)
	if !b.holds(`document.getElementById('more-back-kind') && (document.getElementById('more-back-kind').value = 'all')`) {
		t.Fatal("there is no choice of how far to go back")
	}
	b.click("#more-back")
	b.until("the beginning", `s.now < 1e6`)
	b.keys(" ")
	b.until("time to go on", `s.playing && s.now > 1e8`)
}
