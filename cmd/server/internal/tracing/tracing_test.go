package tracing

import (
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/core/pb"
)

func TestSpans(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	tr := build(Config{Service: "s", Instance: "i", PerMillion: million}, sdk.WithSyncer(memory))
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"), Lease: 7,
		Value: []byte("secret")}}}
	for _, request := range []any{&pb.RangeRequest{Key: []byte("a"), Limit: 3}, &pb.PutRequest{Key: []byte("b"),
		Value: []byte("secret")}, &pb.DeleteRangeRequest{}, &pb.TxnRequest{Success: []*pb.RequestOp{put}},
		&pb.CompactionRequest{}, &pb.LeaseGrantRequest{}, &pb.LeaseRevokeRequest{}, &pb.LeaseKeepAliveRequest{},
		Streamed{&pb.RangeRequest{}}, &pb.StatusRequest{}} {
		_, end := tr.Begin(t.Context(), request)
		end()
	}
	var names []string
	for _, s := range memory.GetSpans() {
		names = append(names, s.Name)
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "secret") {
				t.Errorf("%s tells a value", s.Name)
			}
		}
		if s.Resource.String() != "service.instance.id=i,service.name=s" {
			t.Errorf("resource %v", s.Resource)
		}
	}
	if got := strings.Join(names, " "); got != "range put delete_range txn compact lease_grant lease_revoke lease_renew "+
		"range_streaming" {
		t.Errorf("spans %s", got)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Nobody asked for traces, and none of a million is none.
func TestNoSpans(t *testing.T) {
	var none *Tracer
	if ctx, end := none.Begin(t.Context(), &pb.PutRequest{}); ctx != t.Context() || none.Close(ctx) != nil {
		t.Error("a tracer that is not there does something")
	} else {
		end()
	}
	memory := tracetest.NewInMemoryExporter()
	tr := build(Config{}, sdk.WithSyncer(memory))
	for range 100 {
		_, end := tr.Begin(t.Context(), &pb.PutRequest{})
		end()
	}
	if n := len(memory.GetSpans()); n != 0 {
		t.Errorf("%d spans", n)
	}
	for rate, want := range map[int]string{-1: "must be positive", million + 1: "must be less than 1000000", 5: ""} {
		err := (&Config{PerMillion: rate}).Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", rate, err)
		}
	}
}
