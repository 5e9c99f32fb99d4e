package mvcc

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

// TestTranscripts runs testdata/transcripts. Commands:
//
//	put KEY VALUE [lease=N] [prev] [ignore_value] [ignore_lease]
//	del KEY [END] [prev]
//	range KEY [END] [rev=N] [limit=N] [order=ascend] [by=mod] [keys] [count]
//	      [min_mod=N] [max_mod=N] [min_create=N] [max_create=N]
//	txn [skip]     lines: if TARGET KEY [END] OP VALUE, then COMMAND, else
//	               COMMAND; a nested txn is indented below "then txn"
//	compact REV, step LIMIT, hash [REV], scan FROM TO [bytes=N] [prev]
//	commit, crash, index, bucket
//
// END is * for "all keys from here on". A pair prints as
// key=value@create/mod/version, with +lease.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		p := &player{fixture: newFixture(t)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			p.t = t
			p.s.leases = seven{}
			return p.play(d)
		})
	})
}

// seven is the one lease that exists.
type seven struct{}

func (seven) Exists(id int64) bool { return id == 7 }
func (seven) Attach([]byte, int64) {}

type player struct{ *fixture }

func (p *player) play(d *datadriven.TestData) string {
	line := d.Cmd
	for _, a := range d.CmdArgs {
		line += " " + a.String()
	}
	words := strings.Fields(line)
	switch d.Cmd {
	case "put", "del":
		return p.write(func(w *Writer) (any, error) { return w.one(parseOp(words)) })
	case "txn":
		r, _ := parseTxn(strings.Split(strings.TrimRight(d.Input, "\n"), "\n"), 0)
		return p.write(func(w *Writer) (any, error) { return w.Txn(r, d.HasArg("skip")) })
	case "range":
		return showResult(p.s.Range(parseOp(words).GetRequestRange()))
	case "compact":
		p.reset()
		err := p.s.Compact(number(words[1]), p.batch)
		p.b.Write(p.batch)
		return fmt.Sprintf("error: %v\n", err)
	case "step":
		p.batch.Reset(backend.Applied{})
		done := p.s.CompactStep(p.batch, int(number(words[1])))
		p.b.Write(p.batch)
		return fmt.Sprintf("%d ops, done: %v\n", p.batch.Len(), done)
	case "hash":
		sum, from, current, err := p.s.HashKV(number(append(words, "0")[1]))
		return fmt.Sprintf("%08x from %d at %d, error: %v\n", sum, from, current, err)
	case "scan":
		return p.scan(words)
	case "commit":
		return fmt.Sprintf("error: %v\n", p.b.Flush())
	case "crash":
		p.crash()
		return fmt.Sprintf("index %d, revision %d, compacted %d, compacting %v, keys %d\n",
			p.b.Applied().Index, p.s.Revision(), p.s.CompactRevision(), p.s.Compacting(), p.s.Keys())
	case "index":
		return p.dumpIndex()
	case "bucket":
		return p.dumpBucket()
	}
	p.t.Fatalf("no such command: %s", d.Cmd)
	return ""
}

// one applies a single operation outside a transaction.
func (w *Writer) one(op *pb.RequestOp) (any, error) {
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestPut:
		return w.Put(r.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return w.DeleteRange(r.RequestDeleteRange)
	}
	panic("not a write")
}

// write prints the answer and the change that watchers get.
func (p *player) write(fn func(w *Writer) (any, error)) string {
	out := ""
	c := p.entry(func(w *Writer) { out = showResult(fn(w)) })
	if c == nil {
		return out + "no change\n"
	}
	return out + showChange(*c)
}

func (p *player) scan(words []string) string {
	bytes, prev := 0, false
	for _, w := range words[3:] {
		if n, ok := strings.CutPrefix(w, "bytes="); ok {
			bytes = int(number(n))
		}
		prev = prev || w == "prev"
	}
	changes, next, err := p.s.Scan(number(words[1]), number(words[2]), bytes, prev)
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	out := ""
	for _, c := range changes {
		out += showChange(c)
	}
	return out + fmt.Sprintf("next %d\n", next)
}

func (p *player) dumpIndex() (out string) {
	p.s.index.ascend(nil, nil, func(i item) bool {
		out += i.key + ":"
		for _, g := range generations(i.ki) {
			out += fmt.Sprintf(" created %d version %d %v;", g.created, g.version, g.revs)
		}
		out += "\n"
		return true
	})
	return out
}

func (p *player) dumpBucket() (out string) {
	p.b.Range(backend.Key, nil, nil, 0, func(k, v []byte) bool {
		rev, dead, err := ParseRevision(k)
		if err != nil {
			p.t.Fatal(err)
		}
		kv := &pb.KeyValue{}
		if err := kv.UnmarshalVT(v); err != nil {
			p.t.Fatal(err)
		}
		out += fmt.Sprintf("%d.%d tombstone %v: %s\n", rev.Main, rev.Sub, dead, showPair(kv))
		return true
	})
	return out
}

func showPair(kv *pb.KeyValue) string {
	if kv == nil {
		return "nil"
	}
	s := fmt.Sprintf("%s=%s@%d/%d/%d", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version)
	if kv.Lease != 0 {
		s += fmt.Sprintf("+%d", kv.Lease)
	}
	return s
}

func showChange(c Change) string {
	out := fmt.Sprintf("change %d:", c.Rev)
	for _, e := range c.Events {
		out += fmt.Sprintf(" %s %s", e.Type, showPair(e.Kv))
		if e.HasPrev {
			out += " was " + showPair(e.Prev)
		}
		out += ";"
	}
	return out + "\n"
}

