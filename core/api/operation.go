package api

import "vitrine/core/pb"

// Operation is the kind of a request, as a number for events and metrics. Numbers are stable.
type Operation uint8

// The operations that members answer.
const (
	NoOperation Operation = 0
	Range       Operation = 1
	Put         Operation = 2
	DeleteRange Operation = 3
	Txn         Operation = 4
	Compact     Operation = 5
	Watch       Operation = 6 // only at clients: a watch has its own way through a member
	Status      Operation = 20
	HashKV      Operation = 21
	Hash        Operation = 22
	Alarm       Operation = 23
	MoveLeader  Operation = 24
	Snapshot    Operation = 25
	MemberList  Operation = 30
)

var operationNames = [...]string{
	NoOperation: "unknown", Range: "range", Put: "put", DeleteRange: "delete_range", Txn: "transaction",
	Compact: "compact", Watch: "watch", Status: "status", HashKV: "hash_kv", Hash: "hash", Alarm: "alarm",
	MoveLeader: "move_leader", Snapshot: "snapshot", MemberList: "member_list",
}

// String is the name of the operation, as etcd's traces have it where they have one.
func (o Operation) String() string {
	if int(o) < len(operationNames) && operationNames[o] != "" {
		return operationNames[o]
	}
	return operationNames[NoOperation]
}

// OperationOf tells what kind of request a message is; NoOperation if members answer none of its kind.
func OperationOf(body any) Operation {
	switch body.(type) {
	case *pb.RangeRequest:
		return Range
	case *pb.PutRequest:
		return Put
	case *pb.DeleteRangeRequest:
		return DeleteRange
	case *pb.TxnRequest:
		return Txn
	case *pb.CompactionRequest:
		return Compact
	case *pb.StatusRequest:
		return Status
	case *pb.HashKVRequest:
		return HashKV
	case *pb.HashRequest:
		return Hash
	case *pb.AlarmRequest:
		return Alarm
	case *pb.MoveLeaderRequest:
		return MoveLeader
	case *pb.SnapshotRequest:
		return Snapshot
	case *pb.MemberListRequest:
		return MemberList
	}
	return NoOperation
}
