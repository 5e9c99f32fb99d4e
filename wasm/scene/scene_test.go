package scene

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"vitrine/core/picture"
)

// testAtlas has metrics like a real one, so that texts have widths.
func testAtlas(scale float64) *Atlas {
	a := &Atlas{Scale: scale}
	put := func(s *Sprite, w, h float64) {
		*s = Sprite{X: 1, Y: 1, W: float32(w * scale), H: float32(h * scale), Advance: float32(w * scale)}
	}
	for i := range a.Fonts {
		for j := range a.Fonts[i].Glyphs {
			put(&a.Fonts[i].Glyphs[j], FontSpecs[i].Size*0.6, FontSpecs[i].Size)
		}
	}
	for i := range a.Words {
		put(&a.Words[i], 48, 12)
	}
	for i := range a.Sprites {
		put(&a.Sprites[i], 20, 16)
	}
	return a
}

// crowd is a cluster of n members in term 2 with a log and messages.
func crowd(n, messages int) *picture.State {
	s := &picture.State{Now: 1e9, Leader: 1, Term: 2, Commit: 8, LogFirst: 1, LogLast: 12}
	types := []string{"MsgApp", "MsgAppResp", "MsgHeartbeat", "MsgHeartbeatResp", "MsgVote", "MsgPreVote", "MsgVoteResp",
		"MsgProp", "MsgSnap", "MsgReadIndex", "MsgTimeoutNow", "MsgTransferLeader", "MsgOther"}
	for i := range n {
		m := picture.Member{ID: uint64(i + 1), Name: "s" + strconv.Itoa(i+1), Role: picture.RoleFollower, Alive: true,
			Process: picture.Running, Term: 2, Commit: 8, Applied: 7, Timeout: 10, ElectionAt: 1.5e9, Disk: "syncing",
			DiskSince: 0, DiskUntil: 2e9}
		if i == 0 {
			m.Role = picture.RoleLeader
		}
		for j := uint64(1); j <= 12; j++ {
			m.Log = append(m.Log, picture.Entry{Index: j, Term: 1 + j/6, Text: "x=1", Written: j < 12, Synced: j < 11,
				Committed: j < 9, Applied: j < 8})
		}
		s.Members = append(s.Members, m)
	}
	for i := range messages {
		s.Messages = append(s.Messages, picture.Message{ID: uint64(i), From: uint64(i%n + 1), To: uint64((i+1)%n + 1),
			Type: types[i%len(types)], Term: 2, Entries: i % 5, Sent: 0.9e9, Arrives: 1.2e9, Reject: i%2 == 0})
	}
	for i := range 4 {
		s.Clients = append(s.Clients, picture.Client{ID: i})
		s.Requests = append(s.Requests, picture.Request{ID: uint64(i + 1), Client: i, Op: "put", Text: "put x 1",
			Member: uint64(i%n + 1), Status: picture.StatusPending, Issued: 0.999e9})
	}
	return s
}

func drawn(t testing.TB, w, h float64, s *picture.State, theme Theme) (*Scene, *Batch) {
	t.Helper()
	sc := New(theme)
	sc.Atlas = testAtlas(2)
	sc.Resize(w, h, ids(len(s.Members)), len(s.Clients), bare(w), 0)
	return sc, sc.Draw(&View{State: s, Now: float64(s.Now), Tick: 1e8, Client: 8e6, Selected: 2})
}

func ids(n int) (all []uint64) {
	for i := range n {
		all = append(all, uint64(i+1))
	}
	return all
}

// bare is how the document decides: small screens get sheets.
func bare(w float64) bool { return w < 700 }

var sizes = [][2]float64{{786, 784}, {1200, 900}, {674, 670}, {390, 440}, {494, 292}, {390, 419}, {360, 330},
	{844, 260}}

