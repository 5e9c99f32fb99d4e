package api

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClipCutsBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"v1343", 5, "v1343"},
		{"v1343", 4, "v134…"},
		{"键值键值", 3, "键值键…"},
		{"键值", 2, "键值"},
		{"", 3, ""},
		{"a\xffb", 3, "a\uFFFDb"},
		{"键\xe9\x94", 3, "键\uFFFD"},
	} {
		if got := Clip(c.text, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
	if got := Clip(strings.Repeat("值", 1<<20), 256); utf8.RuneCountInString(got) != 257 {
		t.Errorf("%d characters of a long text", utf8.RuneCountInString(got))
	}
}
