package client

import (
	"bytes"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/sim/dice"
)

// grammar makes requests of all the forms that the API allows. Everything
// follows from one drawn number, so that an operation costs its client the same
// draws whatever it becomes.
type grammar struct {
	p    *Pool
	c    *Client
	bits uint64
}

// maxNesting is how deep transactions are nested.
const maxNesting = 3

// n is a number below the bound.
func (g *grammar) n(bound int) int {
	g.bits = dice.Mix(g.bits)
	return int(g.bits >> 20 % uint64(bound))
}

// one is true one time in so many.
func (g *grammar) one(in int) bool { return g.n(in) == 0 }

func (g *grammar) key() []byte { return g.p.load.keys[g.n(g.p.load.Keys)] }

// span is a key and the end of a range: of one key, up to another (which may lie
// before it: an empty range), a prefix, or everything from the key on.
func (g *grammar) span() (key, end []byte) {
	key = g.key()
	switch g.n(6) {
	case 0, 1:
		return key, nil
	case 2:
		return key, g.key()
	case 3:
		return key, prefixEnd(key)
	case 4:
		return key, []byte{0}
	}
	return key, g.p.load.end
}

// prefixEnd is the end of the range of all keys that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}

// past is a revision not long ago, which a compaction may have taken.
func (g *grammar) past(back int) int64 { return max(1, g.c.LastRev-int64(g.n(back))) }

// read is a range with every option that there is, each of them now and then.
func (g *grammar) read() *pb.RangeRequest {
	r := &pb.RangeRequest{}
	r.Key, r.RangeEnd = g.span()
	r.Limit = int64(g.n(4))
	r.SortOrder = pb.RangeRequest_SortOrder(g.n(3))
	r.SortTarget = pb.RangeRequest_SortTarget(g.n(5))
	r.KeysOnly, r.CountOnly = g.one(8), g.one(8)
	r.Serializable = g.one(4)
	switch g.n(24) {
	case 0, 1, 2, 3, 4, 5, 6:
		r.Revision = g.past(16)
	case 7:
		r.Revision = g.c.LastRev + 1 + int64(g.n(4)) // in the future, or not any more
	}
	for _, bound := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.one(10) {
			*bound = g.past(32)
		}
	}
	return r
}

// txn is a transaction of any shape. One that the server would refuse for its
// form is mostly made anew: refusals are quick to ask for.
func (g *grammar) txn() *pb.TxnRequest {
	t := g.level(0)
	for tries := 0; tries < 4 && api.Validate(t, limits.MaxTxnOps) != nil && !g.one(8); tries++ {
		t = g.level(0)
	}
	return t
}

// level is a transaction at some depth. Its branches differ in kind as often as
// not, and may be empty.
func (g *grammar) level(depth int) *pb.TxnRequest {
	t := &pb.TxnRequest{}
	for range g.n(3) {
		t.Compare = append(t.Compare, g.compare())
	}
	t.Success = g.branch(depth)
	if len(t.Compare) > 0 {
		t.Failure = g.branch(depth)
	}
	return t
}

// branch is a list of operations: any, or one of the forms in which their order
// is what matters.
func (g *grammar) branch(depth int) (ops []*pb.RequestOp) {
	key := g.key()
	switch g.n(12) {
	case 0: // put and deleted again at one revision, by siblings
		ops = append(ops, Nest(Put(key, g.p.load.value())), g.readOp(key), Nest(g.deletion(key)))
	case 1: // deleted and put again at one revision: "from here on" covers no put
		wipe := g.deletion(key)
		wipe.GetRequestDeleteRange().RangeEnd = []byte{0}
		ops = append(ops, wipe, Put(key, g.p.load.value()), g.readOp(key))
	case 2: // reads around a write
		ops = append(ops, g.readOp(key), Put(key, g.p.load.value()), g.readOp(key))
	case 3: // siblings
		if depth < maxNesting {
			for range 2 + g.n(2) {
				ops = append(ops, nestTxn(g.level(maxNesting)))
			}
		}
	default:
		for range g.n(4) {
			ops = append(ops, g.operation(depth))
		}
	}
	return ops
}

func (g *grammar) operation(depth int) *pb.RequestOp {
	switch g.n(8) {
	case 0, 1, 2:
		r := &pb.PutRequest{Key: g.key(), PrevKv: g.one(3), IgnoreValue: g.one(16)}
		if !r.IgnoreValue {
			r.Value = g.p.load.value()
		}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	case 3:
		op := g.deletion(nil)
		r := op.GetRequestDeleteRange()
		r.Key, r.RangeEnd = g.span()
		return op
	case 4, 5:
		if depth < maxNesting {
			return nestTxn(g.level(depth + 1))
		}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.read()}}
}

// readOp reads a key, or everything from it on.
func (g *grammar) readOp(key []byte) *pb.RequestOp {
	op := Get(key)
	if g.one(3) {
		op.GetRequestRange().RangeEnd = []byte{0}
	}
	return op
}

func (g *grammar) deletion(key []byte) *pb.RequestOp {
	op := deleteOp(key)
	op.GetRequestDeleteRange().PrevKv = g.one(2)
	return op
}

func nestTxn(t *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}}
}

// Nest is a transaction without a condition.
func Nest(ops ...*pb.RequestOp) *pb.RequestOp { return nestTxn(&pb.TxnRequest{Success: ops}) }

// compare is a condition on a key or a range, of any target and result, as often
// as not with what the client knows to be true.
func (g *grammar) compare() *pb.Compare {
	k := g.n(g.p.load.Keys)
	c := &pb.Compare{Key: g.p.load.keys[k], Result: pb.Compare_CompareResult(g.n(4)),
		Target: pb.Compare_CompareTarget(g.n(5))}
	if g.one(3) {
		c.Key, c.RangeEnd = g.span()
	}
	known := g.one(2)
	rev := g.c.seen[k].mod
	if !known {
		rev = g.past(32)
	}
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.n(4))}
	case pb.Compare_CREATE:
		if g.one(2) {
			rev = 0
		}
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: rev}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: rev}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: []byte(g.c.seen[k].value)}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: int64(g.n(2))}
	}
	return c
}
