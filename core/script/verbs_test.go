package script

import (
	"testing"
)

func TestWhatBelongsTogether(t *testing.T) {
	command := func(line string) *Timed {
		c, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		return &Timed{Command: c}
	}
	for _, x := range []struct {
		earlier, later string
		want           bool
	}{
		{"crash member=1", "restart member=1", true}, {"crash member=1", "restart member=2", false},
		{"pause member=1", "resume member=1", true}, {"cut from=1 to=2", "heal from=1 to=2", true},
		{"cut from=1 to=2 oneway", "heal from=1 to=2", false}, {"put key=a", "restart member=1", false},
	} {
		if got := command(x.later).Undoes(&command(x.earlier).Command); got != x.want {
			t.Errorf("%s undoes %s: %v", x.later, x.earlier, got)
		}
	}
	txn := command("txn if=[mod x = 3] then=[put key=x value=1; get key=y] else=[get key=x]")
	for _, c := range append(txn.Simpler(), command("get key=a end=b rev=4 limit=2").Simpler()...) {
		if _, _, err := c.Body(0); err != nil {
			t.Errorf("%s is simpler, but %v", &c, err)
		}
	}
	if small := *command("cut from=1,4 to=2,5"); !small.Fit(3) || len(small.From) != 1 || len(small.To) != 1 {
		t.Errorf("for three members: %v", small.Command)
	}
	if gone := *command("crash member=4"); gone.Fit(3) {
		t.Error("a member that is not there crashes")
	}
}

// TestStrikesGetPlainer: what may stand in for a strike is valid, and plainer in
// each step, down to a crash that nothing stands in for.
func TestStrikesGetPlainer(t *testing.T) {
	weight := func(c *Command) int64 {
		if c.Cmd == Crash {
			return 0
		}
		return 1 + 10*c.Rev + 1000*int64(c.Torn) + 1e6*int64(StepFillsUp-StrikeNamed(c.Value))
	}
	for _, line := range []string{
		"strike member=1 name=log-sync value=power rev=7 torn=40", "strike member=2 name=release value=kill rev=1",
		"strike member=1 name=log-append value=full torn=30", "strike member=3 name=log-sync value=error rev=3",
	} {
		c, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for list := c.Simpler(); len(list) > 0; list = c.Simpler() {
			for i := range list {
				s := &list[i]
				s.Member = c.Member
				if weight(s) >= weight(&c) {
					t.Errorf("%s is not plainer than %s", s, &c)
				}
				if err := s.Check(); err != nil {
					t.Errorf("%s, for %s: %v", s, &c, err)
				}
			}
			c = list[len(list)-1] // the least plain one
			steps++
		}
		if steps == 0 || steps > 20 {
			t.Errorf("%s gets plainer in %d steps", line, steps)
		}
	}
}

// TestVerbsAreComplete: each row is found by its name and says what it reads, and
// requests stand at their numbers.
func TestVerbsAreComplete(t *testing.T) {
	ops := map[Op]bool{}
	for _, v := range Verbs() {
		if got, err := verbNamed(v.Name); err != nil || got.Name != v.Name {
			t.Errorf("%s is not found: %v", v.Name, err)
		}
		if v.Reads == "" {
			t.Errorf("%s does not say what it reads", v.Name)
		}
		if v.undo != "" && verbs[v.undo] == nil {
			t.Errorf("%s is undone by %q, which is no verb", v.Name, v.undo)
		}
		if (v.Op != 0) != (v.request != nil) || v.Op != 0 && (v.Op.String() != v.Name || ops[v.Op]) {
			t.Errorf("%s: request %d is %q", v.Name, v.Op, v.Op)
		}
		ops[v.Op] = true
	}
	if want := int(Ops); len(ops) != want { // 0 among them
		t.Errorf("%d requests, want %d", len(ops)-1, want-1)
	}
}

// TestMessages: a field without a place is named, and so is a value of the wrong kind.
func TestMessages(t *testing.T) {
	for text, want := range map[string]string{
		`{"cmd":"crash","membr":1}`:    `command: there is no field "membr"`,
		`{"cmd":"crash","member":"x"}`: "command: member is string, and should be a whole number that is not negative",
		`{"cmd":"put","value":[1]}`:    "command: value is neither text nor a number",
		`{"cmd":7}`:                    "command: cmd is number, and should be a text",
		`{"member":7}`:                 "command: cmd is missing",
	} {
		if _, err := ParseJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	m, err := Decode([]byte(`{"cmd":"pause","member":0,"on":true}`))
	if err != nil || m.Has("member") || !m.Has("on") || m.Has("off") {
		t.Errorf("%+v, %v", m, err)
	}
}
