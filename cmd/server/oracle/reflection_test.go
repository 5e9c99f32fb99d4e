package oracle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

var _, _ = v3lockpb.File_v3lock_proto, v3electionpb.File_v3election_proto // registers them

// TestReflectionDescribesEtcd: what our server says of its services, also to somebody who may nothing, is what etcd's
// own files say.
func TestReflectionDescribesEtcd(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine})[0]
	users(t, dial(t, m))
	stream, err := reflection.NewServerReflectionClient(raw(t, m)).ServerReflectionInfo(call(t))
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{} // a stream tells once of what a file imports
	for _, service := range []protoreflect.FullName{"etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease",
		"etcdserverpb.Cluster", "etcdserverpb.Maintenance", "etcdserverpb.Auth", "v3lockpb.Lock", "v3electionpb.Election"} {
		err := stream.Send(&reflection.ServerReflectionRequest{
			MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(service)}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
			f := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(raw, f); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(set.File, func(g *descriptorpb.FileDescriptorProto) bool {
				return g.GetName() == f.GetName()
			}) {
				set.File = append(set.File, f)
			}
		}
		files, err := protodesc.NewFiles(set)
		if err != nil {
			t.Fatalf("%s: %v", service, err)
		}
		ours, err := files.FindDescriptorByName(service)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := protoregistry.GlobalFiles.FindDescriptorByName(service)
		if err != nil {
			t.Fatal(err)
		}
		a, b := methodsOf(ours.(protoreflect.ServiceDescriptor)), methodsOf(theirs.(protoreflect.ServiceDescriptor))
		if a != b {
			t.Errorf("%s\nours\n%s\netcd\n%s", service, a, b)
		}
	}
	_, err = dial(t, m).Get(context.Background(), "a")
	if err == nil {
		t.Error("keys are read by nobody")
	}
}

// methodsOf writes the methods of a service with their messages, and those with their fields.
func methodsOf(s protoreflect.ServiceDescriptor) string {
	var lines []string
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		lines = append(lines, fmt.Sprintf("%s %s %s %v %v\n%s\n%s", m.Name(), m.Input().FullName(), m.Output().FullName(),
			m.IsStreamingClient(), m.IsStreamingServer(), shape(m.Input()), shape(m.Output())))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
