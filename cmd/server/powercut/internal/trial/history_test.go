package trial

import (
	"strings"
	"testing"
)

// told is a history of three writes: a put, a transaction and a delete, acknowledged as asked.
func told(t *testing.T, acked ...int) (*history, [][]event) {
	t.Helper()
	h := newHistory()
	var events [][]event
	for _, build := range []func(string) [][]event{
		func(token string) [][]event { return [][]event{{put("a", token+"|x")}} },
		func(token string) [][]event {
			return [][]event{{put("b", token+"t|x"), put("c", token+"t|x")}, {put("b", token+"e|y"), {key: "c", remove: true}}}
		},
		func(string) [][]event { return [][]event{{{key: "a", remove: true}}} },
	} {
		op := h.begin(build)
		events = append(events, op.branches[0])
	}
	for _, i := range acked {
		h.ack(h.ops[i], int64(2+i), true)
	}
	return h, events
}

// see has a member tell revisions from 2 on.
func see(t *testing.T, h *history, revs ...[]event) int64 {
	t.Helper()
	for i, events := range revs {
		if err := h.observe(int64(2+i), events, "m"); err != nil {
			t.Fatal(err)
		}
	}
	return int64(1 + len(revs))
}

func TestARightHistoryIsRight(t *testing.T) {
	for _, acked := range [][]int{{0, 1, 2}, {1}, {}} { // what was not acknowledged may be there
		h, e := told(t, acked...)
		lost, wrong := h.settle(see(t, h, e...), "m")
		if len(lost)+len(wrong) > 0 {
			t.Errorf("acknowledged %v: %v %v", acked, lost, wrong)
		}
		have := map[string]pair{"b": {put("b", "1t|x"), 3, 3, 1}, "c": {put("c", "1t|x"), 3, 3, 1}}
		if d := h.differs(have); d != "" {
			t.Error(d)
		}
	}
	h, _ := told(t) // or nothing is
	if lost, wrong := h.settle(1, "m"); len(lost)+len(wrong) > 0 {
		t.Errorf("%v %v", lost, wrong)
	}
}

func TestWrongHistoriesAreFoundOut(t *testing.T) {
	type revs = [][]event
	for name, test := range map[string]struct {
		acked []int
		see   func(e revs) revs
		want  string
	}{
		"the last write is lost":      {[]int{0, 1, 2}, func(e revs) revs { return e[:2] }, "acknowledged at 4"},
		"all is lost":                 {[]int{0}, func(e revs) revs { return nil }, "acknowledged at 2"},
		"another write is there":      {[]int{0}, func(e revs) revs { return e[1:2] }, "acknowledged at revision 2"},
		"half a transaction":          {nil, func(e revs) revs { return revs{e[0], e[1][:1]} }, "nobody has"},
		"a write at two revisions":    {nil, func(e revs) revs { return revs{e[0], e[0]} }, "nobody has"},
		"a write that nobody sent":    {nil, func(e revs) revs { return revs{{put("a", "9|x")}} }, "nobody has"},
		"a value that is torn":        {nil, func(e revs) revs { return revs{{put("a", "0|")}} }, "nobody has"},
		"a delete of what is not":     {nil, func(e revs) revs { return revs{e[2]} }, "nobody has"},
		"a revision that is empty":    {nil, func(e revs) revs { return revs{e[0], nil, e[1]} }, "revision 3 is []"},
		"order turned round":          {[]int{0, 1}, func(e revs) revs { return revs{e[1], e[0]} }, "at revision 2"},
		"acknowledged, but elsewhere": {[]int{1}, func(e revs) revs { return revs{e[0], e[2], e[1]} }, "at revision 3"},
	} {
		h, e := told(t, test.acked...)
		lost, wrong := h.settle(see(t, h, test.see(e)...), "m")
		if all := strings.Join(append(lost, wrong...), "; "); !strings.Contains(all, test.want) {
			t.Errorf("%s: found %q, want %q", name, all, test.want)
		}
	}
}

func TestWhatWasSeenMustStay(t *testing.T) {
	h, e := told(t)
	see(t, h, e[0], e[1])
	if err := h.observe(2, e[1], "m2"); err == nil {
		t.Error("a revision has two contents and nobody minds")
	}
	if lost, _ := h.settle(2, "m2"); len(lost) == 0 {
		t.Error("a watcher was told of revision 3, the member has lost it, and nobody minds")
	}
}

func TestStatesAreCompared(t *testing.T) {
	h, e := told(t)
	h.settle(see(t, h, e[0], e[1]), "m")
	right := func() map[string]pair {
		return map[string]pair{
			"a": {put("a", "0|x"), 2, 2, 1}, "b": {put("b", "1t|x"), 3, 3, 1}, "c": {put("c", "1t|x"), 3, 3, 1},
		}
	}
	if d := h.differs(right()); d != "" {
		t.Error(d)
	}
	for name, spoil := range map[string]func(map[string]pair){
		"a key is missing": func(m map[string]pair) { delete(m, "a") },
		"a key too many":   func(m map[string]pair) { m["d"] = pair{} },
		"a wrong version":  func(m map[string]pair) { p := m["b"]; p.version++; m["b"] = p },
		"a wrong revision": func(m map[string]pair) { p := m["b"]; p.mod++; m["b"] = p },
		"a wrong value":    func(m map[string]pair) { p := m["b"]; p.sum++; m["b"] = p },
	} {
		m := right()
		if spoil(m); h.differs(m) == "" {
			t.Errorf("%s, and nobody minds", name)
		}
	}
}
