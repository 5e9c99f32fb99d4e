package secret

import "testing"

func TestPasswords(t *testing.T) {
	a, b := Hash("one", 7), Hash("one", 8)
	if a == b || !Right(a, "one") || !Right(b, "one") || Right(a, "two") || Right(a, "") || Right("", "") {
		t.Errorf("%s, %s", a, b)
	}
}

// TestTokens: what was signed is read back, and what was not is not.
func TestTokens(t *testing.T) {
	want := Claims{User: "ann", Revision: 7, Until: 12}
	token := Sign(want)
	if got, ok := Read(token); !ok || got != want {
		t.Errorf("%s says %+v, %v", token, got, ok)
	}
	for _, forged := range []string{"", "ann", "bob" + token[3:], token + "0", token[:len(token)-1], "a/1/2/3"} {
		if c, ok := Read(forged); ok {
			t.Errorf("%q says %+v", forged, c)
		}
	}
	if text := Text("abc", 4, func(n int) int { return n - 1 }); text != "cccc" {
		t.Error(text)
	}
}
