package oracle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// leaseStory is what clients do with leases at each member in turn, and what they hear, in words that have nothing of
// the time in them.
type leaseStory struct {
	t       *testing.T
	members []*member
	clients []*clientv3.Client
	said    []string
}

func (s *leaseStory) say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

// about rounds what is left of a lease: a call takes time.
func about(ttl int64) string {
	if ttl > 4 {
		return fmt.Sprintf("about %d", (ttl+4)/5*5)
	}
	return fmt.Sprint(ttl)
}

func (s *leaseStory) header(h *pb.ResponseHeader) string {
	return fmt.Sprintf("cluster %t member %t term %t rev %d",
		h.GetClusterId() != 0, h.GetMemberId() != 0, h.GetRaftTerm() != 0, h.GetRevision())
}

func (s *leaseStory) grant(c *clientv3.Client, id, ttl int64) {
	// clientv3 chooses no ids; its connection can be used without it.
	raw := pb.NewLeaseClient(c.ActiveConnection())
	resp, err := raw.LeaseGrant(call(s.t), &pb.LeaseGrantRequest{ID: id, TTL: ttl})
	if err != nil {
		s.say("grant %d for %d: %v", id, ttl, err)
		return
	}
	s.say("grant %d for %d: %d for %d, %s %q", id, ttl, resp.ID, resp.TTL, s.header(resp.Header), resp.Error)
}

func (s *leaseStory) revoke(c *clientv3.Client, id int64) {
	resp, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseRevoke(call(s.t), &pb.LeaseRevokeRequest{ID: id})
	s.say("revoke %d: %s %v", id, s.header(resp.GetHeader()), err)
}

func (s *leaseStory) timeToLive(c *clientv3.Client, id int64, keys bool) {
	raw := pb.NewLeaseClient(c.ActiveConnection())
	resp, err := raw.LeaseTimeToLive(call(s.t), &pb.LeaseTimeToLiveRequest{ID: id, Keys: keys})
	if err != nil {
		s.say("time to live of %d: %v", id, err)
		return
	}
	var names []string
	for _, k := range resp.Keys {
		names = append(names, string(k))
	}
	slices.Sort(names) // etcd's come from a map
	s.say("time to live of %d: %d, %s of %d, keys %q, %s",
		id, resp.ID, about(resp.TTL), resp.GrantedTTL, names, s.header(resp.Header))
}

// keepAlive renews all of them over one stream.
func (s *leaseStory) keepAlive(c *clientv3.Client, ids ...int64) {
	stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(call(s.t))
	ok(s.t, err)
	for _, id := range ids {
		ok(s.t, stream.Send(&pb.LeaseKeepAliveRequest{ID: id}))
	}
	ok(s.t, stream.CloseSend())
	for {
		resp, err := stream.Recv()
		if err != nil {
			s.say("the stream ends: %v", errors.Is(err, io.EOF))
			return
		}
		s.say("kept alive: %d for %d, %s", resp.ID, resp.TTL, s.header(resp.Header))
	}
}

func (s *leaseStory) list(c *clientv3.Client) {
	resp, err := c.Leases(call(s.t))
	ok(s.t, err)
	var ids []int64
	for _, l := range resp.Leases {
		ids = append(ids, int64(l.ID))
	}
	slices.Sort(ids) // followers of etcd list them in the order of a map
	s.say("leases %v", ids)
}

func (s *leaseStory) put(c *clientv3.Client, key string, lease int64, opts ...clientv3.OpOption) {
	resp, err := c.Put(call(s.t), key, "v", append(opts, clientv3.WithLease(clientv3.LeaseID(lease)))...)
	if err != nil {
		s.say("put %s with %d: %v", key, lease, err)
		return
	}
	s.say("put %s with %d: %d", key, lease, resp.Header.Revision)
}

func (s *leaseStory) keys(c *clientv3.Client) {
	resp, err := c.Get(call(s.t), "", clientv3.WithPrefix())
	ok(s.t, err)
	for _, kv := range resp.Kvs {
		s.say("%s@%d lease %d", kv.Key, kv.ModRevision, kv.Lease)
	}
}

