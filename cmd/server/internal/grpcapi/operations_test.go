package grpcapi

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/core/api"
)

// elsewhere are the services that are no operations: health and reflection ask the member nothing, the others are made
// of operations.
var elsewhere = []string{"grpc.health.v1.Health", lockService, electionService, "grpc.reflection.v1.ServerReflection",
	"grpc.reflection.v1alpha.ServerReflection"}

// TestEveryMethodIsAnOperation: what gRPC serves is a row in the table of operations, with the streams that it says,
// and every row is served.
func TestEveryMethodIsAnOperation(t *testing.T) {
	operations := map[string]api.Operation{}
	for o := range api.Operation(api.Operations) {
		if o.Method() != "" {
			operations[o.Method()] = o
		}
	}
	s := New(Config{Node: &fake{}, Log: zap.NewNop(), Registry: prometheus.NewRegistry()})
	defer s.Stop(0)
	served := 0
	for service, info := range s.grpc.GetServiceInfo() {
		if slices.Contains(elsewhere, service) {
			continue
		}
		for _, m := range info.Methods {
			full := "/" + service + "/" + m.Name
			o, classified := operations[full]
			if !classified {
				t.Errorf("%s is served, and no operation", full)
				continue
			}
			served++
			streams := o == api.RangeStream || o == api.Watch || o == api.Snapshot || o == api.LeaseKeepAlive
			if m.IsServerStream != streams || m.IsClientStream != (o == api.Watch || o == api.LeaseKeepAlive) {
				t.Errorf("%s: streams of the server %v, of the client %v", full, m.IsServerStream, m.IsClientStream)
			}
		}
	}
	if served != len(operations) {
		t.Errorf("%d methods are served, the table has %d", served, len(operations))
	}
}
