//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// A link brings another visitor to the same moment of the same run, and what was looked at.
func TestALinkToThisMoment(t *testing.T) {
	b := world(t, 9, 5, 1)
	leader := b.leader()
	b.do(`vitrine.dispatch({ cmd: 'pause' })`)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.step(2e8);
		vitrine.dispatch({ cmd: 'put', key: '键', value: '值' }); vitrine.step(3e9);
		vitrine.dispatch({ cmd: 'select', member: %[1]d })`, leader))
	run := `[vitrine.hash(), vitrine.state().now, vitrine.state().members.filter((m) => !m.alive).map((m) => m.id),
		vitrine.state().selected.member, vitrine.state().playing].join(' ')`
	here := eval[string](b, run)
	b.click("#gallery")
	if !b.holds(`document.querySelector('#gallery-list li')`) { // they move what stands below them
		t.Fatal("the gallery is empty")
	}
	b.click("#share")
	if !b.holds(`location.hash.startsWith('#run=') && document.getElementById('toast').textContent.includes(
		String(location.href.length))`) {
		t.Fatalf("there is no link in the address, or it is not told of: %s, %q", eval[string](b, `location.hash`),
			eval[string](b, `document.getElementById('toast').textContent`))
	}
	link := eval[string](b, `location.search.slice(1) + location.hash`)

	other := open(t, desk, link)
	other.until("the moment", fmt.Sprintf(`s.now === %s`, strings.Fields(here)[1]))
	if there := eval[string](other, run); there != here {
		t.Errorf("the link leads to %s, not to %s", there, here)
	}
	if !other.holds(fmt.Sprintf(`!document.getElementById('tool-back').hidden &&
		document.getElementById('tool-back').textContent === 'restart S%d'`, leader)) {
		t.Error("the crash to which the link leads cannot be taken back under the stage")
	}
	other.do(`vitrine.dispatch({ cmd: 'reset', seed: 4 })`)
	if !other.holds(`location.hash === ''`) {
		t.Error("the address names a run that is not on the stage any more")
	}
}

// A link that was cut on its way says so, and a world is there all the same.
func TestALinkThatIsNoGood(t *testing.T) {
	for _, fragment := range []string{"#run=%", "#run=AAAA", "#run=q1Yqzy_KSVWyMtJRKi5JLCpWsqpWKkktLlGyMjTQUcovKAYA"} {
		b := open(t, desk, "seed=7&members=3"+fragment)
		if !b.holds(`document.getElementById('toast').textContent.startsWith('This link does not lead')`) {
			t.Errorf("%s: nothing is said of it", fragment)
		}
		b.until("a world", `s.members.length === 3`)
	}
}