func (s *leaseStory) tell() {
	for i, c := range s.clients {
		first := int64(100 * (i + 1))
		s.say("at member %d", i)
		for _, ttl := range []int64{60, 1, 0, -1, 9_000_000_000, 9_000_000_001} {
			s.grant(c, first, ttl)
			first++
		}
		first = int64(100 * (i + 1))
		s.grant(c, first, 5)
		s.grant(c, -first, 60)
		for _, key := range []string{"b", "a", "c"} {
			s.put(c, key, first)
		}
		s.put(c, "k", 99)
		s.put(c, "b", 0)
		s.put(c, "c", -first)
		_, err := c.Put(call(s.t), "a", "w", clientv3.WithIgnoreLease())
		ok(s.t, err)
		then := []clientv3.Op{
			clientv3.OpPut("d", "1", clientv3.WithLease(clientv3.LeaseID(first))),
			clientv3.OpPut("e", "1", clientv3.WithLease(99)),
		}
		_, err = c.Txn(call(s.t)).Then(then...).Commit()
		s.say("txn: %v", err)
		txn, err := c.Txn(call(s.t)).If(clientv3.Compare(clientv3.LeaseValue("a"), "=", first)).Then(then[0]).Commit()
		s.say("txn: %v %v", txn.Succeeded, err)
		for _, id := range []int64{first, -first, first + 4, 99, 0} {
			s.timeToLive(c, id, true)
			s.timeToLive(c, id, false)
		}
		s.keepAlive(c, first, 99, first, 0, -first)
		s.list(c)
		s.keys(c)
		for _, id := range []int64{first, first, -first, 99, 0, first + 4} {
			s.revoke(c, id)
		}
		s.keys(c)
		s.list(c)
	}
	s.say("the rest expires")
	time.Sleep(6 * time.Second)
	for _, c := range s.clients {
		s.list(c)
	}
}

// TestLeasesAreServedAlike: every call about leases is answered as etcd answers it, at the leader and elsewhere.
func TestLeasesAreServedAlike(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			processes(t)
			var said [][]string
			both(t, n, func(t *testing.T, members []*member) {
				s := &leaseStory{t: t, members: members}
				lead := leader(t, members)
				_, err := dial(t, lead).Put(call(t), "first", "v")
				ok(t, err)
				s.clients = append(s.clients, dial(t, lead))
				for _, m := range members {
					if m != lead {
						s.clients = append(s.clients, dial(t, m))
					}
				}
				s.tell()
				agree(t, members)
				said = append(said, s.said)
			})
			sameStory(t, said)
		})
	}
}

func sameStory(t *testing.T, said [][]string) {
	t.Helper()
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i := range max(len(said[0]), len(said[1])) {
		at := func(list []string) string {
			if i < len(list) {
				return list[i]
			}
			return "(nothing)"
		}
		if a, b := at(said[0]), at(said[1]); a != b {
			t.Errorf("line %d\netcd:    %s\nvitrine: %s", i, a, b)
		}
	}
	t.Logf("%d lines", len(said[0]))
}

var keysOfLease = regexp.MustCompile(`attached keys\(\[[^]]*\]\)|"keys":\[[^]]*\]`)

// keysInOrder sorts the keys of a lease in what etcdctl prints: etcd answers them in the order of a map.
func keysInOrder(text string) string {
	return keysOfLease.ReplaceAllStringFunc(text, func(list string) string {
		open, end := strings.IndexByte(list, '['), strings.LastIndexByte(list, ']')
		keys := strings.FieldsFunc(list[open+1:end], func(r rune) bool { return r == ' ' || r == ',' })
		slices.Sort(keys)
		return list[:open+1] + strings.Join(keys, " ") + list[end:]
	})
}

