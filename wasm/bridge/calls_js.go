//go:build js

package bridge

import (
	"runtime"
	"runtime/debug"
	"slices"
	"syscall/js"

	"vitrine/core/picture"
	"vitrine/wasm/recording"
	"vitrine/wasm/scene"
)

// attach gives the document what it can call.
func (g *Game) attach() {
	export := map[string]any{}
	for name, f := range map[string]func(args []js.Value) any{
		"dispatch":   g.dispatch,
		"step":       g.step,
		"hash":       func([]js.Value) any { return g.player.Hash() },
		"state":      func([]js.Value) any { return string(g.player.StateJSON()) },
		"frame":      func([]js.Value) any { return string(g.player.Frame()) },
		"memory":     func([]js.Value) any { return string(g.player.Memory()) },
		"rectOf":     g.rectOf,
		"pointer":    g.point,
		"frameStats": g.frameStats,
		"crowd":      g.crowd,
		"save":       g.save,
		"record":     g.record,
		"messages":   func([]js.Value) any { return string(g.player.MessagesJSON()) },
		"log":        func(args []js.Value) any { return string(g.player.LogJSON(uint64(args[0].Int()))) },
		"cover":      g.cover,
		"versions":   func([]js.Value) any { return versions() },
		"inspect":    g.inspect,
		"drawn":      func([]js.Value) any { return g.drawn() },
		"nudge":      func([]js.Value) any { g.nudge(); return nil },
		"restyle":    func([]js.Value) any { g.restyle(); return nil },
	} {
		export[name] = js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) })
	}
	g.host.Call("attach", js.ValueOf(export))
}

// inspect takes (member, tab, query), the last in JSON, and answers {text} or {error}.
func (g *Game) inspect(args []js.Value) any {
	answer := map[string]any{}
	g.safely(func() {
		data, err := g.player.Inspect(uint64(args[0].Float()), args[1].String(), []byte(args[2].String()))
		if err != nil {
			answer["error"] = err.Error()
			return
		}
		answer["text"] = string(data)
	})
	return answer
}

// dispatch answers {error} or {request}.
func (g *Game) dispatch(args []js.Value) any {
	answer := map[string]any{}
	if g.broken != "" {
		answer["error"] = g.broken
	}
	g.safely(func() {
		reply, err := g.player.Dispatch([]byte(args[0].String()))
		if err != nil {
			answer["error"] = err.Error()
		}
		answer["request"], answer["missed"] = float64(reply.Request), reply.Missed
	})
	if g.player.State.Now == 0 {
		g.broken = "" // a new world
	}
	g.wake()
	return answer
}

// record plays recordings, given as a list of Uint8Array, and answers {} or {error}.
func (g *Game) record(args []js.Value) any {
	answer := map[string]any{}
	g.safely(func() {
		files := make([][]byte, args[0].Length())
		for i := range files {
			v := args[0].Index(i)
			files[i] = make([]byte, v.Length())
			js.CopyBytesToGo(files[i], v)
		}
		if err := g.player.Play(recording.Open(files)); err != nil {
			answer["error"] = err.Error()
			return
		}
		g.broken = ""
	})
	g.wake()
	return answer
}

// save takes whether a Go test is wanted, and answers {text} or {error}.
func (g *Game) save(args []js.Value) any {
	answer := map[string]any{}
	g.safely(func() {
		data, err := g.player.Save(args[0].Bool())
		if err != nil {
			answer["error"] = err.Error()
		}
		answer["text"] = string(data)
	})
	return answer
}

func (g *Game) step(args []js.Value) any {
	answer := map[string]any{}
	if args[0].Type() != js.TypeNumber {
		answer["error"] = "step: how many nanoseconds? " + args[0].String() + " is no number"
		return answer
	}
	g.safely(func() {
		if err := g.player.StepFor(args[0].Float()); err != nil {
			answer["error"] = err.Error()
		}
	})
	g.wake()
	return answer
}

// rectOf answers [x, y, width, height] on the canvas, or null.
func (g *Game) rectOf(args []js.Value) any {
	r, ok := g.scene.RectOf(args[0].String())
	if !ok {
		return nil
	}
	return []any{r.X * g.zoom, r.Y * g.zoom, r.W * g.zoom, r.H * g.zoom}
}

