package namespace

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"vitrine/core/api"
	"vitrine/core/pb"
)

func b(s string) []byte { return []byte(s) }

func TestEnds(t *testing.T) {
	for _, c := range []struct{ space, end, want string }{
		{"p/", "", ""}, {"p/", "z", "p/z"}, {"p/", "\x00", "p0"}, {"p\xff", "\x00", "q"}, {"\xff\xff", "\x00", "\x00"},
	} {
		if got := Space(c.space).end(b(c.end)); string(got) != c.want {
			t.Errorf("the end %q in %q: %q, want %q", c.end, c.space, got, c.want)
		}
	}
}

// Everything that names a key is moved, and comes back as it was.
func TestThereAndBack(t *testing.T) {
	put := func(key string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: b(key), Lease: 7}}}
	}
	get := func(key, end string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: b(key), RangeEnd: b(end),
			Limit: 1, Revision: 2, KeysOnly: true, MinModRevision: 3, MaxModRevision: 4, MinCreateRevision: 5,
			MaxCreateRevision: 6, Serializable: true, CountOnly: true, SortOrder: 1, SortTarget: 2}}}
	}
	del := func(key, end string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{
			Key: b(key), RangeEnd: b(end), PrevKv: true}}}
	}
	txn := func(p, end string) *pb.TxnRequest {
		inner := &pb.TxnRequest{Success: []*pb.RequestOp{put(p + "d")}, Failure: []*pb.RequestOp{}}
		return &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: b(p + "a"), RangeEnd: b(p + "c"), TargetUnion: &pb.Compare_Version{Version: 3}}},
			Success: []*pb.RequestOp{put(p + "a"), get(p+"a", end), {Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}},
			Failure: []*pb.RequestOp{del(p+"a", p+"b")},
		}
	}
	got, err := Space("p/").Txn(txn("", "\x00"))
	if err != nil || !proto.Equal(got, txn("p/", "p0")) {
		t.Errorf("the transaction became %v (%v)", got, err)
	}
	answer := func(p string) *pb.TxnResponse {
		kv := func(key string) *pb.KeyValue { return &pb.KeyValue{Key: b(p + key), Value: b("p/")} }
		return &pb.TxnResponse{Responses: []*pb.ResponseOp{
			{Response: &pb.ResponseOp_ResponseRange{ResponseRange: &pb.RangeResponse{Kvs: []*pb.KeyValue{kv("a"), kv("p/")}}}},
			{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{PrevKv: kv("b")}}},
			{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: &pb.TxnResponse{Responses: []*pb.ResponseOp{
				{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: &pb.DeleteRangeResponse{
					PrevKvs: []*pb.KeyValue{kv("c")}}}}}}}},
			{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{}}},
		}}
	}
	shown := answer("p/")
	if Space("p/").TxnAnswer(shown); !proto.Equal(shown, answer("")) {
		t.Errorf("the answer became %v", shown)
	}
}

func TestNoKey(t *testing.T) {
	for _, s := range []Space{"", "p/"} {
		_, getErr := s.Range(&pb.RangeRequest{})
		_, putErr := s.Put(&pb.PutRequest{})
		_, delErr := s.Delete(&pb.DeleteRangeRequest{})
		for _, err := range []error{getErr, putErr, delErr} {
			if !errors.Is(err, api.ErrEmptyKey) {
				t.Errorf("in %q: %v", s, err)
			}
		}
	}
	if key, end := Space("p/").Watch(nil, from); string(key) != "p/\x00" || string(end) != "p0" {
		t.Errorf("a watcher of everything watches from %q to %q", key, end)
	}
	if got := Space("p/").Keys([][]byte{b("p/a"), b("q"), b("p/p/")}); len(got) != 2 || string(got[0]) != "a" ||
		string(got[1]) != "p/" {
		t.Errorf("keys of a lease: %q", got)
	}
}