// Nothing may stand on anything else, on any screen and for any number of members.
func TestLayoutKeepsThingsApart(t *testing.T) {
	for _, size := range append(sizes, [2]float64{1906, 1324}, [2]float64{768, 537}, [2]float64{688, 604}) {
		for n := 1; n <= 9; n++ {
			l := Arrange(size[0], size[1], ids(n), 4, bare(size[0]), 0)
			for i, a := range l.Members {
				if a.X-l.Radius < 0 || a.X+l.Radius > l.W || a.Y-l.Radius < 0 || a.Y+l.Radius > l.Stage.H {
					t.Errorf("%v: member %d of %d at %v leaves the stage of %.0f", size, i+1, n, a, l.Stage.H)
				}
				caption := l.captionOf(i)
				if caption.Y+caption.H > l.Stage.H {
					t.Errorf("%v: the caption of member %d of %d leaves the stage", size, i+1, n)
				}
				for j, b := range l.Members[:i] {
					if d := a.sub(b).len(); d < 2*l.Radius+10 {
						t.Errorf("%v: members %d and %d of %d are %.0f apart with radius %.0f", size, i+1, j+1, n, d, l.Radius)
					}
					if caption.near(b) < l.Radius+6 || l.captionOf(j).near(a) < l.Radius+6 || caption.meets(l.captionOf(j)) {
						t.Errorf("%v: members %d and %d of %d cover each other's captions", size, i+1, j+1, n)
					}
				}
				for c := range 4 {
					if r := l.Clients[c]; r.near(a) < l.Radius || r.meets(caption) {
						t.Errorf("%v: member %d of %d or its caption stands on client %d", size, i+1, n, c)
					}
				}
			}
			if l.Matrix.H > 0 && (l.Cells.Rect.Y < l.Matrix.Y || l.Cells.Rect.Y+l.Cells.Rect.H > l.H) {
				t.Errorf("%v: the log leaves its area: %+v in %+v", size, l.Cells.Rect, l.Matrix)
			}
		}
	}
}

func TestHitFindsMembersLinksAndClients(t *testing.T) {
	for _, size := range sizes[:6] {
		for _, n := range []int{3, 5} {
			l := Arrange(size[0], size[1], ids(n), 4, bare(size[0]), 0)
			for id := uint64(1); id <= uint64(n); id++ {
				if got := l.Hit(l.Member(id), false); got != (Target{TargetMember, id, 0}) {
					t.Errorf("%v: at member %d: %+v", size, id, got)
				}
				for other := id + 1; other <= uint64(n); other++ {
					r, ok := l.RectOf("link/" + strconv.Itoa(int(id)) + "-" + strconv.Itoa(int(other)))
					if !ok {
						t.Fatalf("no rectangle of link %d-%d", id, other)
					}
					if got := l.Hit(r.Center(), false); got != (Target{TargetLink, id, other}) {
						t.Errorf("%v: at the handle of link %d-%d of %d: %+v", size, id, other, n, got)
					}
				}
			}
			if got := l.Hit(l.Clients[2].Center(), false); got != (Target{TargetClient, 2, 0}) {
				t.Errorf("%v: at client 2: %+v", size, got)
			}
		}
	}
	l := Arrange(786, 784, ids(5), 4, false, 0)
	for _, id := range []string{"member/0", "member/6", "link/1-1", "link/1-9", "link/1", "client/9", "moon", ""} {
		if r, ok := l.RectOf(id); ok {
			t.Errorf("%q has the rectangle %+v", id, r)
		}
	}
	near := l.Member(1)
	near.Y -= l.Radius + 9
	if l.Hit(near, false).Kind == TargetMember || l.Hit(near, true).Kind != TargetMember {
		t.Error("a finger reaches no further than a mouse")
	}
}