// drawn tells what the last frame wrote on the stage, and where, for whoever holds the picture against the state:
// {now, broken, tight, resting, captions: [{member, role, term, commit, applied, rect}], members: [[id, x, y, radius]],
// clients: [rect], leases: [rect]}, a rect being [x, y, width, height].
func (g *Game) drawn() any {
	l, z := &g.scene.Layout, g.zoom
	rect := func(r scene.Rect) any { return []any{r.X * z, r.Y * z, r.W * z, r.H * z} }
	captions, members, clients, leases := []any{}, []any{}, []any{}, []any{}
	for _, r := range g.scene.Shelves() {
		leases = append(leases, rect(r))
	}
	for _, c := range g.scene.Written() {
		captions = append(captions, map[string]any{
			"member": float64(c.Member), "role": c.Role, "term": float64(c.Term), "commit": float64(c.Commit),
			"applied": float64(c.Applied), "rect": rect(c.Rect),
		})
	}
	for i, id := range l.IDs {
		members = append(members, []any{float64(id), l.Members[i].X * z, l.Members[i].Y * z, l.Radius * z})
	}
	for _, r := range l.Clients {
		if r.W > 0 {
			clients = append(clients, rect(r))
		}
	}
	return map[string]any{
		"now": g.view.Now, "frames": g.stats.n, "broken": g.broken, "tight": g.scene.Gliding(), "resting": g.resting,
		"captions": captions, "members": members, "clients": clients, "leases": leases,
	}
}

// cover takes how many CSS pixels at the top of the stage the document needs for
// itself; 0 are those of the headline.
func (g *Game) cover(args []js.Value) any {
	if px := args[0].Float(); px != g.covered {
		g.covered, g.moved = px, true
		g.nudge()
	}
	return nil
}

func (g *Game) frameStats([]js.Value) any {
	s := &g.stats
	return map[string]any{
		"frames": s.n, "messages": len(g.view.State.Messages) + len(g.view.Extra),
		"update": s.share(s.updates[:], 0.5), "draw": s.share(s.draws[:], 0.5),
		"p50": s.share(s.frames[:], 0.5), "p95": s.share(s.frames[:], 0.95),
	}
}

// crowd draws n more messages than there are, on their way for ever: a load
// for measurements of the drawing.
func (g *Game) crowd(args []js.Value) any {
	kinds := []string{"MsgApp", "MsgAppResp", "MsgHeartbeat", "MsgVote", "MsgVoteResp", "MsgProp"}
	n, members := args[0].Int(), uint64(max(2, len(g.player.State.Members)))
	g.view.Extra = nil
	for i := range n {
		from := uint64(i)%members + 1
		to := (from+uint64(i/len(kinds))%(members-1))%members + 1
		now := int64(g.player.Shown())
		g.view.Extra = append(g.view.Extra, picture.Message{
			ID: uint64(i), From: from, To: to, Type: kinds[i%len(kinds)], Term: uint64(1 + i%6), Entries: i % 4,
			Sent: now - int64(i)*1e6, Arrives: now + int64(n)*1e7,
		})
	}
	g.stats = stats{}
	return nil
}

// versions are those of what the program is made from: {go, raft, ebiten}.
func versions() map[string]any {
	all := map[string]any{"go": runtime.Version(), "raft": "", "ebiten": ""}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "go.etcd.io/raft/v3":
			all["raft"] = m.Version
		case "github.com/hajimehoshi/ebiten/v2":
			all["ebiten"] = m.Version
		}
	}
	return all
}

// pointer is the state of the mouse or finger on the canvas.
type pointer struct {
	hover  scene.Target
	stroke []scene.Point
	down   scene.Point
	held   bool
	links  [][2]uint64
	oneway bool // the stroke cuts one direction
}

// dragStart is how far a pointer moves before it draws a cut.
const dragStart = 7

