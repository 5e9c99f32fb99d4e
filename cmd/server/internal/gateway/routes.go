package gateway

import (
	"google.golang.org/protobuf/proto"

	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/pb"
)

// flow is which side of a method sends more than one message.
type flow uint8

const (
	single flow = iota
	answers
	both
)

// route is a method with the paths that stand for it.
type route struct {
	method          string
	paths           []string
	flow            flow
	request, answer func() proto.Message
}

// message is a pointer to T that is a message.
type message[T any] interface {
	*T
	proto.Message
}

func to[Q, A any, PQ message[Q], PA message[A]](method string, paths ...string) route {
	return route{method: method, paths: paths, request: func() proto.Message { return PQ(new(Q)) },
		answer: func() proto.Message { return PA(new(A)) }}
}

func (r route) with(f flow) route {
	r.flow = f
	return r
}

// routes are etcd's paths.
func routes() []route {
	return append(append(append(keyRoutes(), memberRoutes()...), userRoutes()...), recipeRoutes()...)
}

func keyRoutes() []route {
	return []route{
		to[pb.RangeRequest, pb.RangeResponse]("/etcdserverpb.KV/Range", "/v3/kv/range"),
		to[pb.PutRequest, pb.PutResponse]("/etcdserverpb.KV/Put", "/v3/kv/put"),
		to[pb.DeleteRangeRequest, pb.DeleteRangeResponse]("/etcdserverpb.KV/DeleteRange", "/v3/kv/deleterange"),
		to[pb.TxnRequest, pb.TxnResponse]("/etcdserverpb.KV/Txn", "/v3/kv/txn"),
		to[pb.CompactionRequest, pb.CompactionResponse]("/etcdserverpb.KV/Compact", "/v3/kv/compaction"),
		to[pb.WatchRequest, pb.WatchResponse]("/etcdserverpb.Watch/Watch", "/v3/watch").with(both),
		to[pb.LeaseGrantRequest, pb.LeaseGrantResponse]("/etcdserverpb.Lease/LeaseGrant", "/v3/lease/grant"),
		to[pb.LeaseRevokeRequest, pb.LeaseRevokeResponse]("/etcdserverpb.Lease/LeaseRevoke", "/v3/lease/revoke",
			"/v3/kv/lease/revoke"),
		to[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]("/etcdserverpb.Lease/LeaseKeepAlive",
			"/v3/lease/keepalive").with(both),
		to[pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse]("/etcdserverpb.Lease/LeaseTimeToLive",
			"/v3/lease/timetolive", "/v3/kv/lease/timetolive"),
		to[pb.LeaseLeasesRequest, pb.LeaseLeasesResponse]("/etcdserverpb.Lease/LeaseLeases", "/v3/lease/leases",
			"/v3/kv/lease/leases"),
	}
}

func memberRoutes() []route {
	return []route{
		to[pb.MemberAddRequest, pb.MemberAddResponse]("/etcdserverpb.Cluster/MemberAdd", "/v3/cluster/member/add"),
		to[pb.MemberRemoveRequest, pb.MemberRemoveResponse]("/etcdserverpb.Cluster/MemberRemove",
			"/v3/cluster/member/remove"),
		to[pb.MemberUpdateRequest, pb.MemberUpdateResponse]("/etcdserverpb.Cluster/MemberUpdate",
			"/v3/cluster/member/update"),
		to[pb.MemberListRequest, pb.MemberListResponse]("/etcdserverpb.Cluster/MemberList", "/v3/cluster/member/list"),
		to[pb.MemberPromoteRequest, pb.MemberPromoteResponse]("/etcdserverpb.Cluster/MemberPromote",
			"/v3/cluster/member/promote"),
		to[pb.AlarmRequest, pb.AlarmResponse]("/etcdserverpb.Maintenance/Alarm", "/v3/maintenance/alarm"),
		to[pb.StatusRequest, pb.StatusResponse]("/etcdserverpb.Maintenance/Status", "/v3/maintenance/status"),
		to[pb.DefragmentRequest, pb.DefragmentResponse]("/etcdserverpb.Maintenance/Defragment",
			"/v3/maintenance/defragment"),
		to[pb.HashRequest, pb.HashResponse]("/etcdserverpb.Maintenance/Hash", "/v3/maintenance/hash"),
		to[pb.HashKVRequest, pb.HashKVResponse]("/etcdserverpb.Maintenance/HashKV", "/v3/maintenance/hashkv"),
		to[pb.SnapshotRequest, pb.SnapshotResponse]("/etcdserverpb.Maintenance/Snapshot",
			"/v3/maintenance/snapshot").with(answers),
		to[pb.MoveLeaderRequest, pb.MoveLeaderResponse]("/etcdserverpb.Maintenance/MoveLeader",
			"/v3/maintenance/transfer-leadership"),
		to[pb.DowngradeRequest, pb.DowngradeResponse]("/etcdserverpb.Maintenance/Downgrade", "/v3/maintenance/downgrade"),
	}
}