// A pointer finds what was drawn, where RectOf says it is.
func TestOverFindsMessagesAndEntries(t *testing.T) {
	s := crowd(5, 3)
	for i, at := range []int64{0.95e9, 1.0e9, 1.05e9} {
		s.Messages[i].Sent, s.Messages[i].Arrives, s.Messages[i].Lost = at-0.2e9, at+0.2e9, ""
		s.Messages[i].ID = uint64(i + 7)
	}
	sc, _ := drawn(t, 786, 784, s, Dark)
	sc.Draw(&View{State: s, Now: float64(s.Now), Tick: 1e8, Client: 8e6, Reduced: true}) // the log does not glide
	for id := uint64(7); id < 10; id++ {
		r, ok := sc.RectOf(fmt.Sprint("message/", id))
		if !ok {
			t.Fatalf("message %d is nowhere", id)
		}
		if got := sc.Over(r.Center(), false); got != (Target{TargetMessage, id, 0}) {
			t.Errorf("at message %d: %+v", id, got)
		}
	}
	for _, cell := range [][2]uint64{{1, 4}, {5, 12}} {
		r, ok := sc.RectOf(fmt.Sprintf("entry/%d-%d", cell[0], cell[1]))
		if !ok {
			t.Fatalf("entry %v is nowhere", cell)
		}
		if got := sc.Over(r.Center(), false); got != (Target{TargetCell, cell[0], cell[1]}) {
			t.Errorf("at entry %v: %+v", cell, got)
		}
	}
	for _, id := range []string{"message/99", "message/x", "entry/1-99", "entry/9-1", "entry/0-1", "entry/1"} {
		if r, ok := sc.RectOf(id); ok {
			t.Errorf("%q has the rectangle %+v", id, r)
		}
	}
	label := Point{20, sc.Layout.Cells.Rect.Y + sc.Layout.Cells.DY*2.4}
	if got := sc.Over(label, false); got != (Target{TargetMember, 3, 0}) {
		t.Errorf("at the name of the third log: %+v", got)
	}
}

// A request goes to its member and through no other.
func TestRoutesPassBesideMembers(t *testing.T) {
	for _, size := range sizes[:6] {
		for _, n := range []int{3, 5} {
			l := Arrange(size[0], size[1], ids(n), 4, bare(size[0]), 0)
			for client := range 4 {
				for id := uint64(1); id <= uint64(n); id++ {
					r := &l.Routes[client][id-1]
					if d := r.at(1).sub(l.Member(id)).len(); d > l.Radius+routeEnd+1 {
						t.Errorf("%v: the route of client %d ends %.0f before member %d", size, client, d, id)
					}
					for f := 0.0; f <= 1; f += 0.02 {
						for other := uint64(1); other <= uint64(n); other++ {
							if d := r.at(f).sub(l.Member(other)).len(); d < l.Radius {
								t.Fatalf("%v: the route of client %d to member %d passes through member %d of %d", size, client, id, other, n)
							}
						}
					}
				}
			}
		}
	}
}

func TestAStrokeCutsWhatItCrosses(t *testing.T) {
	l := Arrange(786, 784, ids(5), 4, false, 0)
	// A line between member 1 and the others: it crosses the four links of 1.
	y := l.Member(1).Y + l.Radius + 10
	got := l.Crossed(nil, []Point{{0, y}, {l.W, y}})
	if len(got) != 4 {
		t.Fatalf("a line below member 1 crosses %v, want its four links", got)
	}
	for _, link := range got {
		if link[0] != 1 { // above a line to the right is left of it
			t.Errorf("it crosses %v", link)
		}
	}
	for _, link := range l.Crossed(nil, []Point{{l.W, y}, {0, y}}) {
		if link[1] != 1 {
			t.Errorf("drawn the other way it crosses %v", link)
		}
	}
	if got := l.Crossed(nil, []Point{{0, 5}, {l.W, 5}}); len(got) != 0 {
		t.Errorf("a line above everything crosses %v", got)
	}
}