// TestCtlLeases: etcdctl's commands about leases.
func TestCtlLeases(t *testing.T) {
	processes(t)
	id := regexp.MustCompile(`\b[0-9a-f]{15,16}\b|"ID":-?\d{9,}|"id":-?\d{9,}|"ID" : \d+|"lease":\d{9,}`)
	times := regexp.MustCompile(`remaining\(\d+s\)|"ttl":\d+|"TTL" : \d+|"raft_term":\d+|"RaftTerm" : \d+`)
	var said [][]string
	both(t, 1, func(t *testing.T, members []*member) {
		var lines []string
		lease := ""
		do := func(line string) {
			o := ctl(t, members, "", words(strings.ReplaceAll(line, "LEASE", lease))...)
			if lease == "" && strings.Contains(o.Stdout, "granted") {
				lease = strings.Fields(o.Stdout)[1]
			}
			text := normalise(o.Stdout, line) + normalise(o.Stderr, line)
			text = keysInOrder(times.ReplaceAllString(id.ReplaceAllString(text, "ID"), "TIME"))
			lines = append(lines, fmt.Sprintf("%s: %d %s", line, o.Code, text))
		}
		do("lease grant 60")
		for _, line := range []string{
			"lease grant 60 -w json", "lease grant 60 -w fields", "lease grant", "lease grant x",
			"lease grant 9000000001", "lease grant -- -5",
			"put k v --lease=LEASE", "put l v --lease=LEASE", "put m v --lease=1234abcd", "get k -w json",
			"lease timetolive LEASE", "lease timetolive LEASE --keys",
			"lease timetolive LEASE --keys -w json", "lease timetolive LEASE -w fields",
			"lease timetolive 1234abcd", "lease timetolive 1234abcd -w json", "lease timetolive xyz!", "lease timetolive",
			"lease keep-alive LEASE --once", "lease keep-alive LEASE --once -w json",
			"lease keep-alive 1234abcd --once", "lease keep-alive",
			"lease revoke LEASE", "lease revoke LEASE", "lease revoke", "lease revoke xyz!",
			"get k", "lease timetolive LEASE --keys",
			"lease keep-alive LEASE", "lease bogus",
		} {
			do(line)
		}
		said = append(said, lines)
	})
	sameStory(t, said)
}

// TestLeaseEndpoints: what members ask each other, as it is on the wire.
func TestLeaseEndpoints(t *testing.T) {
	processes(t)
	var said [][]string
	both(t, 1, func(t *testing.T, members []*member) {
		m := members[0]
		s := &leaseStory{t: t, members: members}
		c := dial(t, m)
		_, err := c.Put(call(t), "x", "v")
		ok(t, err)
		s.grant(c, 7, 60)
		s.put(c, "k", 7)
		ask := func(method, path, body string) {
			req, err := http.NewRequest(method, m.peer+path, strings.NewReader(body))
			ok(t, err)
			resp, err := http.DefaultClient.Do(req)
			ok(t, err)
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			ok(t, err)
			text := fmt.Sprintf("%q", data)
			if path == "/leases/internal" && resp.StatusCode == http.StatusOK {
				text = fmt.Sprintf("%d bytes", len(data)) // the time is in it
			}
			s.say("%s %s %q: %d %s %s", method, path, body, resp.StatusCode, resp.Header.Get("Content-Type"), text)
		}
		for _, path := range []string{"/leases", "/leases/internal"} {
			for _, body := range []string{
				"\x08\x07", "\x08\x63", "", "\xff", "\x0a\x02\x08\x07", "\x0a\x04\x08\x07\x10\x01", "\x0a\x02\x08\x63",
				strings.Repeat("x", 70<<10),
			} {
				if path == "/leases/internal" && (body == "\x08\x07" || body == "\x08\x63" || body == "") {
					continue // no request inside: etcd panics
				}
				ask("POST", path, body)
			}
			ask("GET", path, "")
		}
		said = append(said, s.said)
	})
	sameStory(t, said)
}

// TestLeasesAreServed: leases of etcd, in the log only and in the database, go on when vitrine takes the directory
// over, and the other way round.
func TestLeasesAreServed(t *testing.T) {
	for _, first := range []kind{etcd, vitrine} {
		t.Run(string(first), func(t *testing.T) {
			processes(t)
			second := map[kind]kind{etcd: vitrine, vitrine: etcd}[first]
			m := run(t, []kind{first}, "--backend-batch-interval", "10m")[0]
			c := dial(t, m)
			lease, err := c.Grant(call(t), 600)
			ok(t, err)
			short, err := c.Grant(call(t), 8)
			ok(t, err)
			for i := range 3 {
				_, err = c.Put(call(t), fmt.Sprintf("leased%d", i), "v", clientv3.WithLease(lease.ID))
				ok(t, err)
			}
			_, err = c.Put(call(t), "plain", "v")
			ok(t, err)
			_, err = c.Put(call(t), "soon", "v", clientv3.WithLease(short.ID))
			ok(t, err)
			before, err := m.fingerprint(0)
			ok(t, err)
			m.kill()
			become(t, m, second, before)
			holds(t, m, lease.ID, 600, "leased0", "leased1", "leased2")
			_, err = dial(t, m).Delete(call(t), "leased1")
			ok(t, err)
			before, err = m.fingerprint(0)
			ok(t, err)
			m.stop()
			become(t, m, first, before)
			holds(t, m, lease.ID, 600, "leased0", "leased2")
			m.stop()
			m.kind = second
			m.start()
			m.ready()
			awaitCount(t, m, "soon", 0)
			_, err = dial(t, m).Revoke(call(t), lease.ID)
			ok(t, err)
			if n := count(t, m, ""); n != 1 {
				t.Errorf("%d keys are left", n)
			}
			before, err = m.fingerprint(0)
			ok(t, err)
			m.stop()
			become(t, m, first, before)
		})
	}
}

