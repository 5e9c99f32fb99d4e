package duty

import (
	"slices"

	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// spaceAlarm: a write from here went over the quota, so the cluster refuses further ones until space is made.
type spaceAlarm struct {
	member uint64
	wanted bool
}

func (a *spaceAlarm) due(s *State) *pb.InternalRaftRequest {
	if !a.wanted {
		return nil
	}
	a.wanted = false
	if mutant.On(mutant.SpaceAlarmForgotten) || slices.ContainsFunc(s.Alarms, func(up *pb.AlarmMember) bool {
		return up.MemberID == a.member && up.Alarm == pb.AlarmType_NOSPACE
	}) {
		return nil
	}
	return &pb.InternalRaftRequest{Alarm: &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, MemberID: a.member, Alarm: pb.AlarmType_NOSPACE,
	}}
}

// ended: what went over meanwhile did so before the alarm was up.
func (a *spaceAlarm) ended(End) { a.wanted = false }
