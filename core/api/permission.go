package api

import (
	"vitrine/core/auth"
	"vitrine/core/pb"
)

// Permission is what an operation asks of a user where authentication is on, and where that is looked at.
type Permission uint8

// The permissions, in etcd's terms.
const (
	PermitAnyone Permission = iota // who need not even say who he is
	PermitUser                     // any user
	PermitKeys                     // who may read or write the keys that the message touches: see Operation.Need
	PermitRoot                     // the role root
	PermitEntry                    // whoever the entry in the log permits when it is applied: see auth.NeedOf
)

// Permission is what a user needs to make a call with this body.
func (o Operation) Permission(body any) Permission {
	if permission := o.row().permission; permission != nil {
		return permission(body)
	}
	return PermitRoot
}

// Need is what must be granted before a call with this body is let in, or read. What is proposed is judged again when
// it is applied; where only that counts, nothing is needed before.
func (o Operation) Need(body any) auth.Need {
	switch o.Permission(body) {
	case PermitAnyone, PermitEntry:
		return auth.Need{}
	case PermitUser:
		return auth.Need{User: true}
	case PermitKeys:
		if need := o.row().need; need != nil {
			return need(body)
		}
	}
	return auth.Need{Root: true}
}

func txnNeed(r *pb.TxnRequest) auth.Need { return auth.TxnNeed(r, nil) }

func putNeed(r *pb.PutRequest) auth.Need { return auth.PutNeed(r, nil) }

// watchNeed is what a new watcher needs; other requests on a stream need nothing.
func watchNeed(r *pb.WatchRequest) auth.Need {
	c := r.GetCreateRequest()
	if c == nil {
		return auth.Need{}
	}
	key := c.Key
	if len(key) == 0 {
		key = []byte{0} // the smallest key
	}
	return auth.Need{Read: []auth.Range{{Key: key, End: c.RangeEnd}}}
}

// alarmPermission: any user may look at the alarms.
func alarmPermission(r *pb.AlarmRequest) Permission {
	if r.Action == pb.AlarmRequest_GET {
		return PermitUser
	}
	return PermitRoot
}
