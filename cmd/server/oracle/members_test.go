package oracle

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// healthy is how long members must have known one another before they let themselves be changed, and a little more.
const healthy = 6 * time.Second

// memberScript is what both servers are told about members. The ids of those that are added follow from the time.
func memberScript(ids []string) []string {
	return []string{
		"member add", "member add new", "member add new --peer-urls=", "member add new --peer-urls=nonsense",
		"member add new --peer-urls=http://127.0.0.1", "member add new --peer-urls=ftp://127.0.0.1:1",
		"member add new --peer-urls=http://127.0.0.1:1/path", "member add new --peer-urls=PEER0",
		"member add new --peer-urls=http://127.0.0.1:9 -w fields --learner", "member list", "member list -w fields",
		"member add other --peer-urls=http://127.0.0.1:8 --learner", "member add other --peer-urls=http://127.0.0.1:9",
		"member promote NEW", "member promote " + ids[0], "member promote abcdef", "member promote", "member promote xyz",
		"member update abcdef --peer-urls=http://127.0.0.1:9", "member update NEW --peer-urls=http://127.0.0.1:7 -w fields",
		"member update NEW --peer-urls=PEER0", "member update NEW", "member update " + ids[1] + " --peer-urls=PEER1",
		"member list", "member remove", "member remove xyz", "member remove abcdef", "member remove NEW -w fields",
		"member remove NEW", "member promote NEW", "member update NEW --peer-urls=http://127.0.0.1:6", "member list",
		"member add third --peer-urls=http://127.0.0.1:5", "member add fourth --peer-urls=http://127.0.0.1:4",
		"member remove NEW", "member list --consistency=s",
		"downgrade validate", "downgrade validate 3.6", "downgrade validate 3.6.0", "downgrade validate 3.5",
		"downgrade validate 3", "downgrade validate x", "downgrade enable 3.5", "downgrade enable", "downgrade cancel",
	}
}

// TestCtlChangesMembers: etcdctl hears the same of changes of members from etcd and from us.
func TestCtlChangesMembers(t *testing.T) {
	processes(t)
	var said [][]string
	both(t, 3, func(t *testing.T, members []*member) {
		lead := leader(t, members)
		var known []string
		for _, m := range members {
			status, err := m.status()
			ok(t, err)
			known = append(known, fmt.Sprintf("%x", status.Header.MemberId))
		}
		first := ctl(t, []*member{lead}, "", words("member add early --peer-urls=http://127.0.0.1:3")...)
		lines := []string{fmt.Sprintf("%d %s%s", first.Code, first.Stdout, normalise(first.Stderr, ""))}
		added, before := "", []string{}
		if first.Code == 0 { // the machine was slow: it was not early
			before = append(before, newMember(t, lead, known))
		}
		time.Sleep(healthy)
		hex := regexp.MustCompile(`\b[0-9a-f]{13,16}\b|\b\d{17,20}\b`)
		for _, line := range memberScript(known) {
			line = strings.NewReplacer("NEW", added, "PEER0", members[0].peer, "PEER1", members[1].peer).Replace(line)
			o := ctl(t, []*member{lead}, "", words(line)...)
			// 4: it is there, and etcdctl cannot print the answer in the form that was asked for
			if strings.HasPrefix(line, "member add") && (o.Code == 0 || o.Code == 4) {
				added = newMember(t, lead, slices.Concat(known, before))
				before = append(before, added)
				time.Sleep(1100 * time.Millisecond) // an id follows from URL and second
			}
			text := fmt.Sprintf("%d\n%s%s", o.Code, normalise(o.Stdout, line), normalise(o.Stderr, line))
			text = hex.ReplaceAllStringFunc(text, func(id string) string {
				if slices.Contains(known, id) {
					return id
				}
				return "ID"
			})
			text = regexp.MustCompile(` +`).ReplaceAllString(text, " ") // ids of 15 digits have a space in front
			// members are sorted by ids that follow from the time
			sorted := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' || r == '"' })
			slices.Sort(sorted)
			lines = append(lines, fmt.Sprintf("%s: %s", hex.ReplaceAllString(line, "ID"), strings.Join(sorted, "\n")))
		}
		said = append(said, lines)
	})
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i, line := range said[0] {
		if line != said[1][i] {
			t.Errorf("etcd:    %s\nvitrine: %s", line, said[1][i])
		}
	}
	t.Logf("%d commands", len(said[0]))
}

// newMember is the id of a member that is not among the known.
func newMember(t *testing.T, m *member, known []string) string {
	t.Helper()
	resp, err := dial(t, m).MemberList(call(t))
	ok(t, err)
	for _, m := range resp.Members {
		if id := fmt.Sprintf("%x", m.ID); !slices.Contains(known, id) {
			return id
		}
	}
	t.Fatalf("no new member among %v", resp.Members)
	return ""
}

// grow adds a member of a kind to a cluster, as a learner, starts it and promotes it.
func grow(t *testing.T, members []*member, k kind, name string, args ...string) *member {
	t.Helper()
	addresses := freeAddresses(t, 2)
	m := &member{t: t, kind: k, name: name, dir: t.TempDir() + "/" + name,
		client: "http://" + addresses[0], peer: "http://" + addresses[1]}
	c := dial(t, members...)
	var resp *clientv3.MemberAddResponse
	insist(t, "add "+name, func() (err error) {
		resp, err = c.MemberAddAsLearner(call(t), []string{m.peer})
		return err
	})
	var initial []string
	for _, o := range resp.Members {
		n := o.Name
		if o.ID == resp.Member.ID {
			n = name
		}
		initial = append(initial, n+"="+o.PeerURLs[0])
	}
	m.args = append([]string{"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-state", "existing"},
		args...)
	m.start()
	insist(t, "promote "+name, func() error {
		_, err := c.MemberPromote(call(t), resp.Member.ID)
		return err
	})
	m.ready()
	return m
}

