package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitrine/core/pb"
)

// Op numbers what clients ask of members; trace.RequestIssued carries it. The
// numbers are part of every seed's hash.
type Op uint8

// The requests.
const (
	OpPut Op = iota + 1
	OpGet
	OpDelete
	OpTxn
	OpCompact
	OpWatch
	OpAlarm
	OpMoveLeader
	OpStatus
	OpHash
	OpHashKV
	OpMembers
	OpUserAdd
	OpUserDelete
	OpGrantRole
	OpRevokeRole
	OpRoleAdd
	OpRoleDelete
	OpGrant
	OpRevoke
	OpAuth
	OpLeaseGrant
	OpLeaseRevoke
	OpKeepAlive
	OpTimeToLive
	OpLeases
	OpAddMember
	OpAddLearner
	OpPromote
	OpRemove
	OpLogin
	OpPassword
	Ops // one more than the last
)

var opNames = [Ops]string{
	"", Put, Get, Delete, Txn, Compact, Watch, Alarm, MoveLeader, Status, Hash, HashKV, Members,
	UserAdd, UserDelete, GrantRole, RevokeRole, RoleAdd, RoleDelete, Grant, Revoke, Auth,
	LeaseGrant, LeaseRevoke, KeepAlive, TimeToLive, Leases, AddMember, AddLearner, Promote, Remove,
	Login, Password,
}

// String is the verb of the request.
func (op Op) String() string { return opNames[op] }

// ReadOnly requests are asked again where the first answer did not come.
func (op Op) ReadOnly() bool {
	return op == OpGet || op >= OpStatus && op <= OpMembers || op >= OpKeepAlive && op <= OpLeases
}

// Judged requests are of the data, and part of the history. What is asked of leases is not: members revoke them, too,
// by the same entries.
func (op Op) Judged() bool { return op < OpMoveLeader }

// Keyed requests are about some key.
func (op Op) Keyed() bool { return op < OpAlarm && op != OpCompact }

// Body translates a command to the API. newest is the newest revision that its
// client has seen, from which a compaction may count back.
func (c *Command) Body(newest int64) (Op, any, error) {
	v, err := verbNamed(c.Cmd)
	if err != nil {
		return 0, nil, err
	}
	if v.request == nil {
		return 0, nil, fmt.Errorf("script: %s is not a request", c.Cmd)
	}
	body, err := v.request(c, newest)
	return v.Op, body, err
}

func wantsKey(c *Command) error {
	if c.Key == "" {
		return fmt.Errorf("script: %s: which key?", c.Cmd)
	}
	return nil
}

func putOf(c *Command, _ int64) (any, error) {
	return &pb.PutRequest{
		Key: bytesOf(c.Key), Value: bytesOf(c.Value), PrevKv: c.PrevKV, IgnoreValue: c.IgnoreValue,
		Lease: c.Lease,
	}, wantsKey(c)
}

func wantsLease(c *Command) error {
	if c.Lease == 0 {
		return fmt.Errorf("script: %s: which lease?", c.Cmd)
	}
	return nil
}

func leaseGrantOf(c *Command, _ int64) (any, error) {
	return &pb.LeaseGrantRequest{ID: c.Lease, TTL: c.TTL}, wantsLease(c)
}

func leaseRevokeOf(c *Command, _ int64) (any, error) {
	return &pb.LeaseRevokeRequest{ID: c.Lease}, wantsLease(c)
}

func keepAliveOf(c *Command, _ int64) (any, error) {
	return &pb.LeaseKeepAliveRequest{ID: c.Lease}, wantsLease(c)
}

func timeToLiveOf(c *Command, _ int64) (any, error) {
	return &pb.LeaseTimeToLiveRequest{ID: c.Lease, Keys: !c.KeysOnly}, wantsLease(c)
}

func leasesOf(*Command, int64) (any, error) { return &pb.LeaseLeasesRequest{}, nil }

func getOf(c *Command, _ int64) (any, error) {
	if err := wantsKey(c); err != nil {
		return nil, err
	}
	order := slices.Index(orderNames[:], c.Order)
	if order < 0 {
		return nil, fmt.Errorf("script: get: order %q is neither ascend nor descend", c.Order)
	}
	by := slices.Index(sortNames[:], c.By)
	if by < 0 {
		return nil, fmt.Errorf("script: get: by %q is neither version, create, mod nor value", c.By)
	}
	return &pb.RangeRequest{
		Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End), Limit: c.Limit, Revision: c.Rev,
		SortOrder: pb.RangeRequest_SortOrder(order), SortTarget: pb.RangeRequest_SortTarget(by),
		Serializable: c.Serializable, KeysOnly: c.KeysOnly, CountOnly: c.CountOnly,
		MinModRevision: c.MinMod, MaxModRevision: c.MaxMod, MinCreateRevision: c.MinCreate, MaxCreateRevision: c.MaxCreate,
	}, nil
}

func deleteOf(c *Command, _ int64) (any, error) {
	return &pb.DeleteRangeRequest{Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End), PrevKv: c.PrevKV}, wantsKey(c)
}

