package serve

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/config"
	"vitrine/core/pb"
)

// falsify changes the newest value in the database of a member that does not run.
func (c *cluster) falsify(i int) {
	c.t.Helper()
	var dir string
	for _, f := range c.flags[i] {
		if d, ok := strings.CutPrefix(f, "--data-dir="); ok {
			dir = d
		}
	}
	db, err := bbolt.Open(filepath.Join(dir, "member", "snap", "db"), 0o600, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("key"))
		k, v := b.Cursor().Last()
		kv := &pb.KeyValue{}
		if err := kv.UnmarshalVT(v); err != nil {
			return err
		}
		kv.Value = []byte("false")
		data, err := kv.MarshalVT()
		if err != nil {
			return err
		}
		return b.Put(slices.Clone(k), data)
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// corruptAlarms are the members about whom CORRUPT is up, as member i says.
func (c *cluster) corruptAlarms(i int) (ids []uint64) {
	c.t.Helper()
	resp, err := call[pb.AlarmResponse](c, i, "/etcdserverpb.Maintenance/Alarm", &pb.AlarmRequest{})
	r := must(c.t, resp, err)
	for _, a := range r.Alarms {
		if a.Alarm == pb.AlarmType_CORRUPT {
			ids = append(ids, a.MemberID)
		}
	}
	return ids
}

// TestACorruptMemberIsFound: a value that changed while a member was down is noticed by the leader, and by the member
// itself at its start.
func TestACorruptMemberIsFound(t *testing.T) {
	c := newCluster(t, 3, "--corrupt-check-time=200ms")
	c.put(0, "key", "value")
	until(t, "all members to have it", func() bool { return c.get(1, "key") == "value" && c.get(2, "key") == "value" })
	if ids := c.corruptAlarms(0); len(ids) > 0 {
		t.Fatalf("alarms about %x before anything was wrong", ids)
	}
	victim := (c.leader() + 1) % 3
	id := c.servers[victim].node.ID()
	c.stop(victim)
	c.falsify(victim)

	flags := append(slices.Clone(c.flags[victim]), "--feature-gates=InitialCorruptCheck=true")
	cfg, err := config.Parse(flags, nil, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(cfg, zap.NewNop(), testPage)
	if err == nil || !strings.Contains(err.Error(), "found data inconsistency") {
		t.Fatalf("a member whose keys differ starts: %v", err)
	}
	c.start(victim)
	c.awaitReady(victim)
	until(t, "the alarm", func() bool { return len(c.corruptAlarms(0)) > 0 })
	if ids := c.corruptAlarms(0); len(ids) != 1 || ids[0] != id {
		t.Errorf("alarms about %x, want %x", ids, id)
	}
}

// TestCompactionsAreCompared: what a compaction has summed tells the same; a member whose sum is another is named.
func TestCompactionsAreCompared(t *testing.T) {
	c := newCluster(t, 3, "--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=200ms")
	c.put(0, "key", "value")
	until(t, "all members to have it", func() bool { return c.get(1, "key") == "value" && c.get(2, "key") == "value" })
	victim := (c.leader() + 1) % 3
	id := c.servers[victim].node.ID()
	c.stop(victim)
	c.falsify(victim)
	c.start(victim)
	c.awaitReady(victim)
	rev := c.hash(0).HashRevision
	compact := &pb.CompactionRequest{Revision: rev, Physical: true}
	if _, err := call[pb.CompactionResponse](c, 0, "/etcdserverpb.KV/Compact", compact); err != nil {
		t.Fatal(err)
	}
	until(t, "the alarm", func() bool { return len(c.corruptAlarms(0)) > 0 })
	if ids := c.corruptAlarms(0); len(ids) != 1 || ids[0] != id {
		t.Errorf("alarms about %x, want %x", ids, id)
	}
}
