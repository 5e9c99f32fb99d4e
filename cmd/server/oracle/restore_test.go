package oracle

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// saved is a snapshot that etcdctl has taken of a cluster with keys in it, of members that are gone now.
type saved struct {
	file  string
	print fingerprint
	of    []*member
}

func saveOf(t *testing.T, kinds []kind) saved {
	t.Helper()
	ms := run(t, kinds)
	populate(t, ms[0], 0, 150)
	s := saved{file: filepath.Join(t.TempDir(), "snapshot.db"), print: agree(t, ms), of: ms}
	if o := ctl(t, ms[:1], "", "snapshot", "save", s.file); o.Code != 0 {
		t.Fatalf("save: %+v", o)
	}
	for _, m := range ms {
		m.kill()
	}
	return s
}

// restore makes the directories of a new cluster out of the snapshot: members of these kinds, with names and URLs of
// their own and another token. The first keep of them keep name, peer URL and token of the old members.
func (s saved) restore(t *testing.T, kinds []kind, keep int) []*member {
	t.Helper()
	ms := cluster(t, kinds)
	token := "another"
	for i, m := range ms {
		m.name = "new-" + m.name
		if i < keep {
			m.name, m.peer, token = s.of[i].name, s.of[i].peer, "oracle"
		}
	}
	var initial []string
	for _, m := range ms {
		initial = append(initial, m.name+"="+m.peer)
	}
	for _, m := range ms {
		m.args = []string{"--initial-cluster", strings.Join(initial, ",")}
		o := command(t, exec.Command(binary(t, "etcdutl"), "snapshot", "restore", s.file, "--data-dir", m.dir, "--name",
			m.name,
			"--initial-cluster", strings.Join(initial, ","), "--initial-advertise-peer-urls", m.peer, "--initial-cluster-token",
			token), "")
		if o.Code != 0 {
			t.Fatalf("restore: %+v", o)
		}
		m.start()
	}
	for _, m := range ms {
		m.ready()
	}
	return ms
}

// memberText is the member list as a member tells it: ids, names and peer URLs, by id.
func memberText(t *testing.T, m *member) string {
	t.Helper()
	list, err := dial(t, m).MemberList(call(t))
	ok(t, err)
	var lines []string
	for _, o := range list.Members {
		lines = append(lines, fmt.Sprintf("%016x %s %v %v", o.ID, o.Name, o.PeerURLs, o.IsLearner))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// judgeRestored looks at a restored cluster: all keys are there, all members name the same members and one leader,
// and a member alone acknowledges nothing.
func judgeRestored(t *testing.T, s saved, ms []*member) {
	t.Helper()
	leader(t, ms)
	if got := agree(t, ms); got != s.print {
		t.Errorf("restored as %+v, want %+v", got, s.print)
	}
	want := memberText(t, ms[0])
	if n := strings.Count(want, "\n") + 1; n != len(ms) {
		t.Errorf("%d members, want %d:\n%s", n, len(ms), want)
	}
	for _, m := range ms {
		if got := memberText(t, m); got != want || !strings.Contains(got, " "+m.name+" ["+m.peer+"]") {
			t.Errorf("%s names the members\n%s\nand %s\n%s", m.name, got, ms[0].name, want)
		}
		if _, err := dial(t, m).Put(call(t), "restored/"+m.name, "x"); err != nil {
			t.Errorf("put at %s: %v", m.name, err)
		}
	}
	if len(ms) == 1 {
		return
	}
	for _, m := range ms[1:] {
		m.kill()
	}
	// Longer than any election: a member that thinks it is alone leads and answers at once.
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if resp, err := dial(t, ms[0]).Put(ctx, "alone", "x"); err == nil {
		t.Errorf("one member of %d acknowledges a put alone, at revision %d", len(ms), resp.Header.Revision)
	} else if !errors.Is(ctx.Err(), context.DeadlineExceeded) && !strings.Contains(err.Error(), "timed out") &&
		!strings.Contains(err.Error(), "no leader") {
		t.Errorf("a put at one member of %d: %v", len(ms), err)
	}
	for _, m := range ms[1:] {
		m.start()
		m.ready()
	}
	agree(t, ms)
	got, err := dial(t, ms[1]).Get(call(t), "restored/", clientv3.WithPrefix())
	ok(t, err)
	if len(got.Kvs) != len(ms) {
		t.Errorf("%d of %d puts are there after a restart", len(got.Kvs), len(ms))
	}
}

// TestSnapshotsAreRestoredAsOtherClusters restores snapshots of each server with other names, peer URLs, tokens and
// member counts, and boots each server on the result. The tools rewrite the members bucket and the log, and nothing
// else: whoever asks another place for the voters finds those of the old cluster there.
func TestSnapshotsAreRestoredAsOtherClusters(t *testing.T) {
	processes(t)
	for _, first := range []kind{etcd, vitrine} {
		for _, from := range []int{1, 3} {
			t.Run(fmt.Sprintf("%d of %s", from, first), func(t *testing.T) {
				s := saveOf(t, slices.Repeat([]kind{first}, from))
				for _, shape := range []struct {
					kinds []kind
					keep  int
				}{
					{[]kind{vitrine}, 0},
					{[]kind{etcd}, 0},
					{[]kind{vitrine, vitrine, vitrine}, 1}, // the first could take itself for the whole old cluster
					{[]kind{vitrine, etcd, vitrine}, 0},
					{[]kind{etcd, etcd, etcd}, 1},
				} {
					t.Run(fmt.Sprintf("as %v, %d kept", shape.kinds, shape.keep), func(t *testing.T) {
						ms := s.restore(t, shape.kinds, shape.keep)
						judgeRestored(t, s, ms)
						for _, m := range ms {
							m.kill()
						}
					})
				}
			})
		}
	}
}
