//go:build browser

package web_test

import (
	"fmt"
	"testing"
)

// cell is JavaScript that reads the table of numbers: the row of a word, before or since.
func cell(row string, column int) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#numbers-table tr')]
		.find((r) => r.cells[0].textContent === %q)?.cells[%d].textContent`, row, column)
}

// What a change costs is told in numbers: those before a mark beside those since, in
// both languages, while time goes on, also of a new world, and without a mouse.
func TestNumbersBeforeAndSince(t *testing.T) {
	b, leader, _ := quietWorld(t, 7)
	b.click("#numbers")
	b.until("a table without a past", cell("leaders elected", 2)+` === '1' && `+cell("leaders elected", 1)+` === '–'`)
	put := fmt.Sprintf(`for (let i = 0; i < 5; i++) {
		vitrine.dispatch({ cmd: 'put', key: 'k', value: String(i), member: %d }); vitrine.step(2e8) }`, leader)
	b.do(put)
	b.click("#numbers-mark")
	b.until("the past, and nothing since", cell("half of the writes within", 1)+`.endsWith(' ms') && `+
		cell("half of the writes within", 2)+` === '–' && `+cell("leaders elected", 2)+` === '0'`)
	b.do(`vitrine.dispatch({ cmd: 'set', name: 'fsync', value: '80ms' });` + put)
	b.until("slower writes", fmt.Sprintf(`parseFloat(%s) > 30 + parseFloat(%s)`, cell("half of the writes within", 2),
		cell("half of the writes within", 1)))
	b.until("the writes and the syncs", fmt.Sprintf(`%s === '5' && %s > 2.5`, cell("writes answered a second", 2),
		cell("log syncs for each entry", 2)))
	b.shot("numbers")
	b.do(`document.getElementById('lang').click()`)
	b.until("the words of the core, with which all is said again",
		`performance.getEntriesByType('resource').some((r) => r.name.endsWith('said.json') && r.responseEnd > 0)`)
	b.keys("c")
	b.until("Chinese", cell("选出的领导者", 2)+` === '0'`)
	b.shot("numbers-zh")
	b.keys("c")
	b.until("a closed table", `document.getElementById('menu').hidden`)
	b.do(`document.getElementById('lang').click(); vitrine.dispatch({ cmd: 'reset', members: 3 })`)
	b.keys("c")
	b.until("a new world beside the old one", cell("leaders elected", 1)+` === '1' && document.querySelector(
		'#numbers-table thead').textContent.includes('since 0:00')`)
	b.keys(escape)
	b.until("a closed table", `document.getElementById('menu').hidden`)
}

// On a phone the table fits, and the stage stays behind it.
func TestNumbersOnAPhone(t *testing.T) {
	b := open(t, screen{w: 390, h: 844, touch: true, lang: "zh"}, "seed=7&members=5&speed=0.5")
	b.leader()
	b.click(`#sheet-tabs [data-sheet="checks"]`)
	b.click("#numbers")
	b.until("the table", cell("选出的领导者", 2)+` === '1'`)
	b.shot("numbers-phone")
	if !eval[bool](b, `((over, bar) => over > bar)(...['.over', '.bar'].map((s) =>
		Number(getComputedStyle(document.querySelector(s)).zIndex)))`) {
		t.Error("the clock lies on the table")
	}
	out := eval[string](b, `[...document.querySelectorAll('#menu, #numbers-table, #numbers-table td')].filter((e) =>
		e.getBoundingClientRect().right > innerWidth || e.getBoundingClientRect().left < 0)
		.map((e) => e.outerHTML).join()`)
	if out != "" {
		t.Errorf("it reaches beyond the screen: %s", out)
	}
}
