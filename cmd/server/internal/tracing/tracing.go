// Package tracing tells a collector of OpenTelemetry what clients' calls take: a span for each call of gRPC, and in it
// one of etcd's name for what is asked (range, put, txn ...), with its keys and numbers, never values.
//
//	t, err := tracing.New(ctx, tracing.Config{Address: "localhost:4317", Service: "etcd", PerMillion: 1000})
//	server := grpc.NewServer(t.ServerOption())
//	ctx, end := t.Begin(ctx, request)
//	defer end()
//	...
//	t.Close(ctx)
//
// A call whose client traces it is traced; of the others, so many in a million.
package tracing

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"vitrine/core/pb"
)

// Config is an operator's.
type Config struct {
	Address, Service, Instance string
	PerMillion                 int
}

// million is of how many calls PerMillion counts.
const million = 1_000_000

// Check tells what is wrong with a configuration, in etcd's words.
func (c *Config) Check() error {
	switch {
	case c.PerMillion < 0:
		return errors.New("distributed tracing configurition is not valid: (tracing sampling rate must be positive)")
	case c.PerMillion > million:
		return fmt.Errorf("distributed tracing configurition is not valid: (tracing sampling rate must be less than %d)",
			million)
	}
	return nil
}

// Tracer makes spans and sends them. nil makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New connects to the collector when there is something to send.
func New(ctx context.Context, c Config) (*Tracer, error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(c.Address))
	if err != nil {
		return nil, err
	}
	return build(c, sdk.WithBatcher(exporter)), nil
}

func build(c Config, to sdk.TracerProviderOption) *Tracer {
	who := []attribute.KeyValue{attribute.String("service.name", c.Service)}
	if c.Instance != "" {
		who = append(who, attribute.String("service.instance.id", c.Instance))
	}
	sampler := sdk.NeverSample()
	if c.PerMillion > 0 {
		sampler = sdk.TraceIDRatioBased(float64(c.PerMillion) / million)
	}
	p := sdk.NewTracerProvider(to, sdk.WithResource(resource.NewSchemaless(who...)),
		sdk.WithSampler(sdk.ParentBased(sampler)))
	return &Tracer{provider: p, tracer: p.Tracer("go.etcd.io/etcd")}
}

// ServerOption makes a span of each call of a server.
func (t *Tracer) ServerOption() grpc.ServerOption {
	return grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{},
			propagation.Baggage{}))))
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Begin opens the span of a request, which end closes. What etcd has no span for has none.
func (t *Tracer) Begin(ctx context.Context, request any) (_ context.Context, end func()) {
	if t == nil {
		return ctx, func() {}
	}
	name, attributes := describe(request)
	if name == "" {
		return ctx, func() {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(attributes...))
	return ctx, func() { span.End() }
}

// Streamed is a range that is answered in parts.
type Streamed struct{ *pb.RangeRequest }

func describe(request any) (name string, _ []attribute.KeyValue) {
	text := func(name string, b []byte) attribute.KeyValue { return attribute.String(name, string(b)) }
	ranged := func(r *pb.RangeRequest) []attribute.KeyValue {
		return []attribute.KeyValue{text("range_begin", r.Key), text("range_end", r.RangeEnd),
			attribute.Int64("rev", r.Revision), attribute.Int64("limit", r.Limit),
			attribute.Bool("count_only", r.CountOnly)}
	}
	switch r := request.(type) {
	case *pb.RangeRequest:
		return "range", append(ranged(r), attribute.Bool("keys_only", r.KeysOnly))
	case Streamed:
		return "range_streaming", ranged(r.RangeRequest)
	case *pb.PutRequest:
		return "put", []attribute.KeyValue{text("key", r.Key)}
	case *pb.DeleteRangeRequest:
		return "delete_range", []attribute.KeyValue{text("range_begin", r.Key), text("range_end", r.RangeEnd)}
	case *pb.TxnRequest:
		return "txn", describeTxn(r)
	case *pb.CompactionRequest:
		return "compact", []attribute.KeyValue{attribute.Bool("is_physical", r.Physical), attribute.Int64("rev", r.Revision)}
	case *pb.LeaseGrantRequest:
		return "lease_grant", []attribute.KeyValue{attribute.Int64("id", r.ID), attribute.Int64("ttl", r.TTL)}
	case *pb.LeaseRevokeRequest:
		return "lease_revoke", []attribute.KeyValue{attribute.Int64("id", r.ID)}
	case *pb.LeaseKeepAliveRequest:
		return "lease_renew", []attribute.KeyValue{attribute.Int64("id", r.ID)}
	}
	return "", nil
}

func describeTxn(r *pb.TxnRequest) []attribute.KeyValue {
	compared, key, kind, lease, reads := "", "", "", int64(0), true
	if len(r.Compare) > 0 {
		compared = string(r.Compare[0].Key)
	}
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			reads = reads && op.GetRequestRange() != nil
		}
	}
	if len(r.Success) > 0 {
		switch op := r.Success[0].Request.(type) {
		case *pb.RequestOp_RequestRange:
			kind, key = "range", string(op.RequestRange.GetKey())
		case *pb.RequestOp_RequestPut:
			kind, key, lease = "put", string(op.RequestPut.GetKey()), op.RequestPut.GetLease()
		case *pb.RequestOp_RequestDeleteRange:
			kind, key = "delete_range", string(op.RequestDeleteRange.GetKey())
		}
	}
	return []attribute.KeyValue{attribute.String("compare_first_key", compared),
		attribute.String("success_first_key", key), attribute.String("success_first_type", kind),
		attribute.Int64("success_first_lease", lease), attribute.Int("compare_len", len(r.Compare)),
		attribute.Int("success_len", len(r.Success)), attribute.Int("failure_len", len(r.Failure)),
		attribute.Bool("read_only", reads)}
}
