package node

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/backend"
	"vitrine/core/membership"
)

// said is a member that answers to /version.
func said(t *testing.T, answer string, status int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func server(v string) string {
	return fmt.Sprintf(`{"etcdserver":%q,"etcdcluster":"3.6.0","storage":"3.6.0"}`, v)
}

// membersAt are members 1, 2, 3 ... with these peer URLs.
func membersAt(t *testing.T, urls [][]string) *membership.Members {
	t.Helper()
	ms, b := membership.New(1), backend.NewBatch()
	b.Reset(backend.Applied{Index: 1, Term: 1})
	for i, us := range urls {
		m := &membership.Member{ID: uint64(i + 1), PeerURLs: us}
		if err := ms.Apply(&raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: &m.ID, Context: m.Bootstrap()},
			b); err != nil {
			t.Fatal(err)
		}
	}
	return ms
}

// The oldest member counts, and one that does not say what it is leaves the question open.
func TestLeastVersion(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct {
		urls [][]string // of members besides this one
		want string
	}{
		{nil, "3.7.3"},
		{[][]string{{said(t, server("3.7.9"), 200)}}, "3.7.3"},
		{[][]string{{said(t, server("3.6.5"), 200)}, {said(t, server("3.7.0"), 200)}}, "3.6.5"},
		{[][]string{{gone.URL, said(t, server("3.6.5"), 200)}}, "3.6.5"},
		{[][]string{{gone.URL}, {said(t, server("3.6.5"), 200)}}, "none"},
		{[][]string{{said(t, "not there", 503)}}, "none"}, {[][]string{{said(t, "{", 200)}}, "none"},
		{[][]string{{said(t, "{}", 200)}}, "none"},
		{[][]string{{said(t, `{"etcdserver":"`+strings.Repeat("3", 1<<20)+`"}`, 200)}}, "none"},
	} {
		n := &Node{id: 1, log: zap.NewNop(), release: membership.Version{Major: 3, Minor: 7, Patch: 3},
			stopping: make(chan struct{})}
		n.members.Store(membersAt(t, append([][]string{{"http://127.0.0.1:1"}}, c.urls...)))
		got := "none"
		v, newest := n.releases()
		if v != nil {
			got = v.String()
		}
		if (v == nil) != (newest == nil) || v != nil && newest.Compare(n.release) < 0 {
			t.Errorf("%v: the newest is %v", c.urls, newest)
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.urls, got, c.want)
		}
	}
}
