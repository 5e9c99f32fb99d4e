package oracle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// refused starts vitrine on the member's directory, which must end by itself and say all of this.
func (m *member) refused(texts ...string) {
	m.t.Helper()
	m.kind = vitrine
	start := time.Now()
	m.start()
	log := m.died()
	for _, text := range texts {
		if !strings.Contains(log, text) {
			m.t.Errorf("the log does not say %q:\n%s", text, log)
		}
	}
	if strings.Contains(log, "goroutine ") {
		m.t.Errorf("a stack:\n%s", log)
	}
	m.t.Logf("refused after %v", time.Since(start).Round(time.Millisecond))
}

// mixed runs two etcd and one vitrine, with an etcd as the leader.
func mixed(t *testing.T) (all []*member, glass *member) {
	t.Helper()
	all = run(t, []kind{etcd, etcd, vitrine})
	glass = all[2]
	if l := leader(t, all); l == glass {
		status, err := all[0].status()
		ok(t, err)
		_, err = dial(t, glass).MoveLeader(call(t), status.Header.MemberId)
		ok(t, err)
		if leader(t, all) == glass {
			t.Fatal("leadership was not moved")
		}
	}
	return all, glass
}

// TestRemovedMemberIsStartedAgain: it ends by itself when it is removed, and each time that it is started again.
func TestRemovedMemberIsStartedAgain(t *testing.T) {
	processes(t)
	all, glass := mixed(t)
	status, err := glass.status()
	ok(t, err)
	for _, m := range all { // etcd takes a removal 5 s after the members have connected
		m.ready()
	}
	time.Sleep(5 * time.Second)
	_, err = dial(t, all[0]).MemberRemove(call(t), status.Header.MemberId)
	ok(t, err)
	const text = "the member has been permanently removed from the cluster"
	if log := glass.died(); !strings.Contains(log, text) {
		t.Errorf("the log does not name the reason:\n%s", log)
	}
	for range 2 {
		start := time.Now()
		glass.refused(text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

// TestHashesAcrossRestarts asks for hashes at, below and above every revision of note, before and after a restart.
// After "compact 0" the hash of revision 0 is that of everything, which etcd says only after a restart.
func TestHashesAcrossRestarts(t *testing.T) {
	processes(t)
	hashes := func(m *member) (out []string) {
		c := dial(t, m)
		for _, rev := range []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99} {
			resp, err := c.HashKV(call(t), m.client, rev)
			if err != nil {
				out = append(out, fmt.Sprintf("%d: %v", rev, err))
				continue
			}
			out = append(out, fmt.Sprintf("%d: %08x of %d from %d at %d", rev, resp.Hash, resp.HashRevision,
				resp.CompactRevision,
				resp.Header.Revision))
		}
		return out
	}
	restart := func(m *member) {
		m.stop()
		m.start()
		m.ready()
	}
	var seen [2][][]string
	for i, k := range []kind{etcd, vitrine} {
		m := run(t, []kind{k})[0]
		write := func() {
			c := dial(t, m)
			for _, key := range []string{"a", "b", "a", "c"} {
				_, err := c.Put(call(t), key, "v")
				ok(t, err)
			}
			_, err := c.Delete(call(t), "b")
			ok(t, err)
		}
		write()
		_, err := dial(t, m).Compact(call(t), 0, clientv3.WithCompactPhysical())
		ok(t, err)
		fresh := hashes(m)
		restart(m)
		again := hashes(m)
		if k == vitrine && strings.Join(fresh, "\n") != strings.Join(again, "\n") {
			t.Errorf("before and after the restart:\n%s\n\n%s", strings.Join(fresh, "\n"), strings.Join(again, "\n"))
		}
		seen[i] = append(seen[i], fresh[1:], again)
		write()
		for _, rev := range []int64{4, 6, 11} {
			_, err := dial(t, m).Compact(call(t), rev, clientv3.WithCompactPhysical())
			ok(t, err)
			seen[i] = append(seen[i], hashes(m))
			restart(m)
			seen[i] = append(seen[i], hashes(m))
		}
	}
	for i := range seen[0] {
		if got, want := strings.Join(seen[1][i], "\n"), strings.Join(seen[0][i], "\n"); got != want {
			t.Errorf("round %d:\n%s\netcd:\n%s", i, got, want)
		}
	}
}

// TestDamagedDatabase cuts the database under a running server, which must end with a line that names the file, and is
// refused with such a line when it is started again.
func TestDamagedDatabase(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine})[0]
	c := dial(t, m)
	for i := range 30 {
		_, err := c.Put(call(t), fmt.Sprintf("k%02d", i), strings.Repeat("x", 4000))
		ok(t, err)
	}
	snapshot, err := c.Snapshot(call(t))
	ok(t, err)
	_, err = io.Copy(io.Discard, snapshot) // its first piece waits until all that was put is in the file
	ok(t, errors.Join(err, snapshot.Close()))
	db := filepath.Join(m.dir, "member", "snap", "db")
	ok(t, os.Truncate(db, 8192))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := c.Get(ctx, "", clientv3.WithPrefix()); err == nil {
		t.Error("keys were read from a file that has none")
	}
	if log := m.died(); !strings.Contains(log, db+": damaged database") || strings.Contains(log, "goroutine ") {
		t.Errorf("the log does not say what is damaged, or has a stack:\n%s", log)
	}
	m.refused(db + ": damaged database: its 8192 bytes are 2 pages")
}
