//go:build browser

package web_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// told is what the page says at a moment: the headline, and of the visitor's newest request what came of it or what it
// waits for.
type told struct{ title, sub, outcome string }

// saying is JavaScript that reads it from the page.
const saying = `() => [document.getElementById('title-text').textContent,
	document.getElementById('subtitle').textContent, document.querySelector('.outcome')?.textContent ?? '']`

// tells looks what the page says in both languages. Patterns are of headline and outcome, "" = anything.
func (b *browser) tells(what string, en, zh told) {
	b.t.Helper()
	for _, lang := range []string{"en", "zh"} {
		b.do(fmt.Sprintf(`if (document.documentElement.lang !== %q) document.getElementById('lang').click()`, lang))
		want := en
		if lang == "zh" {
			want = zh
		}
		patterns := []string{want.title, want.sub, want.outcome}
		js, err := json.Marshal(patterns)
		b.must(err)
		b.do(fmt.Sprintf(`const said = %s, all = () => %s.every((p, i) => new RegExp(p).test(said()[i]));
			for (let i = 0; i < 50 && !all(); i++) await new Promise((done) => setTimeout(done, 100))`, saying, js))
		got := eval[[]string](b, `(`+saying+`)()`)
		for i, pattern := range patterns {
			if !regexp.MustCompile(pattern).MatchString(got[i]) {
				b.t.Errorf("%s, %s: %q is not /%s/", what, lang, got[i], pattern)
			}
		}
		b.shot(strings.ReplaceAll(what, " ", "-") + "-" + lang)
	}
	b.do(`document.getElementById('lang').click()`)
}

// quietWorld is a world with a leader and without other clients, which goes on only by steps.
func quietWorld(t *testing.T, seed int) (b *browser, leader int, others []int) {
	b = world(t, seed, 5, 1)
	b.do(fmt.Sprintf(`for (const command of [{ cmd: 'reset', seed: %d, members: 5 }, { cmd: 'pause' },
		{ cmd: 'set', name: 'rate', value: '0' }]) vitrine.dispatch(command)`, seed)) // in one moment: always the same events
	leader = b.leader()
	b.do(`vitrine.step(2e9)`)
	for id := 1; id <= 5; id++ {
		if id != leader {
			others = append(others, id)
		}
	}
	return b, leader, others
}

func list(ids []int, comma, and string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = fmt.Sprintf("S%d", id)
	}
	return strings.Join(names[:len(names)-1], comma) + and + names[len(names)-1]
}

// Whatever breaks, the headline names it, and a request says what it waits for.
func TestTroubleIsTold(t *testing.T) {
	b, s1, o := quietWorld(t, 7)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'pause', member: %d });
		vitrine.dispatch({ cmd: 'put', key: 'x', value: '1', member: %[1]d }); vitrine.step(1e8)`, o[0]))
	b.tells("pause", told{"leads$", fmt.Sprintf("4 of 5 members up: S%d is paused", o[0]),
		fmt.Sprintf(`on its way to S%d: S%[1]d is paused\.`, o[0])},
		told{"是领导者$", fmt.Sprintf("5 个成员中 4 个在线：S%d 已暂停", o[0]), fmt.Sprintf(`正在去往 S%d：S%[1]d 已暂停。`, o[0])})

	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'resume', member: %d }); vitrine.step(2e9);
		for (const member of [%d, %d, %d]) vitrine.dispatch({ cmd: 'stall', member, value: '1.5s' });
		vitrine.dispatch({ cmd: 'put', key: 'x', value: '2', member: %[2]d }); vitrine.step(3e8)`, o[0], s1, o[0], o[1]))
	hung := []int{s1, o[0], o[1]}
	sortInts(hung)
	b.tells("hang", told{"leads$", fmt.Sprintf(`the disks of %s hang, 1\.2 s more`, list(hung, ", ", ",? and ")),
		fmt.Sprintf(`waits for one more of %s to sync entry \d+: the disks of %[1]s hang, 1\.2 s more\.`,
			list(hung, ", ", ",? and "))},
		told{"", fmt.Sprintf(`%s 的磁盘卡住，还剩 1\.2 s`, list(hung, "、", " 和 ")), `等待 .* 中再有 1 个同步条目 \d+：S\d.* 的磁盘卡住`})

	b.do(fmt.Sprintf(`vitrine.step(3e9); vitrine.dispatch({ cmd: 'cut', from: [%d], to: [%d], oneway: true });
		vitrine.step(1e8)`, o[0], s1))
	b.tells("one-way cut", told{"leads$", fmt.Sprintf("nothing passes from S%d to S%d", o[0], s1), ""},
		told{"", fmt.Sprintf("S%d 到 S%d 不通", o[0], s1), ""})

	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'heal-all' }); vitrine.step(2e9);
		vitrine.dispatch({ cmd: 'crash', member: %d }); vitrine.step(2e8)`, s1))
	b.tells("crash", told{fmt.Sprintf("^S%d crashed: no leader yet$", s1), "", ""},
		told{fmt.Sprintf("^S%d 已崩溃：还没有领导者$", s1), "", ""})
}

func sortInts(ids []int) {
	for i := range ids {
		for j := range i {
			if ids[i] < ids[j] {
				ids[i], ids[j] = ids[j], ids[i]
			}
		}
	}
}

// Two candidates with two votes each, of which neither can win.
func TestASplitVoteIsTold(t *testing.T) {
	b, s1, o := quietWorld(t, 6)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'crash', member: %d });
		const patient = () => vitrine.state().members.some((m) => m.alive && m.elapsed < 10);
		for (let i = 0; i < 400 && patient(); i++) vitrine.step(5e6);
		for (const member of [%[2]d, %[3]d]) vitrine.dispatch({ cmd: 'campaign', member });
		const split = () => vitrine.state().members.filter((m) => m.role === 'candidate' && m.votes.length > 2).length > 1;
		for (let i = 0; i < 400 && !split(); i++) vitrine.step(5e6)`, s1, o[0], o[1]))
	// who else has run out of patience meanwhile is a candidate, too
	b.tells("split vote", told{`^S\d(, S\d)*,? and S\d ask for votes$`,
		fmt.Sprintf(`^S%d crashed · term \d+( · S\d has [12] of 3 votes needed){2,}$`, s1), ""},
		told{`^S\d(、S\d)* 和 S\d 正在拉票$`, fmt.Sprintf(`^S%d 已崩溃 · 任期 \d+( · S\d 已得 [12] 票，需要 3 票){2,}$`, s1), ""})
}

