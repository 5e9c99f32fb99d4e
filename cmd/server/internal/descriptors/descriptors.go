// Package descriptors describes etcd's API to tools that ask a server what it has (gRPC's reflection): messages and
// services under etcd's names.
//
// The messages of this program stand in packages of their own (core/pb says why), and its services are tables, so
// there is no file that could be shown as it is. The files are made at the start: those of the messages, renamed, and
// in them the services with their methods. What a tool does with them is right on the wire, as numbers and types are
// etcd's.
//
//	files, err := descriptors.New([]descriptors.Method{{Service: "etcdserverpb.KV", Name: "Put", ...}})
//	reflection.NewServerV1(reflection.ServerOptions{Services: s, DescriptorResolver: files})
package descriptors

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/pb"
)

// A Method is one method of a service, with our messages.
type Method struct {
	Service, Name                string // as etcd calls them, the service with its package
	Asked, Answered              protoreflect.MessageDescriptor
	ClientStreams, ServerStreams bool
}

// home is where a file of ours stands under etcd's names.
type home struct {
	ours          protoreflect.FileDescriptor
	path, pkg     string
	own           func(message string) bool // nil: it has all of the messages
	importedPaths []string                  // those of homes before it
}

const (
	keyPath, userPath, apiPath = "kv.proto", "auth.proto", "rpc.proto"
	lockPath, electionPath     = "v3lock.proto", "v3election.proto"
)

// homes are the files, each after those that it imports.
func homes() []home {
	ofLock := func(message string) bool {
		return strings.HasPrefix(message, "Lock") || strings.HasPrefix(message, "Unlock")
	}
	return []home{
		{ours: pb.File_vitrine_mvcc_proto, path: keyPath, pkg: "mvccpb"},
		{ours: pb.File_vitrine_auth_proto, path: userPath, pkg: "authpb"},
		{ours: pb.File_vitrine_rpc_proto, path: apiPath, pkg: "etcdserverpb", importedPaths: []string{keyPath, userPath}},
		{ours: lockpb.File_lock_lock_proto, path: lockPath, pkg: "v3lockpb", own: ofLock,
			importedPaths: []string{apiPath}},
		{ours: lockpb.File_lock_lock_proto, path: electionPath, pkg: "v3electionpb",
			own: func(message string) bool { return !ofLock(message) }, importedPaths: []string{apiPath, keyPath}},
	}
}

// FileOf is the path of the file that has a service; "" if there is none.
func FileOf(service string) string {
	pkg, _, _ := strings.Cut(service, ".")
	for _, h := range homes() {
		if h.pkg == pkg {
			return h.path
		}
	}
	return ""
}

// Files finds descriptors: those of etcd's API, then whatever else the program has (health, reflection).
type Files struct{ etcds *protoregistry.Files }

// FindFileByPath implements protodesc.Resolver.
func (f *Files) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	d, err := f.etcds.FindFileByPath(path)
	if errors.Is(err, protoregistry.NotFound) {
		return protoregistry.GlobalFiles.FindFileByPath(path)
	}
	return d, err
}

// FindDescriptorByName implements protodesc.Resolver.
func (f *Files) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	d, err := f.etcds.FindDescriptorByName(name)
	if errors.Is(err, protoregistry.NotFound) {
		return protoregistry.GlobalFiles.FindDescriptorByName(name)
	}
	return d, err
}

// New makes the files of all services that the methods are of.
func New(methods []Method) (*Files, error) {
	names := map[string]string{} // of our messages and enumerations, to etcd's, both with a dot in front
	files := make([]*descriptorpb.FileDescriptorProto, 0, len(homes()))
	for _, h := range homes() {
		f := proto.CloneOf(protodesc.ToFileDescriptorProto(h.ours))
		from := f.GetPackage()
		f.Name, f.Package, f.Dependency, f.Options = &h.path, &h.pkg, h.importedPaths, nil
		f.MessageType = slices.DeleteFunc(f.MessageType, func(m *descriptorpb.DescriptorProto) bool {
			return h.own != nil && !h.own(m.GetName())
		})
		for _, m := range f.MessageType {
			rename(names, "."+from+"."+m.GetName(), "."+h.pkg+"."+m.GetName(), m)
		}
		for _, e := range f.EnumType {
			names["."+from+"."+e.GetName()] = "." + h.pkg + "." + e.GetName()
		}
		files = append(files, f)
	}
	all := &Files{etcds: &protoregistry.Files{}}
	for i, f := range files {
		for _, m := range f.MessageType {
			refer(m, names)
		}
		if err := serve(f, methods, names); err != nil {
			return nil, err
		}
		d, err := protodesc.NewFile(f, all.etcds)
		if err == nil {
			err = all.etcds.RegisterFile(d)
		}
		if err != nil {
			return nil, fmt.Errorf("descriptors: %s: %w", files[i].GetName(), err)
		}
	}
	return all, nil
}

// rename notes the new name of a message and of all that it has within.
func rename(names map[string]string, from, to string, m *descriptorpb.DescriptorProto) {
	names[from] = to
	for _, e := range m.EnumType {
		names[from+"."+e.GetName()] = to + "." + e.GetName()
	}
	for _, inner := range m.NestedType {
		rename(names, from+"."+inner.GetName(), to+"."+inner.GetName(), inner)
	}
}

// refer lets the fields of a message have the types of new names.
func refer(m *descriptorpb.DescriptorProto, names map[string]string) {
	for _, f := range m.Field {
		if to, renamed := names[f.GetTypeName()]; renamed {
			f.TypeName = &to
		}
	}
	for _, inner := range m.NestedType {
		refer(inner, names)
	}
}

// serve puts the services of a file's package into it, in the order of the methods.
func serve(f *descriptorpb.FileDescriptorProto, methods []Method, names map[string]string) error {
	for _, m := range methods {
		service, ours := strings.CutPrefix(m.Service, f.GetPackage()+".")
		if !ours {
			continue
		}
		at := slices.IndexFunc(f.Service, func(s *descriptorpb.ServiceDescriptorProto) bool { return s.GetName() == service })
		if at < 0 {
			at = len(f.Service)
			f.Service = append(f.Service, &descriptorpb.ServiceDescriptorProto{Name: &service})
		}
		asked, answered := names["."+string(m.Asked.FullName())], names["."+string(m.Answered.FullName())]
		if asked == "" || answered == "" {
			return fmt.Errorf("descriptors: %s/%s has messages without a home", m.Service, m.Name)
		}
		d := &descriptorpb.MethodDescriptorProto{Name: &m.Name, InputType: &asked, OutputType: &answered}
		if m.ClientStreams {
			d.ClientStreaming = &m.ClientStreams
		}
		if m.ServerStreams {
			d.ServerStreaming = &m.ServerStreams
		}
		f.Service[at].Method = append(f.Service[at].Method, d)
	}
	return nil
}
