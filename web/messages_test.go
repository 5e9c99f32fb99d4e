package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vitrine/wasm/scene"
)

func catalogue(t *testing.T, lang string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "assets", "messages", lang+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%s: %v", lang, err)
	}
	return m
}

func source(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// blanks are the names in a sentence that values fill.
var blank = regexp.MustCompile(`\{(\w+)`)

func blanks(s string) []string {
	var out []string
	for _, m := range blank.FindAllStringSubmatch(s, -1) {
		if !slices.Contains(out, m[1]) && !slices.Contains([]string{"is", "are", "one", "other"}, m[1]) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return out
}

func TestBothCataloguesSayTheSame(t *testing.T) {
	en, zh := catalogue(t, "en"), catalogue(t, "zh")
	for key, text := range en {
		other, ok := zh[key]
		if !ok {
			t.Errorf("%s is not in Chinese", key)
			continue
		}
		for _, b := range blanks(other) {
			if !slices.Contains(blanks(text), b) {
				t.Errorf("%s: the Chinese sentence has a blank {%s}, the English one has %v", key, b, blanks(text))
			}
		}
		if strings.Count(text, "{") != strings.Count(text, "}") || strings.Count(other, "{") != strings.Count(other, "}") {
			t.Errorf("%s: braces do not match", key)
		}
	}
	for key := range zh {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is not in English", key)
		}
	}
}

// Every key that the page names exists, and every key is named somewhere.
func TestKeysAndWordsMatch(t *testing.T) {
	en := catalogue(t, "en")
	html, js := source(t, "index.html"), source(t, filepath.Join("js", "*.js"))
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`data-i18n(?:-label|-title)?="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		used[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`'([a-z0-9]+\.[a-zA-Z.]+)'`).FindAllStringSubmatch(js, -1) {
		if _, ok := en[m[1]]; ok {
			used[m[1]] = true
		}
	}
	for _, m := range regexp.MustCompile(`\bt\('([^']+)'`).FindAllStringSubmatch(js, -1) {
		used[m[1]] = true
	}
	for _, name := range scene.WordNames {
		used["stage."+name] = true
	}
	for _, m := range regexp.MustCompile(`f\.add\(e, "(\w+)"\)`).FindAllStringSubmatch(source(t, "../wasm/player/feed.go"),
		-1) {
		used["feed."+m[1]] = true
	}
	for key := range used {
		if _, ok := en[key]; !ok {
			t.Errorf("the page names %s, which has no words", key)
		}
	}
	// Keys that are put together from a prefix and a value.
	built := []string{"role.", "process.", "disk.", "rule.", "legend.", "feed.", "act.", "not.", "msg.", "lost.", "key.",
		"station.", "note.", "ask.hint.", "req.", "stage.", "head.", "time.none.",
		"op.", "step.", "set.", "fail.", "why.", "lack.", "fate.",
		"denied.", "store.", "users.", "lease.", "wal.kind.", "wal.ended.", "card.", "more.", "conf.", "refused.", "numbers.",
	}
	for key := range en {
		if !used[key] && !slices.ContainsFunc(built, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("nothing on the page says %s", key)
		}
	}
}

// The page's content security policy allows nothing inline, and it may lie
// under any path.
func TestThePageIsCleanAndRelative(t *testing.T) {
	html := source(t, "index.html")
	for _, bad := range []string{` style="`, `onclick=`, `onload=`, `src="/`, `href="/`, `http://`, `https://`, `<script>`,
		`<style`} {
		if strings.Contains(html, bad) {
			t.Errorf("index.html contains %q", bad)
		}
	}
	for _, bad := range []string{"eval(", "new Function", "innerHTML", "https://", "fetch('/"} {
		if strings.Contains(source(t, filepath.Join("js", "*.js")), bad) {
			t.Errorf("a script contains %q", bad)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bid="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:byId|field|\$)\('([a-z-]+)'[,)]`).FindAllStringSubmatch(source(t,
		filepath.Join("js", "*.js")), -1) {
		if !ids[m[1]] {
			t.Errorf("a script looks for #%s, which is not there", m[1])
		}
	}
}
