#!/bin/sh
# Makes the Go code of this package from its .proto file. Needs protoc and protoc-gen-go.
set -eu
cd "$(dirname "$0")"
protoc -Ivitrine=../../../../core/pb -Ilock=. --go_out=. \
  --go_opt=module=vitrine/cmd/server/internal/lockpb lock/lock.proto
