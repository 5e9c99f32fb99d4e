//go:build browser

package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"vitrine/core/inspect"
	"vitrine/core/picture"
	"vitrine/core/story"
	"vitrine/wasm/player"
)

// The page puts into words whatever the core can tell it, also of things of which next to nothing is known: frames,
// answers and lines in which every field that may be absent is absent, and every number 0.
func TestWordsForWhatIsNotTold(t *testing.T) {
	b := world(t, 7, 3, 1)
	b.lab.usable = false // what is shown at the end is no world
	given := map[string]any{
		"frame": bare[player.Frame](), "whole": whole[player.Frame](), "message": bare[picture.Message](),
		"entry": bare[picture.Entry](), "line": bare[story.Line](),
		"inspect": map[string]any{"kv": bare[inspect.Keys](), "wal": bare[inspect.Log](), "store": bare[inspect.Layers](),
			"leases": bare[inspect.Promises](), "users": bare[inspect.People](), "message": bare[inspect.Message](),
			"raft": bare[player.Terms](), "why": map[string]any{"lines": []any{bare[story.Line]()}, "lost": true}},
	}
	data, err := json.Marshal(given)
	must(t, err)
	source, err := os.ReadFile("testdata/bare.js")
	must(t, err)
	eval[bool](b, string(source))
	for _, lang := range []string{"en", "zh"} {
		for _, what := range eval[[]string](b, fmt.Sprintf("bare.read(%s, %q)", data, lang)) {
			t.Errorf("%s: %s", lang, what)
		}
	}
}

// bare is the value of a type of which nothing is told: each list has one such thing, whatever may be absent is.
func bare[T any]() T { return filled[T](false) }

// whole is bare, but what may be absent is there, and bare.
func whole[T any]() T { return filled[T](true) }

func filled[T any](pointers bool) (value T) {
	fill(reflect.ValueOf(&value).Elem(), pointers)
	return value
}

func fill(v reflect.Value, pointers bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), pointers)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), pointers)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), pointers)
		}
	case reflect.Pointer:
		if pointers {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), pointers)
		}
	}
}
