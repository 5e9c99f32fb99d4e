//go:build browser

package web_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	browserpkg "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Random visitors: each draws its window, language, theme and world from a seed, and
// then does forty things that a page lets a visitor do. After each of them nothing
// may have been said in the console, nothing may hang, what acts must have acted,
// words must not lie on words, and what is shown must be what is. A seed fixes what a
// visitor wants to do, not what the machine does meanwhile: its second visit is
// alike, not equal.
//
//	make visitors                           300 of them
//	make visitors VISITORS=17               the seventeenth once more
var (
	visitors    = flag.String("visitors", "1:4", "the seeds of random visitors: FROM:TO, or one")
	visitorActs = flag.Int("visitors.acts", 40, "what each of them does")
	visitorSays = flag.Bool("visitors.say", false, "print all acts, also of visitors who have found nothing")
)

func TestVisitors(t *testing.T) {
	first, last, err := seedsOf(*visitors)
	must(t, err)
	t.Parallel()
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			v := &visitor{dice: rand.New(rand.NewPCG(seed, 40)), seed: seed}
			v.visit(t)
		})
	}
}

func seedsOf(text string) (first, last uint64, err error) {
	from, to, ranged := strings.Cut(text, ":")
	if !ranged {
		to = from
	}
	if first, err = strconv.ParseUint(from, 10, 64); err != nil {
		return 0, 0, err
	}
	last, err = strconv.ParseUint(to, 10, 64)
	return first, last, err
}

// visitor is one of them.
type visitor struct {
	*browser
	dice *rand.Rand
	seed uint64
	size [2]int64
	acts []string
}

// windows are those that a visitor may have.
var windows = [][2]int64{{1440, 900}, {1280, 720}, {768, 1024}, {390, 844}, {1024, 700}}

func pick[T any](v *visitor, from []T) T { return from[v.dice.IntN(len(from))] }

// visit is all that one visitor does.
func (v *visitor) visit(t *testing.T) {
	members, theme, lang := pick(v, []int{1, 2, 3, 3, 4, 5, 5, 5, 6, 7, 8, 9}), pick(v, []string{"dark", "light"}),
		pick(v, []string{"en", "zh"})
	speed := pick(v, []float64{0.02, 0.05, 0.3, 1, 5, 100})
	v.come(t)
	v.dress(pick(v, windows))
	if !eval[bool](v.browser, fmt.Sprintf(`visitor.begin(%d, %d, %g, %q, %q)`, v.seed, members, speed, theme, lang)) {
		v.find("no frame after the beginning")
	}
	v.acts = append(v.acts, fmt.Sprintf("%v, %d members at %gx, %s, %s", v.size, members, speed, theme, lang))
	v.check()
	for range *visitorActs {
		if v.act(); t.Failed() {
			break
		}
	}
	if t.Failed() || *visitorSays {
		t.Logf("to do this again: make visitors VISITORS=%d\n%s", v.seed, strings.Join(v.acts, "\n"))
	}
	if t.Failed() {
		v.lab.visited = false
		v.shot(fmt.Sprintf("visitor-%d", v.seed))
	}
}

// come takes the page as the last visitor has left it, or loads it.
func (v *visitor) come(t *testing.T) {
	l := labOf(t)
	if !l.visited {
		v.browser = open(t, desk, "seed=7&members=3")
		source, err := os.ReadFile("testdata/visitor.js")
		must(t, err)
		eval[bool](v.browser, string(source))
		call(t, v.ctx, browserDownloads, denied)
		l.visited = true
		return
	}
	v.browser = l.hand(t)
}

var (
	browserDownloads = browserpkg.SetDownloadBehavior
	denied           = browserpkg.SetDownloadBehaviorParams{Behavior: browserpkg.SetDownloadBehaviorBehaviorDeny}
)

// dress gives the window another size. A quarter of a device pixel to a pixel of the
// page: most of the time of a machine without a graphics card goes into pixels, at
// which no random visitor looks.
func (v *visitor) dress(size [2]int64) {
	v.lab.usable = false
	v.size = size
	call(v.t, v.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size[0],
		Height: size[1], DeviceScaleFactor: 0.25})
}

