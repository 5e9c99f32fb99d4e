package api

import (
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// operations is all that is known of each operation: a new RPC is a row here and whoever answers it. Nothing ever assigns
// to it.
var operations = [...]row{
	Range: of[pb.RangeRequest, pb.RangeResponse]{
		name: "range", method: "/etcdserverpb.KV/Range",
		valid: func(r *pb.RangeRequest, _ int) *Error { return checkRange(r) },
		route: func(r *pb.RangeRequest) Route { return reading(r.Serializable) }, learner: (*pb.RangeRequest).GetSerializable,
		header: func(a *pb.RangeResponse) **pb.ResponseHeader { return &a.Header }, readMetric: "Range",
		permission: needs[pb.RangeRequest](PermitKeys), keys: rangeKeys, describe: (*description).rangeOf,
		counts: func(_ *pb.RangeRequest, a *pb.RangeResponse) (int64, int64) { return 0, a.GetCount() },
	}.row(),
	Put: of[pb.PutRequest, pb.PutResponse]{
		name: "put", method: "/etcdserverpb.KV/Put",
		valid: func(r *pb.PutRequest, _ int) *Error { return checkPut(r) },
		route: by[pb.PutRequest](Propose), entry: func(r *pb.InternalRaftRequest) **pb.PutRequest { return &r.Put },
		cost: store.PutCost, header: func(a *pb.PutResponse) **pb.ResponseHeader { return &a.Header }, metric: "Put",
		permission: needs[pb.PutRequest](PermitKeys), keys: putKeys, describe: (*description).put,
		counts:  func(*pb.PutRequest, *pb.PutResponse) (int64, int64) { return 1, 0 },
		applied: []string{"get key's previous created_revision and leaseID", "marshal mvccpb.KeyValue"},
		wrote:   []string{stationStored},
	}.row(),
	DeleteRange: of[pb.DeleteRangeRequest, pb.DeleteRangeResponse]{
		name: "delete_range", method: "/etcdserverpb.KV/DeleteRange",
		valid: func(r *pb.DeleteRangeRequest, _ int) *Error { return checkDelete(r) },
		route: by[pb.DeleteRangeRequest](Propose), entry: func(r *pb.InternalRaftRequest) **pb.DeleteRangeRequest { return &r.DeleteRange },
		header: func(a *pb.DeleteRangeResponse) **pb.ResponseHeader { return &a.Header }, metric: "DeleteRange",
		permission: needs[pb.DeleteRangeRequest](PermitKeys), keys: deleteKeys, describe: (*description).deleteRange,
		counts: func(_ *pb.DeleteRangeRequest, a *pb.DeleteRangeResponse) (int64, int64) { return 0, a.GetDeleted() },
		wrote:  []string{"delete keys from in-memory index tree", stationStored},
	}.row(),
	Txn: of[pb.TxnRequest, pb.TxnResponse]{
		name: "transaction", method: "/etcdserverpb.KV/Txn",
		valid: validTxn, route: txnRoute, entry: func(r *pb.InternalRaftRequest) **pb.TxnRequest { return &r.Txn },
		cost: store.TxnCost, header: func(a *pb.TxnResponse) **pb.ResponseHeader { return &a.Header },
		metric: "Txn", readMetric: "ReadonlyTxn",
		permission: needs[pb.TxnRequest](PermitKeys), keys: txnKeys, describe: (*description).txn, counts: txnCounts,
		applied: []string{"compare", "check requests"}, wrote: []string{stationStored},
	}.row(),
	Compact: of[pb.CompactionRequest, pb.CompactionResponse]{
		name: "compact", method: "/etcdserverpb.KV/Compact",
		route: by[pb.CompactionRequest](Propose), entry: func(r *pb.InternalRaftRequest) **pb.CompactionRequest { return &r.Compaction },
		header: func(a *pb.CompactionResponse) **pb.ResponseHeader { return &a.Header }, metric: "Compaction",
		permission: needs[pb.CompactionRequest](PermitRoot), describe: (*description).compaction,
		applied: []string{"check and update compact revision", "schedule compaction"},
	}.row(),
	RangeStream: of[pb.RangeRequest, pb.RangeStreamResponse]{
		name: "range_stream", method: "/etcdserverpb.KV/RangeStream", shared: true,
		valid:      func(r *pb.RangeRequest, _ int) *Error { return checkStream(r) },
		route:      func(r *pb.RangeRequest) Route { return reading(r.Serializable) },
		permission: needs[pb.RangeRequest](PermitKeys), keys: rangeKeys, describe: (*description).rangeOf,
	}.row(),
	Watch: of[pb.WatchRequest, pb.WatchResponse]{
		name: "watch", method: "/etcdserverpb.Watch/Watch", route: by[pb.WatchRequest](Stream),
		permission: needs[pb.WatchRequest](PermitKeys), keys: watchKeys,
	}.row(),
	Status: of[pb.StatusRequest, pb.StatusResponse]{
		name: "status", method: "/etcdserverpb.Maintenance/Status", route: by[pb.StatusRequest](Local),
		learner: always[pb.StatusRequest], permission: needs[pb.StatusRequest](PermitUser),
		header: func(a *pb.StatusResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	HashKV: of[pb.HashKVRequest, pb.HashKVResponse]{
		name: "hash_kv", method: "/etcdserverpb.Maintenance/HashKV", route: by[pb.HashKVRequest](Local),
		permission: needs[pb.HashKVRequest](PermitRoot),
		header:     func(a *pb.HashKVResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	Hash: of[pb.HashRequest, pb.HashResponse]{
		name: "hash", method: "/etcdserverpb.Maintenance/Hash", route: by[pb.HashRequest](Local),
		permission: needs[pb.HashRequest](PermitRoot),
		header:     func(a *pb.HashResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	Alarm: of[pb.AlarmRequest, pb.AlarmResponse]{
		name: "alarm", method: "/etcdserverpb.Maintenance/Alarm", route: by[pb.AlarmRequest](Propose),
		entry: func(r *pb.InternalRaftRequest) **pb.AlarmRequest { return &r.Alarm }, permission: alarmPermission,
		header: func(a *pb.AlarmResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	MoveLeader: of[pb.MoveLeaderRequest, pb.MoveLeaderResponse]{
		name: "move_leader", method: "/etcdserverpb.Maintenance/MoveLeader", route: by[pb.MoveLeaderRequest](Lead),
		permission: needs[pb.MoveLeaderRequest](PermitRoot),
	}.row(),
	Snapshot: of[pb.SnapshotRequest, pb.SnapshotResponse]{
		name: "snapshot", method: "/etcdserverpb.Maintenance/Snapshot", route: by[pb.SnapshotRequest](Local),
		learner: always[pb.SnapshotRequest], permission: needs[pb.SnapshotRequest](PermitRoot),
	}.row(),
	Defragment: of[pb.DefragmentRequest, pb.DefragmentResponse]{
		name: "defragment", method: "/etcdserverpb.Maintenance/Defragment", route: by[pb.DefragmentRequest](Driver),
		permission: needs[pb.DefragmentRequest](PermitRoot),
	}.row(),
	MemberList: of[pb.MemberListRequest, pb.MemberListResponse]{
		name: "member_list", method: "/etcdserverpb.Cluster/MemberList", route: memberListRoute, noRevision: true,
		permission: needs[pb.MemberListRequest](PermitUser),
		header:     func(a *pb.MemberListResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
}

func reading(serializable bool) Route {
	if serializable {
		return Serializable
	}
	return ReadIndex
}

// txnRoute: a txn without writes stays out of the log, and needs no leader if no range of it does.
func txnRoute(r *pb.TxnRequest) Route {
	if !pb.ReadOnly(r) {
		return Propose
	}
	return reading(pb.Serializable(r) || mutant.On(mutant.TxnReadLocal))
}

func memberListRoute(r *pb.MemberListRequest) Route {
	if r.Linearizable {
		return ReadIndex
	}
	return Local
}

// txnCounts counts the operations of the branch that was taken.
func txnCounts(r *pb.TxnRequest, a *pb.TxnResponse) (int64, int64) {
	if a != nil && !a.Succeeded {
		return int64(len(r.GetFailure())), 0
	}
	return int64(len(r.GetSuccess())), 0
}
