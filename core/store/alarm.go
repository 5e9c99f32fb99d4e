package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// Requests that an active alarm refuses fail with one of these.
var (
	ErrNoSpace = errors.New("etcdserver: no space")
	ErrCorrupt = errors.New("etcdserver: corrupt cluster")
)

// Alarms are the alarms that members have raised, as they are in the bucket alarm: the key is the alarm, the value
// empty.
type Alarms struct {
	active []*pb.AlarmMember // by alarm, then member; never changed in place
}

func loadAlarms(r membership.Reader) (*Alarms, error) {
	a := new(Alarms)
	var err error
	r.Range(backend.Alarm, nil, nil, 0, func(k, _ []byte) bool {
		m := new(pb.AlarmMember)
		if err = m.UnmarshalVT(k); err == nil {
			a.set(m)
		}
		return err == nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: bucket alarm: %w", err)
	}
	return a, nil
}

// List returns the active alarms of a type, or all of them for NONE, ordered by type and member.
func (a *Alarms) List(t pb.AlarmType) []*pb.AlarmMember {
	var l []*pb.AlarmMember
	for _, m := range a.active {
		if t == pb.AlarmType_NONE || m.Alarm == t {
			l = append(l, m)
		}
	}
	return l
}

// Active tells whether any member has raised the alarm.
func (a *Alarms) Active(t pb.AlarmType) bool {
	return slices.ContainsFunc(a.active, func(m *pb.AlarmMember) bool { return m.Alarm == t })
}

func compareAlarms(x, y *pb.AlarmMember) int {
	return cmp.Or(cmp.Compare(x.Alarm, y.Alarm), cmp.Compare(x.MemberID, y.MemberID))
}

func (a *Alarms) set(m *pb.AlarmMember) {
	if at, ok := slices.BinarySearchFunc(a.active, m, compareAlarms); !ok {
		a.active = slices.Insert(slices.Clone(a.active), at, m)
	}
}

// apply performs an alarm request and tells whether it changed anything.
func (a *Alarms) apply(r *pb.AlarmRequest, w membership.Writer) (resp *pb.AlarmResponse, changed bool) {
	resp = &pb.AlarmResponse{}
	m := &pb.AlarmMember{MemberID: r.MemberID, Alarm: r.Alarm}
	at, active := slices.BinarySearchFunc(a.active, m, compareAlarms)
	switch r.Action {
	case pb.AlarmRequest_GET:
		resp.Alarms = a.List(r.Alarm)
	case pb.AlarmRequest_ACTIVATE:
		if r.Alarm == pb.AlarmType_NONE {
			break
		}
		resp.Alarms = append(resp.Alarms, m)
		if !active {
			a.set(m)
			w.Put(backend.Alarm, alarmKey(m), nil)
			changed = true
		}
	case pb.AlarmRequest_DEACTIVATE:
		if active && mutant.On(mutant.AlarmNotLifted) {
			resp.Alarms = append(resp.Alarms, m)
			break
		}
		if active {
			resp.Alarms = append(resp.Alarms, m)
			a.active = slices.Delete(slices.Clone(a.active), at, at+1)
			w.Delete(backend.Alarm, alarmKey(m))
			changed = true
		}
	}
	return resp, changed
}

func alarmKey(m *pb.AlarmMember) []byte {
	b, err := m.MarshalVT()
	invariant.Assert(err == nil, "store: an alarm cannot be encoded") // two numbers
	return b
}

// refuse is why the active alarms do not let a request through. CORRUPT goes before NOSPACE. Reads that do not go
// through the log, status and everything about members are never refused, so that an operator can look and repair.
func (a *Alarms) refuse(r *pb.InternalRaftRequest) error {
	if len(a.active) == 0 {
		return nil
	}
	if a.Active(pb.AlarmType_CORRUPT) && (r.Put != nil || r.Range != nil || r.DeleteRange != nil || r.Txn != nil ||
		r.Compaction != nil || r.LeaseGrant != nil || r.LeaseRevoke != nil) {
		return ErrCorrupt
	}
	if a.Active(pb.AlarmType_NOSPACE) && (r.Put != nil || r.LeaseGrant != nil || r.Txn != nil && TxnCost(r.Txn) > 0 &&
		!mutant.On(mutant.NoSpaceLetThrough)) {
		return ErrNoSpace
	}
	return nil
}
