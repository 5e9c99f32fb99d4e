package watch

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitrine/core/pb"
	"vitrine/core/trace"

	"github.com/cockroachdb/datadriven"
)

// TestTranscripts runs the protocols written in testdata. The commands are
//
//	hub [pushes=] [fragment=] [recent=] [scan-revisions=] [progress=]   a new world
//	open|close stream
//	create stream [key] [end=|from] [rev=] [id=] [prev] [fragment] [progress] [noput] [nodelete]
//	cancel stream id / ask-progress stream / tick duration
//	put key=value... / del key...     one revision, published unless `quietly`; `with-prev` looks previous pairs up
//	publish / compact rev / snapshot
//	drain [keep]                      what the hub pushes; credit is given back unless keep
//	sent stream n                     give credit back
//	scan / scan-fail                  run the oldest scan, or let it fail
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for _, line := range append([]string{d.Cmd + " " + argsOf(d)}, strings.Split(d.Input, "\n")...) {
				if line = strings.TrimSpace(line); line == "" || line == "run" {
					continue
				}
				if w == nil || strings.HasPrefix(line, "hub") {
					w = worldOf(line)
					continue
				}
				if err := w.command(&out, strings.Fields(line)); err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
				if err := audit(w.hub); err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
			}
			return out.String()
		})
	})
}

func argsOf(d *datadriven.TestData) string {
	var s []string
	for _, a := range d.CmdArgs {
		s = append(s, a.String())
	}
	return strings.Join(s, " ")
}

func worldOf(line string) *world {
	cfg := Config{RecentRevisions: 1}
	for _, f := range strings.Fields(line)[1:] {
		k, v, _ := strings.Cut(f, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "pushes":
			cfg.StreamPushes = n
		case "fragment":
			cfg.FragmentBytes = n
		case "response":
			cfg.ResponseBytes = n
		case "recent":
			cfg.RecentRevisions = n
		case "scan-revisions":
			cfg.ScanRevisions = int64(n)
		case "progress":
			cfg.ProgressInterval, _ = time.ParseDuration(v)
		}
	}
	return newWorld(cfg)
}

func (w *world) command(out *strings.Builder, f []string) error {
	num := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	switch f[0] {
	case "open":
		w.open(uint64(num(1)))
	case "close":
		w.closeStream(uint64(num(1)))
	case "create":
		w.create(uint64(num(1)), createRequest(f[2:]))
	case "cancel":
		w.cancel(uint64(num(1)), num(2))
	case "ask-progress":
		w.askProgress(uint64(num(1)))
	case "tick":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			return err
		}
		w.now += trace.Instant(d)
		w.hub.Tick(w.now)
	case "put", "del":
		w.writeLine(f[1:])
	case "publish":
		w.publish(len(w.history))
	case "compact":
		w.compact(num(1))
	case "snapshot":
		w.snapshot()
	case "drain":
		w.drain()
		for _, id := range w.order {
			for _, r := range w.pushes[id] {
				fmt.Fprintf(out, "stream %d: %s\n", id, describe(r))
			}
			if len(f) == 1 {
				w.sent(id, len(w.pushes[id]))
			}
		}
		for _, s := range w.scans {
			fmt.Fprintf(out, "scan [%d, %d] prev=%v\n", s.From, s.To, s.WithPrev)
		}
	case "sent":
		w.sent(uint64(num(1)), int(num(2)))
	case "scan":
		if len(w.scans) == 0 {
			return fmt.Errorf("no scan in flight")
		}
		w.hub.Scanned(w.now, w.scan(0))
	case "scan-fail":
		w.hub.Scanned(w.now, &ScanResult{ID: w.scans[0].ID, Err: fmt.Errorf("disk")})
		w.scans = w.scans[1:]
	case "wants-prev":
		fmt.Fprintf(out, "%v\n", w.hub.WantsPrev())
	case "counts":
		fmt.Fprintf(out, "%+v\n", w.hub.Counts())
	default:
		return fmt.Errorf("unknown command")
	}
	return nil
}

func (w *world) writeLine(f []string) {
	var ops []op
	withPrev, quiet := false, false
	for _, a := range f {
		switch k, v, _ := strings.Cut(a, "="); {
		case a == "with-prev":
			withPrev = true
		case a == "quietly":
			quiet = true
		case strings.HasPrefix(v, "x"): // x100: a value of 100 bytes
			n, _ := strconv.Atoi(v[1:])
			ops = append(ops, op{k, strings.Repeat("v", n)})
		default:
			ops = append(ops, op{k, v})
		}
	}
	w.write(withPrev, ops...)
	if !quiet {
		w.publish(1)
	}
}

func createRequest(f []string) *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{}
	for _, a := range f {
		k, v, has := strings.Cut(a, "=")
		n, _ := strconv.ParseInt(v, 10, 64)
		switch {
		case k == "end":
			r.RangeEnd = []byte(v)
		case a == "from":
			r.RangeEnd = []byte{0}
		case k == "rev":
			r.StartRevision = n
		case k == "id":
			r.WatchId = n
		case a == "prev":
			r.PrevKv = true
		case a == "fragment":
			r.Fragment = true
		case a == "progress":
			r.ProgressNotify = true
		case a == "noput":
			r.Filters = append(r.Filters, pb.WatchCreateRequest_NOPUT)
		case a == "nodelete":
			r.Filters = append(r.Filters, pb.WatchCreateRequest_NODELETE)
		case !has:
			r.Key = []byte(a)
		}
	}
	return r
}
