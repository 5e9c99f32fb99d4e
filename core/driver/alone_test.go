package driver

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// birthAmong is a member of a cluster of which the others are 2 and 3, with one more entry that is committed and two
// that are not: a voter, a learner, or one that its own log does not name.
func birthAmong(t *testing.T, as string) func() (Birth, error) {
	t.Helper()
	return func() (b Birth, err error) {
		if b.Metadata, err = (&pb.WALMetadata{NodeID: new(uint64(self)), ClusterID: new(uint64(7))}).MarshalVT(); err != nil {
			return b, err
		}
		peer := func(id uint64) *membership.Member {
			return &membership.Member{ID: id, PeerURLs: []string{fmt.Sprintf("http://host%d:2380", id)}}
		}
		peers := []consensus.Peer{{ID: 2, Context: peer(2).Bootstrap()}, {ID: 3, Context: peer(3).Bootstrap()}}
		if as == "voter" {
			peers = append(peers, consensus.Peer{ID: self, Context: peer(self).Bootstrap()})
		}
		if b.Entries, b.HardState, err = consensus.Bootstrap(peers); err != nil {
			return b, err
		}
		if as == "learner" {
			me := peer(self)
			me.IsLearner = true
			cc, err := proto.Marshal(&raftpb.ConfChange{
				Type: raftpb.ConfChangeAddLearnerNode.Enum(), NodeId: new(uint64(self)), Context: me.Context(false),
			})
			if err != nil {
				return b, err
			}
			b.Entries = append(b.Entries, &raftpb.Entry{
				Type: raftpb.EntryConfChange.Enum(), Term: new(uint64(1)), Index: new(uint64(3)), Data: cc,
			})
		}
		commit := uint64(len(b.Entries)) + 1
		for range 3 {
			b.Entries = append(b.Entries, putEntry(t, uint64(len(b.Entries))+1, 10))
		}
		b.HardState.Commit = &commit
		return b, nil
	}
}

// alone starts a member that is to be the only one of its cluster.
func alone(mem vfs.FS, birth func() (Birth, error)) (*Disk, *Started, error) {
	d := diskOn(mem)
	d.Alone, d.PeerURLs = true, []string{"http://alone:2380"}
	s, err := d.Start(birth)
	return d, s, err
}

// lives applies what is committed and tells who the cluster is then.
func lives(t *testing.T, s *Started) string {
	t.Helper()
	st := s.State.Store
	if _, err := member.New(member.Config{Config: consensus.Config{ID: self}, ClusterID: 7}, s.Boot, Info(st),
		0); err != nil {
		t.Errorf("there is no member: %v", err)
	}
	for i, e := range s.Found.Entries {
		if e.GetIndex() > s.Found.HardState.GetCommit() {
			t.Errorf("entry %d of %d is not committed", i+1, len(s.Found.Entries))
		}
	}
	if r := st.Apply(store.ApplyContext{}, s.Found.Entries); r.Err != nil {
		t.Fatal(r.Err)
	}
	var all []string
	for _, m := range st.Members.List() {
		all = append(all, fmt.Sprintf("%d learner %v %s", m.ID, m.IsLearner, m.PeerURLs))
	}
	return fmt.Sprintf("%d keys, %s", st.KV.Keys(), strings.Join(all, ", "))
}

// TestAlone: whoever a member is in its cluster, it becomes the only voter, with what was committed and without what
// was not; the power may fail at once.
func TestAlone(t *testing.T) {
	for as, want := range map[string]string{
		"voter":    "1 keys, 1 learner false [http://host1:2380]",
		"learner":  "1 keys, 1 learner false [http://host1:2380]",
		"stranger": "1 keys, 1 learner false [http://alone:2380]",
	} {
		mem := vfs.NewMem()
		_, first, err := alone(mem, birthAmong(t, as))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range first.Found.Entries[4:] {
			if e.GetType() != raftpb.EntryNormal || e.GetIndex() <= first.Boot.HardState.GetCommit() {
				t.Errorf("%s: at its birth it is alone already", as)
			}
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		_, s, err := alone(mem, nil)
		if err != nil {
			t.Fatalf("%s: %v", as, err)
		}
		end := s.Log.Synced()
		last := uint64(len(s.Found.Entries))
		if want := (Position{Index: last, Term: 1, InTerm: 1}); end != want || s.Log.Written() != want ||
			s.Boot.HardState.GetCommit() != last {
			t.Errorf("%s: synced %+v, written %+v of %d, boots with %v", as, end, s.Log.Written(), last, s.Boot.HardState)
		}
		lost := mem.LoseUnsynced()
		if got := lives(t, s); got != want {
			t.Errorf("%s: %s, want %s", as, got, want)
		}
		again, err := diskOn(lost).Start(nil)
		if err != nil {
			t.Fatalf("%s, after a power loss: %v", as, err)
		}
		if got := lives(t, again); got != want {
			t.Errorf("%s, after a power loss: %s, want %s", as, got, want)
		}
	}
}

// TestAloneFails at any operation of the disk: it says so, gives everything up, and the next attempt succeeds.
func TestAloneFails(t *testing.T) {
	broken := errors.New("broken")
	told := 0
	for fail, all := 0, 0; fail <= all; fail++ {
		mem := vfs.NewMem()
		born := diskOn(mem)
		first, err := born.Start(birthAmong(t, "voter"))
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		n, failed := 0, vfs.Op{}
		d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
			if n++; n == fail {
				failed = op
				return broken
			}
			return nil
		}))
		open := counting(d)
		d.Alone = true
		s, err := d.Start(nil)
		if fail == 0 {
			all = n
		}
		switch {
		case err == nil && (fail == 0 || failed.Kind == vfs.OpStat): // leftovers are looked for next time
			_ = s.Close()
		case !errors.Is(err, broken) || s != nil || *open != 0:
			t.Errorf("operation %d of %d: %v, %d databases are open", fail, all, err, *open)
		case strings.HasPrefix(err.Error(), "cannot make a cluster of one: "):
			told++
		}
		if err == nil {
			continue
		}
		if _, s, err := alone(mem, nil); err != nil {
			t.Errorf("operation %d of %d, the next attempt: %v", fail, all, err)
		} else if got, want := lives(t, s), "1 keys, 1 learner false [http://host1:2380]"; got != want {
			t.Errorf("operation %d of %d, the next attempt: %s, want %s", fail, all, got, want)
		}
	}
	if told < 2 {
		t.Errorf("only %d operations made it fail", told)
	}
}

// TestAloneUnderstands the log, or says that it does not.
func TestAloneUnderstands(t *testing.T) {
	for what, spoil := range map[string]func(b *Birth){
		"who it is": func(b *Birth) { b.Metadata = []byte("who") },
		"a change":  func(b *Birth) { b.Entries[1].Data = []byte("what") },
	} {
		mem := vfs.NewMem()
		d := diskOn(mem)
		first, err := d.Start(func() (Birth, error) {
			b, err := birthAmong(t, "voter")()
			spoil(&b)
			return b, err
		})
		if err != nil || first.Close() != nil {
			t.Fatal(err)
		}
		_, _, err = alone(mem, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot make a cluster of one: ") {
			t.Errorf("%s cannot be read: %v", what, err)
		}
	}
}