func TestContrast(t *testing.T) {
	if got := Contrast(Hex(0), Hex(0xffffff)); math.Abs(got-21) > 0.01 {
		t.Fatalf("black on white has contrast %.2f", got)
	}
	for name, theme := range map[string]Theme{"dark": Dark, "light": Light} {
		words := map[string]Color{"text": theme.Text, "muted": theme.Muted, "faint": theme.Faint, "accent": theme.Accent,
			"good": theme.Good, "fault": theme.Fault, "broken": theme.Broken}
		for i, c := range theme.Terms {
			words["term "+strconv.Itoa(i+1)] = c
		}
		for word, c := range words {
			for ground, g := range map[string]Color{"ground": theme.Ground, "raised": theme.Raised} {
				if got := Contrast(c, g); got < 4.5 {
					t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", name, word, ground, got)
				}
			}
		}
		for i, c := range theme.Terms {
			// A committed cell: text on its tint; a member: its term on its tint.
			if got := Contrast(theme.Text, theme.Ground.Mix(c, theme.Tint*1.7)); got < 4.5 {
				t.Errorf("%s: text on a committed entry of term %d has contrast %.2f", name, i+1, got)
			}
			if got := Contrast(c, theme.Ground.Mix(c, theme.Tint)); got < 4.5 {
				t.Errorf("%s: the term %d in its member has contrast %.2f", name, i+1, got)
			}
		}
		for i := range theme.Terms {
			for j := range i {
				a, b := theme.Terms[i], theme.Terms[j]
				if d := math.Abs(float64(a.R-b.R)) + math.Abs(float64(a.G-b.G)) + math.Abs(float64(a.B-b.B)); d < 0.35 {
					t.Errorf("%s: the terms %d and %d look alike (%.2f)", name, i+1, j+1, d)
				}
			}
		}
	}
}

func TestTermsGoRoundInSixHues(t *testing.T) {
	for term := uint64(1); term < 20; term++ {
		if Dark.Term(term) != Dark.Term(term+6) || Dark.Term(term) == Dark.Term(term+1) {
			t.Errorf("the hue of term %d", term)
		}
	}
}

// Every number on the screen is finite and every index has its vertex, in all
// the states a member can be in.
func TestDrawingIsSound(t *testing.T) {
	for _, size := range sizes {
		for _, n := range []int{1, 3, 5, 9} {
			s := crowd(n, 60)
			states := []string{picture.Running, picture.Paused, picture.Crashed, picture.Killed, picture.Stopped,
				picture.Starting}
			roles := []string{picture.RoleLeader, picture.RoleFollower, picture.RoleCandidate, picture.RolePreCandidate}
			for i := range s.Members {
				m := &s.Members[i]
				m.Process, m.Role = states[i%len(states)], roles[i%len(roles)]
				m.Alive = m.Process == picture.Running || m.Process == picture.Paused
				m.Votes = []picture.Vote{{ID: 1, Granted: true}, {ID: 2}}
			}
			for i := range s.Messages {
				s.Messages[i].Lost = []string{"", "loss", "cut", "down"}[i%4]
			}
			if n > 1 {
				s.Links = []picture.Link{{From: 1, To: 2, Cut: true}, {From: 2, To: 1, Cut: true},
					{From: 1, To: uint64(n), Cut: true}}
			}
			_, b := drawn(t, size[0], size[1], s, Light)
			check(t, b)
		}
	}
}

func check(t *testing.T, b *Batch) {
	t.Helper()
	for _, c := range b.Calls {
		for _, v := range c.Vertices {
			for _, f := range []float32{v.DstX, v.DstY, v.SrcX, v.SrcY, v.R, v.G, v.B, v.A} {
				if f64 := float64(f); math.IsNaN(f64) || math.IsInf(f64, 0) {
					t.Fatalf("a vertex is not finite: %+v", v)
				}
			}
			if v.A < 0 || v.A > 1.0001 || v.R > v.A+0.0001 || v.G > v.A+0.0001 || v.B > v.A+0.0001 {
				t.Fatalf("a color is not premultiplied: %+v", v)
			}
		}
		if len(c.Indices)%3 != 0 || len(c.Indices) > batchIndices || len(c.Vertices) > batchVertices {
			t.Fatalf("a call of %d indices and %d vertices", len(c.Indices), len(c.Vertices))
		}
		for _, i := range c.Indices {
			if int(i) >= len(c.Vertices) {
				t.Fatalf("index %d of %d vertices", i, len(c.Vertices))
			}
		}
	}
}

func TestManyMessagesNeedMoreCallsNotLargerOnes(t *testing.T) {
	s := crowd(9, 6000)
	_, b := drawn(t, 1200, 900, s, Dark)
	check(t, b)
	if len(b.Calls) < 2 || len(b.Calls[1].Vertices) == 0 {
		t.Errorf("6000 messages fit in %d calls", len(b.Calls))
	}
}

