package vfs

import (
	"io"
	"math/rand/v2"
	"testing"
)

func hold(t *testing.T, m *Mem, name string, v any, sync bool) {
	t.Helper()
	f, err := m.OpenReadWrite(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.(Holder).Hold(v, 100); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// contents is the value of a file, or its bytes as text, "" if there is none.
func contents(t *testing.T, m *Mem, name string) any {
	t.Helper()
	f, err := m.Open(name)
	if err != nil {
		return ""
	}
	if v := f.(Holder).Held(); v != nil {
		return v
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestHeldValues follows a file through bytes, a value, another value and bytes
// again, each with and without a sync, and looks what a crash leaves.
func TestHeldValues(t *testing.T) {
	one, two := new(int), new(int)
	write := func(m *Mem, text string, sync bool) {
		f, err := m.Create("f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if sync {
			f.Sync()
		}
	}
	for _, c := range []struct {
		name  string
		do    func(m *Mem)
		least any // if the crash loses all that it may
		most  any // if it loses nothing
	}{
		{"a value over bytes, not synced", func(m *Mem) { hold(t, m, "f", one, false) }, "old", one},
		{"a value over bytes", func(m *Mem) { hold(t, m, "f", one, true) }, one, one},
		{"a second value, not synced", func(m *Mem) { hold(t, m, "f", one, true); hold(t, m, "f", two, false) }, one, two},
		{"a value over one not synced", func(m *Mem) { hold(t, m, "f", one, false); hold(t, m, "f", two, false) }, "old",
			two},
		{"bytes over a value, not synced", func(m *Mem) { hold(t, m, "f", one, true); write(m, "new", false) }, one, "new"},
		{"bytes over a value", func(m *Mem) { hold(t, m, "f", one, true); write(m, "new", true) }, "new", "new"},
	} {
		m := NewMem()
		write(m, "old", true)
		m.SyncDir(".")
		c.do(m)
		if got := contents(t, m.LoseUnsynced(), "f"); got != c.least {
			t.Errorf("%s: after the worst crash %v, want %v", c.name, got, c.least)
		}
		for what, after := range map[string]*Mem{"a clone": m.Clone(),
			"a crash that loses nothing": m.crash(rand.New(rand.NewPCG(1, 1)), 100)} {
			if got := contents(t, after, "f"); got != c.most {
				t.Errorf("%s: after %s %v, want %v", c.name, what, got, c.most)
			}
		}
		if got := contents(t, m.Clone().LoseUnsynced(), "f"); got != c.least {
			t.Errorf("%s: after a kill and the worst crash %v, want %v", c.name, got, c.least)
		}
	}
}

// TestHeldValueIsNoBytes: whoever mistakes the one for the other hears of it.
func TestHeldValueIsNoBytes(t *testing.T) {
	m := NewMem()
	if _, err := m.Create("f"); err != nil {
		t.Fatal(err)
	}
	hold(t, m, "f", new(int), true)
	f, err := WithFaults(m, func(Op) error { return nil }).OpenReadWrite("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("bytes were written into a value")
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a value was read as bytes")
	}
	if err := m.Damage("f", 0, 1, func([]byte) {}); err == nil {
		t.Error("a value was damaged as if it were bytes")
	}
	if info, err := f.Stat(); err != nil || info.Size != 100 {
		t.Errorf("the file has %d bytes, %v", info.Size, err)
	}
	if err := f.(Holder).Hold(nil, -1); err == nil {
		t.Error("a negative size was taken")
	}
}
