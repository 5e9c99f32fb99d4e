package fold

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"vitrine/core/model"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func logEntry(t *testing.T, index uint64, r *pb.InternalRaftRequest) *raftpb.Entry {
	t.Helper()
	e := &raftpb.Entry{Index: &index, Term: new(uint64(2))}
	if r != nil {
		data, err := r.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		e.Data = data
	}
	return e
}

// disk is a database in memory: bucket, key, value.
type disk map[string]map[string][]byte

func (d disk) image(bucket string, fn func(k, v []byte) bool) {
	keys := make([]string, 0, len(d[bucket]))
	for k := range d[bucket] {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !fn([]byte(k), d[bucket][k]) {
			return
		}
	}
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func revision(main, sub int64, tombstone bool) string {
	k := append(append(be64(uint64(main)), '_'), be64(uint64(sub))...)
	if tombstone {
		k = append(k, 't')
	}
	return string(k)
}

// stateAt executes the log up to index.
func stateAt(log []*raftpb.Entry, index uint64) *model.State {
	s := model.New()
	for _, e := range log[:index] {
		if body := read(e, nil).Body(); body != nil {
			_, _ = s.Apply(body)
		}
	}
	return s
}

// diskOf writes what a right database would hold at index.
func diskOf(t *testing.T, log []*raftpb.Entry, index uint64) disk {
	t.Helper()
	s := stateAt(log, index)
	d := disk{"key": {}, "meta": {"consistent_index": be64(index), "term": be64(2)}, "lease": {}, "alarm": {}}
	s.History(func(key string, rev, sub int64, kv *pb.KeyValue) bool {
		if kv == nil {
			kv = &pb.KeyValue{Key: []byte(key)}
			d["key"][revision(rev, sub, true)], _ = kv.MarshalVT()
			return true
		}
		data, err := kv.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		d["key"][revision(rev, sub, false)] = data
		return true
	})
	if c := s.CompactRevision(); c >= 0 {
		d["meta"]["scheduledCompactRev"] = []byte(revision(c, 0, false))
		d["meta"]["finishedCompactRev"] = []byte(revision(c, 0, false))
	}
	for _, a := range s.Alarms() {
		key, err := a.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		d["alarm"][string(key)] = nil
	}
	for _, id := range s.Leases() {
		d["lease"][string(be64(uint64(id)))] = []byte("x")
	}
	return d
}

func someLog(t *testing.T) []*raftpb.Entry {
	conf := logEntry(t, 1, nil)
	conf.Type, conf.Data = raftpb.EntryConfChange.Enum(), []byte("not a request")
	leased := put("l", "1")
	leased.Lease = 7
	txn := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put("z", "9")}}}}
	requests := []*pb.InternalRaftRequest{
		nil, {Put: put("a", "1")}, {Put: put("b", "1")}, {Put: put("a", "2")}, {DeleteRange: del("b", "")},
		{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 5}}, {Put: leased}, {Compaction: &pb.CompactionRequest{Revision: 4}},
		{Txn: txn},
		{Alarm: &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: 1, Alarm: pb.AlarmType_NOSPACE}},
		{Put: put("no", "space")}, {Txn: txn}, {DeleteRange: del("z", "")},
		{Alarm: &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: 1, Alarm: pb.AlarmType_NOSPACE}},
		{Put: put("c", "1")}, {LeaseRevoke: &pb.LeaseRevokeRequest{ID: 7}},
	}
	log := []*raftpb.Entry{conf}
	for i, r := range requests {
		log = append(log, logEntry(t, uint64(i+2), r))
	}
	return log
}

func TestFoldExplainsImages(t *testing.T) {
	log := someLog(t)
	f := New()
	for i := range log { // three members report the same entries
		f.Entries(log[max(0, i-3) : i+1])
		f.Entries(log[i : i+1])
	}
	for index := uint64(0); index <= f.Index(); index++ {
		if err := f.Image(diskOf(t, log, index).image); err != nil && index > 0 {
			t.Errorf("index %d: %v", index, err)
		}
	}
	if got := f.State(); got.Revision() != 10 || got.Get([]byte("no"), 10) != nil || got.Get([]byte("l"), 10) != nil ||
		got.Get([]byte("c"), 10) == nil {
		t.Errorf("the log leads to revision %d", got.Revision())
	}
	f.Forget(9)
	if err := f.Image(diskOf(t, log, 9).image); err != nil {
		t.Errorf("at what is remembered: %v", err)
	}
	early := disk{"meta": {"consistent_index": be64(8), "term": be64(2)}}
	if err := f.Image(early.image); !errors.Is(err, ErrForgotten) {
		t.Errorf("at what is forgotten: %v", err)
	}
}

func TestFoldFindsDamage(t *testing.T) {
	f, log := New(), someLog(t)
	f.Entries(log)
	value := func(kv *pb.KeyValue) []byte {
		data, _ := kv.MarshalVT()
		return data
	}
	for name, c := range map[string]struct {
		want   string
		damage func(disk)
	}{
		"index ahead of the data": {"lacks 1 changes", func(d disk) { delete(d["key"], revision(7, 0, false)) }},
		"data ahead of the index": {"does not explain",
			func(d disk) { d["key"][revision(11, 0, false)] = value(&pb.KeyValue{Key: []byte("x")}) }},
		"index of the future": {"only 17 was ever applied", func(d disk) { d["meta"]["consistent_index"] = be64(18) }},
		"another value": {"by the log", func(d disk) {
			d["key"][revision(7, 0, false)] = value(&pb.KeyValue{Key: []byte("z"), Value: []byte("8")})
		}},
		"a tombstone lost its mark": {"by the log",
			func(d disk) { k := revision(8, 0, true); d["key"][k[:17]] = d["key"][k]; delete(d["key"], k) }},
		"another term": {"names term", func(d disk) { d["meta"]["term"] = be64(3) }},
		"compaction forgotten": {"compacted at -1",
			func(d disk) { delete(d["meta"], "scheduledCompactRev"); delete(d["meta"], "finishedCompactRev") }},
		"compaction left a value": {"does not explain",
			func(d disk) { d["key"][revision(2, 0, false)] = value(&pb.KeyValue{Key: []byte("a")}) }},
		"a lease too many":    {"1 leases", func(d disk) { d["lease"][string(be64(8))] = nil }},
		"garbage":             {"no revision", func(d disk) { d["key"]["x"] = nil }},
		"an unreadable value": {"unreadable", func(d disk) { d["key"][revision(7, 0, false)] = []byte{0xff} }},
	} {
		d := diskOf(t, log, 17)
		if err := f.Image(d.image); err != nil {
			t.Fatal(err)
		}
		c.damage(d)
		if err := f.Image(d.image); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A compaction that is under way may leave what it will remove.
	d := diskOf(t, log, 17)
	delete(d["meta"], "finishedCompactRev")
	d["key"][revision(2, 0, false)] = value(&pb.KeyValue{Key: []byte("a")})
	if err := f.Image(d.image); err != nil {
		t.Errorf("compaction under way: %v", err)
	}
}

func TestFoldHoldsBackOnlySoMuch(t *testing.T) {
	f := New()
	for i := uint64(1); i <= 3*maxPoints; i++ {
		f.Entries([]*raftpb.Entry{logEntry(t, i, nil)})
	}
	if len(f.points) > maxPoints || f.Index() != 3*maxPoints {
		t.Errorf("%d entries held, last %d", len(f.points), f.Index())
	}
}