func TestAFrameAllocatesNothing(t *testing.T) {
	s := crowd(5, 200)
	sc, _ := drawn(t, 786, 784, s, Dark)
	v := &View{State: s, Now: 1e9, Tick: 1e8, Client: 8e6, Heat: Heat{}, Stroke: []Point{{0, 300}, {700, 310}}}
	sc.Draw(v)
	if got := testing.AllocsPerRun(20, func() { sc.Draw(v) }); got > 0 {
		t.Errorf("a frame allocates %.0f times", got)
	}
}

// A cut shows: the link has another color than a working one.
func TestACutShows(t *testing.T) {
	s := crowd(3, 0)
	fault := func() (n int) {
		_, b := drawn(t, 786, 784, s, Dark)
		for _, c := range b.Calls {
			for _, v := range c.Vertices {
				if v.A > 0.5 && math.Abs(float64(v.R/v.A-Dark.Fault.R)) < 0.01 && math.Abs(float64(v.G/v.A-Dark.Fault.G)) < 0.01 {
					n++
				}
			}
		}
		return n
	}
	if n := fault(); n != 0 {
		t.Errorf("%d vertices in the color of faults in a healthy cluster", n)
	}
	s.Links = []picture.Link{{From: 1, To: 2, Cut: true}}
	if fault() == 0 {
		t.Error("a cut link looks like any other")
	}
}

func TestMessagesMoveFromSenderToReceiver(t *testing.T) {
	l := Arrange(786, 784, ids(5), 4, false, 0)
	a, b := l.lane(1, 3, laneOffset)
	c, d := l.lane(3, 1, laneOffset)
	if a.sub(l.Member(1)).len() > l.Radius+20 || b.sub(l.Member(3)).len() > l.Radius+20 {
		t.Errorf("the lane 1-3 runs from %v to %v", a, b)
	}
	if mid := lerp(a, b, 0.5).sub(lerp(d, c, 0.5)).len(); mid < 1.9*laneOffset {
		t.Errorf("the two directions of a link are %.1f apart", mid)
	}
}

func BenchmarkDraw(b *testing.B) {
	s := crowd(5, 200)
	sc, _ := drawn(b, 786, 784, s, Dark)
	v := &View{State: s, Now: 1e9, Tick: 1e8, Client: 8e6, Heat: Heat{}}
	b.ReportAllocs()
	for b.Loop() {
		sc.Draw(v)
	}
	n := 0
	for _, c := range sc.batch.Calls {
		n += len(c.Vertices)
	}
	b.ReportMetric(float64(n), "vertices")
}

// The document and the stage are one picture: the style sheet has the same
// colors.
func TestStyleSheetHasTheSameColors(t *testing.T) {
	css, err := os.ReadFile("../../web/style.css")
	if err != nil {
		t.Fatal(err)
	}
	dark, light, found := strings.Cut(string(css), `[data-theme="light"]`)
	if !found {
		t.Fatal("the style sheet has no light theme")
	}
	for name, part := range map[string]struct {
		css   string
		theme Theme
	}{"dark": {dark, Dark}, "light": {light, Light}} {
		th := part.theme
		want := map[string]Color{"ground": th.Ground, "raised": th.Raised, "line": th.Line, "strong": th.Strong,
			"text": th.Text, "muted": th.Muted, "faint": th.Faint, "accent": th.Accent, "good": th.Good, "fault": th.Fault,
			"broken": th.Broken}
		for i, c := range th.Terms {
			want["t"+strconv.Itoa(i+1)] = c
		}
		for key, c := range want {
			hex := fmt.Sprintf("--%s: #%02x%02x%02x;", key, int(c.R*255+0.5), int(c.G*255+0.5), int(c.B*255+0.5))
			if !strings.Contains(part.css, hex) {
				t.Errorf("%s: the style sheet lacks %q", name, hex)
			}
		}
	}
}

