package node

import (
	"testing"

	"vitrine/core/member"
)

func TestInboxIsBounded(t *testing.T) {
	b := newInbox(3, 100)
	message := func(bytes int) bool {
		return b.offer(item{in: member.Input{Kind: member.Receive}, bytes: bytes})
	}
	for range 2 {
		if !message(99) {
			t.Error("refused below the bound")
		}
	}
	if message(1) {
		t.Error("the bound in bytes does not hold")
	}
	if !message(0) || message(0) {
		t.Error("the bound in number does not hold")
	}
	for range 10 {
		if !b.put(member.Input{Kind: member.LogDone}) {
			t.Fatal("a report of a lane was refused")
		}
	}
	if got := len(b.take(nil)); got != 13 {
		t.Errorf("%d items", got)
	}
	if !message(99) {
		t.Error("no room after all was taken")
	}
	b.close()
	if message(0) || b.put(member.Input{}) {
		t.Error("a closed inbox takes more")
	}
	if got := b.take(nil); len(got) != 1 {
		t.Errorf("%d items are left", len(got))
	}
	if b.take(nil) != nil {
		t.Error("a closed inbox has no end")
	}
}
