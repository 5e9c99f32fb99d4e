package model

import (
	"cmp"
	"slices"

	"vitrine/core/pb"
)

// alarm raises, lowers or lists alarms. What a request changes it answers with;
// one that is up may be raised again, one that is down changes nothing.
func (s *State) alarm(r *pb.AlarmRequest) *pb.AlarmResponse {
	resp := &pb.AlarmResponse{Header: header(s.revision)}
	own := &pb.AlarmMember{MemberID: r.MemberID, Alarm: r.Alarm}
	at, up := slices.BinarySearchFunc(s.alarms, own, func(a, b *pb.AlarmMember) int {
		return cmp.Or(cmp.Compare(a.Alarm, b.Alarm), cmp.Compare(a.MemberID, b.MemberID))
	})
	switch {
	case r.Action == pb.AlarmRequest_GET:
		for _, a := range s.alarms {
			if r.Alarm == pb.AlarmType_NONE || a.Alarm == r.Alarm {
				resp.Alarms = append(resp.Alarms, a)
			}
		}
		return resp
	case r.Action == pb.AlarmRequest_ACTIVATE && r.Alarm != pb.AlarmType_NONE:
		if !up {
			s.alarms = slices.Insert(slices.Clone(s.alarms), at, own)
		}
	case r.Action == pb.AlarmRequest_DEACTIVATE && up:
		s.alarms = slices.Delete(slices.Clone(s.alarms), at, at+1)
	default:
		return resp
	}
	s.note(uint64(r.Action), uint64(r.Alarm), r.MemberID)
	resp.Alarms = []*pb.AlarmMember{own}
	return resp
}

// Alarms lists the alarms that are up, by type and member.
func (s *State) Alarms() []*pb.AlarmMember { return s.alarms }

// alarmed refuses what the alarms that are up do not let through: CORRUPT every
// write and compaction, NOSPACE what may add something. Reads are always
// answered.
func (s *State) alarmed(request any) error {
	up := func(t pb.AlarmType) bool {
		return slices.ContainsFunc(s.alarms, func(a *pb.AlarmMember) bool { return a.Alarm == t })
	}
	adds, changes := false, false
	switch r := request.(type) {
	case *pb.PutRequest, *pb.LeaseGrantRequest:
		adds, changes = true, true
	case *pb.TxnRequest:
		adds, changes = puts(r), true
	case *pb.DeleteRangeRequest, *pb.CompactionRequest, *pb.LeaseRevokeRequest:
		changes = true
	}
	switch {
	case changes && up(pb.AlarmType_CORRUPT):
		return ErrCorrupt
	case adds && up(pb.AlarmType_NOSPACE):
		return ErrNoSpace
	}
	return nil
}

// puts reports whether a transaction may put.
func puts(r *pb.TxnRequest) bool {
	for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			if op.GetRequestPut() != nil || op.GetRequestTxn() != nil && puts(op.GetRequestTxn()) {
				return true
			}
		}
	}
	return false
}
