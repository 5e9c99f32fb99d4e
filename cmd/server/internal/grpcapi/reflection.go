package grpcapi

import (
	"fmt"
	"reflect"

	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/reflect/protoreflect"

	"vitrine/cmd/server/internal/descriptors"
)

// reflect serves reflection, in both of its versions. It knows descriptors and nothing of the member, so that whoever
// may connect may ask.
func (s *Server) reflect(methods []rpc) {
	described := make([]descriptors.Method, len(methods))
	for i, m := range methods {
		described[i] = descriptors.Method{Service: m.service, Name: m.name, Asked: descriptor(m.asked),
			Answered: descriptor(m.answered), ClientStreams: m.clientStreams, ServerStreams: m.stream != nil}
	}
	files, err := descriptors.New(described)
	if err != nil {
		panic(fmt.Sprintf("grpcapi: %v", err)) // a method of the lists above names a message of nowhere
	}
	options := reflection.ServerOptions{Services: s.grpc, DescriptorResolver: files}
	reflectionv1.RegisterServerReflectionServer(s.grpc, reflection.NewServerV1(options))
	reflectionv1alpha.RegisterServerReflectionServer(s.grpc, reflection.NewServer(options))
}

// descriptor is that of a message by the type of a pointer to it.
func descriptor(t reflect.Type) protoreflect.MessageDescriptor {
	return reflect.Zero(t).Interface().(protoreflect.ProtoMessage).ProtoReflect().Descriptor()
}
