package store

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/membership"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"pgregory.net/rapid"
)

// TestMain makes rapid try more logs than by default.
func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set {
		if err := flag.Set("rapid.checks", "1000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestReplay: whatever was durable when the power went, applying the log from any entry that is not later leads to the
// same state, byte by byte, and the same hash on the way (I9, I10).
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := randomJournal(t)
		straight := newMachine(t, backend.NewMem())
		hashes, changes := map[int64]uint32{}, map[int64]string{}
		for _, e := range j.entries {
			r := straight.Apply(ApplyContext{WithPrev: true}, []*raftpb.Entry{e})
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			hash, _, rev, err := straight.HashKV(0)
			if err != nil {
				t.Fatal(err)
			}
			hashes[int64(e.GetIndex())] = hash
			for _, c := range r.Changes {
				changes[c.Rev] = describeEvents(c)
				if c.Rev > rev {
					t.Fatalf("change %d, revision %d", c.Rev, rev)
				}
			}
		}
		straight.finish()

		m := newMachine(t, backend.NewMem())
		for crashes := 0; ; {
			from := m.Applied().Index
			if from == uint64(len(j.entries)) {
				break
			}
			// The log is handed over from an entry that may have been applied already.
			from = uint64(rapid.IntRange(0, int(from)).Draw(t, "from"))
			to := from + uint64(rapid.IntRange(1, len(j.entries)-int(from)).Draw(t, "entries"))
			before := m.Applied().Index
			r := m.Apply(ApplyContext{WithPrev: rapid.Bool().Draw(t, "with prev"), Proposer: func(uint64) bool { return false }},
				j.entries[from:to])
			if r.Err != nil || r.Index != max(before, to) {
				t.Fatalf("applied %d to %d: at %d, %v", from+1, to, r.Index, r.Err)
			}
			if hash, _, _, _ := m.HashKV(0); r.Index > 0 && hash != hashes[int64(r.Index)] {
				t.Fatalf("index %d: hash %x, want %x", r.Index, hash, hashes[int64(r.Index)])
			}
			for _, c := range r.Changes {
				if changes[c.Rev] == "" {
					t.Fatalf("a change of revision %d that never was", c.Rev)
				}
			}
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				m.commit(t)
			case 1:
				if crashes < 20 {
					crashes++
					m = m.reboot(t)
				}
			case 2:
				m.Housekeep(rapid.IntRange(1, 5).Draw(t, "housekeep"))
			}
		}
		m.finish()
		m.sameLeases(t, straight)
		if got, want := m.dump(), straight.dump(); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
		m.commit(t)
		if got, want := m.reboot(t).dump(), straight.dump(); got != want {
			t.Fatalf("after a last restart: got\n%swant\n%s", got, want)
		}
	})
}

// sameLeases compares leases and their keys with another store's, and the keys with the pairs. What is left of a lease
// is not always written down.
func (m *machine) sameLeases(t *rapid.T, o *machine) {
	all, want := m.Leases.All(), o.Leases.All()
	hanging := 0
	for i, l := range all {
		if i >= len(want) || l.ID != want[i].ID || l.TTL != want[i].TTL {
			t.Fatalf("leases %v, want %v", all, want)
		}
		keys := m.Leases.Keys(l.ID)
		if !slices.Equal(keys, o.Leases.Keys(l.ID)) {
			t.Fatalf("keys of %d: %q, want %q", l.ID, keys, o.Leases.Keys(l.ID))
		}
		hanging += len(keys)
	}
	resp, err := m.KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range resp.Kvs {
		if m.Leases.Of(kv.Key) != kv.Lease {
			t.Fatalf("%s hangs on %d, its pair says %d", kv.Key, m.Leases.Of(kv.Key), kv.Lease)
		}
		if kv.Lease != 0 {
			hanging--
		}
	}
	if hanging != 0 || len(all) != len(want) || m.Leases.Attached() != o.Leases.Attached() {
		t.Fatalf("%d keys too many hang on %v", hanging, all)
	}
}