// holds looks at a lease and its keys.
func holds(t *testing.T, m *member, id clientv3.LeaseID, ttl int64, keys ...string) {
	t.Helper()
	c := dial(t, m)
	left, err := c.TimeToLive(call(t), id, clientv3.WithAttachedKeys())
	ok(t, err)
	var found []string
	for _, k := range left.Keys {
		found = append(found, string(k))
	}
	slices.Sort(found)
	if left.GrantedTTL != ttl || left.TTL <= 0 || !slices.Equal(found, keys) {
		t.Errorf("%s: %d of %d seconds are left, keys %q", m.kind, left.TTL, left.GrantedTTL, found)
	}
	alive, err := c.KeepAliveOnce(call(t), id)
	ok(t, err)
	if alive.TTL != ttl {
		t.Errorf("%s: renewed for %d", m.kind, alive.TTL)
	}
}

// awaitCount waits until so many keys have the prefix.
func awaitCount(t *testing.T, m *member, prefix string, want int64) {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for count(t, m, prefix) != want {
		if time.Now().After(deadline) {
			t.Fatalf("%d keys with %s, want %d", count(t, m, prefix), prefix, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestLeasesInAMixedCluster: leases are granted, renewed and asked about at every member, whoever leads, and all
// members have the same keys when they have run out.
func TestLeasesInAMixedCluster(t *testing.T) {
	processes(t)
	all, glass := mixed(t)
	for round := range 2 {
		var ids []clientv3.LeaseID
		for i, m := range all {
			c := dial(t, m)
			lease, err := c.Grant(call(t), 5)
			ok(t, err)
			long, err := c.Grant(call(t), 600)
			ok(t, err)
			for j, id := range []clientv3.LeaseID{lease.ID, long.ID} {
				_, err = c.Put(call(t), fmt.Sprintf("%d/%d/%d", round, j, i), "v", clientv3.WithLease(id))
				ok(t, err)
			}
			ids = append(ids, long.ID)
		}
		for _, m := range all {
			for _, id := range ids {
				holds(t, m, id, 600, fmt.Sprintf("%d/1/%d", round, slices.Index(ids, id)))
			}
		}
		for _, m := range all {
			awaitCount(t, m, fmt.Sprintf("%d/0/", round), 0)
			if n := count(t, m, fmt.Sprintf("%d/1/", round)); n != 3 {
				t.Errorf("%s has %d keys of the long leases", m.name, n)
			}
		}
		agree(t, all)
		if round == 0 {
			status, err := glass.status()
			ok(t, err)
			_, err = dial(t, leader(t, all)).MoveLeader(call(t), status.Header.MemberId)
			ok(t, err)
			if leader(t, all) != glass {
				t.Fatal("leadership was not moved")
			}
			for _, id := range ids { // the new leader knows them
				holds(t, all[0], id, 600, fmt.Sprintf("0/1/%d", slices.Index(ids, id)))
			}
		}
	}
}

// TestSessionsAndLocks: what clientv3 builds on leases, with the leader killed in between.
func TestSessionsAndLocks(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine})
	c := dial(t, members...)
	session, err := concurrency.NewSession(c, concurrency.WithTTL(5))
	ok(t, err)
	lock := concurrency.NewMutex(session, "lock/")
	ok(t, lock.Lock(call(t)))
	lead := leader(t, members)
	lead.kill()
	time.Sleep(8 * time.Second) // longer than the TTL
	select {
	case <-session.Done():
		t.Error("the session has ended although it was kept alive")
	default:
	}
	other, err := concurrency.NewSession(c, concurrency.WithTTL(5))
	ok(t, err)
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := concurrency.NewMutex(other, "lock/").Lock(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the lock is held twice: %v", err)
	}
	session.Orphan()
	ok(t, concurrency.NewMutex(other, "lock/").Lock(call(t)))
	lead.start()
	lead.ready()
	agree(t, members)
}
