package history

import (
	"errors"
	"testing"

	"vitrine/core/check"
	"vitrine/core/check/fold"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// TestAlarmsAnswered: each answer about alarms is one that the log gives, and a
// put that an alarm refused is not in it. What a member compacts by itself is no client's.
func TestAlarmsAnswered(t *testing.T) {
	raise := &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: 1, Alarm: pb.AlarmType_NOSPACE}
	list := &pb.AlarmRequest{}
	one := &pb.AlarmResponse{Header: &pb.ResponseHeader{Revision: 9},
		Alarms: []*pb.AlarmMember{{MemberID: 1, Alarm: pb.AlarmType_NOSPACE}}}
	none := &pb.AlarmResponse{Header: &pb.ResponseHeader{Revision: 9}}
	own := &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 7}, Compaction: &pb.CompactionRequest{Revision: 2}}
	log := func(requests ...*pb.InternalRaftRequest) (entries []*raftpb.Entry) {
		for i, r := range requests {
			entries = append(entries, logEntry(t, uint64(i+1), r))
		}
		return entries
	}
	for _, c := range []struct {
		name    string
		log     []*raftpb.Entry
		request any
		answer  any
		err     error
		right   bool
	}{
		{"listed", log(&pb.InternalRaftRequest{Alarm: raise}, &pb.InternalRaftRequest{Alarm: list}), list, one, nil, true},
		{"listed too early", log(&pb.InternalRaftRequest{Alarm: list}, &pb.InternalRaftRequest{Alarm: raise}), list, one, nil,
			false},
		{"one is missing", log(&pb.InternalRaftRequest{Alarm: raise}, &pb.InternalRaftRequest{Alarm: list}), list, none, nil,
			false},
		{"raised by nobody", log(&pb.InternalRaftRequest{Alarm: list}), raise, one, nil, false},
		{"refused", log(&pb.InternalRaftRequest{Alarm: raise}, &pb.InternalRaftRequest{Put: put("a", "1")}), put("a", "1"),
			nil, model.ErrNoSpace, true},
		{"refused and done", log(&pb.InternalRaftRequest{Put: put("a", "1")}, &pb.InternalRaftRequest{Alarm: raise}),
			put("a", "1"), nil, model.ErrNoSpace, false},
		{"refused, and done by the leader itself", log(&pb.InternalRaftRequest{Put: put("a", "1")}, own),
			own.Compaction, nil, model.ErrCorrupt, true},
		{"refused, and done", log(&pb.InternalRaftRequest{Put: put("a", "1")},
			&pb.InternalRaftRequest{Compaction: own.Compaction}), own.Compaction, nil, model.ErrCorrupt, false},
	} {
		log := fold.New()
		h := New(log)
		h.Own(own.Header.ID)
		h.Return(h.Invoke(1, 10, c.request), 20, c.answer, c.err)
		log.Entries(c.log)
		err := h.Check()
		if v := (check.Violation{}); (err == nil) != c.right ||
			err != nil && (!errors.As(err, &v) || v.Number != invariant.Linearizable) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
