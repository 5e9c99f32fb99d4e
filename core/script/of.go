package script

import (
	"fmt"
	"strconv"

	"vitrine/core/invariant"
	"vitrine/core/pb"
)

// Of is the command that asks what a message of the API asks: the opposite of
// Command.Body.
func Of(body any) Command {
	if c, ok := callOf(body); ok {
		return c
	}
	if c, ok := usersOf(body); ok {
		return c
	}
	switch r := body.(type) {
	case *pb.PutRequest:
		return Command{Cmd: Put, Key: string(r.Key), Value: string(r.Value), PrevKV: r.PrevKv, IgnoreValue: r.IgnoreValue,
			Lease: r.Lease}
	case *pb.RangeRequest:
		return Command{
			Cmd: Get, Key: string(r.Key), End: string(r.RangeEnd), Limit: r.Limit, Rev: r.Revision,
			Order: orderNames[r.SortOrder], By: sortNames[r.SortTarget],
			Serializable: r.Serializable, KeysOnly: r.KeysOnly, CountOnly: r.CountOnly,
			MinMod: r.MinModRevision, MaxMod: r.MaxModRevision, MinCreate: r.MinCreateRevision, MaxCreate: r.MaxCreateRevision,
		}
	case *pb.DeleteRangeRequest:
		return Command{Cmd: Delete, Key: string(r.Key), End: string(r.RangeEnd), PrevKV: r.PrevKv}
	case *pb.CompactionRequest:
		return Command{Cmd: Compact, Rev: r.Revision, Physical: r.Physical}
	case *pb.WatchCreateRequest:
		c := Command{
			Cmd: Watch, Key: string(r.Key), End: string(r.RangeEnd), Rev: r.StartRevision, PrevKV: r.PrevKv,
			Progress: r.ProgressNotify, Fragment: r.Fragment, ID: r.WatchId,
		}
		for i, f := range r.Filters {
			if i > 0 {
				c.Filter += ","
			}
			c.Filter += filterNames[f]
		}
		return c
	case *pb.TxnRequest:
		c := Command{Cmd: Txn, Then: commandsOf(r.Success), Else: commandsOf(r.Failure)}
		for _, x := range r.Compare {
			c.If = append(c.If, compareText(x))
		}
		return c
	}
	invariant.Assert(false, fmt.Sprintf("script: a %T is no decision", body))
	return Command{}
}

// callOf is Of for calls; false if the body is no call.
func callOf(body any) (Command, bool) {
	switch r := body.(type) {
	case *pb.StatusRequest:
		return Command{Cmd: Status}, true
	case *pb.HashRequest:
		return Command{Cmd: Hash}, true
	case *pb.HashKVRequest:
		return Command{Cmd: HashKV, Rev: r.Revision}, true
	case *pb.MemberListRequest:
		return Command{Cmd: Members, Serializable: !r.Linearizable}, true
	case *pb.MoveLeaderRequest:
		return Command{Cmd: MoveLeader, ID: int64(r.TargetID)}, true
	case *pb.LeaseGrantRequest:
		return Command{Cmd: LeaseGrant, Lease: r.ID, TTL: r.TTL}, true
	case *pb.LeaseRevokeRequest:
		return Command{Cmd: LeaseRevoke, Lease: r.ID}, true
	case *pb.LeaseKeepAliveRequest:
		return Command{Cmd: KeepAlive, Lease: r.ID}, true
	case *pb.LeaseTimeToLiveRequest:
		return Command{Cmd: TimeToLive, Lease: r.ID, KeysOnly: !r.Keys}, true
	case *pb.LeaseLeasesRequest:
		return Command{Cmd: Leases}, true
	case *pb.AlarmRequest:
		name, value := alarmActionNames[r.Action], alarmTypeNames[r.Alarm]
		return Command{Cmd: Alarm, Name: name, Value: value, ID: int64(r.MemberID)}, true
	}
	return memberOf(body)
}

func commandsOf(ops []*pb.RequestOp) (list []Command) {
	for _, op := range ops {
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestPut:
			list = append(list, Of(r.RequestPut))
		case *pb.RequestOp_RequestRange:
			list = append(list, Of(r.RequestRange))
		case *pb.RequestOp_RequestDeleteRange:
			list = append(list, Of(r.RequestDeleteRange))
		case *pb.RequestOp_RequestTxn:
			list = append(list, Of(r.RequestTxn))
		}
	}
	return list
}

// compareText is the opposite of compareOf.
func compareText(x *pb.Compare) Compare {
	c := Compare{Key: string(x.Key), End: string(x.RangeEnd), Op: resultNames[x.Result]}
	switch v := x.TargetUnion.(type) {
	case *pb.Compare_Value:
		c.Target, c.Value = "value", string(v.Value)
	case *pb.Compare_Version:
		c.Target, c.Value = "version", strconv.FormatInt(v.Version, 10)
	case *pb.Compare_CreateRevision:
		c.Target, c.Value = "create", strconv.FormatInt(v.CreateRevision, 10)
	case *pb.Compare_ModRevision:
		c.Target, c.Value = "mod", strconv.FormatInt(v.ModRevision, 10)
	case *pb.Compare_Lease:
		c.Target, c.Value = "lease", strconv.FormatInt(v.Lease, 10)
	}
	return c
}

// FirstKeyOf is Command.FirstKey of a transaction, without making a command of it.
func FirstKeyOf(t *pb.TxnRequest) string {
	if len(t.Compare) > 0 {
		return string(t.Compare[0].Key)
	}
	for _, ops := range [][]*pb.RequestOp{t.Success, t.Failure} {
		if len(ops) == 0 {
			continue
		}
		if nested := ops[0].GetRequestTxn(); nested != nil {
			return FirstKeyOf(nested)
		}
		c := commandsOf(ops[:1])
		return c[0].Key
	}
	return ""
}