// find notes a defect.
func (v *visitor) find(what string) {
	v.t.Helper()
	v.t.Errorf("visitor %d, act %d (%s): %s", v.seed, len(v.acts)-1, v.acts[len(v.acts)-1], what)
}

// check holds the page to what must always be so.
func (v *visitor) check() {
	v.t.Helper()
	begin := time.Now()
	bad, err := v.ask(`visitor.look()`)
	if err != nil {
		v.find(fmt.Sprintf("the page hangs, %v: %v", time.Since(begin), err))
		return
	}
	for _, what := range bad {
		v.find(what)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, what := range v.problems {
		v.t.Errorf("visitor %d, act %d (%s): the console: %s", v.seed, len(v.acts)-1, v.acts[len(v.acts)-1], what)
	}
	v.problems = nil
}

// ask runs JavaScript that gives a list of words.
func (v *visitor) ask(js string) ([]string, error) {
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[[]string](js, chromedp.EvalAwaitPromise))
}

// act does one thing, and looks what has come of it.
func (v *visitor) act() {
	before := eval[string](v.browser, `visitor.mark()`)
	what, must := v.draw()
	if what == "" {
		return // there was nothing of the kind
	}
	v.acts = append(v.acts, what)
	if must && !eval[bool](v.browser, fmt.Sprintf(`visitor.changed(%s, 6000)`, quoted(before))) {
		v.find("nothing has come of it: " + eval[string](v.browser, `visitor.about()`))
	}
	v.check()
}

func quoted(text string) string {
	return strconv.QuoteToASCII(text)
}

// draw chooses an act and does it. Some acts must change something.
func (v *visitor) draw() (what string, must bool) {
	switch n := v.dice.IntN(100); {
	case n < 55:
		return v.control()
	case n < 72:
		return v.stage()
	case n < 92:
		return v.press()
	case n < 95:
		v.dress(pick(v, windows))
		return fmt.Sprintf("resize to %v", v.size), false
	case n < 97:
		x, y := v.dice.Float64()*float64(v.size[0]), v.dice.Float64()*float64(v.size[1])
		call(v.t, v.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y,
			DeltaX: 0.01, DeltaY: 0.5 + float64(v.dice.IntN(1200)-600)}) // a zero would not be sent
		return fmt.Sprintf("turn the wheel at %.0f,%.0f", x, y), false
	default:
		time.Sleep(time.Duration(v.dice.IntN(400)) * time.Millisecond)
		return "wait", false
	}
}

type control struct {
	I                 int
	Name, Group, Kind string
}

type aim struct {
	X, Y, Left, Width  float64
	Share              float64 // of a slider: where it stands
	Idle, Off, Focused bool
}

// control acts on one of the controls that can be seen. Groups are drawn first: of a
// hundred lines of the feed none is better than the one button that plays.
func (v *visitor) control() (what string, must bool) {
	groups, names := map[string][]control{}, []string{}
	for _, c := range eval[[]control](v.browser, `visitor.controls()`) {
		if groups[c.Group] == nil {
			names = append(names, c.Group)
		}
		groups[c.Group] = append(groups[c.Group], c)
	}
	for range 6 {
		c := pick(v, groups[pick(v, names)])
		at := eval[*aim](v.browser, fmt.Sprintf(`visitor.aim(%d)`, c.I))
		if at != nil {
			return v.use(c, at)
		}
	}
	return "", false
}

// texts are what visitors type.
var texts = []string{"x", "k1", "键 值", "😀é", " ", "1e9", "-1", "0", "3", "a/b", "</b>", strings.Repeat("long", 30)}

