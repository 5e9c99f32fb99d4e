package membership

import (
	"errors"
	"slices"
	"testing"

	"vitrine/core/backend"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"pgregory.net/rapid"
)

// TestIDs compares with ids that etcd 3.7.3 has given.
func TestIDs(t *testing.T) {
	const first, cluster, added = 0xbdae9bbc11dd390d, 0xd1cfaf999eb97a2a, 0xba9e7771806e819b
	if id := MemberID([]string{"http://127.0.0.1:23801"}, "etcd-cluster", nil); id != first {
		t.Errorf("member id %x, want %x", id, uint64(first))
	}
	if id := ClusterID([]uint64{first}); id != cluster {
		t.Errorf("cluster id %x, want %x", id, uint64(cluster))
	}
	seconds := int64(1795246137)
	if id := MemberID([]string{"http://127.0.0.1:23999"}, "", &seconds); id != added {
		t.Errorf("id of a member added later %x, want %x", id, uint64(added))
	}
	if MemberID([]string{"http://b", "http://a"}, "t", nil) != MemberID([]string{"http://a", "http://b"}, "t", nil) {
		t.Error("the order of URLs matters")
	}
	if ClusterID([]uint64{1, 2}) != ClusterID([]uint64{2, 1}) {
		t.Error("the order of members matters")
	}
	if s := IDString(0x0fab); s != "fab" {
		t.Errorf("id text %q", s)
	}
}

// TestJSON compares with what etcd's structs encode to.
func TestJSON(t *testing.T) {
	m := &Member{ID: 1, PeerURLs: []string{"http://a?b=1&c=<2>"}}
	if got, want := string(m.Bootstrap()), `{"id":1,"peerURLs":["http://a?b=1\u0026c=\u003c2\u003e"]}`; got != want {
		t.Errorf("member %s, want %s", got, want)
	}
	m = &Member{ID: 1 << 63, IsLearner: true, Name: "n", ClientURLs: []string{"http://c"}}
	want := `{"id":9223372036854775808,"peerURLs":null,"isLearner":true,"name":"n",` +
		`"clientURLs":["http://c"],"isPromote":true}`
	if got := string(m.Context(true)); got != want {
		t.Errorf("context %s, want %s", got, want)
	}
	c, err := ParseContext([]byte(want))
	if err != nil || !c.IsPromote || c.ID != m.ID || !slices.Equal(c.ClientURLs, m.ClientURLs) {
		t.Errorf("parsed %+v, %v", c, err)
	}
}

func TestVersions(t *testing.T) {
	for _, s := range []string{"3.7.0", "3.7.3", "4.0.0"} {
		if v, err := ParseVersion(s); err != nil || v.String() != s {
			t.Errorf("%s: %v, %v", s, v, err)
		}
	}
	if v, err := ParseVersion("3.8.0-alpha.0+x"); err != nil || v != (Version{3, 8, 0}) {
		t.Errorf("%v, %v", v, err)
	}
	for _, s := range []string{"", "3", "3.7", "3.7.x", "3.7.0.1", "-3.7.0", "3.7.99999999999999"} {
		if _, err := ParseVersion(s); !errors.Is(err, ErrBadVersion) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if (Version{3, 10, 0}).Compare(Version{3, 9, 5}) <= 0 || (Version{3, 7, 3}).ToMinor() != (Version{3, 7, 0}) {
		t.Error("order of versions")
	}
}

// TestFold: after any conf changes, the members are what raft's own bookkeeping says, the records lead to the same
// members when they are read back, what was refused has changed nothing, and removed ids stay away (I13).
func TestFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := backend.New(backend.NewMem())
		if err != nil {
			t.Fatal(err)
		}
		ms := New(rapid.IntRange(0, 3).Draw(t, "max learners"))
		track := tracker.MakeProgressTracker(1, 0)
		removed := map[uint64]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			cc := randomChange(t)
			batch := backend.NewBatch()
			err := ms.Apply(cc, batch)
			if err != nil {
				if batch.Len() > 0 {
					t.Fatalf("%v, but %d records were written", err, batch.Len())
				}
				cc.NodeId = new(uint64)
			} else if removed[cc.GetNodeId()] {
				t.Fatalf("removed member %d is back", cc.GetNodeId())
			} else if cc.GetType() == raftpb.ConfChangeRemoveNode {
				removed[cc.GetNodeId()] = true
			}
			b.Write(batch)
			if cc.GetNodeId() == raft.None {
				continue
			}
			cfg, progress, err := confchange.Changer{Tracker: track, LastIndex: 1}.Simple(cc.AsV2().Changes...)
			if err != nil {
				t.Fatalf("raft refuses what we took: %v", err)
			}
			track.Config, track.Progress = cfg, progress
		}
		want := track.ConfState()
		got := ms.ConfState()
		if !slices.Equal(got.Voters, want.Voters) || !slices.Equal(got.Learners, want.Learners) {
			t.Fatalf("we say %v, raft says %v", got, want)
		}
		again, err := Load(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(again.List(), ms.List(),
			func(a, b *Member) bool { return string(a.Bootstrap()) == string(b.Bootstrap()) }) {
			t.Fatal("the records tell of other members")
		}
		for _, id := range testIDs {
			if again.IsRemoved(id) != removed[id] || ms.IsRemoved(id) != removed[id] {
				t.Fatalf("member %x removed: %v, %v, want %v", id, again.IsRemoved(id), ms.IsRemoved(id), removed[id])
			}
		}
	})
}

