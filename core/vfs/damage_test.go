package vfs

import (
	"bytes"
	"testing"
)

func TestDamageIsDurableAndPrivate(t *testing.T) {
	m := NewMem()
	f, err := m.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Repeat([]byte("0123456789abcdef"), 100)
	if _, err := f.WriteAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir(""); err != nil {
		t.Fatal(err)
	}
	before := m.Clone()
	if err := m.Damage("a", 510, 4, func(p []byte) { copy(p, "????") }); err != nil {
		t.Fatal(err)
	}
	if err := m.Damage("b", 0, 1, func([]byte) {}); err == nil {
		t.Error("a file that does not exist was damaged")
	}
	want := bytes.Clone(whole)
	copy(want[510:], "????")
	read := func(m *Mem) []byte {
		f, err := m.Open("a")
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, len(whole))
		if _, err := f.ReadAt(p, 0); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if !bytes.Equal(read(m), want) || !bytes.Equal(read(m.LoseUnsynced()), want) {
		t.Error("the damage is not what was asked for, or does not last")
	}
	if !bytes.Equal(read(before), whole) {
		t.Error("a clone was damaged too")
	}
	// What is written afterwards, next to it, is still lost by a power failure.
	if _, err := f.WriteAt([]byte("!"), 520); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(m.LoseUnsynced()), want) {
		t.Error("an unsynced write beside the damage survived")
	}
}
