package auth

import (
	"testing"
	"time"

	"vitrine/core/trace"
)

func TestTokens(t *testing.T) {
	at := func(s int) trace.Instant { return trace.Instant(time.Duration(s) * time.Second) }
	k := NewTokens(300 * time.Second)
	k.Take(at(0), Effect{Token: "a.1", User: "alice"})
	k.Take(at(10), Effect{Token: "b.2", User: "bob"})
	for _, c := range []struct {
		now  int
		text string
		user string
	}{
		{200, "a.1", "alice"}, {310, "b.2", "bob"}, {500, "a.1", "alice"}, {611, "b.2", ""}, {800, "a.1", "alice"},
		{801, "c.3", ""},
	} {
		k.Expire(at(c.now))
		if user, ok := k.Resolve(at(c.now), c.text); user != c.user || ok != (c.user != "") {
			t.Errorf("at %d s %s is %q, %v; want %q", c.now, c.text, user, ok, c.user)
		}
	}
	k.Take(at(900), Effect{Token: "d.4", User: "alice"})
	k.Take(at(900), Effect{Token: "e.5", User: "eve"})
	k.Take(at(901), Effect{User: "alice"}) // another password
	if _, ok := k.Resolve(at(902), "a.1"); ok || k.Len() != 1 {
		t.Errorf("a token outlived a change of password: %d tokens", k.Len())
	}
	k.Take(at(903), Effect{Disabled: true})
	if k.Len() != 0 {
		t.Errorf("%d tokens outlived the end of authentication", k.Len())
	}
}

// TestTokensAreForgotten: a token that nobody uses any more is gone after two times its life at most.
func TestTokensAreForgotten(t *testing.T) {
	k := NewTokens(time.Second)
	now := trace.Instant(0)
	for i := range 1000 {
		now += trace.Instant(10 * time.Millisecond)
		k.Take(now, Effect{Token: string(rune('a'+i)) + ".1", User: "u"})
		k.Resolve(now, "a.1")
		k.Expire(now)
		if k.Len() > 201 || len(k.looks) > 402 {
			t.Fatalf("%d tokens, %d looks", k.Len(), len(k.looks))
		}
	}
	if _, ok := k.Resolve(now, "a.1"); !ok {
		t.Error("a token in use is gone")
	}
}

func TestTokenIndex(t *testing.T) {
	for text, want := range map[string]uint64{
		"abc.12": 13, "abc": 0, "a.b.3": 0, "a.": 0, "a.-1": 0, ".7": 8, "a.18446744073709551616": 0, "": 0,
	} {
		if index, ok := TokenIndex(text); index != want || ok != (want != 0) {
			t.Errorf("%q: %d, %v", text, index, ok)
		}
	}
}