func compactOf(c *Command, newest int64) (any, error) {
	rev := c.Rev
	if rev <= 0 {
		rev += newest
	}
	return &pb.CompactionRequest{Revision: max(1, rev), Physical: c.Physical}, nil
}

func statusOf(*Command, int64) (any, error) { return &pb.StatusRequest{}, nil }

func hashOf(*Command, int64) (any, error) { return &pb.HashRequest{}, nil }

func hashKVOf(c *Command, _ int64) (any, error) { return &pb.HashKVRequest{Revision: c.Rev}, nil }

func membersOf(c *Command, _ int64) (any, error) {
	return &pb.MemberListRequest{Linearizable: !c.Serializable}, nil
}

func moveLeaderOf(c *Command, _ int64) (any, error) {
	return &pb.MoveLeaderRequest{TargetID: uint64(c.ID)}, nil
}

func alarmOf(c *Command, _ int64) (any, error) {
	action, kind := slices.Index(alarmActionNames[:], c.Name), slices.Index(alarmTypeNames[:], c.Value)
	switch {
	case action < 0:
		return nil, fmt.Errorf("script: alarm: name %q is neither get, activate nor deactivate", c.Name)
	case kind < 0:
		return nil, fmt.Errorf("script: alarm: value %q is neither nospace nor corrupt", c.Value)
	}
	return &pb.AlarmRequest{
		Action: pb.AlarmRequest_AlarmAction(action), Alarm: pb.AlarmType(kind), MemberID: uint64(c.ID),
	}, nil
}

// The API's numbers in words: each stands at its number.
var (
	alarmTypeNames   = [...]string{"", "nospace", "corrupt"}
	alarmActionNames = [...]string{"get", "activate", "deactivate"}
	orderNames       = [...]string{"", "ascend", "descend"}
	sortNames        = [...]string{"", "version", "create", "mod", "value"}
	filterNames      = [...]string{"no-put", "no-delete"}
	resultNames      = [...]string{"=", ">", "<", "!="}
)

func watchOf(c *Command, _ int64) (any, error) {
	if err := wantsKey(c); err != nil {
		return nil, err
	}
	create := &pb.WatchCreateRequest{
		Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End), StartRevision: c.Rev, PrevKv: c.PrevKV, ProgressNotify: c.Progress,
		Fragment: c.Fragment, WatchId: c.ID,
	}
	for name := range strings.SplitSeq(c.Filter, ",") {
		f := slices.Index(filterNames[:], name)
		if f < 0 && name != "" {
			return nil, fmt.Errorf("script: watch: filter %q is neither no-put nor no-delete", name)
		}
		if f >= 0 {
			create.Filters = append(create.Filters, pb.WatchCreateRequest_FilterType(f))
		}
	}
	return create, nil
}

func txnOf(c *Command, _ int64) (any, error) {
	t := new(pb.TxnRequest)
	for i := range c.If {
		cmp, err := compareOf(&c.If[i])
		if err != nil {
			return nil, err
		}
		t.Compare = append(t.Compare, cmp)
	}
	var err error
	if t.Success, err = opsOf(c.Then); err == nil {
		t.Failure, err = opsOf(c.Else)
	}
	return t, err
}

func compareOf(x *Compare) (*pb.Compare, error) {
	cmp := &pb.Compare{Key: []byte(x.Key), RangeEnd: bytesOf(x.End)}
	result := slices.Index(resultNames[:], x.Op)
	if cmp.Result = pb.Compare_CompareResult(result); result < 0 {
		return nil, fmt.Errorf("script: txn: %q is not a comparison", x.Op)
	}
	if x.Target == "value" {
		cmp.Target, cmp.TargetUnion = pb.Compare_VALUE, &pb.Compare_Value{Value: []byte(x.Value)}
		return cmp, nil
	}
	n, err := strconv.ParseInt(x.Value, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("script: txn: %s %q is not a number", x.Target, x.Value)
	}
	switch x.Target {
	case "version":
		cmp.Target, cmp.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: n}
	case "create":
		cmp.Target, cmp.TargetUnion = pb.Compare_CREATE, &pb.Compare_CreateRevision{CreateRevision: n}
	case "mod":
		cmp.Target, cmp.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: n}
	case "lease":
		cmp.Target, cmp.TargetUnion = pb.Compare_LEASE, &pb.Compare_Lease{Lease: n}
	default:
		return nil, fmt.Errorf("script: txn: cannot compare the %q of a key", x.Target)
	}
	return cmp, nil
}

func opsOf(list []Command) (ops []*pb.RequestOp, err error) {
	for i := range list {
		_, body, err := list[i].Body(0)
		if err != nil {
			return nil, err
		}
		op := new(pb.RequestOp)
		switch r := body.(type) {
		case *pb.PutRequest:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: r}
		case *pb.RangeRequest:
			op.Request = &pb.RequestOp_RequestRange{RequestRange: r}
		case *pb.DeleteRangeRequest:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}
		case *pb.TxnRequest:
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: r}
		default:
			return nil, fmt.Errorf("script: txn: %s cannot be part of a transaction", list[i].Cmd)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// bytesOf is nil for nothing, as it comes off the wire.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}
