package descriptors

import (
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/pb"
)

// TestMessagesHaveEtcdsNames: of packages, nested types and enumerations, also in fields.
func TestMessagesHaveEtcdsNames(t *testing.T) {
	files, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []protoreflect.FullName{
		"etcdserverpb.WatchCreateRequest.FilterType", "mvccpb.Event.EventType", "authpb.Permission.Type",
		"v3lockpb.UnlockResponse", "v3electionpb.LeaderKey", "grpc.health.v1.HealthCheckRequest",
	} {
		if _, err := files.FindDescriptorByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := files.FindDescriptorByName("v3electionpb.LeaderResponse")
	if err != nil {
		t.Fatal(err)
	}
	if kv := d.(protoreflect.MessageDescriptor).Fields().ByName("kv").Message().FullName(); kv != "mvccpb.KeyValue" {
		t.Errorf("the leader's key is a %s", kv)
	}
	for path, found := range map[string]bool{"kv.proto": true, "grpc/health/v1/health.proto": true, "x.proto": false} {
		if _, err := files.FindFileByPath(path); (err == nil) != found {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestForeignMessages: a method whose messages have no place in etcd's packages is refused.
func TestForeignMessages(t *testing.T) {
	own := (&lockpb.LockRequest{}).ProtoReflect().Descriptor()
	foreign := (&healthpb.HealthCheckRequest{}).ProtoReflect().Descriptor()
	if _, err := New([]Method{{Service: "v3lockpb.Lock", Name: "Lock", Asked: own, Answered: foreign}}); err == nil {
		t.Error("a foreign message is taken")
	}
	internal := (&pb.InternalRaftRequest{}).ProtoReflect().Descriptor()
	put := Method{Service: "etcdserverpb.KV", Name: "Put", Asked: internal, Answered: internal}
	if _, err := New([]Method{put}); err == nil {
		t.Error("a message of the log is shown")
	}
	if FileOf("v3lockpb.Lock") == "" || FileOf("x.Y") != "" {
		t.Error("where services are")
	}
}
