package oracle

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// spans is a collector of OpenTelemetry.
type spans struct {
	collector.UnimplementedTraceServiceServer
	mu   sync.Mutex
	seen map[string]bool
}

func (s *spans) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (
	*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range r.ResourceSpans {
		who := fmt.Sprint(of.Resource.GetAttributes())
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				text := span.Name
				if scope.Scope.GetName() == "go.etcd.io/etcd" {
					var keys []string
					for _, a := range span.Attributes {
						keys = append(keys, fmt.Sprint(a.Key, "=", spaced.ReplaceAllString(a.Value.String(), "")))
					}
					slices.Sort(keys)
					text += " " + strings.Join(keys, " ")
				}
				s.seen[fmt.Sprint(text, " ", strings.Contains(who, "service.name") && strings.Contains(who, "i7"))] = true
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// TestTracesSayTheSame: the collector hears of the same calls.
func TestTracesSayTheSame(t *testing.T) {
	processes(t)
	var said [2][]string
	for i, k := range []kind{etcd, vitrine} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		s := &spans{seen: map[string]bool{}}
		server := grpc.NewServer()
		collector.RegisterTraceServiceServer(server, s)
		go server.Serve(l)
		m := run(t, []kind{k}, "--enable-distributed-tracing", "--distributed-tracing-address", l.Addr().String(),
			"--distributed-tracing-sampling-rate", "1000000", "--distributed-tracing-instance-id", "i7")[0]
		c := dial(t, m)
		_, err = c.Put(call(t), "a", "secret")
		ok(t, err)
		_, err = c.Get(call(t), "a", clientv3.WithPrefix(), clientv3.WithLimit(3))
		ok(t, err)
		_, err = c.Txn(call(t)).If(clientv3.Compare(clientv3.Version("x"), "=", 0)).Then(clientv3.OpPut("b", "1"),
			clientv3.OpGet("a")).Commit()
		ok(t, err)
		_, err = c.Delete(call(t), "b")
		ok(t, err)
		lease, err := c.Lease.Grant(call(t), 77)
		ok(t, err)
		_, err = c.Revoke(call(t), lease.ID)
		ok(t, err)
		_, err = c.Compact(call(t), 3)
		ok(t, err)
		time.Sleep(6 * time.Second) // until it is sent
		m.stop()
		server.Stop()
		for text := range s.seen {
			if strings.HasPrefix(text, "lease_") {
				text, _, _ = strings.Cut(text, " ")
			}
			own := strings.Contains(text, `range_begin=string_value:""`) // etcd traces what /health asks, too
			if !strings.HasPrefix(text, "etcdserverpb.Maintenance") && !strings.Contains(text, "Watch") && !own {
				said[i] = append(said[i], text)
			}
		}
		slices.Sort(said[i])
		if len(said[i]) < 12 {
			t.Errorf("%s: only %v", k, said[i])
		}
	}
	for i, k := range []kind{etcd, vitrine} {
		for _, text := range said[i] {
			if !slices.Contains(said[1-i], text) {
				t.Errorf("only %s tells of %s", k, text)
			}
		}
	}
	t.Logf("%d spans compared", len(said[0]))
}
