package web_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/story"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// both fails where a language has no words for a key.
func both(t *testing.T, key, of string) {
	t.Helper()
	for _, lang := range []string{"en", "zh"} {
		if catalogue(t, lang)[key] == "" {
			t.Errorf("%s has no words in %s: %s", of, lang, key)
		}
	}
}

// quiet are the kinds that no line tells of: the picture shows them, or their number is all that there is to them.
var quiet = []trace.Kind{
	trace.MemberStarting, trace.ClockSet, trace.ClockTicked, trace.RecordingBegan, trace.RecordingEnded, // of processes
	trace.MessageSent, trace.MessageDropped, trace.MessageDoubled, trace.LinkCut, trace.LinkHealed, // drawn
	trace.TermChanged, trace.ElectionTimer, trace.ProgressChanged, trace.ConfChanged, // drawn, in the inspector
	trace.LogCompacted, trace.SnapshotRestored, trace.SnapshotAdopted, trace.SnapshotReceived, trace.EntryRecovered,
	trace.LogMeasured,
	trace.DiskStalled, // its command is told
	trace.BackendCommitting, trace.StoreMeasured, trace.StoreHashed, trace.RevisionAdvanced, trace.KeyIndexed,
	trace.RequestArrived, trace.RequestAnswered, trace.RequestDenied, trace.Station, trace.ClientJoined, // in the lane
	trace.WatchReceived, trace.WatchAsked, trace.WatchChange, trace.WatchMoved, trace.WatchEnded, trace.WatchStreamClosed,
}

// Every kind of event is told in both languages, or stands among the quiet ones.
func TestEveryKindIsTold(t *testing.T) {
	told := tellable(t)
	for k := range 256 {
		kind := trace.Kind(k)
		switch isQuiet := slices.Contains(quiet, kind); {
		case !kind.Valid():
		case isQuiet == slices.Contains(told, goName(kind)):
			t.Errorf("%v is told: %v, and listed as quiet: %v", kind, !isQuiet, isQuiet)
		}
	}
}

// goName is the name of a kind's constant: VoteCast for "vote-cast".
func goName(kind trace.Kind) string {
	name := ""
	for _, word := range strings.Split(kind.String(), "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// tellable lists the kinds of events of which core/story has a line, by the names of their constants, and looks that
// each kind of line has its words.
func tellable(t *testing.T) (kinds []string) {
	files, err := filepath.Glob("../core/story/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	lines := []string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return n.Name.Name != "roots" && n.Name.Name != "relies" && n.Name.Name != "landmark" && n.Name.Name != "decision"
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "trace" {
					kinds = append(kinds, n.Sel.Name)
				}
			case *ast.AssignStmt:
				if n.Tok != token.ASSIGN { // a suffix
					return true
				}
				lines = append(lines, assigned(n)...)
			case *ast.CompositeLit:
				for _, e := range n.Elts {
					if text, ok := literal(e); ok {
						lines = append(lines, text)
					}
				}
			case *ast.KeyValueExpr:
				if text, ok := literal(n.Value); ok {
					lines = append(lines, text)
				}
			}
			return true
		})
	}
	for _, kind := range lines {
		if kind != "" {
			both(t, "feed."+kind, "a line of kind "+kind)
		}
	}
	if len(lines) < 40 {
		t.Errorf("only %d kinds of lines were found", len(lines))
	}
	return kinds
}

// assigned are the texts that a statement assigns to line.Kind.
func assigned(n *ast.AssignStmt) (texts []string) {
	for i, to := range n.Lhs {
		if sel, ok := to.(*ast.SelectorExpr); ok && sel.Sel.Name == "Kind" && i < len(n.Rhs) {
			if text, ok := literal(n.Rhs[i]); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// What a client can ask, what can be done to a world, what must hold, where a request stops on its way: all have
// words.
func TestEveryTableHasWords(t *testing.T) {
	for o := range api.Operation(api.Operations) {
		if o.Method() != "" {
			both(t, "op."+picture.OpName(uint64(o)), o.Method())
		}
	}
	for _, s := range script.Settings() {
		both(t, "set."+s.Name, "setting "+s.Name)
	}
	for e := range script.DiskErrors {
		both(t, "fail."+e.String(), "an error of a disk")
	}
	for _, i := range invariant.Table() {
		id := "rule.I" + strconv.Itoa(i.Number)
		both(t, id, i.Name)
		if i.Number < invariant.WatchOrdered || i.Number > invariant.WatchFilter {
			both(t, id+".hint", i.Name) // those of watches share one light
		}
	}
	for _, s := range picture.Stations() {
		if s != "client" { // the page tells there what the client does
			both(t, "station."+s, "station "+s)
		}
	}
	for _, s := range api.Stations() {
		both(t, "step."+s, "etcd's step "+s)
	}
}

// Every verb of a script is a request, tells of itself in the feed, or is told by the events that it leads to.
func TestEveryVerbIsTold(t *testing.T) {
	byEvents := []string{
		script.Crash, script.Restart, script.Pause, script.Resume, // member-crashed ...
		script.Hold, script.Release, script.Drop, // message-handled
		script.CancelWatch, script.EndStream, script.HangUp, script.Vanish, script.AskProgress, // the card of the watch
	}
	examples := map[string]string{
		script.Stall: "value=1s", script.Fail: "name=sync", script.Rot: "name=bit", script.Clock: "value=2",
		script.Strike: "name=log-sync value=error", script.Cut: "from=1 to=2", script.Heal: "from=1 to=2",
		script.Set: "name=jitter value=25.891357ms",
	}
	for _, v := range script.Verbs() {
		if v.Op != 0 || slices.Contains(byEvents, v.Name) {
			continue
		}
		e := trace.Event{Kind: trace.Command, Member: 1, Text: v.Name + " member=1 " + examples[v.Name]}
		if line, ok := story.NewTeller().Tell(&e); ok {
			both(t, "feed."+line.Kind, v.Name)
		} else {
			t.Errorf("nothing is told of %s", e.Text)
		}
	}
}

// Every message that raft sends between members, and every entry of a log, is told.
func TestMessagesAndEntriesAreTold(t *testing.T) {
	local := []raftpb.MessageType{
		raftpb.MsgHup, raftpb.MsgBeat, raftpb.MsgUnreachable, raftpb.MsgSnapStatus, raftpb.MsgCheckQuorum,
		raftpb.MsgStorageAppend, raftpb.MsgStorageAppendResp, raftpb.MsgStorageApply, raftpb.MsgStorageApplyResp,
		raftpb.MsgForgetLeader,
	}
	for n, name := range raftpb.MessageType_name {
		if !slices.Contains(local, raftpb.MessageType(n)) {
			both(t, "msg."+name, name)
		}
	}
	fields := (&pb.InternalRaftRequest{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.MessageKind || f.Name() == "header" || f.Name() == "range" ||
			f.Name() == "downgrade_version_test" { // no entry has these
			continue
		}
		r := &pb.InternalRaftRequest{}
		r.ProtoReflect().Set(f, r.ProtoReflect().NewField(f))
		data, err := r.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if words := api.EntryWords(&raftpb.Entry{Data: data}, true); words == "" || words == "?" {
			t.Errorf("an entry of %s is told as %q", f.Name(), words)
		}
	}
}
