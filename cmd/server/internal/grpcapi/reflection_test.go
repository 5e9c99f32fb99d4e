//lint:file-ignore SA1019 many tools still speak v1alpha, which is served and so tested

package grpcapi

import (
	"slices"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"vitrine/core/pb"
)

// reflected are the services that a client is told of, by name.
var reflected = []string{
	"etcdserverpb.Auth", "etcdserverpb.Cluster", "etcdserverpb.KV", "etcdserverpb.Lease", "etcdserverpb.Maintenance",
	"etcdserverpb.Watch", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
	"grpc.reflection.v1alpha.ServerReflection", "v3electionpb.Election", "v3lockpb.Lock",
}

// question asks a reflection server once.
func question(t *testing.T, conn *grpc.ClientConn,
	q *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(q); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestReflectionListsServices: in both versions, by name.
func TestReflectionListsServices(t *testing.T) {
	conn := start(t, &fake{}, zap.NewNop(), 0)
	answer := question(t, conn, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if !slices.Equal(names, reflected) {
		t.Errorf("v1 lists %q", names)
	}
	stream, err := reflectionv1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&reflectionv1alpha.ServerReflectionRequest{
		MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	names = nil
	for _, s := range old.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if !slices.Equal(names, reflected) {
		t.Errorf("v1alpha lists %q", names)
	}
}

// described are the files that the server shows for a symbol, with all that they import.
func described(t *testing.T, conn *grpc.ClientConn, symbol string) *protoregistry.Files {
	t.Helper()
	answer := question(t, conn, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
	if e := answer.GetErrorResponse(); e != nil {
		t.Fatalf("%s: %s", symbol, e.GetErrorMessage())
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		f := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, f); err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, f)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatalf("%s: %v", symbol, err)
	}
	return files
}

// TestReflectionDescribesServices: every method that is served is described, and nothing else, with its streams; the
// messages are in etcd's packages.
func TestReflectionDescribesServices(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), 0)
	for _, d := range gather(slices.Concat(operations(), recipes())) {
		found, err := described(t, conn, d.ServiceName).FindDescriptorByName(protoreflect.FullName(d.ServiceName))
		if err != nil {
			t.Errorf("%s: %v", d.ServiceName, err)
			continue
		}
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		if methods.Len() != len(d.Methods)+len(d.Streams) {
			t.Errorf("%s has %d methods, described are %d", d.ServiceName, len(d.Methods)+len(d.Streams), methods.Len())
		}
		for _, s := range d.Streams {
			m := methods.ByName(protoreflect.Name(s.StreamName))
			if m == nil || m.IsStreamingClient() != s.ClientStreams || m.IsStreamingServer() != s.ServerStreams {
				t.Errorf("%s/%s: %v", d.ServiceName, s.StreamName, m)
			}
		}
		for i := range methods.Len() {
			m := methods.Get(i)
			for _, message := range []protoreflect.MessageDescriptor{m.Input(), m.Output()} {
				if pkg := message.ParentFile().Package(); pkg != found.ParentFile().Package() {
					t.Errorf("%s is about %s", m.FullName(), message.FullName())
				}
			}
		}
	}
}

// TestReflectedCall: who knows nothing but what reflection tells makes a call.
func TestReflectedCall(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), 0)
	f.answer = func(request any) (any, error) {
		if r := request.(*pb.RangeRequest); string(r.Key) != "a" || r.SortTarget != pb.RangeRequest_MOD {
			t.Errorf("asked for %v", r)
		}
		return &pb.RangeResponse{Kvs: []*pb.KeyValue{{Key: []byte("a"), Value: []byte("b")}}, Count: 1}, nil
	}
	found, err := described(t, conn, "etcdserverpb.KV").FindDescriptorByName("etcdserverpb.KV.Range")
	if err != nil {
		t.Fatal(err)
	}
	method := found.(protoreflect.MethodDescriptor)
	asked, answered := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := protojson.Unmarshal([]byte(`{"key":"YQ==","sort_target":"MOD"}`), asked); err != nil {
		t.Fatal(err)
	}
	if err := conn.Invoke(bounded(t), "/etcdserverpb.KV/Range", asked, answered); err != nil {
		t.Fatal(err)
	}
	count := answered.Get(method.Output().Fields().ByName("count")).Int()
	if kvs := answered.Get(method.Output().Fields().ByName("kvs")).List(); kvs.Len() != 1 || count != 1 {
		t.Errorf("answered %v", answered)
	}
}

// TestReflectionRefuses: what is not there is an error of reflection's, and not of the call.
func TestReflectionRefuses(t *testing.T) {
	conn := start(t, &fake{}, zap.NewNop(), 0)
	for _, symbol := range []string{"etcdserverpb.KV.Nothing", "etcdserverpb", "", "v3lockpb.CampaignRequest"} {
		answer := question(t, conn, &reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
		if answer.GetErrorResponse() == nil {
			t.Errorf("%q is found", symbol)
		}
	}
	if _, err := described(t, conn, "grpc.health.v1.Health").FindDescriptorByName("grpc.health.v1.Health"); err != nil {
		t.Error(err)
	}
}
