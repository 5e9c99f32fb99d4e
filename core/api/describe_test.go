package api_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/pb"
)

func putOp(key string) *pb.RequestOp {
	put := &pb.PutRequest{Key: []byte(key), Value: []byte("the-secret")}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
}

// A description names keys and never a value.
func TestDescribe(t *testing.T) {
	inner := &pb.TxnRequest{Failure: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("d"),
			RangeEnd: []byte("e")}}}, {},
	}}
	txn := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("c"), Target: pb.Compare_VALUE,
			TargetUnion: &pb.Compare_Value{Value: []byte("the-secret")}}},
		Success: []*pb.RequestOp{putOp("p"), {Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("r"),
			MinModRevision: 4}}}},
	}
	want := `compare:<VALUE EQUAL key:"c"> ` +
		`success:<request_put:<key:"p" value_size:10 lease:0 prev_kv:false ignore_value:false ignore_lease:false>> ` +
		`success:<request_txn:<failure:<request_delete_range:<key:"d" range_end:"e" prev_kv:false>> failure:<>>> ` +
		`failure:<request_range:<key:"r" range_end:"" limit:0 revision:0 sort:NONE/KEY serializable:false ` +
		`keys_only:false count_only:false min_mod_revision:4>>`
	if got := api.Describe(txn); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := api.Describe(&pb.CompactionRequest{Revision: 7, Physical: true}); got != "revision:7 physical:true" {
		t.Error(got)
	}
	if got := api.Describe(&pb.StatusRequest{}) + api.Describe(nil); got != "" {
		t.Error(got)
	}
}

// Whatever is asked, a log line stays short and is soon written.
func TestDescriptionsAreBounded(t *testing.T) {
	deep := &pb.TxnRequest{Success: []*pb.RequestOp{putOp("innermost")}}
	for range 200_000 {
		deep = &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: deep}}}}
	}
	wide := &pb.TxnRequest{}
	for range 200_000 {
		wide.Success = append(wide.Success, putOp("k"))
		wide.Compare = append(wide.Compare, &pb.Compare{Key: []byte("k")})
	}
	long := bytes.Repeat([]byte{0xff}, 4<<20)
	for _, r := range []any{
		deep, wide, &pb.PutRequest{Key: long}, &pb.RangeRequest{Key: long, RangeEnd: long},
		&pb.DeleteRangeRequest{Key: long, RangeEnd: long},
	} {
		start := time.Now()
		said := api.Describe(r)
		if took := time.Since(start); len(said) > 5<<10 || took > time.Second || !strings.Contains(said, "...") {
			t.Errorf("%T: %d bytes in %v", r, len(said), took)
		}
	}
}

// FuzzDescribe: the words for a request are bounded, whatever it is.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte("\n\x0b\x10\x04\x1a\x01k\x82\x04\x01l@\x03\x12\x08\x12\x06\n\x01k\x12\x01v"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range []pb.Message{&pb.TxnRequest{}, &pb.RangeRequest{}, &pb.PutRequest{}, &pb.DeleteRangeRequest{},
			&pb.CompactionRequest{}} {
			if pb.Unmarshal(b, r) == nil && len(api.Describe(r)) > 5<<10 {
				t.Errorf("%T from %x", r, b)
			}
		}
	})
}
