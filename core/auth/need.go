package auth

import (
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// A Lessor names the keys of leases.
type Lessor interface {
	// Keys returns the keys of a lease; none if it does not exist.
	Keys(lease int64) []string
}

// NeedOf is what an entry of the log needs of its asker when it is applied. What is not here is either checked before
// it is proposed (compactions, alarms) or asked by members of each other.
func NeedOf(r *pb.InternalRaftRequest, leases Lessor) Need {
	switch {
	case r.Put != nil:
		return PutNeed(r.Put, leases)
	case r.Range != nil:
		return RangeNeed(r.Range)
	case r.DeleteRange != nil:
		return DeleteNeed(r.DeleteRange)
	case r.Txn != nil:
		return TxnNeed(r.Txn, leases)
	case r.LeaseRevoke != nil:
		return LeaseNeed(r.LeaseRevoke.ID, true, leases)
	case r.AuthUserGet != nil:
		return Need{Root: true, SelfOrRoot: &r.AuthUserGet.Name}
	case r.AuthRoleGet != nil:
		return Need{Root: true, RoleOrRoot: &r.AuthRoleGet.Role}
	}
	return Need{Root: manages(r)}
}

// manages tells whether a request changes or lists users and roles.
func manages(r *pb.InternalRaftRequest) bool {
	return r.AuthEnable != nil || r.AuthDisable != nil || r.AuthUserAdd != nil || r.AuthUserDelete != nil ||
		r.AuthUserChangePassword != nil || r.AuthUserGrantRole != nil || r.AuthUserRevokeRole != nil ||
		r.AuthRoleAdd != nil || r.AuthRoleGrantPermission != nil || r.AuthRoleRevokePermission != nil ||
		r.AuthRoleDelete != nil || r.AuthUserList != nil || r.AuthRoleList != nil
}

// RangeNeed is what a range needs: to read it.
func RangeNeed(r *pb.RangeRequest) Need { return Need{Read: []Range{{r.Key, r.RangeEnd}}} }

// PutNeed is what a put needs: to write the key; to read it if it asks for the previous value; and to write all keys of
// the lease, since whoever can attach a key to it can make it live or die with them.
func PutNeed(r *pb.PutRequest, leases Lessor) Need {
	var n Need
	n.put(r, leases)
	return n
}

// DeleteNeed is what a delete needs: to write the range, and to read it if it asks for the previous values.
func DeleteNeed(r *pb.DeleteRangeRequest) Need {
	var n Need
	n.delete(r)
	return n
}

// TxnNeed is what a txn needs: all that its compares and both of its branches need, whichever will be taken. Otherwise
// the answer would tell how the compares went.
func TxnNeed(r *pb.TxnRequest, leases Lessor) Need {
	var n Need
	n.txn(r, leases)
	return n
}

// LeaseNeed is what a question about a lease needs: somebody who asks, and who may read or write all its keys.
func LeaseNeed(lease int64, write bool, leases Lessor) Need {
	n := Need{RootExempt: true}
	if write {
		n.lease(lease, leases)
		return n
	}
	n.Read = append(n.Read, keysOf(lease, leases)...)
	return n
}

func (n *Need) put(r *pb.PutRequest, leases Lessor) {
	key := Range{Key: r.Key}
	n.Write = append(n.Write, key)
	n.lease(r.Lease, leases)
	if r.PrevKv && !mutant.On(mutant.PreviousUnasked) {
		n.Read = append(n.Read, key)
	}
}

func (n *Need) lease(id int64, leases Lessor) { n.Write = append(n.Write, keysOf(id, leases)...) }

func keysOf(id int64, leases Lessor) []Range {
	if id == 0 || leases == nil {
		return nil
	}
	var all []Range
	for _, k := range leases.Keys(id) {
		all = append(all, Range{Key: []byte(k)})
	}
	return all
}

func (n *Need) delete(r *pb.DeleteRangeRequest) {
	span := Range{r.Key, r.RangeEnd}
	n.Write = append(n.Write, span)
	if r.PrevKv {
		n.Read = append(n.Read, span)
	}
}

func (n *Need) txn(r *pb.TxnRequest, leases Lessor) {
	for _, c := range r.GetCompare() {
		if mutant.On(mutant.CompareUnasked) {
			break
		}
		n.Read = append(n.Read, Range{c.Key, c.RangeEnd})
	}
	for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			n.op(op, leases)
		}
	}
}

func (n *Need) op(op *pb.RequestOp, leases Lessor) {
	switch r := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		if r.RequestRange != nil {
			n.Read = append(n.Read, Range{r.RequestRange.Key, r.RequestRange.RangeEnd})
		}
	case *pb.RequestOp_RequestPut:
		if r.RequestPut != nil {
			n.put(r.RequestPut, leases)
		}
	case *pb.RequestOp_RequestDeleteRange:
		if r.RequestDeleteRange != nil {
			n.delete(r.RequestDeleteRange)
		}
	case *pb.RequestOp_RequestTxn:
		n.txn(r.RequestTxn, leases)
	}
}
