package store

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"vitrine/core/backend"

	"go.etcd.io/raft/v3/raftpb"
)

// TestEtcdsOwnLog applies a log that etcd 3.7.3 wrote (puts, deletes, transactions, two compactions, a learner added,
// updated and removed, cluster version, downgrade enabled and canceled) and compares the result with the database that
// etcd made of it. testdata/etcd/log holds "index term type base64(data)" lines, db "bucket base64(key) base64(value)".
func TestEtcdsOwnLog(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	var entries []*raftpb.Entry
	for line := range lines(t, "testdata/etcd/log") {
		var index, term uint64
		var typ int32
		var data string
		fmt.Sscan(line, &index, &term, &typ, &data)
		entries = append(entries, &raftpb.Entry{Index: &index, Term: &term, Type: raftpb.EntryType(typ).Enum(),
			Data: decode(t, data)})
	}
	r := m.Apply(ApplyContext{WithPrev: true}, entries)
	if r.Err != nil || r.Index != 50 || r.Revision != 39 || r.CompactRevision != 33 {
		t.Fatalf("index %d, revision %d, compact %d: %v", r.Index, r.Revision, r.CompactRevision, r.Err)
	}
	for _, o := range r.Outcomes {
		if o.Err != nil {
			t.Errorf("entry %d: %v", o.Index, o.Err)
		}
	}
	const etcdsHash = 691774136
	for range 2 { // before and after the deletions of the compaction
		if hash, compactRev, rev, err := m.HashKV(0); hash != etcdsHash || compactRev != 33 || rev != 39 || err != nil {
			t.Errorf("hash %d at %d, compact %d (%v), etcd's is %d", hash, rev, compactRev, err, etcdsHash)
		}
		m.finish()
	}
	ours, theirs := m.dump(), ""
	for line := range lines(t, "testdata/etcd/db") {
		f := strings.SplitN(line, " ", 3)
		if f[0] == "auth" { // etcd counts the revisions of users from 1 on before there are any
			continue
		}
		theirs += fmt.Sprintf("%s/%s = %s\n", f[0], printable(decode(t, f[1])), printable(decode(t, f[2])))
	}
	for _, line := range missing(ours, theirs) {
		t.Errorf("only we have: %s", line)
	}
	for _, line := range missing(theirs, ours) {
		t.Errorf("only etcd has: %s", line)
	}
}

func missing(a, b string) (l []string) {
	for line := range strings.Lines(a) {
		if !strings.Contains("\n"+b, "\n"+line) {
			l = append(l, line)
		}
	}
	return l
}

func lines(t *testing.T, name string) func(yield func(string) bool) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Lines(string(b))
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
