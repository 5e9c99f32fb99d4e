package api

import "vitrine/core/pb"

// Permission is what an operation asks of a user where authentication is on.
type Permission uint8

// The permissions, in etcd's terms.
const (
	PermitAnyone Permission = iota // who need not even say who he is
	PermitUser                     // any user
	PermitKeys                     // who may read or write the keys that the message touches: see Operation.Keys
	PermitRoot                     // the role root
)

// A KeyRange is keys that a message touches: the key alone without an end, all from key on with the end 0x00.
type KeyRange struct {
	Key, End []byte
	Write    bool
}

// Permission is what a user needs to make a call with this body.
func (o Operation) Permission(body any) Permission {
	if permission := o.row().permission; permission != nil {
		return permission(body)
	}
	return PermitRoot
}

// Keys visits the keys that a call with this body reads or writes, on any of its paths.
func (o Operation) Keys(body any, visit func(KeyRange)) {
	if keys := o.row().keys; keys != nil {
		keys(body, visit)
	}
}

func rangeKeys(r *pb.RangeRequest, visit func(KeyRange)) {
	visit(KeyRange{Key: r.Key, End: r.RangeEnd})
}

func putKeys(r *pb.PutRequest, visit func(KeyRange)) {
	visit(KeyRange{Key: r.Key, Write: true})
	if r.PrevKv {
		visit(KeyRange{Key: r.Key})
	}
}

func deleteKeys(r *pb.DeleteRangeRequest, visit func(KeyRange)) {
	visit(KeyRange{Key: r.Key, End: r.RangeEnd, Write: true})
	if r.PrevKv {
		visit(KeyRange{Key: r.Key, End: r.RangeEnd})
	}
}

func txnKeys(r *pb.TxnRequest, visit func(KeyRange)) {
	for _, c := range r.Compare {
		visit(KeyRange{Key: c.Key, End: c.RangeEnd})
	}
	for _, ops := range [2][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			switch u := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				rangeKeys(u.RequestRange, visit)
			case *pb.RequestOp_RequestPut:
				putKeys(u.RequestPut, visit)
			case *pb.RequestOp_RequestDeleteRange:
				deleteKeys(u.RequestDeleteRange, visit)
			case *pb.RequestOp_RequestTxn:
				txnKeys(u.RequestTxn, visit)
			}
		}
	}
}

func watchKeys(r *pb.WatchRequest, visit func(KeyRange)) {
	if c := r.GetCreateRequest(); c != nil {
		visit(KeyRange{Key: c.Key, End: c.RangeEnd})
	}
}

// alarmPermission: any user may look at the alarms.
func alarmPermission(r *pb.AlarmRequest) Permission {
	if r.Action == pb.AlarmRequest_GET {
		return PermitUser
	}
	return PermitRoot
}
