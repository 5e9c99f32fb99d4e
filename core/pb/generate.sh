#!/bin/sh
# Makes the Go code of this package from its .proto files. Needs protoc,
# protoc-gen-go and protoc-gen-go-vtproto.
#
# The virtual path vitrine/ keeps file names in the process-wide registry of
# protobuf from meeting etcd's. The fast marshaller writes fields by number and
# a oneof last, as the standard one does, so that a message has one encoding.
set -eu
cd "$(dirname "$0")"
raft=$(go list -m -f '{{.Dir}}' go.etcd.io/raft/v3)/raftpb
rm -f ./*.pb.go
options=module=vitrine/core/pb,Mraft.proto=go.etcd.io/raft/v3/raftpb
protoc -Ivitrine=. -I"$raft" \
  --go_out=. --go_opt="$options" \
  --go-vtproto_out=. --go-vtproto_opt="$options,features=marshal+unmarshal+size" \
  vitrine/mvcc.proto vitrine/auth.proto vitrine/membership.proto vitrine/rpc.proto \
  vitrine/internal.proto vitrine/lease.proto vitrine/wal.proto vitrine/snap.proto

printf 'package pb\n\nvar shapes = [...]shape{{}}\n' > shapes.pb.go # the generator links the package
go run ./internal/shapes/main.go