// A text is cut by what fits, between characters, and says that it is cut.
func TestFitCutsByWhatFits(t *testing.T) {
	a := testAtlas(2)
	one := a.Width(FontTiny, "x")
	for _, c := range []struct {
		text  string
		width float64
		head  string
		cut   bool
	}{
		{"v1343", 5 * one, "v1343", false},
		{"v1343", 4.9 * one, "v13", true},
		{"v1343", one, "", true},
		{"v1343", 0.9 * one, "", false},
		{"", 0, "", false},
		{"键=值值值", 4 * one, "键=值", true},
		{"\xff\xfe", one, "", true},
	} {
		head, cut, w := a.Fit(FontTiny, c.text, c.width+1e-6)
		drawn := a.Width(FontTiny, head)
		if cut {
			drawn += a.Width(FontTiny, "…")
		}
		if head != c.head || cut != c.cut || math.Abs(w-drawn) > 1e-3 {
			t.Errorf("Fit(%q, %.1f) = %q, %v, %.1f; want %q, %v, %.1f", c.text, c.width, head, cut, w, c.head, c.cut, drawn)
		}
	}
}

// To cut a text is to look at what fits, and no further: a frame has room for a
// megabyte.
func TestFitReadsOnlyWhatFits(t *testing.T) {
	a := testAtlas(2)
	var long strings.Builder
	for r := rune(0x4e00); r < 0x4e00+1000; r++ {
		long.WriteRune(r)
	}
	a.Fit(FontTiny, long.String(), 10*a.Width(FontTiny, "x"))
	if got, _ := a.Wanted(); len(got) > 12 {
		t.Errorf("looked at %d characters to show ten", len(got))
	}
}

// What the atlas lacks is asked for once, and bounded.
func TestAtlasAsksForCharacters(t *testing.T) {
	a := testAtlas(1)
	a.Width(FontTiny, "aé键\n\u200b键")
	if got, lacks := a.Wanted(); string(got) != "é键" || !lacks {
		t.Errorf("wanted %q, %v", string(got), lacks)
	}
	for r := rune(0x4e00); r < 0x4e00+2*maxRunes; r++ {
		a.Width(FontTiny, string(r))
	}
	if got, _ := a.Wanted(); len(got) != maxRunes {
		t.Errorf("%d characters wanted, the bound is %d", len(got), maxRunes)
	}
}

// What is written below members keeps apart whatever they do, also while all of them
// ask for votes, and when indexes are long.
func TestCaptionsKeepApart(t *testing.T) {
	for _, size := range append(sizes, [2]float64{674, 598}, [2]float64{390, 415}, [2]float64{768, 537},
		[2]float64{902, 544}, [2]float64{1064, 724}) {
		for n := 2; n <= 9; n++ {
			for _, role := range []string{picture.RoleFollower, picture.RoleCandidate, "crashed"} {
				s := crowd(n, 0)
				for i := range s.Members {
					m := &s.Members[i]
					m.Commit, m.Applied, m.Role = 12345, 12345, role
					if role == "crashed" {
						m.Role, m.Process, m.Alive = picture.RoleFollower, picture.Crashed, false
					}
					for j := range n {
						m.Votes = append(m.Votes, picture.Vote{ID: uint64(j + 1), Granted: true})
					}
				}
				sc, _ := drawn(t, size[0], size[1], s, Dark)
				for i, a := range sc.Written() {
					for _, b := range sc.Written()[:i] {
						if a.Member != b.Member && a.Rect.meets(b.Rect) {
							t.Errorf("%v, %d of %s: captions of %d and %d meet: %v %v", size, n, role, a.Member, b.Member, a.Rect, b.Rect)
						}
					}
					for j, at := range sc.Layout.Members {
						if sc.Layout.IDs[j] != a.Member && a.Rect.near(at) < sc.Layout.Radius {
							t.Errorf("%v, %d of %s: the caption of %d lies on %d", size, n, role, a.Member, sc.Layout.IDs[j])
						}
					}
				}
			}
		}
	}
}

