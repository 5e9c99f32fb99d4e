// Package pb holds the messages of the system: what clients send, what the raft
// log carries, and what buckets and files keep.
//
// They are etcd 3.7's messages to the byte: the same field names, numbers and
// types, from .proto files of our own. They are here again, and not imported
// from etcd's api module, for two reasons. That module carries the gRPC stubs,
// which more than double the page's wasm; and it registers its descriptors
// under names of its own, so ours, under vitrine.*, can stand beside them in
// one process, as a test does that compares the two.
//
//	data, err := (&pb.PutRequest{Key: key, Value: value}).MarshalVT()
//	request := &pb.InternalRaftRequest{}
//	err = pb.Unmarshal(data, request)
//
// Unmarshal is for whatever others have written: it accepts what etcd's decoder accepts, and bounds how deep messages
// may be nested. MarshalVT writes fields in the order of their numbers and a oneof last: exactly
// the bytes of proto.Marshal, several times faster. UnmarshalVT copies
// what it keeps. It adds to the message it is called on, so start from an empty one.
//
// Messages of raft itself (entries, hard states, snapshots) are raftpb's.
//
// Names differ from etcd's where one Go package could not hold both, or where
// the package name was part of the meaning: MembershipMember
// (membershippb.Member), WALRecord and WALSnapshot (walpb), WALMetadata
// (etcdserverpb.Metadata), SnapFile (snappb.snapshot).
package pb

//go:generate ./generate.sh
