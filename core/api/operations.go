package api

import (
	"math"

	"vitrine/core/auth"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// operations is all that is known of each operation: a new RPC is a row here and whoever answers it. Nothing ever
// assigns to it.
var operations = [...]row{
	Range: of[pb.RangeRequest, pb.RangeResponse]{
		name: "range", method: "/etcdserverpb.KV/Range",
		valid: func(r *pb.RangeRequest, _ int) *Error { return checkRange(r) },
		route: func(r *pb.RangeRequest) Route { return reading(r.Serializable) }, learner: (*pb.RangeRequest).GetSerializable,
		header: func(a *pb.RangeResponse) **pb.ResponseHeader { return &a.Header }, readMetric: "Range",
		permission: needs[pb.RangeRequest](PermitKeys), need: auth.RangeNeed, describe: (*description).rangeOf,
		counts: func(_ *pb.RangeRequest, a *pb.RangeResponse) (int64, int64) { return 0, a.GetCount() },
	}.row(),
	Put: of[pb.PutRequest, pb.PutResponse]{
		name: "put", method: "/etcdserverpb.KV/Put",
		valid: func(r *pb.PutRequest, _ int) *Error { return checkPut(r) },
		route: by[pb.PutRequest](Propose), entry: func(r *pb.InternalRaftRequest) **pb.PutRequest { return &r.Put },
		cost: store.PutCost, header: func(a *pb.PutResponse) **pb.ResponseHeader { return &a.Header }, metric: "Put",
		permission: needs[pb.PutRequest](PermitKeys), need: putNeed, describe: (*description).put,
		counts:  func(*pb.PutRequest, *pb.PutResponse) (int64, int64) { return 1, 0 },
		applied: []string{"get key's previous created_revision and leaseID", "marshal mvccpb.KeyValue"},
		wrote:   []string{stationStored},
	}.row(),
	DeleteRange: of[pb.DeleteRangeRequest, pb.DeleteRangeResponse]{
		name: "delete_range", method: "/etcdserverpb.KV/DeleteRange",
		valid:  func(r *pb.DeleteRangeRequest, _ int) *Error { return checkDelete(r) },
		route:  by[pb.DeleteRangeRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.DeleteRangeRequest { return &r.DeleteRange },
		header: func(a *pb.DeleteRangeResponse) **pb.ResponseHeader { return &a.Header }, metric: "DeleteRange",
		permission: needs[pb.DeleteRangeRequest](PermitKeys), need: auth.DeleteNeed, describe: (*description).deleteRange,
		counts: func(_ *pb.DeleteRangeRequest, a *pb.DeleteRangeResponse) (int64, int64) { return 0, a.GetDeleted() },
		wrote:  []string{"delete keys from in-memory index tree", stationStored},
	}.row(),
	Txn: of[pb.TxnRequest, pb.TxnResponse]{
		name: "transaction", method: "/etcdserverpb.KV/Txn",
		valid: validTxn, route: txnRoute, entry: func(r *pb.InternalRaftRequest) **pb.TxnRequest { return &r.Txn },
		cost: store.TxnCost, header: func(a *pb.TxnResponse) **pb.ResponseHeader { return &a.Header },
		metric: "Txn", readMetric: "ReadonlyTxn",
		permission: needs[pb.TxnRequest](PermitKeys), need: txnNeed, describe: (*description).txn, counts: txnCounts,
		applied: []string{"compare", "check requests"}, wrote: []string{stationStored},
	}.row(),
	Compact: of[pb.CompactionRequest, pb.CompactionResponse]{
		name: "compact", method: "/etcdserverpb.KV/Compact",
		route:  by[pb.CompactionRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.CompactionRequest { return &r.Compaction },
		header: func(a *pb.CompactionResponse) **pb.ResponseHeader { return &a.Header }, metric: "Compaction",
		permission: needs[pb.CompactionRequest](PermitRoot), describe: (*description).compaction,
		applied: []string{"check and update compact revision", "schedule compaction"},
	}.row(),
	RangeStream: of[pb.RangeRequest, pb.RangeStreamResponse]{
		name: "range_stream", method: "/etcdserverpb.KV/RangeStream", shared: true,
		valid:      func(r *pb.RangeRequest, _ int) *Error { return checkStream(r) },
		route:      func(r *pb.RangeRequest) Route { return reading(r.Serializable) },
		permission: needs[pb.RangeRequest](PermitKeys), need: auth.RangeNeed, describe: (*description).rangeOf,
	}.row(),
	Watch: of[pb.WatchRequest, pb.WatchResponse]{
		name: "watch", method: "/etcdserverpb.Watch/Watch", route: by[pb.WatchRequest](Stream),
		permission: needs[pb.WatchRequest](PermitKeys), need: watchNeed,
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
	MemberAdd: of[pb.MemberAddRequest, pb.MemberAddResponse]{
		name: "member_add", method: "/etcdserverpb.Cluster/MemberAdd", route: by[pb.MemberAddRequest](Configure),
		valid: checkMemberAdd, noRevision: true, permission: needs[pb.MemberAddRequest](PermitRoot),
		describe: (*description).memberAdd,
		header:   func(a *pb.MemberAddResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	MemberRemove: of[pb.MemberRemoveRequest, pb.MemberRemoveResponse]{
		name: "member_remove", method: "/etcdserverpb.Cluster/MemberRemove", route: by[pb.MemberRemoveRequest](Configure),
		noRevision: true, permission: needs[pb.MemberRemoveRequest](PermitRoot), describe: (*description).memberRemove,
		header: func(a *pb.MemberRemoveResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	MemberUpdate: of[pb.MemberUpdateRequest, pb.MemberUpdateResponse]{
		name: "member_update", method: "/etcdserverpb.Cluster/MemberUpdate", route: by[pb.MemberUpdateRequest](Configure),
		noRevision: true, permission: needs[pb.MemberUpdateRequest](PermitRoot), describe: (*description).memberUpdate,
		header: func(a *pb.MemberUpdateResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	MemberPromote: of[pb.MemberPromoteRequest, pb.MemberPromoteResponse]{
		name: "member_promote", method: "/etcdserverpb.Cluster/MemberPromote",
		route:      by[pb.MemberPromoteRequest](Promotion),
		noRevision: true, permission: needs[pb.MemberPromoteRequest](PermitRoot), describe: (*description).memberPromote,
		header: func(a *pb.MemberPromoteResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	Downgrade: of[pb.DowngradeRequest, pb.DowngradeResponse]{
		name: "downgrade", method: "/etcdserverpb.Maintenance/Downgrade", route: by[pb.DowngradeRequest](Downgrading),
		permission: needs[pb.DowngradeRequest](PermitRoot),
		header:     func(a *pb.DowngradeResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthEnable: of[pb.AuthEnableRequest, pb.AuthEnableResponse]{
		name: "auth_enable", method: "/etcdserverpb.Auth/AuthEnable", route: by[pb.AuthEnableRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthEnableRequest { return &r.AuthEnable },
		metric: "AuthEnable", permission: needs[pb.AuthEnableRequest](PermitEntry),
		header: func(a *pb.AuthEnableResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthDisable: of[pb.AuthDisableRequest, pb.AuthDisableResponse]{
		name: "auth_disable", method: "/etcdserverpb.Auth/AuthDisable", route: by[pb.AuthDisableRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthDisableRequest { return &r.AuthDisable },
		metric: "AuthDisable", permission: needs[pb.AuthDisableRequest](PermitEntry),
		header: func(a *pb.AuthDisableResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthStatus: of[pb.AuthStatusRequest, pb.AuthStatusResponse]{
		name: "auth_status", method: "/etcdserverpb.Auth/AuthStatus", route: by[pb.AuthStatusRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthStatusRequest { return &r.AuthStatus },
		metric: "AuthStatus", permission: needs[pb.AuthStatusRequest](PermitAnyone),
		header: func(a *pb.AuthStatusResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	Authenticate: of[pb.AuthenticateRequest, pb.AuthenticateResponse]{
		name: "authenticate", method: "/etcdserverpb.Auth/Authenticate", route: by[pb.AuthenticateRequest](Login),
		metric: "Authenticate", permission: needs[pb.AuthenticateRequest](PermitAnyone),
		header: func(a *pb.AuthenticateResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserAdd: of[pb.AuthUserAddRequest, pb.AuthUserAddResponse]{
		name: "auth_user_add", method: "/etcdserverpb.Auth/UserAdd", route: userAddRoute,
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserAddRequest { return &r.AuthUserAdd },
		metric: "AuthUserAdd", permission: needs[pb.AuthUserAddRequest](PermitEntry),
		header: func(a *pb.AuthUserAddResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserGet: of[pb.AuthUserGetRequest, pb.AuthUserGetResponse]{
		name: "auth_user_get", method: "/etcdserverpb.Auth/UserGet", route: by[pb.AuthUserGetRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserGetRequest { return &r.AuthUserGet },
		metric: "AuthUserGet", permission: needs[pb.AuthUserGetRequest](PermitEntry),
		header: func(a *pb.AuthUserGetResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserList: of[pb.AuthUserListRequest, pb.AuthUserListResponse]{
		name: "auth_user_list", method: "/etcdserverpb.Auth/UserList", route: by[pb.AuthUserListRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserListRequest { return &r.AuthUserList },
		metric: "AuthUserList", permission: needs[pb.AuthUserListRequest](PermitEntry),
		header: func(a *pb.AuthUserListResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserDelete: of[pb.AuthUserDeleteRequest, pb.AuthUserDeleteResponse]{
		name: "auth_user_delete", method: "/etcdserverpb.Auth/UserDelete", route: by[pb.AuthUserDeleteRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserDeleteRequest { return &r.AuthUserDelete },
		metric: "AuthUserDelete", permission: needs[pb.AuthUserDeleteRequest](PermitEntry),
		header: func(a *pb.AuthUserDeleteResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserChangePassword: of[pb.AuthUserChangePasswordRequest, pb.AuthUserChangePasswordResponse]{
		name: "auth_user_change_password", method: "/etcdserverpb.Auth/UserChangePassword", route: changePasswordRoute,
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserChangePasswordRequest { return &r.AuthUserChangePassword },
		metric: "AuthUserChangePassword", permission: needs[pb.AuthUserChangePasswordRequest](PermitEntry),
		header: func(a *pb.AuthUserChangePasswordResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserGrantRole: of[pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse]{
		name: "auth_user_grant_role", method: "/etcdserverpb.Auth/UserGrantRole",
		route:  by[pb.AuthUserGrantRoleRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserGrantRoleRequest { return &r.AuthUserGrantRole },
		metric: "AuthUserGrantRole", permission: needs[pb.AuthUserGrantRoleRequest](PermitEntry),
		header: func(a *pb.AuthUserGrantRoleResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthUserRevokeRole: of[pb.AuthUserRevokeRoleRequest, pb.AuthUserRevokeRoleResponse]{
		name: "auth_user_revoke_role", method: "/etcdserverpb.Auth/UserRevokeRole",
		route:  by[pb.AuthUserRevokeRoleRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthUserRevokeRoleRequest { return &r.AuthUserRevokeRole },
		metric: "AuthUserRevokeRole", permission: needs[pb.AuthUserRevokeRoleRequest](PermitEntry),
		header: func(a *pb.AuthUserRevokeRoleResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleAdd: of[pb.AuthRoleAddRequest, pb.AuthRoleAddResponse]{
		name: "auth_role_add", method: "/etcdserverpb.Auth/RoleAdd", route: by[pb.AuthRoleAddRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthRoleAddRequest { return &r.AuthRoleAdd },
		metric: "AuthRoleAdd", permission: needs[pb.AuthRoleAddRequest](PermitEntry),
		header: func(a *pb.AuthRoleAddResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleGet: of[pb.AuthRoleGetRequest, pb.AuthRoleGetResponse]{
		name: "auth_role_get", method: "/etcdserverpb.Auth/RoleGet", route: by[pb.AuthRoleGetRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthRoleGetRequest { return &r.AuthRoleGet },
		metric: "AuthRoleGet", permission: needs[pb.AuthRoleGetRequest](PermitEntry),
		header: func(a *pb.AuthRoleGetResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleList: of[pb.AuthRoleListRequest, pb.AuthRoleListResponse]{
		name: "auth_role_list", method: "/etcdserverpb.Auth/RoleList", route: by[pb.AuthRoleListRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthRoleListRequest { return &r.AuthRoleList },
		metric: "AuthRoleList", permission: needs[pb.AuthRoleListRequest](PermitEntry),
		header: func(a *pb.AuthRoleListResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleDelete: of[pb.AuthRoleDeleteRequest, pb.AuthRoleDeleteResponse]{
		name: "auth_role_delete", method: "/etcdserverpb.Auth/RoleDelete", route: by[pb.AuthRoleDeleteRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthRoleDeleteRequest { return &r.AuthRoleDelete },
		metric: "AuthRoleDelete", permission: needs[pb.AuthRoleDeleteRequest](PermitEntry),
		header: func(a *pb.AuthRoleDeleteResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleGrantPermission: of[pb.AuthRoleGrantPermissionRequest, pb.AuthRoleGrantPermissionResponse]{
		name: "auth_role_grant_permission", method: "/etcdserverpb.Auth/RoleGrantPermission",
		route:  by[pb.AuthRoleGrantPermissionRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.AuthRoleGrantPermissionRequest { return &r.AuthRoleGrantPermission },
		metric: "AuthRoleGrantPermission", permission: needs[pb.AuthRoleGrantPermissionRequest](PermitEntry),
		header: func(a *pb.AuthRoleGrantPermissionResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	AuthRoleRevokePermission: of[pb.AuthRoleRevokePermissionRequest, pb.AuthRoleRevokePermissionResponse]{
		name: "auth_role_revoke_permission", method: "/etcdserverpb.Auth/RoleRevokePermission",
		route: by[pb.AuthRoleRevokePermissionRequest](Propose),
		entry: func(r *pb.InternalRaftRequest) **pb.AuthRoleRevokePermissionRequest {
			return &r.AuthRoleRevokePermission
		},
		metric: "AuthRoleRevokePermission", permission: needs[pb.AuthRoleRevokePermissionRequest](PermitEntry),
		header: func(a *pb.AuthRoleRevokePermissionResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	LeaseGrant: of[pb.LeaseGrantRequest, pb.LeaseGrantResponse]{
		name: "lease_grant", method: "/etcdserverpb.Lease/LeaseGrant", route: by[pb.LeaseGrantRequest](Propose),
		complete: chooseLease, entry: func(r *pb.InternalRaftRequest) **pb.LeaseGrantRequest { return &r.LeaseGrant },
		cost: store.GrantCost, header: func(a *pb.LeaseGrantResponse) **pb.ResponseHeader { return &a.Header },
		metric: "LeaseGrant", permission: needs[pb.LeaseGrantRequest](PermitUser), describe: (*description).leaseGrant,
	}.row(),
	LeaseRevoke: of[pb.LeaseRevokeRequest, pb.LeaseRevokeResponse]{
		name: "lease_revoke", method: "/etcdserverpb.Lease/LeaseRevoke", route: by[pb.LeaseRevokeRequest](Propose),
		entry:  func(r *pb.InternalRaftRequest) **pb.LeaseRevokeRequest { return &r.LeaseRevoke },
		header: func(a *pb.LeaseRevokeResponse) **pb.ResponseHeader { return &a.Header },
		metric: "LeaseRevoke", permission: needs[pb.LeaseRevokeRequest](PermitUser), describe: (*description).leaseRevoke,
	}.row(),
	LeaseKeepAlive: of[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]{
		name: "lease_renew", method: "/etcdserverpb.Lease/LeaseKeepAlive", route: by[pb.LeaseKeepAliveRequest](Leader),
		permission: needs[pb.LeaseKeepAliveRequest](PermitUser),
		header:     func(a *pb.LeaseKeepAliveResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	LeaseTimeToLive: of[pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse]{
		name: "lease_timetolive", method: "/etcdserverpb.Lease/LeaseTimeToLive", route: by[pb.LeaseTimeToLiveRequest](Leader),
		permission: needs[pb.LeaseTimeToLiveRequest](PermitUser),
		header:     func(a *pb.LeaseTimeToLiveResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
	LeaseLeases: of[pb.LeaseLeasesRequest, pb.LeaseLeasesResponse]{
		name: "lease_leases", method: "/etcdserverpb.Lease/LeaseLeases", route: by[pb.LeaseLeasesRequest](Local),
		permission: needs[pb.LeaseLeasesRequest](PermitUser),
		header:     func(a *pb.LeaseLeasesResponse) **pb.ResponseHeader { return &a.Header },
	}.row(),
}

// userAddRoute: a user without a password has none to hash.
func userAddRoute(r *pb.AuthUserAddRequest) Route {
	if r.GetOptions().GetNoPassword() {
		return Propose
	}
	return Hashed
}

// changePasswordRoute: as in etcd, who gives no password may give a hash.
func changePasswordRoute(r *pb.AuthUserChangePasswordRequest) Route {
	if r.Password == "" {
		return Propose
	}
	return Hashed
}

// chooseLease gives a lease an id, a positive one, if the client leaves that to the server.
func chooseLease(r *pb.LeaseGrantRequest, next func() uint64) {
	for r.ID == 0 {
		r.ID = int64(next() & math.MaxInt64)
	}
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