// point takes (kind, x, y, finger, oneway) and answers what was touched: {kind:
// "member", member}, {kind: "link", link: [a, b]}, {kind: "message", ...}, or what
// was cut: {kind: "cut", links}, each from the left of the stroke to its right.
func (g *Game) point(args []js.Value) any {
	p, at, finger := &g.pointer, scene.Point{X: args[1].Float() / g.zoom, Y: args[2].Float() / g.zoom}, args[3].Bool()
	p.oneway = args[4].Bool()
	defer g.nudge()
	switch args[0].String() {
	case "down":
		p.held, p.down = true, at
		p.stroke = append(p.stroke[:0], at)
	case "move":
		p.hover = scene.Target{}
		if !p.held {
			p.hover = g.scene.Over(at, finger)
			return g.target(p.hover)
		}
		if last := p.stroke[len(p.stroke)-1]; (at.X-last.X)*(at.X-last.X)+(at.Y-last.Y)*(at.Y-last.Y) > 9 {
			p.stroke = append(p.stroke, at)
		}
	case "up":
		return g.release(at, finger)
	case "leave", "cancel":
		p.held, p.hover, p.stroke = false, scene.Target{}, p.stroke[:0]
	}
	return nil
}

func (g *Game) release(at scene.Point, finger bool) any {
	p := &g.pointer
	if !p.held {
		return nil
	}
	moved := (at.X-p.down.X)*(at.X-p.down.X) + (at.Y-p.down.Y)*(at.Y-p.down.Y)
	p.held = false
	stroke := append(p.stroke, at)
	p.stroke = p.stroke[:0]
	if moved < dragStart*dragStart {
		return g.touched(at, finger)
	}
	p.links = g.scene.Layout.Crossed(p.links[:0], stroke)
	links := []any{}
	for _, l := range p.links {
		links = append(links, []any{float64(l[0]), float64(l[1])})
	}
	return map[string]any{"kind": "cut", "links": links, "oneway": p.oneway}
}

// touched is what a click means: what was drawn on top. A message that is in the way of its link is a moment later
// somewhere else.
func (g *Game) touched(at scene.Point, finger bool) any { return g.target(g.scene.Over(at, finger)) }

// nudge draws a frame even while everything stands still.
func (g *Game) nudge() {
	g.drawFor(settle / 3)
}

// target is what the document is told of a target.
func (g *Game) target(t scene.Target) any {
	switch t.Kind {
	case scene.TargetMember:
		return map[string]any{"kind": "member", "member": float64(t.A)}
	case scene.TargetLink:
		return map[string]any{"kind": "link", "link": []any{float64(t.A), float64(t.B)}}
	case scene.TargetClient:
		return map[string]any{"kind": "client", "client": float64(t.A)}
	case scene.TargetMessage:
		return g.message(t.A)
	case scene.TargetLease:
		return map[string]any{"kind": "lease", "lease": float64(t.A), "member": float64(g.view.Leases.Member)}
	case scene.TargetCell:
		return g.cell(t.A, t.B)
	}
	return map[string]any{"kind": "none"}
}

// message describes one that is on its way.
func (g *Game) message(id uint64) any {
	for i := range g.player.State.Messages {
		if m := &g.player.State.Messages[i]; m.ID == id {
			return map[string]any{
				"kind": "message", "type": m.Type, "from": float64(m.From), "to": float64(m.To), "term": float64(m.Term),
				"index":  float64(m.Index),
				"commit": float64(m.Commit), "entries": m.Entries, "reject": m.Reject, "lost": m.Lost, "sent": float64(m.Sent),
				"arrives": float64(m.Arrives), "id": float64(m.ID), "seq": float64(m.Seq), "logTerm": float64(m.LogTerm),
				"held": float64(m.Held), "size": float64(m.Size), "waited": float64(m.Waited),
			}
		}
	}
	return map[string]any{"kind": "none"}
}

// cell describes an entry of a member's log.
func (g *Game) cell(member, index uint64) any {
	for i := range g.player.State.Members {
		m := &g.player.State.Members[i]
		at := slices.IndexFunc(m.Log, func(e picture.Entry) bool { return e.Index == index })
		if m.ID == member && at >= 0 {
			e := &m.Log[at]
			return map[string]any{
				"kind": "cell", "member": float64(member), "index": float64(index), "term": float64(e.Term), "text": e.Text,
				"written": e.Written, "synced": e.Synced, "committed": e.Committed, "applied": e.Applied,
			}
		}
	}
	return map[string]any{"kind": "none"}
}
