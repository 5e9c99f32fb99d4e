package api

import (
	"fmt"
	"strconv"

	"vitrine/core/pb"
)

const (
	// maxDescription bounds what a log line says of a request, in bytes; a request may have a megabyte of keys.
	maxDescription = 4 << 10
	// maxDescribedKey bounds what is said of one key, so that others find room beside it.
	maxDescribedKey = 256
	cutMark         = "..."
)

// Describe puts a request into words, for logs: values are left out. The text is bounded, whatever the request, and
// takes as long as what it says. It does not use protobuf's text, which varies between builds and knows no bound.
func Describe(request any) string {
	d := &description{}
	if describe := OperationOf(request).row().describe; describe != nil {
		describe(d, request)
	}
	return string(d.text)
}

// description is a text under way. Once it is full nothing more is looked at.
type description struct {
	text []byte
	full bool
}

func (d *description) say(format string, args ...any) {
	if d.full {
		return
	}
	if d.text = fmt.Appendf(d.text, format, args...); len(d.text) > maxDescription {
		d.text = append(d.text[:maxDescription], cutMark...)
		d.full = true
	}
}

// quoted is a key as it is said: its beginning, if it is long.
type quoted []byte

func (q quoted) String() string {
	if len(q) > maxDescribedKey {
		return strconv.Quote(string(q[:maxDescribedKey])) + cutMark
	}
	return strconv.Quote(string(q))
}

func (d *description) put(r *pb.PutRequest) {
	d.say("key:%v value_size:%d lease:%d prev_kv:%t ignore_value:%t ignore_lease:%t",
		quoted(r.GetKey()), len(r.GetValue()), r.GetLease(), r.GetPrevKv(), r.GetIgnoreValue(), r.GetIgnoreLease())
}

func (d *description) leaseGrant(r *pb.LeaseGrantRequest) {
	d.say("TTL:%d ID:%d", r.GetTTL(), r.GetID())
}
func (d *description) leaseRevoke(r *pb.LeaseRevokeRequest) { d.say("ID:%d", r.GetID()) }

func (d *description) memberAdd(r *pb.MemberAddRequest) {
	d.say("is_learner:%t", r.GetIsLearner())
	for _, u := range r.GetPeerURLs() {
		d.say(" peerURLs:%v", quoted(u))
	}
}
func (d *description) memberRemove(r *pb.MemberRemoveRequest)   { d.say("ID:%x", r.GetID()) }
func (d *description) memberPromote(r *pb.MemberPromoteRequest) { d.say("ID:%x", r.GetID()) }

func (d *description) memberUpdate(r *pb.MemberUpdateRequest) {
	d.say("ID:%x", r.GetID())
	for _, u := range r.GetPeerURLs() {
		d.say(" peerURLs:%v", quoted(u))
	}
}

func (d *description) compaction(r *pb.CompactionRequest) {
	d.say("revision:%d physical:%t", r.GetRevision(), r.GetPhysical())
}

func (d *description) deleteRange(r *pb.DeleteRangeRequest) {
	d.say("key:%v range_end:%v prev_kv:%t", quoted(r.GetKey()), quoted(r.GetRangeEnd()), r.GetPrevKv())
}

func (d *description) rangeOf(r *pb.RangeRequest) {
	d.say("key:%v range_end:%v limit:%d revision:%d sort:%v/%v serializable:%t keys_only:%t count_only:%t",
		quoted(r.GetKey()), quoted(r.GetRangeEnd()), r.GetLimit(), r.GetRevision(), r.GetSortOrder(), r.GetSortTarget(),
		r.GetSerializable(), r.GetKeysOnly(), r.GetCountOnly())
	for _, bound := range [...]struct {
		name string
		rev  int64
	}{
		{"min_mod_revision", r.GetMinModRevision()}, {"max_mod_revision", r.GetMaxModRevision()},
		{"min_create_revision", r.GetMinCreateRevision()}, {"max_create_revision", r.GetMaxCreateRevision()},
	} {
		if bound.rev != 0 {
			d.say(" %s:%d", bound.name, bound.rev)
		}
	}
}

func (d *description) txn(r *pb.TxnRequest) {
	sep := ""
	for _, c := range r.GetCompare() {
		if d.full {
			return
		}
		d.say("%scompare:<%v %v key:%v>", sep, c.GetTarget(), c.GetResult(), quoted(c.GetKey()))
		sep = " "
	}
	for _, branch := range [...]struct {
		name string
		ops  []*pb.RequestOp
	}{{"success", r.GetSuccess()}, {"failure", r.GetFailure()}} {
		for _, op := range branch.ops {
			if d.full {
				return
			}
			d.say("%s%s:<", sep, branch.name)
			d.op(op)
			d.say(">")
			sep = " "
		}
	}
}

func (d *description) op(op *pb.RequestOp) {
	switch u := op.GetRequest().(type) {
	case *pb.RequestOp_RequestPut:
		d.say("request_put:<")
		d.put(u.RequestPut)
	case *pb.RequestOp_RequestTxn:
		d.say("request_txn:<")
		d.txn(u.RequestTxn)
	case *pb.RequestOp_RequestRange:
		d.say("request_range:<")
		d.rangeOf(u.RequestRange)
	case *pb.RequestOp_RequestDeleteRange:
		d.say("request_delete_range:<")
		d.deleteRange(u.RequestDeleteRange)
	default:
		return
	}
	d.say(">")
}