// In a minority a linearizable read waits and says for whom; a serializable one is answered, and says what it missed.
func TestReadsInAMinorityAreTold(t *testing.T) {
	b, s1, o := quietWorld(t, 7)
	rest := o[1:]
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'put', key: 'x', value: 'old', member: %d }); vitrine.step(2e9);
		vitrine.dispatch({ cmd: 'cut', from: [%[1]d, %d], to: [%d, %d, %d] });
		vitrine.dispatch({ cmd: 'get', key: 'x', member: %[1]d }); vitrine.step(3e8)`, s1, o[0], rest[0], rest[1], rest[2]))
	b.tells("stalled read", told{"",
		fmt.Sprintf("%s are cut off from the leader · it reaches no majority", list(rest, ", ", ",? and ")),
		fmt.Sprintf(`asks a majority whether S%d still leads, and one more answer of %s is missing: %[2]s are cut off`,
			s1, list(rest, ", ", ",? and "))},
		told{"", fmt.Sprintf("%s 与领导者断开 · 它联系不到多数派", list(rest, "、", " 和 ")),
			fmt.Sprintf(`正在询问多数派 S%d 是否仍是领导者，还缺 %s 中 1 个答复：%[2]s 与 S%[1]d 断开。`, s1, list(rest, "、", " 和 "))})

	b.do(fmt.Sprintf(`for (let i = 0; i < 400 && ![%d, %d, %d].includes(vitrine.state().leader); i++) vitrine.step(5e7);
		vitrine.step(5e8);
		vitrine.dispatch({ cmd: 'put', key: 'x', value: 'new', member: vitrine.state().leader }); vitrine.step(1e9);
		vitrine.dispatch({ cmd: 'get', key: 'x', serializable: true, member: %d }); vitrine.step(3e8)`, rest[0], rest[1],
		rest[2], s1))
	b.tells("stale read",
		told{"leads$", "", `x = old.*Old: x=new was acknowledged at revision \d+, .* before this read began`},
		told{"", "", `x = old.*旧值：x=new 在修订版本 \d+ 已被确认`})
}

// A line of the feed leads to the request or the member that it is about, by mouse and by key; what the visitor asked
// stays until he sends it away.
func TestALineLeadsToItsThing(t *testing.T) {
	b, s1, o := quietWorld(t, 7)
	b.do(fmt.Sprintf(`vitrine.dispatch({ cmd: 'get', key: 'x', rev: 99, member: %d }); vitrine.step(1e9);
		vitrine.dispatch({ cmd: 'put', key: 'y', value: '1', member: %[1]d }); vitrine.step(1e9);
		vitrine.dispatch({ cmd: 'pause', member: %[2]d })`, s1, o[1]))
	b.until("the lines", fmt.Sprintf(`document.querySelector('#feed li').textContent.includes('S%d is paused') &&
		document.querySelector('#feed').textContent.includes("your get x at S%d: etcdserver: mvcc")`, o[1], s1))
	b.click("#feed li:first-child button")
	b.until("the member", fmt.Sprintf(`s.selected.member === %d`, o[1]))
	b.do(`const down = () => document.activeElement.dispatchEvent(
			new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
		document.getElementById('feed').focus(); down(); down()`)
	b.keys(enter)
	b.until("the request", `document.querySelector('.lane h3').textContent.startsWith('get x')`)
	b.until("two of mine", `document.querySelectorAll('#picker .mine').length === 2`)
	b.click(".lane h3 button")
	b.until("one of mine", `document.querySelectorAll('#picker .mine').length === 1`)
	b.until("the other", `document.querySelector('.lane h3').textContent.startsWith('put y 1')`)
}
