//go:build browser

package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// gallery lists the planted bugs that ship with the page.
func gallery(t *testing.T) (names []string) {
	t.Helper()
	data, err := os.ReadFile("../assets/replays/index.json")
	if err != nil {
		t.Fatal(err)
	}
	var index []struct {
		Mutant string `json:"mutant"`
		En, Zh struct{ Title, Text string }
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	for _, x := range index {
		if x.En.Title == "" || x.En.Text == "" || x.Zh.Title == "" || x.Zh.Text == "" {
			t.Errorf("%s is not told in both languages", x.Mutant)
		}
		names = append(names, x.Mutant)
	}
	if len(names) < 10 {
		t.Errorf("%d planted bugs are shown, want at least 10", len(names))
	}
	return names
}

// TestGallery opens every replay by its button, here in js/wasm where the file
// was written by a native build: opening compares the hashes. The bug shows,
// and the correct core lives through the same decisions.
func TestGallery(t *testing.T) {
	b := world(t, 7, 5, 0.02)
	mine := eval[float64](b, `vitrine.state().now`)
	for i, name := range gallery(t) {
		b.click("#gallery")
		b.until("the gallery", `document.querySelector('#gallery-list li')`)
		if i == 0 {
			b.shot("gallery")
		}
		b.click(fmt.Sprintf(`[data-mutant=%q] button`, name))
		b.until(name, fmt.Sprintf(`s.replay && s.replay.name === %q && !document.querySelector('dialog[open]')`, name))
		if !eval[bool](b,
			fmt.Sprintf(`location.search.includes('replay=%s') && !document.getElementById('toast').matches(':popover-open')`,
				name)) {
			t.Errorf("%s: the address or a message is wrong", name)
		}
		b.until("its beginning", `s.now >= s.replay.start && s.replay.seconds > 3 && s.replay.seconds < 20`)
		if i == 0 { // by keys: the way to the moment goes when it is there, and hands the focus on
			b.do(`document.getElementById('show-skip').focus()`)
			b.keys(enter)
			b.until("the focus beside it", `document.getElementById('show-skip').hidden &&
				document.activeElement.id === 'show-again'`)
		} else {
			b.click("#show-skip")
		}
		b.until("the moment, or the end", `s.replay.at > s.replay.seconds - 3.5`)
		b.do(`vitrine.dispatch({ cmd: 'speed', value: 5 })`)
		b.until("the violation of "+name,
			`s.replay.over && s.violation && s.violation.number === s.replay.violated && !s.playing`)
		b.shot("replay-" + name)
		if !eval[bool](b,
			`document.querySelectorAll('#feed li.lit').length > 0 && document.querySelector('#feed li.lit.bad') !== null`) {
			t.Errorf("%s: the feed does not tell the story", name)
		}
		if i%4 != 0 {
			continue // wasm/world watches all of them on the correct core
		}
		b.click("#show-correct")
		b.until("the correct core", `s.replay.correct && !s.violation`)
		b.do(`vitrine.dispatch({ cmd: 'speed', value: 5 })`)
		b.until("the moment to pass", `s.replay.over && !s.violation && s.invariants.every((i) => i.ok)`)
	}
	b.shot("correct")
	b.click("#show-close")
	b.until("my own world as it was", fmt.Sprintf(`!s.replay && !location.search.includes('replay') &&
		s.members.length === 5 && s.seed === 7 && s.speed === 0.02 && s.now >= %f && s.now < %f + 1e10`, mine, mine))
}

// A replay at its default speed turns red while one watches; its strip covers neither
// members nor clients, shows how far it is, and leads back.
func TestAnExhibitIsWatched(t *testing.T) {
	b := open(t, desk, "replay=reply-before-apply&correct")
	b.until("the correct core, in the address, too",
		`s.replay && s.replay.correct && location.search.endsWith('&correct')`)
	b.click("#show-bug")
	b.until("the bug", `s.replay && !s.replay.correct && !location.search.includes('correct')`)
	begin := time.Now()
	b.until("the strip beside the stage", `(() => {
		const strip = document.getElementById('showing').getBoundingClientRect();
		return ['member/1', 'client/0', 'client/1'].every((id) => vitrine.rectOf(id).y > strip.bottom) })()`)
	b.until("red", `s.violation && document.getElementById('title-text').textContent ===
		'An answer contradicts the answers before it'`)
	t.Logf("red after %.1f s, planned for %.1f s", time.Since(begin).Seconds(),
		eval[float64](b, `vitrine.state().replay.seconds`))
	b.shot("exhibit")
	b.do(`document.getElementById('seek').value = 200; document.getElementById('seek').dispatchEvent(new Event('change'))`)
	b.until("an earlier scene", `!s.violation && s.playing && s.replay.at < s.replay.seconds / 2`)
}

// What cannot be opened is said, and not named in the address any more.
func TestABadReplayInTheAddress(t *testing.T) {
	b := visit(t, desk, "replay=../x&correct&seed=3&theme=pink")
	b.ready()
	b.until("words", `document.getElementById('toast').textContent.includes('../x') && location.search === '?seed=3'`)
	b.forgive() // a browser tells its console of a missing file
}

func TestReplayFromTheAddress(t *testing.T) {
	for _, query := range []string{"replay=read-without-quorum", "replay=assets/replays/read-without-quorum.replay"} {
		b := open(t, screen{w: 1440, h: 900, lang: "zh", light: true}, query)
		b.until("the replay", `s.replay && s.replay.name === 'read-without-quorum' && s.now >= s.replay.start`)
		if strings.HasPrefix(query, "replay=a") {
			return
		}
		b.until("something lit", `document.querySelector('#feed li.lit')`)
		b.do(`vitrine.dispatch({ cmd: 'speed', value: 5 })`)
		b.until("the violation", `s.violation`)
		b.shot("replay-zh-light")
		b.click("#gallery")
		b.until("the gallery", `document.querySelector('#gallery-list li')`)
		b.shot("gallery-zh-light")
	}
}

func TestReplayOnAPhone(t *testing.T) {
	b := open(t, screen{w: 390, h: 844, touch: true, lang: "en"}, "replay=vote-forgotten")
	b.until("the replay", `s.replay && s.now >= s.replay.start`)
	b.shot("replay-phone")
	b.do(`vitrine.dispatch({ cmd: 'speed', value: 5 })`)
	b.until("the violation", `s.violation`)
	b.until("what went wrong, where the headline is hidden", `((e) => e.checkVisibility() && e.textContent ===
		document.getElementById('title-text').textContent)(document.getElementById('show-wrong'))`)
	b.click(`#sheet-tabs [data-sheet="feed"]`)
	b.shot("replay-phone-over")
	b.click("#gallery")
	b.until("the gallery", `document.querySelector('#gallery-list li')`)
	b.shot("gallery-phone")
	if eval[bool](b,
		`document.querySelector('#gallery-dialog').scrollWidth > document.querySelector('#gallery-dialog').clientWidth`) {
		t.Error("the gallery is wider than its dialog")
	}
}

// TestSaveAndDrop saves what a visitor did and drops the file on the page: the
// same run comes to the same hash.
func TestSaveAndDrop(t *testing.T) {
	b := world(t, 7, 3, 0.02)
	leader := b.leader()
	b.do(
		fmt.Sprintf(
			`vitrine.dispatch({ cmd: 'pause' }); vitrine.dispatch({ cmd: 'put', key: 'x', value: '1' }); vitrine.step(5e7);
				vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.step(5e9);
					vitrine.dispatch({ cmd: 'step', unit: 'event' })`, leader))
	b.do(
		`const make = URL.createObjectURL; URL.createObjectURL = (blob) => { globalThis.saved = blob.text();
			return make(blob) }; const click = HTMLAnchorElement.prototype.click;
				HTMLAnchorElement.prototype.click = function () { globalThis.savedAs = this.download; click.call(this) }`)
	b.keys("g")
	b.until("the gallery", `document.querySelector('#gallery-list li')`)
	b.click("#save-run")
	want := eval[string](b, `vitrine.hash()`)
	saved := eval[string](b, `globalThis.savedAs`)
	if saved != "vitrine-7.replay" {
		t.Errorf("saved as %q", saved)
	}
	content := eval[string](b, `globalThis.saved`)
	if !strings.HasPrefix(content, "vitrine replay ") || !strings.Contains(content, "hash "+want) ||
		!strings.Contains(content, fmt.Sprintf("crash member=%d", leader)) {
		t.Fatalf("hash %s, file:\n%s", want, content)
	}
	b.click("#save-test")
	if test := eval[string](b, `globalThis.saved`); !strings.Contains(test, "func TestReplaySeed7(t *testing.T)") ||
		!strings.Contains(test, "hash "+want) {
		t.Errorf("the test:\n%s", test)
	}
	b.keys(escape)
	drop := func(text, name string) {
		b.do(
			fmt.Sprintf(
				`const d = new DataTransfer(); d.items.add(new File([%q], %q));
					for (const kind of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(kind,
						{ dataTransfer: d, bubbles: true, cancelable: true }))`, text, name))
	}
	toast := func(what string) {
		b.until("a word about "+what,
			fmt.Sprintf(
				`document.getElementById('toast').matches(':popover-open') &&
					document.getElementById('toast').textContent.includes(%q)`, what))
		if !eval[bool](b, `!vitrine.state().replay`) {
			t.Errorf("%s: a replay was opened all the same", what)
		}
		b.do(`document.getElementById('toast').hidePopover()`)
	}
	drop(strings.Replace(content, "hash "+want, "hash 0123456789abcdef", 1), "other.replay")
	toast("Not the same build")
	drop("vitrine replay 1\nnonsense\n", "nonsense.replay")
	toast("line 2")
	drop(strings.Repeat("# long\n", 20_000), "long.replay")
	toast("at most 100")
	drop(content, "mine.replay") // opening compares the hash
	b.until("the replay", `s.replay && s.replay.name === 'mine' && !document.documentElement.dataset.drop`)
}
