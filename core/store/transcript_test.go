package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/mvcc"
	"vitrine/core/pb"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3/raftpb"
)

// TestTranscripts applies logs written in testdata/transcripts, one entry a line, and shows what comes out. See entry
// for the kinds of entries; besides there are
//
//	new                  an empty machine
//	apply [not-ours]     the entries that follow
//	dump [bucket]...     the contents of buckets
//	read key | members | leases | hash | housekeep | reboot | commit
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		var m *machine
		var j *journal
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "new":
				m, j = newMachine(t, backend.NewMem()), &journal{}
				return ""
			case "apply":
				from := len(j.entries)
				for line := range strings.Lines(d.Input) {
					if err := j.entry(strings.TrimSpace(line)); err != nil {
						d.Fatalf(t, "%s: %v", line, err)
					}
				}
				ctx := ApplyContext{WithPrev: true}
				if d.HasArg("not-ours") {
					ctx.Proposer = func(uint64) bool { return false }
				}
				return describe(m.Apply(ctx, j.entries[from:]))
			case "dump":
				var only []string
				for _, a := range d.CmdArgs {
					only = append(only, a.Key)
				}
				return m.dump(only...)
			case "read":
				r, err := m.Read(&pb.RangeRequest{Key: []byte(d.CmdArgs[0].Key)})
				return describeAny(r, err) + "\n"
			case "members":
				return fmt.Sprintf("voters %x learners %x version %v downgrade %v storage %q\n", m.Members.Voters(),
					m.Members.Learners(), m.Members.Version(), m.Members.Downgrade(), m.StorageVersion())
			case "housekeep":
				n := 1
				for m.Housekeep(2) {
					n++
				}
				return fmt.Sprintf("%d steps\n", n)
			case "commit":
				m.commit(t)
				return ""
			case "reboot":
				m = m.reboot(t)
				return fmt.Sprintf("applied %d, revision %d\n", m.Applied().Index, m.KV.Revision())
			case "leases":
				var b strings.Builder
				for _, l := range m.Leases.All() {
					fmt.Fprintf(&b, "%d: ttl %d remaining %d keys %q\n", l.ID, l.TTL, l.Remaining, m.Leases.Keys(l.ID))
				}
				return b.String()
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

// entry appends an entry:
//
//	empty | bad | v2
//	put key=value [lease=] [prev] | del key [end] | get key | compact rev [physical] | old-put key=value (id in the field
//	ID)
//	txn ver key n ? op op : op op      ops: put:key=value del:key get:key[@rev]
//	alarm get|on|off nospace|corrupt|none member
//	lease id ttl | revoke id | checkpoint id remaining | auth-status | version-test
//	version x.y.z | attr member name url | downgrade on|off x.y.z
//	add|learner|promote|update|remove member url...    (add! writes another member into the context)
func (j *journal) entry(line string) error {
	f := strings.Fields(line)
	switch f[0] {
	case "empty":
		j.add(raftpb.EntryNormal, nil)
	case "bad":
		j.add(raftpb.EntryNormal, []byte{0x22, 0xff})
	case "v2":
		j.add(raftpb.EntryConfChangeV2, nil)
	case "add", "add!", "learner", "promote", "update", "remove":
		j.confEntry(f)
	default:
		req := &pb.InternalRaftRequest{}
		if err := fill(req, f); err != nil {
			return err
		}
		j.request(req)
	}
	return nil
}

func hex(s string) uint64 { n, _ := strconv.ParseUint(s, 16, 64); return n }

func num(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }

func (j *journal) confEntry(f []string) {
	m := memberOf(hex(f[1]), f[2:]...)
	switch f[0] {
	case "add":
		j.conf(raftpb.ConfChangeAddNode, m.ID, m.Bootstrap())
	case "add!":
		j.conf(raftpb.ConfChangeAddNode, m.ID+1, m.Bootstrap())
	case "learner":
		m.IsLearner = true
		j.conf(raftpb.ConfChangeAddLearnerNode, m.ID, m.Context(false))
	case "promote":
		j.conf(raftpb.ConfChangeAddNode, m.ID, m.Context(true))
	case "update":
		j.conf(raftpb.ConfChangeUpdateNode, m.ID, m.Bootstrap())
	case "remove":
		j.conf(raftpb.ConfChangeRemoveNode, m.ID, nil)
	}
}

