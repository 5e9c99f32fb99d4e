package trial

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"vitrine/powercut/internal/mount"
)

// aim is a kind of moment at which the power goes.
type aim struct {
	name   string
	weight int  // how often, among the others
	calls  int  // the cut comes at one of the first so many calls that match
	onBoot bool // counted from the start of the process, not from the start of the load
	behind bool // the member comes back to a leader that has thrown away what it lacks; takes three members
	ask    request
	match  func(mount.Op) bool
}

// request is what the harness asks of the member while it is under load.
type request int

const (
	nothing request = iota
	defragment
	compact
)

// aims is the table of moments. Both servers lay their directories out alike:
//
//	member/wal/*.wal            the log; *.tmp are its segments in the making
//	member/snap/db              the database; db.tmp* its defragmented copy
//	member/snap/tmp*, *.snap.db a received database
func aims() []aim {
	return []aim{
		{name: "any call", weight: 3, calls: 600, match: func(mount.Op) bool { return true }},
		{name: "log write", weight: 2, calls: 150, match: func(o mount.Op) bool { return isWrite(o) && isSegment(o) }},
		{name: "log sync", weight: 2, calls: 150, match: func(o mount.Op) bool { return isSync(o) && isSegment(o) }},
		{name: "log turn", weight: 3, calls: 40, match: isTurn},
		{name: "database write", weight: 2, calls: 60, match: func(o mount.Op) bool { return isWrite(o) && isDatabase(o) }},
		{name: "database sync", weight: 2, calls: 20, match: func(o mount.Op) bool { return isSync(o) && isDatabase(o) }},
		{name: "defragment", weight: 3, calls: 20, ask: defragment, match: isCopy},
		{name: "compaction", weight: 2, calls: 12, ask: compact, match: isDatabase},
		{name: "boot", weight: 3, calls: 25, onBoot: true, match: func(mount.Op) bool { return true }},
		{name: "snapshot install", weight: 4, calls: 10, onBoot: true, behind: true, match: isImage},
	}
}

func isWrite(o mount.Op) bool    { return o.Kind == mount.Write }
func isSync(o mount.Op) bool     { return o.Kind == mount.Sync || o.Kind == mount.DataSync }
func isSegment(o mount.Op) bool  { return path.Ext(o.Path) == ".wal" }
func isDatabase(o mount.Op) bool { return path.Base(o.Path) == "db" }

func isTurn(o mount.Op) bool {
	switch o.Kind {
	case mount.Create, mount.Remove, mount.Rename, mount.Truncate, mount.Allocate, mount.SyncDir:
		return slices.Contains(strings.Split(o.Path, "/"), "wal")
	}
	return path.Ext(o.Path) == ".tmp"
}

func isCopy(o mount.Op) bool {
	return strings.HasPrefix(path.Base(o.Path), "db.tmp") || o.Kind == mount.SyncDir && path.Base(o.Path) == "snap"
}

func isImage(o mount.Op) bool {
	base := path.Base(o.Path)
	return strings.HasPrefix(base, "tmp") || strings.HasSuffix(base, ".snap.db") ||
		o.Kind == mount.SyncDir && base == "snap"
}

// plan is one cut, drawn.
type plan struct {
	aim     aim
	count   int   // of calls that match
	after   bool  // the call has had its effect
	victims []int // whose power goes; the first one's calls are counted
	kill    bool  // only the process dies; the power goes later
	pause   time.Duration
}

// draw makes a plan for a cluster of so many members.
func draw(r *rand.Rand, members int) plan {
	table := slices.DeleteFunc(aims(), func(a aim) bool { return a.behind && members < 3 })
	total := 0
	for _, a := range table {
		total += a.weight
	}
	p := plan{}
	at := r.IntN(total)
	for _, a := range table {
		if at -= a.weight; at < 0 {
			p.aim = a
			break
		}
	}
	p.count = 1 + r.IntN(p.aim.calls)
	p.kill = r.IntN(5) == 0 && !p.aim.onBoot
	p.after = r.IntN(2) == 0
	p.pause = time.Duration(20+r.IntN(180)) * time.Millisecond
	p.victims = r.Perm(members)[:1+[]int{0, 0, 1, 2}[r.IntN(4)]%members]
	if p.aim.behind {
		p.victims = p.victims[:1] // the others go on
	}
	return p
}