// When a member comes, those that are there glide to their new places, from where they were; the one that comes does so
// from the middle; and at the end all stand where Arrange wants them. With reduced motion they are there at once.
func TestARingRearrangesGently(t *testing.T) {
	const w, h = 786, 784
	sc, _ := drawn(t, w, h, crowd(5, 0), Dark)
	before := sc.Layout.Member(3)
	s := crowd(6, 0)
	view := func(wall float64, reduced bool) *View {
		return &View{State: s, Now: 1e9, Wall: wall, Tick: 1e8, Client: 8e6, Reduced: reduced}
	}
	sc.Rearrange(w, h, ids(6), 4, false, 0)
	aim := Arrange(w, h, ids(6), 4, false, 0)
	check(t, sc.Draw(view(10, false)))
	if p := sc.Layout.Member(3); p.sub(before).len() > 0.01 || !sc.Gliding() {
		t.Errorf("it leaps from %v to %v", before, p)
	}
	if d := sc.Layout.Member(6).sub(sc.Layout.Stage.Center()).len(); d > 120 {
		t.Errorf("the one that comes begins %.0f from the middle", d)
	}
	last := before
	for _, wall := range []float64{10.1, 10.2, 10.3} {
		check(t, sc.Draw(view(wall, false)))
		p := sc.Layout.Member(3)
		if p == last || p.sub(aim.Member(3)).len() >= last.sub(aim.Member(3)).len() {
			t.Errorf("at %v it has not come nearer: %v, %v", wall, last, p)
		}
		last = p
		if r := sc.Layout.Routes[1][2]; math.Abs(r.to.sub(p).len()-sc.Layout.Radius-routeEnd) > sc.Layout.Radius {
			t.Errorf("a route ends at %v, its member is at %v", r.to, p)
		}
	}
	sc.Draw(view(10.41, false))
	if sc.Gliding() || sc.Layout.Member(3) != aim.Member(3) || sc.Layout.Routes[1][2] != aim.Routes[1][2] ||
		sc.Layout.Radius != aim.Radius {
		t.Errorf("at the end it is at %v, not %v", sc.Layout.Member(3), aim.Member(3))
	}
	sc.Rearrange(w, h, ids(5), 4, false, 0)
	s = crowd(5, 0)
	sc.Draw(view(20, true))
	if sc.Gliding() || sc.Layout.Member(3).sub(before).len() > 0.01 {
		t.Errorf("with reduced motion it is at %v", sc.Layout.Member(3))
	}
}

// A learner has the shape of a square, on the ring and in the log, whoever tells that it is one.
func TestALearnerIsASquare(t *testing.T) {
	corner := func(standing string, learner, alive bool) bool {
		s := crowd(3, 0)
		m := &s.Members[2]
		m.Standing, m.Learner, m.Alive = standing, learner, alive
		sc, _ := drawn(t, 786, 784, s, Dark)
		at, far := sc.Layout.Member(3), 0.0
		for _, p := range sc.place(m, at) {
			far = max(far, p.sub(at).len())
		}
		return far > sc.Layout.Radius+3
	}
	for _, x := range []struct {
		standing       string
		learner, alive bool
		want           bool
	}{
		{picture.StandingLearner, false, true, true}, {picture.StandingLearner, false, false, true},
		{"", true, true, true}, {picture.StandingVoter, true, true, false}, {"", false, true, false},
	} {
		if got := corner(x.standing, x.learner, x.alive); got != x.want {
			t.Errorf("%+v: a square is %v", x, got)
		}
	}
}

// A candidate that has votes has words below it where others have, too: a number takes the place of dots.
func TestACandidateIsNamedWhereRoomIsScarce(t *testing.T) {
	s := crowd(5, 0)
	m := &s.Members[1]
	m.Role, m.Votes = picture.RoleCandidate, []picture.Vote{{ID: 2, Granted: true}, {ID: 3, Granted: true}}
	sc, _ := drawn(t, 390, 415, s, Dark)
	for _, c := range sc.Written() {
		if c.Member == 2 {
			return
		}
	}
	t.Errorf("nothing is written below a candidate, caption style %d", sc.Layout.Caption)
}
