package fold

import (
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// Entry is an entry of the log, read.
type Entry struct {
	Index, Term uint64
	Request     *pb.InternalRaftRequest // nil if it is nothing for the state
	Change      *raftpb.ConfChange      // of the members; nil if it is none
}

// read reads an entry with decode, or by itself if that is nil.
func read(e *raftpb.Entry, decode func(data []byte) (*pb.InternalRaftRequest, error)) Entry {
	l := Entry{Index: e.GetIndex(), Term: e.GetTerm(), Change: changeOf(e)}
	if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
		return l
	}
	if decode == nil {
		decode = func(data []byte) (*pb.InternalRaftRequest, error) {
			r := &pb.InternalRaftRequest{}
			return r, r.UnmarshalVT(data)
		}
	}
	if r, err := decode(e.GetData()); err == nil {
		l.Request = r // else members ignore it too, or I5 tells
	}
	return l
}

// Proposal is the id of the request, 0 if there is none.
func (e Entry) Proposal() uint64 { return e.Request.GetHeader().GetID() }

// Body is the request that the model knows, nil if there is none.
func (e Entry) Body() any {
	r := e.Request
	switch {
	case r == nil:
	case r.Put != nil:
		return r.Put
	case r.DeleteRange != nil:
		return r.DeleteRange
	case r.Txn != nil:
		return r.Txn
	case r.Compaction != nil:
		return r.Compaction
	case r.Alarm != nil:
		return r.Alarm
	case r.LeaseGrant != nil:
		return r.LeaseGrant
	case r.LeaseRevoke != nil:
		return r.LeaseRevoke
	}
	return usersBody(r)
}

// usersBody is a request that changes users and roles.
func usersBody(r *pb.InternalRaftRequest) any {
	switch {
	case r == nil:
	case r.AuthEnable != nil:
		return r.AuthEnable
	case r.AuthDisable != nil:
		return r.AuthDisable
	case r.AuthUserAdd != nil:
		return r.AuthUserAdd
	case r.AuthUserDelete != nil:
		return r.AuthUserDelete
	case r.AuthUserChangePassword != nil:
		return r.AuthUserChangePassword
	case r.AuthUserGrantRole != nil:
		return r.AuthUserGrantRole
	case r.AuthUserRevokeRole != nil:
		return r.AuthUserRevokeRole
	case r.AuthRoleAdd != nil:
		return r.AuthRoleAdd
	case r.AuthRoleDelete != nil:
		return r.AuthRoleDelete
	case r.AuthRoleGrantPermission != nil:
		return r.AuthRoleGrantPermission
	case r.AuthRoleRevokePermission != nil:
		return r.AuthRoleRevokePermission
	}
	return nil
}

// writes tells whether the entry can do nothing but write pairs.
func (e Entry) writes() bool {
	r := e.Request
	return r == nil || r.Put != nil || r.DeleteRange != nil || r.Txn != nil
}