func fill(req *pb.InternalRaftRequest, f []string) error {
	switch f[0] {
	case "put", "old-put":
		req.Put = putOf(f[1:])
		if f[0] == "old-put" {
			req.ID = 77
		}
	case "del":
		req.DeleteRange = &pb.DeleteRangeRequest{Key: []byte(f[1]), PrevKv: true}
		if len(f) > 2 {
			req.DeleteRange.RangeEnd = []byte(f[2])
		}
	case "get":
		req.Range = &pb.RangeRequest{Key: []byte(f[1])}
	case "compact":
		req.Compaction = &pb.CompactionRequest{Revision: num(f[1]), Physical: len(f) > 2}
	case "txn":
		req.Txn = txnOf(f[1:])
	case "alarm":
		req.Alarm = &pb.AlarmRequest{
			Action:   map[string]pb.AlarmRequest_AlarmAction{"get": 0, "on": 1, "off": 2}[f[1]],
			Alarm:    map[string]pb.AlarmType{"none": 0, "nospace": 1, "corrupt": 2}[f[2]],
			MemberID: hex(f[3]),
		}
	case "lease":
		req.LeaseGrant = &pb.LeaseGrantRequest{ID: num(f[1]), TTL: num(f[2])}
	case "revoke":
		req.LeaseRevoke = &pb.LeaseRevokeRequest{ID: num(f[1])}
	case "checkpoint":
		req.LeaseCheckpoint = &pb.LeaseCheckpointRequest{Checkpoints: []*pb.LeaseCheckpoint{{ID: num(f[1]),
			Remaining_TTL: num(f[2])}}}
	case "auth-status":
		req.AuthStatus = &pb.AuthStatusRequest{}
	case "version-test":
		req.DowngradeVersionTest = &pb.DowngradeVersionTestRequest{Ver: "3.6.0"}
	case "version":
		req.ClusterVersionSet = &pb.ClusterVersionSetRequest{Ver: f[1]}
	case "attr":
		req.ClusterMemberAttrSet = &pb.ClusterMemberAttrSetRequest{Member_ID: hex(f[1]),
			MemberAttributes: &pb.Attributes{Name: f[2], ClientUrls: f[3:]}}
	case "downgrade":
		req.DowngradeInfoSet = &pb.DowngradeInfoSetRequest{Enabled: f[1] == "on", Ver: f[2]}
	default:
		return fmt.Errorf("unknown entry")
	}
	return nil
}

func putOf(f []string) *pb.PutRequest {
	k, v, _ := strings.Cut(f[0], "=")
	r := &pb.PutRequest{Key: []byte(k), Value: []byte(v)}
	for _, a := range f[1:] {
		if n, lease := strings.CutPrefix(a, "lease="); lease {
			r.Lease = num(n)
		}
		r.PrevKv = r.PrevKv || a == "prev"
		r.IgnoreValue = r.IgnoreValue || a == "ignore-value"
	}
	return r
}

func txnOf(f []string) *pb.TxnRequest {
	r := &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte(f[1]), Target: pb.Compare_VERSION,
		TargetUnion: &pb.Compare_Version{Version: num(f[2])}}}}
	to := &r.Success
	for _, op := range f[4:] {
		kind, arg, _ := strings.Cut(op, ":")
		k, v, _ := strings.Cut(arg, "=")
		switch kind {
		case "":
			to = &r.Failure
		case "put":
			*to = append(*to,
				&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(k), Value: []byte(v)}}})
		case "del":
			*to = append(*to,
				&pb.RequestOp{
					Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(k)}}})
		case "get":
			k, at, _ := strings.Cut(k, "@")
			*to = append(*to,
				&pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(k),
					Revision: num(at)}}})
		}
	}
	return r
}