// testIDs are ordered otherwise as numbers than as texts.
var testIDs = []uint64{0, 1, 9, 0x10, 0x9f, 0x100, 1 << 63}

func randomChange(t *rapid.T) *raftpb.ConfChange {
	id := testIDs[rapid.IntRange(0, len(testIDs)-1).Draw(t, "id")]
	m := &Member{ID: id, PeerURLs: []string{"http://" + rapid.StringMatching(`[a-h]`).Draw(t, "url")}}
	typ := raftpb.ConfChangeType(rapid.IntRange(0, 3).Draw(t, "type"))
	context := m.Context(rapid.IntRange(0, 3).Draw(t, "promote") == 0)
	if rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
		context = []byte(rapid.SampledFrom([]string{"", "{", "{}", `{"id":"x"}`, `{"id":99}`}).Draw(t, "context"))
	}
	return &raftpb.ConfChange{Type: &typ, NodeId: &id, Context: context}
}

// TestClone: a clone stays as it was.
func TestClone(t *testing.T) {
	b := backend.NewBatch()
	ms := New(0)
	add := func(id uint64, url string) {
		if err := ms.Apply(&raftpb.ConfChange{NodeId: &id, Context: (&Member{ID: id, PeerURLs: []string{url}}).Bootstrap()},
			b); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "http://a")
	add(3, "http://c")
	c := ms.Clone()
	add(2, "http://b")
	if err := ms.SetAttributes(1, "one", nil, b); err != nil {
		t.Fatal(err)
	}
	ms.SetVersion(Version{3, 7, 0}, b)
	if len(c.List()) != 2 || c.Get(1).Name != "" || c.Get(2) != nil || c.Version() != nil {
		t.Errorf("the clone has changed: %v %v", c.List(), c.Version())
	}
	update, id, remove := raftpb.ConfChangeUpdateNode, uint64(1), raftpb.ConfChangeRemoveNode
	for _, url := range []string{"http://a", "http://a2"} { // a member's own URL is not taken
		if err := ms.Apply(&raftpb.ConfChange{Type: &update, NodeId: &id,
			Context: (&Member{ID: 1, PeerURLs: []string{url}}).Bootstrap()}, b); err != nil {
			t.Fatal(err)
		}
	}
	if c.Get(1).PeerURLs[0] != "http://a" || ms.Get(1).PeerURLs[0] != "http://a2" {
		t.Errorf("URLs %v, in the clone %v", ms.Get(1).PeerURLs, c.Get(1).PeerURLs)
	}
	c2 := ms.Clone()
	if err := c2.Apply(&raftpb.ConfChange{Type: &remove, NodeId: &id}, b); err != nil || ms.Get(1) == nil ||
		ms.IsRemoved(1) {
		t.Errorf("the original has changed with its clone: %v", err)
	}
	if err := c2.SetAttributes(1, "late", nil, b); err != nil || c2.Get(1) != nil {
		t.Errorf("attributes of a removed member: %v", err)
	}
	if err := c2.SetAttributes(77, "who", nil, b); !errors.Is(err, ErrIDNotFound) {
		t.Errorf("attributes of nobody: %v", err)
	}
	if got := ms.Voters(); !slices.Equal(got, []uint64{1, 2, 3}) || ms.Get(1).Name != "one" || !ms.Get(1).Started() {
		t.Errorf("voters %v, member %+v", got, ms.Get(1))
	}
}

// TestLoadRefusesDamage: records that cannot be read are an error, not a smaller cluster.
func TestLoadRefusesDamage(t *testing.T) {
	for _, d := range []struct {
		bucket     backend.Bucket
		key, value string
	}{
		{backend.Members, "xyz", "{}"}, {backend.Members, "1", "{"}, {backend.MembersRemoved, "-", "removed"},
		{backend.Cluster, keyVersion, "three"}, {backend.Cluster, keyDowngrade, "["},
	} {
		b, _ := backend.New(backend.NewMem())
		batch := backend.NewBatch()
		batch.Put(d.bucket, []byte(d.key), []byte(d.value))
		b.Write(batch)
		if _, err := Load(b, 0); err == nil {
			t.Errorf("%v %s=%s was taken", d.bucket, d.key, d.value)
		}
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add([]byte(`{"id":1,"peerURLs":["http://a"],"isPromote":true}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseContext(b)
		if err != nil {
			return
		}
		again, err := ParseContext(c.Context(c.IsPromote))
		if err != nil || again.ID != c.ID || again.IsPromote != c.IsPromote || len(again.PeerURLs) != len(c.PeerURLs) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}
