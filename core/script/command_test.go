package script

import (
	"encoding/json"
	"reflect"
	"testing"
)

var sampleCommands = []struct {
	text string
	cmd  Command
}{
	{`crash member=1`, Command{Cmd: "crash", Member: 1}},
	{`crash member=2 torn=50 keep`, Command{Cmd: "crash", Member: 2, Keep: true, Torn: 50}},
	{`cut from=1 to=2,3 oneway`, Command{Cmd: "cut", From: []uint64{1}, To: []uint64{2, 3}, OneWay: true}},
	{`heal-all`, Command{Cmd: "heal-all"}},
	{`put member=2 key=x value=1`, Command{Cmd: "put", Key: "x", Value: "1", Member: 2}},
	{`put key="a b" value="\"=;\n"`, Command{Cmd: "put", Key: "a b", Value: "\"=;\n"}},
	{`get key=a end="\x00" rev=7 limit=3 order=descend serializable countOnly`, Command{
		Cmd: "get", Key: "a", End: "\x00", Rev: 7, Limit: 3, Order: "descend", Serializable: true, CountOnly: true,
	}},
	{`txn if=[value x = 1; mod "a b" > 3] then=[put key=x value=2; txn then=[delete key=y]] else=[get key=x]`, Command{
		Cmd:  "txn",
		If:   []Compare{{"value", "x", "", "=", "1"}, {"mod", "a b", "", ">", "3"}},
		Then: []Command{{Cmd: "put", Key: "x", Value: "2"}, {Cmd: "txn", Then: []Command{{Cmd: "delete", Key: "y"}}}},
		Else: []Command{{Cmd: "get", Key: "x"}},
	}},
	{`txn if=[value x != ""]`, Command{Cmd: "txn", If: []Compare{{"value", "x", "", "!=", ""}}}},
	{`txn if=[version a to "\x00" > 0; mod to to to < 9]`, Command{
		Cmd: "txn", If: []Compare{{"version", "a", "\x00", ">", "0"}, {"mod", "to", "to", "<", "9"}},
	}},
	{`get key=a end=c minMod=2 maxMod=9 minCreate=1 maxCreate=8`, Command{
		Cmd: "get", Key: "a", End: "c", MinMod: 2, MaxMod: 9, MinCreate: 1, MaxCreate: 8,
	}},
	{`put key=a prevKV ignoreValue`, Command{Cmd: "put", Key: "a", PrevKV: true, IgnoreValue: true}},
	{`compact rev=-5`, Command{Cmd: "compact", Rev: -5}},
	{`compact rev=7 physical`, Command{Cmd: "compact", Rev: 7, Physical: true}},
	{`set name=loss value=0.25`, Command{Cmd: "set", Name: "loss", Value: "0.25"}},
	{`watch client=2 key=a end="\x00" filter="no-put,no-delete" id=3 progress fragment leader`, Command{
		Cmd: "watch", Client: 2, Key: "a", End: "\x00", Filter: "no-put,no-delete", ID: 3, Progress: true,
		Fragment: true, Leader: true,
	}},
	{`cancel-watch client=2 id=3`, Command{Cmd: "cancel-watch", Client: 2, ID: 3}},
	{`end-stream client=2`, Command{Cmd: "end-stream", Client: 2}},
	{`alarm member=1 name=activate value=nospace id=2`, Command{
		Cmd: "alarm", Member: 1, Name: "activate", Value: "nospace", ID: 2,
	}},
	{`move-leader member=1 id=2`, Command{Cmd: "move-leader", Member: 1, ID: 2}},
	{`hash-kv rev=5`, Command{Cmd: "hash-kv", Rev: 5}},
	{`members serializable`, Command{Cmd: "members", Serializable: true}},
	{`txn if=[lease a = 0] then=[get key=a]`, Command{
		Cmd: "txn", If: []Compare{{"lease", "a", "", "=", "0"}}, Then: []Command{{Cmd: "get", Key: "a"}},
	}},
	{`login client=2 name=ann value=x`, Command{Cmd: "login", Client: 2, Name: "ann", Value: "x"}},
	{`get token=old key=a`, Command{Cmd: "get", Key: "a", Token: TokenOld}},
	{`cancel-watch request=9`, Command{Cmd: "cancel-watch", Request: 9}},
}

func TestCommandText(t *testing.T) {
	for _, c := range sampleCommands {
		if got := c.cmd.String(); got != c.text {
			t.Errorf("String() = %s, want %s", got, c.text)
		}
		got, err := Parse(c.text)
		if err != nil || !reflect.DeepEqual(got, c.cmd) {
			t.Errorf("Parse(%s) = %+v, %v", c.text, got, err)
		}
		data, err := json.Marshal(c.cmd)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseJSON(data); err != nil || !reflect.DeepEqual(got, c.cmd) {
			t.Errorf("ParseJSON(%s) = %+v, %v", data, got, err)
		}
	}
}

func TestCommandJSONTakesNumbers(t *testing.T) {
	c, err := ParseJSON([]byte(`{"cmd": "set", "name": "loss", "value": 0.1}`))
	if err != nil || c.Value != "0.1" {
		t.Errorf("got %+v, %v", c, err)
	}
	c, err = ParseJSON([]byte(`{"cmd":"cut","from":[1],"to":[2,3]}`))
	if err != nil || c.String() != "cut from=1 to=2,3" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestCommandErrors(t *testing.T) {
	for _, line := range []string{"", "explode", "crash member=x", "crash member", "put key=\"", "txn if=[value x]",
		"txn then=[put key=x", "txn then=put", "heal-all ]", "crash member=1 keep=1 2"} {
		if c, err := Parse(line); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", line, c)
		}
	}
	for _, data := range []string{``, `{}`, `{"cmd":"explode"}`, `[]`, `{"cmd":"put","value":{}}`} {
		if c, err := ParseJSON([]byte(data)); err == nil {
			t.Errorf("ParseJSON(%s) = %v, want an error", data, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range sampleCommands {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%q parses as %+v, whose text %q parses as %+v, %v", line, c, c.String(), again, err)
		}
	})
}

func TestTimedKeepsItsTimeInJSON(t *testing.T) {
	want := Timed{At: 1344000000, Command: Command{Cmd: "put", Key: "a", Value: "1"}, Fault: true}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Timed
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.At != want.At || !got.Fault || got.Command.String() != want.Command.String() {
		t.Errorf("%s became %+v", data, got)
	}
}