// randomJournal is a log of all kinds of requests, some of which are refused.
func randomJournal(t *rapid.T) *journal {
	j := &journal{}
	key := func() []byte { return []byte{byte('a' + rapid.IntRange(0, 3).Draw(t, "key"))} }
	put := func() *pb.PutRequest {
		return &pb.PutRequest{
			Key: key(), Value: []byte(rapid.StringN(1, 3, -1).Draw(t, "value")),
			Lease:       int64(rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "lease")),
			IgnoreValue: rapid.IntRange(0, 9).Draw(t, "ignore value") == 0,
		}
	}
	del := func() *pb.DeleteRangeRequest {
		return &pb.DeleteRangeRequest{Key: key(), RangeEnd: rapid.SampledFrom([][]byte{nil, {0}, []byte("c")}).Draw(t, "end")}
	}
	for range rapid.IntRange(1, 40).Draw(t, "log") {
		revs := len(j.entries) + 1
		member := func() *membership.Member {
			id := uint64(rapid.IntRange(1, 5).Draw(t, "member"))
			return memberOf(id, fmt.Sprintf("http://%d", rapid.IntRange(0, 5).Draw(t, "url")+int(id)))
		}
		switch rapid.SampledFrom([]string{"put", "put", "put", "put", "del", "txn", "compact", "alarm", "empty", "conf",
			"attr", "version", "lease", "lease", "lease"}).Draw(t, "entry") {
		case "put":
			j.request(&pb.InternalRaftRequest{Put: put()})
		case "del":
			j.request(&pb.InternalRaftRequest{DeleteRange: del()})
		case "txn":
			p, d := put(), del()
			r := &pb.TxnRequest{Compare: []*pb.Compare{{Key: key(), Target: pb.Compare_VERSION,
				TargetUnion: &pb.Compare_Version{Version: 1}}}}
			r.Success = []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestPut{RequestPut: p}},
				{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key(),
					Revision: int64(rapid.IntRange(0, revs).Draw(t, "at"))}}},
			}
			r.Failure = []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: d}}}
			if !bytes.Equal(p.Key, d.Key) && d.RangeEnd == nil {
				r.Failure = append(r.Failure, r.Success[0])
			}
			j.request(&pb.InternalRaftRequest{Txn: r})
		case "compact":
			j.request(
				&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: int64(rapid.IntRange(1, revs).Draw(t,
					"compact"))}})
		case "alarm":
			j.request(&pb.InternalRaftRequest{Alarm: &pb.AlarmRequest{
				Action:   pb.AlarmRequest_AlarmAction(rapid.SampledFrom([]int{1, 2, 2, 2}).Draw(t, "action")),
				Alarm:    pb.AlarmType(rapid.IntRange(0, 2).Draw(t, "type")),
				MemberID: uint64(rapid.IntRange(1, 2).Draw(t, "raised by")),
			}})
		case "empty":
			j.add(raftpb.EntryNormal, nil)
		case "conf":
			j.randomConf(t, member())
		case "attr":
			m := member()
			j.request(&pb.InternalRaftRequest{ClusterMemberAttrSet: &pb.ClusterMemberAttrSetRequest{Member_ID: m.ID,
				MemberAttributes: &pb.Attributes{Name: "n", ClientUrls: m.PeerURLs}}})
		case "version":
			j.request(
				&pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: rapid.SampledFrom([]string{"3.0.0",
					"3.5.0", "3.6.0", "3.7.0", "x"}).Draw(t, "version")}})
		case "lease":
			j.randomLease(t)
		}
	}
	return j
}

func (j *journal) randomLease(t *rapid.T) {
	id := rapid.Int64Range(1, 2).Draw(t, "lease")
	switch rapid.IntRange(0, 3).Draw(t, "of a lease") {
	case 0, 1:
		j.request(&pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{ID: id,
			TTL: rapid.Int64Range(0, 9).Draw(t, "ttl")}})
	case 2:
		j.request(&pb.InternalRaftRequest{LeaseRevoke: &pb.LeaseRevokeRequest{ID: id}})
	default:
		j.request(&pb.InternalRaftRequest{LeaseCheckpoint: &pb.LeaseCheckpointRequest{Checkpoints: []*pb.LeaseCheckpoint{
			{ID: id, Remaining_TTL: rapid.Int64Range(0, 9).Draw(t, "remaining")}, {ID: 9, Remaining_TTL: 1},
		}}})
	}
}

func (j *journal) randomConf(t *rapid.T, m *membership.Member) {
	switch rapid.IntRange(0, 4).Draw(t, "conf") {
	case 0:
		j.conf(raftpb.ConfChangeAddNode, m.ID, m.Context(false))
	case 1:
		j.conf(raftpb.ConfChangeAddLearnerNode, m.ID, m.Context(false))
	case 2:
		j.conf(raftpb.ConfChangeAddNode, m.ID, m.Context(true))
	case 3:
		j.conf(raftpb.ConfChangeUpdateNode, m.ID, m.Bootstrap())
	case 4:
		j.conf(raftpb.ConfChangeRemoveNode, m.ID, nil)
	}
}