func showResult(resp any, err error) string {
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	return show(resp, "")
}

func show(resp any, indent string) string {
	out := indent
	switch r := resp.(type) {
	case *pb.RangeResponse:
		out += fmt.Sprintf("range at %d: count %d more %v", r.Header.Revision, r.Count, r.More)
		for _, kv := range r.Kvs {
			out += " " + showPair(kv)
		}
	case *pb.PutResponse:
		out += fmt.Sprintf("put at %d", r.Header.Revision)
		if r.PrevKv != nil {
			out += ", was " + showPair(r.PrevKv)
		}
	case *pb.DeleteRangeResponse:
		out += fmt.Sprintf("deleted %d at %d", r.Deleted, r.Header.Revision)
		for _, kv := range r.PrevKvs {
			out += " " + showPair(kv)
		}
	case *pb.TxnResponse:
		out += fmt.Sprintf("txn at %d succeeded %v", r.Header.Revision, r.Succeeded)
		for _, op := range r.Responses {
			inner := any(op.GetResponseRange())
			switch op := op.Response.(type) {
			case *pb.ResponseOp_ResponsePut:
				inner = op.ResponsePut
			case *pb.ResponseOp_ResponseDeleteRange:
				inner = op.ResponseDeleteRange
			case *pb.ResponseOp_ResponseTxn:
				inner = op.ResponseTxn
			}
			out += "\n" + strings.TrimRight(show(inner, indent+"  "), "\n")
		}
	}
	return out + "\n"
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// options splits words into plain ones and name=value ones; a flag has the
// value "".
func options(words []string, flags ...string) (plain []string, named map[string]string) {
	named = map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		for _, f := range flags {
			ok = ok || w == f
		}
		if ok {
			named[name] = value
		} else {
			plain = append(plain, w)
		}
	}
	return plain, named
}

func endOf(words []string, at int) []byte {
	switch {
	case at >= len(words):
		return nil
	case words[at] == "*":
		return []byte{0}
	}
	return []byte(words[at])
}

func parseOp(words []string) *pb.RequestOp {
	plain, named := options(words[1:], "prev", "ignore_value", "ignore_lease", "keys", "count")
	has := func(name string) bool { _, ok := named[name]; return ok }
	n := func(name string) int64 {
		if !has(name) {
			return 0
		}
		return number(named[name])
	}
	switch words[0] {
	case "put":
		r := &pb.PutRequest{Key: []byte(plain[0]), Lease: n("lease"), PrevKv: has("prev"),
			IgnoreValue: has("ignore_value"), IgnoreLease: has("ignore_lease")}
		if len(plain) > 1 {
			r.Value = []byte(plain[1])
		}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	case "del":
		r := &pb.DeleteRangeRequest{Key: []byte(plain[0]), RangeEnd: endOf(plain, 1), PrevKv: has("prev")}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
	case "range":
		r := &pb.RangeRequest{Key: []byte(plain[0]), RangeEnd: endOf(plain, 1), Revision: n("rev"), Limit: n("limit"),
			SortOrder:      pb.RangeRequest_SortOrder(pb.RangeRequest_SortOrder_value[strings.ToUpper(named["order"])]),
			SortTarget:     pb.RangeRequest_SortTarget(pb.RangeRequest_SortTarget_value[strings.ToUpper(named["by"])]),
			MinModRevision: n("min_mod"), MaxModRevision: n("max_mod"),
			MinCreateRevision: n("min_create"), MaxCreateRevision: n("max_create"),
			KeysOnly: has("keys"), CountOnly: has("count")}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	}
	panic("no such operation: " + words[0])
}

// parseTxn reads the lines at this indentation and returns the rest.
func parseTxn(lines []string, indent int) (*pb.TxnRequest, []string) {
	r := &pb.TxnRequest{}
	for len(lines) > 0 && len(lines[0])-len(strings.TrimLeft(lines[0], " ")) == indent && lines[0] != "" {
		words := strings.Fields(lines[0])
		lines = lines[1:]
		if words[0] == "if" {
			r.Compare = append(r.Compare, parseCompare(words[1:]))
			continue
		}
		var op *pb.RequestOp
		if words[1] == "txn" {
			var nested *pb.TxnRequest
			nested, lines = parseTxn(lines, indent+2)
			op = &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: nested}}
		} else {
			op = parseOp(words[1:])
		}
		if words[0] == "then" {
			r.Success = append(r.Success, op)
		} else {
			r.Failure = append(r.Failure, op)
		}
	}
	return r, lines
}

func parseCompare(words []string) *pb.Compare {
	c := &pb.Compare{Key: []byte(words[1])}
	if len(words) == 5 {
		c.RangeEnd = endOf(words, 2)
	}
	op, value := words[len(words)-2], words[len(words)-1]
	c.Result = map[string]pb.Compare_CompareResult{
		"=": pb.Compare_EQUAL, "!=": pb.Compare_NOT_EQUAL, ">": pb.Compare_GREATER, "<": pb.Compare_LESS}[op]
	switch words[0] {
	case "version":
		c.Target, c.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: number(value)}
	case "create":
		c.Target, c.TargetUnion = pb.Compare_CREATE, &pb.Compare_CreateRevision{CreateRevision: number(value)}
	case "mod":
		c.Target, c.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: number(value)}
	case "value":
		c.Target, c.TargetUnion = pb.Compare_VALUE, &pb.Compare_Value{Value: []byte(value)}
	case "lease":
		c.Target, c.TargetUnion = pb.Compare_LEASE, &pb.Compare_Lease{Lease: number(value)}
	default:
		panic("no such target: " + words[0])
	}
	return c
}