func userRoutes() []route {
	return []route{
		to[pb.AuthEnableRequest, pb.AuthEnableResponse]("/etcdserverpb.Auth/AuthEnable", "/v3/auth/enable"),
		to[pb.AuthDisableRequest, pb.AuthDisableResponse]("/etcdserverpb.Auth/AuthDisable", "/v3/auth/disable"),
		to[pb.AuthStatusRequest, pb.AuthStatusResponse]("/etcdserverpb.Auth/AuthStatus", "/v3/auth/status"),
		to[pb.AuthenticateRequest, pb.AuthenticateResponse]("/etcdserverpb.Auth/Authenticate", "/v3/auth/authenticate"),
		to[pb.AuthUserAddRequest, pb.AuthUserAddResponse]("/etcdserverpb.Auth/UserAdd", "/v3/auth/user/add"),
		to[pb.AuthUserGetRequest, pb.AuthUserGetResponse]("/etcdserverpb.Auth/UserGet", "/v3/auth/user/get"),
		to[pb.AuthUserListRequest, pb.AuthUserListResponse]("/etcdserverpb.Auth/UserList", "/v3/auth/user/list"),
		to[pb.AuthUserDeleteRequest, pb.AuthUserDeleteResponse]("/etcdserverpb.Auth/UserDelete", "/v3/auth/user/delete"),
		to[pb.AuthUserChangePasswordRequest, pb.AuthUserChangePasswordResponse]("/etcdserverpb.Auth/UserChangePassword",
			"/v3/auth/user/changepw"),
		to[pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse]("/etcdserverpb.Auth/UserGrantRole",
			"/v3/auth/user/grant"),
		to[pb.AuthUserRevokeRoleRequest, pb.AuthUserRevokeRoleResponse]("/etcdserverpb.Auth/UserRevokeRole",
			"/v3/auth/user/revoke"),
		to[pb.AuthRoleAddRequest, pb.AuthRoleAddResponse]("/etcdserverpb.Auth/RoleAdd", "/v3/auth/role/add"),
		to[pb.AuthRoleGetRequest, pb.AuthRoleGetResponse]("/etcdserverpb.Auth/RoleGet", "/v3/auth/role/get"),
		to[pb.AuthRoleListRequest, pb.AuthRoleListResponse]("/etcdserverpb.Auth/RoleList", "/v3/auth/role/list"),
		to[pb.AuthRoleDeleteRequest, pb.AuthRoleDeleteResponse]("/etcdserverpb.Auth/RoleDelete", "/v3/auth/role/delete"),
		to[pb.AuthRoleGrantPermissionRequest, pb.AuthRoleGrantPermissionResponse](
			"/etcdserverpb.Auth/RoleGrantPermission", "/v3/auth/role/grant"),
		to[pb.AuthRoleRevokePermissionRequest, pb.AuthRoleRevokePermissionResponse](
			"/etcdserverpb.Auth/RoleRevokePermission", "/v3/auth/role/revoke"),
	}
}

func recipeRoutes() []route {
	return []route{
		to[lockpb.LockRequest, lockpb.LockResponse]("/v3lockpb.Lock/Lock", "/v3/lock/lock"),
		to[lockpb.UnlockRequest, lockpb.UnlockResponse]("/v3lockpb.Lock/Unlock", "/v3/lock/unlock"),
		to[lockpb.CampaignRequest, lockpb.CampaignResponse]("/v3electionpb.Election/Campaign", "/v3/election/campaign"),
		to[lockpb.ProclaimRequest, lockpb.ProclaimResponse]("/v3electionpb.Election/Proclaim", "/v3/election/proclaim"),
		to[lockpb.LeaderRequest, lockpb.LeaderResponse]("/v3electionpb.Election/Leader", "/v3/election/leader"),
		to[lockpb.LeaderRequest, lockpb.LeaderResponse]("/v3electionpb.Election/Observe",
			"/v3/election/observe").with(answers),
		to[lockpb.ResignRequest, lockpb.ResignResponse]("/v3electionpb.Election/Resign", "/v3/election/resign"),
	}
}
