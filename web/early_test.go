//go:build browser

package web_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

// firstText is how long a visitor looks at nothing, from the navigation to the first words.
const firstText = time.Second

// busy tells whether more wants to run on this machine than has room.
func busy() bool {
	var load float64
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	fmt.Sscan(strings.Fields(string(data))[0], &load)
	return load > 1.5*float64(runtime.NumCPU())
}

// Words come within a second, long before the program does, and tell in the visitor's language what is going on; the
// controls that need a world wait for it.
func TestWordsComeBeforeTheProgram(t *testing.T) {
	l := labOf(t)
	call(t, l.tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	t.Cleanup(func() {
		call(t, l.tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: false})
	})
	best := patience
	for _, s := range []screen{desk, {w: 390, h: 844, touch: true, light: true, lang: "zh"}, desk} {
		late := make(gate)
		l.late.Store(&late)
		b := visit(t, s, "seed=7&members=3")
		words := map[string]string{"en": "The cluster is starting", "zh": "集群正在启动"}[s.lang]
		if !b.holds(fmt.Sprintf(`document.getElementById('title-text').textContent === %q && document.documentElement.dataset
			.state === 'loading' && performance.getEntriesByName('first-contentful-paint').length`, words)) {
			t.Errorf("%s: before the program the page says %q", s.lang,
				eval[string](b, `document.getElementById('title-text').textContent`))
		}
		took := time.Duration(eval[float64](b,
			`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 6e4`) * 1e6)
		best = min(best, took)
		if !eval[bool](b, `document.querySelector('.left').inert && !document.querySelector('canvas')`) {
			t.Errorf("%s: before the program there are controls that do nothing", s.lang)
		}
		b.shot("early-" + s.lang)
		l.late.Store(nil)
		close(late)
		b.ready()
	}
	t.Logf("the first words after %.2f s; the bar is %v", best.Seconds(), firstText)
	switch {
	case best <= firstText:
	case busy():
		leftOut(t, "this machine is busy with something else")
	default:
		t.Errorf("the first words come after %.2f s", best.Seconds())
	}
}
