package assets

import (
	"fmt"
	"testing"
)

func ExampleCatalogue_Text() {
	words, err := Load("en")
	if err != nil {
		panic(err)
	}
	fmt.Println(words.Text("feed.vote", map[string]any{"member": "S2", "peer": "S1", "term": 3}))
	// Output: S2 votes for S1 in term 3
}

func TestFill(t *testing.T) {
	for _, x := range []struct {
		text   string
		values map[string]any
		want   string
	}{
		{"nothing", nil, "nothing"},
		{"{a} and {b}", map[string]any{"a": 1, "b": "x"}, "1 and x"},
		{"{n, plural, =0 {none} one {# of {a}} other {# of {a}s}}!", map[string]any{"n": 0, "a": "log"}, "none!"},
		{"{n, plural, =0 {none} one {# of {a}} other {# of {a}s}}!", map[string]any{"n": 1, "a": "log"}, "1 of log!"},
		{"{n, plural, =0 {none} one {# of {a}} other {# of {a}s}}!", map[string]any{"n": 5, "a": "log"}, "5 of logs!"},
		{"{n, plural, =0 {} other {, by {a}}}", map[string]any{"n": 0, "a": "x"}, ""},
		{"{unknown} {open", map[string]any{}, "{unknown} {open"},
	} {
		if got := fill(x.text, x.values); got != x.want {
			t.Errorf("fill(%q, %v) = %q, want %q", x.text, x.values, got, x.want)
		}
	}
}

func TestLanguagesSayTheSameThings(t *testing.T) {
	en, err := Load("en")
	if err != nil {
		t.Fatal(err)
	}
	zh, err := Load("zh")
	if err != nil {
		t.Fatal(err)
	}
	for key := range en.texts {
		if !zh.Has(key) {
			t.Errorf("%s has no Chinese", key)
		}
	}
	for key := range zh.texts {
		if !en.Has(key) {
			t.Errorf("%s has no English", key)
		}
	}
	if _, err := Load("xx"); err == nil {
		t.Error("a language that nobody wrote")
	}
	if got := zh.List([]string{"S1", "S2", "S3"}); got != "S1、S2 和 S3" {
		t.Errorf("a list in Chinese: %s", got)
	}
}