func describe(r *Result) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		fmt.Fprintf(&b, "%d: id %d %s", o.Index, o.ID, describeAny(o.Response, o.Err))
		if o.Physical {
			b.WriteString(" (physical)")
		}
		b.WriteByte('\n')
	}
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "change %d:%s\n", c.Rev, describeEvents(c))
	}
	for _, l := range r.Leases {
		what := map[lease.ChangeKind]string{lease.Granted: "granted", lease.Revoked: "revoked",
			lease.Checkpointed: "checkpointed"}
		fmt.Fprintf(&b, "lease %d %s, ttl %d remaining %d\n", l.ID, what[l.Kind], l.TTL, l.Remaining)
	}
	for _, cc := range r.ConfChanges {
		fmt.Fprintf(&b, "conf change: %v node %x\n", cc.GetType(), cc.GetNodeId())
	}
	fmt.Fprintf(&b, "index %d term %d revision %d compact %d", r.Index, r.Term, r.Revision, r.CompactRevision)
	if r.Members != nil {
		b.WriteString(", members changed")
	}
	if r.AlarmsChanged {
		b.WriteString(", alarms" + describeAlarms(r.Alarms))
	}
	if r.Err != nil {
		stop := "other"
		if errors.Is(r.Err, ErrBadEntry) {
			stop = "bad entry"
		}
		fmt.Fprintf(&b, ", stop: %s", stop)
	}
	return b.String() + "\n"
}

func describeEvents(c mvcc.Change) string {
	var b strings.Builder
	for _, ev := range c.Events {
		fmt.Fprintf(&b, " %s %s=%s", strings.ToLower(ev.Type.String()), ev.Kv.Key, ev.Kv.Value)
		if ev.Prev != nil {
			fmt.Fprintf(&b, "(was %s)", ev.Prev.Value)
		}
	}
	return b.String()
}

func describeAny(resp any, err error) string {
	if err != nil {
		return fmt.Sprintf("error %q response %v", err, resp)
	}
	switch r := resp.(type) {
	case nil:
		return "ok"
	case []*membership.Member:
		return fmt.Sprintf("%d members", len(r))
	case *pb.PutResponse:
		return fmt.Sprintf("put at %d was %q", r.Header.Revision, r.GetPrevKv().GetValue())
	case *pb.DeleteRangeResponse:
		return fmt.Sprintf("deleted %d at %d, %d previous", r.Deleted, r.Header.Revision, len(r.PrevKvs))
	case *pb.RangeResponse:
		return fmt.Sprintf("%d of %d at %d: %s", len(r.Kvs), r.Count, r.Header.Revision, valuesOf(r))
	case *pb.TxnResponse:
		var b strings.Builder
		fmt.Fprintf(&b, "txn %v at %d:", r.Succeeded, r.Header.Revision)
		for _, op := range r.Responses {
			switch o := op.Response.(type) {
			case *pb.ResponseOp_ResponseRange:
				fmt.Fprintf(&b, " range %d [%s]", o.ResponseRange.Count, valuesOf(o.ResponseRange))
			case *pb.ResponseOp_ResponsePut:
				b.WriteString(" put")
			case *pb.ResponseOp_ResponseDeleteRange:
				fmt.Fprintf(&b, " deleted %d", o.ResponseDeleteRange.Deleted)
			}
		}
		return b.String()
	case *pb.CompactionResponse:
		return fmt.Sprintf("compacted at %d", r.Header.Revision)
	case *pb.AlarmResponse:
		return "alarms" + describeAlarms(r.Alarms)
	case *pb.LeaseGrantResponse:
		return fmt.Sprintf("lease %d for %d at %d", r.ID, r.TTL, r.Header.Revision)
	case *pb.LeaseRevokeResponse:
		return fmt.Sprintf("revoked at %d", r.Header.Revision)
	case *pb.LeaseCheckpointResponse:
		return fmt.Sprintf("checkpoint at %d", r.Header.Revision)
	}
	return fmt.Sprintf("%T", resp)
}

// describeAlarms does not print messages: their text form differs from binary to binary.
func describeAlarms(alarms []*pb.AlarmMember) string {
	var b strings.Builder
	for _, a := range alarms {
		fmt.Fprintf(&b, " %x:%v", a.MemberID, a.Alarm)
	}
	return b.String()
}

func valuesOf(r *pb.RangeResponse) string {
	var s []string
	for _, kv := range r.Kvs {
		s = append(s, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return strings.Join(s, " ")
}