// insist tries again what is refused while members get to know one another, or elect.
func insist(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * readyTimeout); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// remove takes a member out, whose process then ends by itself, and not as after a signal.
func remove(t *testing.T, members []*member, gone *member) []*member {
	t.Helper()
	status, err := gone.status()
	ok(t, err)
	rest := slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == gone })
	c := dial(t, rest...)
	insist(t, "remove "+gone.name, func() error {
		_, err := c.MemberRemove(call(t), status.Header.MemberId)
		if err != nil && strings.Contains(err.Error(), "member not found") {
			return nil // a try before this one
		}
		return err
	})
	select {
	case err := <-gone.exited:
		gone.exited <- err
	case <-time.After(20 * time.Second):
		t.Errorf("%s (%s) was removed and goes on\n%s", gone.name, gone.kind, gone.tail(20))
	}
	return rest
}

// TestRollingReplacement: under load, each member of one kind is replaced by one of the other, in both directions.
// Nothing that was acknowledged is lost.
func TestRollingReplacement(t *testing.T) {
	processes(t)
	for _, way := range [][2]kind{{etcd, vitrine}, {vitrine, etcd}, {vitrine, vitrine}} {
		t.Run(fmt.Sprintf("%s to %s", way[0], way[1]), func(t *testing.T) {
			args := []string{"--snapshot-count", "500", "--snapshot-catchup-entries", "50"}
			members := run(t, []kind{way[0], way[0], way[0]}, args...)
			everybody := slices.Clone(members)
			load := startWriters(t, everybody, 4)
			time.Sleep(healthy)
			for i := range 3 {
				m := grow(t, members, way[1], fmt.Sprintf("new%d", i+1), args...)
				old := leader(t, members)
				if i > 0 || old.kind != way[0] {
					old = members[0]
				}
				members = append(remove(t, members, old), m)
				for _, c := range members {
					c.ready()
				}
				// The writers know the first three only: others take their places.
				load.handOver(t, members)
			}
			acked, tries := load.end()
			state := agree(t, members)
			for _, m := range members {
				if lost := load.missing(t, m); len(lost) > 0 {
					t.Errorf("%s (%s) has lost %d acknowledged writes, the first are %v", m.name, m.kind, len(lost),
						lost[:min(5, len(lost))])
				}
			}
			t.Logf("%d of %d writes acknowledged; %+v everywhere", acked, tries, state)
			if acked < 200 {
				t.Errorf("only %d writes were acknowledged", acked)
			}
		})
	}
}

// handOver tells the writers where the members are now.
func (w *writers) handOver(t *testing.T, members []*member) {
	t.Helper()
	for _, c := range w.clients {
		c.SetEndpoints(endpoints(members)...)
	}
}

// TestJoinIsChecked: flags that do not fit the running cluster are refused in etcd's words.
func TestJoinIsChecked(t *testing.T) {
	processes(t)
	for _, k := range []kind{etcd, vitrine} {
		members := run(t, []kind{etcd})
		free := freeAddresses(t, 4)
		join := func(initial, want string) {
			t.Helper()
			m := &member{t: t, kind: k, name: "late", dir: t.TempDir() + "/late", client: "http://" + free[0],
				peer: "http://" + free[1], args: []string{"--initial-cluster", initial, "--initial-cluster-state", "existing"}}
			m.start()
			m.wait(callTimeout)
			said, err := os.ReadFile(m.log.Name())
			ok(t, err)
			if !bytes.Contains(said, []byte(want)) {
				t.Errorf("%s started with %s does not say %q:\n%s", k, initial, want, m.tail(5))
			}
		}
		self := "late=http://" + free[1]
		join(self+",m1="+members[0].peer, "member count is unequal")
		join(self+",m1=http://"+free[2],
			"cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs")
		c := dial(t, members...)
		_, err := c.MemberAdd(call(t), []string{"http://" + free[3]})
		ok(t, err)
		join(self+",m1="+members[0].peer, "PeerURLs: no match found for existing member")
	}
}

// TestForceNewCluster: of a cluster whose other members are lost for good one becomes a cluster of its own, with all
// that it knows to be committed, whichever server it was and will be; and it can grow again.
func TestForceNewCluster(t *testing.T) {
	processes(t)
	for _, way := range [][2]kind{{vitrine, vitrine}, {etcd, vitrine}, {vitrine, etcd}} {
		t.Run(fmt.Sprintf("%s to %s", way[0], way[1]), func(t *testing.T) {
			members := run(t, []kind{way[0], way[0], way[0]})
			c := dial(t, members...)
			for i := range 50 {
				_, err := c.Put(call(t), fmt.Sprintf("k%d", i), "v")
				ok(t, err)
			}
			before := agree(t, members)
			lone := members[1]
			lone.stop() // in order: what it knows to be committed is on its disk
			members[0].kill()
			members[2].kill()
			lone.kind = way[1]
			lone.args = append(slices.Clone(lone.args), "--force-new-cluster")
			lone.start()
			lone.ready()
			resp, err := dial(t, lone).MemberList(call(t))
			ok(t, err)
			if len(resp.Members) != 1 || resp.Members[0].Name != lone.name {
				t.Errorf("members: %v", resp.Members)
			}
			if after := agree(t, []*member{lone}); after != before {
				t.Errorf("had %+v, has %+v", before, after)
			}
			lone.stop()
			lone.args = lone.args[:len(lone.args)-1]
			lone.start()
			lone.ready()
			m := grow(t, []*member{lone}, vitrine, "again")
			_, err = dial(t, m).Put(call(t), "k", "v")
			ok(t, err)
			agree(t, []*member{lone, m})
		})
	}
}
