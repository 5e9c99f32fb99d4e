package inspect_test

import (
	"reflect"
	"strings"
	"testing"

	"vitrine/core/inspect"
)

// A number is always told, also 0: who writes it into a sentence needs no second opinion of what is absent.
func TestNumbersAreAlwaysTold(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			field := of.Field(i)
			walk(field.Type)
			if number := field.Type.Kind() >= reflect.Int && field.Type.Kind() <= reflect.Float64; number &&
				strings.Contains(field.Tag.Get("json"), "omit") {
				t.Errorf("%v.%s is left out when it is 0", of, field.Name)
			}
		}
	}
	for _, answer := range []any{inspect.Keys{}, inspect.Log{}, inspect.Layers{}, inspect.Promises{}, inspect.People{},
		inspect.Message{}} {
		walk(reflect.TypeOf(answer))
	}
	if len(seen) < 15 {
		t.Errorf("only %d types are looked at", len(seen))
	}
}