func (v *visitor) use(c control, at *aim) (what string, must bool) {
	what = "click " + c.Name
	switch c.Kind {
	case "range":
		if v.dice.IntN(3) == 0 {
			v.clickAt(at.X, at.Y)
			v.type_(pick(v, []string{kb.ArrowRight, kb.ArrowLeft, kb.Home, kb.End}))
			return "click and turn " + c.Name, false
		}
		share := v.dice.Float64()
		v.clickAt(at.Left+share*at.Width, at.Y)
		return fmt.Sprintf("set %s to %.0f %%", c.Name, 100*share), !at.Off && !at.Idle && math.Abs(share-at.Share) > 0.2
	case "select":
		eval[*bool](v.browser, fmt.Sprintf(`visitor.focusOn(%d)`, c.I))
		key := pick(v, []string{kb.ArrowDown, kb.ArrowUp, kb.End, kb.Home})
		v.type_(key)
		return "choose in " + c.Name, false
	case "text", "search", "number", "textarea":
		v.clickAt(at.X, at.Y)
		text := pick(v, texts)
		eval[*bool](v.browser, `document.activeElement.select?.()`)
		call(v.t, v.ctx, input.InsertText, input.InsertTextParams{Text: text})
		if v.dice.IntN(2) == 0 {
			v.type_(kb.Enter)
			return fmt.Sprintf("type %.20q and Enter in %s", text, c.Name), true
		}
		return fmt.Sprintf("type %.20q in %s", text, c.Name), false
	case "file":
		return "", false
	}
	v.clickAt(at.X, at.Y)
	if v.dice.IntN(12) == 0 {
		v.clickAt(at.X, at.Y)
		return "click twice " + c.Name, false // the second may take the first back
	}
	return what, !at.Idle && !at.Off
}

func (v *visitor) clickAt(x, y float64, opts ...chromedp.MouseOption) {
	v.must(chromedp.Do(v.ctx, chromedp.MouseClickXY(x, y, opts...)))
}

func (v *visitor) type_(keys string) { v.must(chromedp.Do(v.ctx, chromedp.KeyEvent(keys))) }

type target struct {
	ID   string
	X, Y float64
}

// stage acts on the drawing.
func (v *visitor) stage() (what string, must bool) {
	targets := eval[[]target](v.browser, `visitor.targets()`)
	if len(targets) == 0 {
		return "", false
	}
	a, b := pick(v, targets), pick(v, targets)
	switch n := v.dice.IntN(20); {
	case n < 9:
		v.clickAt(a.X, a.Y)
		return "click " + a.ID, false
	case n < 12:
		v.clickAt(a.X, a.Y, chromedp.ButtonRight)
		return "menu of " + a.ID, false
	case n < 15:
		x, y := v.dice.Float64()*90-45, v.dice.Float64()*90-45
		modifiers := int64(v.dice.IntN(2)) * alt
		v.stroke(modifiers, a.X+x, a.Y+y, b.X+x, b.Y+y)
		return fmt.Sprintf("cut from %s to %s (Alt %d)", a.ID, b.ID, modifiers), false
	case n < 17:
		call(v.t, v.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: input.DispatchMouseEventTypeMouseMoved, X: a.X, Y: a.Y})
		return "point at " + a.ID, false
	default:
		v.touch(true, a.X, a.Y)
		if n == 19 {
			time.Sleep(600 * time.Millisecond)
		}
		v.touch(false, 0, 0)
		return fmt.Sprintf("touch %s (%d)", a.ID, n), false
	}
}

// pressed are the keys of visitors.
var pressed = []string{" ", ".", "[", "]", "1", "2", "3", "5", "9", "0", "k", "d", "r", "p", "i", "e", "m", "f",
	"s", "x", "h", "g", "a", "/", "t", "l", "v", "?", "K", escape, escape, escape, tab, tab, tab, enter,
	kb.ArrowDown, kb.ArrowUp, kb.ArrowLeft, kb.ArrowRight, kb.PageDown, kb.Home, kb.End}

// answered are the keys that must act, or say why they do not, while nothing else
// has the focus.
const answered = ".krpdiemfsxhgtlv?"

// press presses a key. Where the focus is, it may mean nothing, but not to the page.
func (v *visitor) press() (what string, must bool) {
	key := pick(v, pressed)
	free := eval[bool](v.browser, `document.activeElement === document.body && !document.querySelector('dialog[open]') &&
		document.getElementById('letters')?.checked !== false`)
	opts := []chromedp.KeyOption{}
	if key == tab && v.dice.IntN(3) == 0 {
		opts = append(opts, chromedp.KeyModifiers(chromedp.ModifierShift))
	}
	v.must(chromedp.Do(v.ctx, chromedp.KeyEvent(key, opts...)))
	return fmt.Sprintf("press %q", key), free && strings.Contains(answered, key)
}
