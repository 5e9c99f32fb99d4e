package history

import (
	"fmt"
	"reflect"
	"slices"

	"vitrine/core/pb"
)

func answerOf(c *candidate) any {
	if c.known.err != nil {
		return c.known.err
	}
	return c.known.response
}

// words writes a request or answer for people, the same in every run.
func words(x any) string {
	switch r := x.(type) {
	case error:
		return r.Error()
	case *pb.RangeRequest:
		return fmt.Sprintf("get %q..%q rev %d", r.Key, r.RangeEnd, r.Revision)
	case *pb.PutRequest:
		return fmt.Sprintf("put %q = %.40q", r.Key, r.Value)
	case *pb.DeleteRangeRequest:
		return fmt.Sprintf("delete %q..%q", r.Key, r.RangeEnd)
	case *pb.CompactionRequest:
		return fmt.Sprintf("compact %d", r.Revision)
	case *pb.AlarmRequest:
		return fmt.Sprintf("alarm %v %v of member %d", r.Action, r.Alarm, r.MemberID)
	case *pb.TxnRequest:
		return fmt.Sprintf("txn of %d compares, %d and %d operations", len(r.Compare), len(r.Success), len(r.Failure))
	case *pb.RangeResponse:
		text := fmt.Sprintf("revision %d, count %d", r.GetHeader().GetRevision(), r.Count)
		for i, kv := range r.Kvs {
			if i == 3 {
				return text + ", ..."
			}
			text += fmt.Sprintf(", %q = %.40q at %d", kv.Key, kv.Value, kv.ModRevision)
		}
		return text
	case *pb.DeleteRangeResponse:
		return fmt.Sprintf("revision %d, deleted %d", r.GetHeader().GetRevision(), r.Deleted)
	case *pb.TxnResponse:
		return fmt.Sprintf("revision %d, succeeded %t", r.GetHeader().GetRevision(), r.Succeeded)
	}
	return fmt.Sprintf("revision %d", pb.HeaderRevision(x))
}

// sameResponse compares an answer with the model's; of headers the revision
// counts only.
func sameResponse(want, got any) bool {
	return want != nil && reflect.TypeOf(want) == reflect.TypeOf(got) &&
		pb.HeaderRevision(want) == pb.HeaderRevision(got) && sameBody(want, got)
}

func sameBody(want, got any) bool {
	switch w := want.(type) {
	case *pb.RangeResponse:
		g := got.(*pb.RangeResponse)
		return w.Count == g.Count && w.More == g.More && samePairs(w.Kvs, g.Kvs)
	case *pb.PutResponse:
		return samePair(w.PrevKv, got.(*pb.PutResponse).PrevKv)
	case *pb.DeleteRangeResponse:
		g := got.(*pb.DeleteRangeResponse)
		return w.Deleted == g.Deleted && samePairs(w.PrevKvs, g.PrevKvs)
	case *pb.AlarmResponse:
		return slices.EqualFunc(w.Alarms, got.(*pb.AlarmResponse).Alarms, func(a, b *pb.AlarmMember) bool {
			return a.Alarm == b.Alarm && a.MemberID == b.MemberID
		})
	case *pb.TxnResponse:
		g := got.(*pb.TxnResponse)
		return w.Succeeded == g.Succeeded && slices.EqualFunc(w.Responses, g.Responses, sameOp)
	}
	return true
}

func sameOp(want, got *pb.ResponseOp) bool {
	w, g := responseOf(want), responseOf(got)
	return reflect.TypeOf(w) == reflect.TypeOf(g) && (w == nil || sameBody(w, g))
}

func responseOf(op *pb.ResponseOp) any {
	switch u := op.GetResponse().(type) {
	case *pb.ResponseOp_ResponseRange:
		return u.ResponseRange
	case *pb.ResponseOp_ResponsePut:
		return u.ResponsePut
	case *pb.ResponseOp_ResponseDeleteRange:
		return u.ResponseDeleteRange
	case *pb.ResponseOp_ResponseTxn:
		return u.ResponseTxn
	}
	return nil
}

func samePairs(a, b []*pb.KeyValue) bool { return slices.EqualFunc(a, b, samePair) }

func samePair(a, b *pb.KeyValue) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) && a.CreateRevision == b.CreateRevision &&
		a.ModRevision == b.ModRevision && a.Version == b.Version && a.Lease == b.Lease
}
