package oracle

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// inFront starts a `grpc-proxy` in front of members, and returns it as if it were one of them.
func inFront(t *testing.T, k kind, members []*member, args ...string) *member {
	t.Helper()
	address := freeAddresses(t, 1)[0]
	p := &member{t: t, kind: k, name: "proxy", dir: t.TempDir(), client: "http://" + address}
	log, err := os.Create(p.dir + ".log")
	ok(t, err)
	p.log = log
	t.Cleanup(p.cleanup)
	p.cmd = exec.Command(binary(t, string(k)), slices.Concat([]string{"grpc-proxy", "start", "--listen-addr", address,
		"--endpoints", strings.Join(endpoints(members), ","), "--advertise-client-url", address, "--data-dir", p.dir},
		args)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	ok(t, p.cmd.Start())
	cmd, exited := p.cmd, make(chan error, 1)
	p.exited = exited
	go func() { exited <- cmd.Wait() }()
	p.ready()
	return p
}

// TestProxySaysTheSame: all of etcdctl by way of each proxy, in front of a member of its own kind.
func TestProxySaysTheSame(t *testing.T) {
	processes(t)
	all := script()
	var said [][]output
	both(t, 1, func(t *testing.T, members []*member) {
		said = append(said, perform(t, []*member{inFront(t, members[0].kind, members)}, all))
	})
	compare(t, all, said)
}

// TestProxyShowsANamespace: what clients of a namespace do, what they see of others, and where it all really is.
func TestProxyShowsANamespace(t *testing.T) {
	processes(t)
	inside := append(steps("put a 1", "put b 2 --prev-kv", "put b 3 --prev-kv -w json", "get a", "get '' --prefix",
		"get '' --from-key -w json", "get a c", "get other", "get a b --keys-only -w json", "del b --prev-kv -w json",
		"put '' x", "get ''", "put x/1 1", "put x/2 2", "get x/ --prefix --order DESCEND", "del x/ --prefix",
		"del '' --prefix", "put c 4", "get '' --prefix --rev 3", "get c --consistency s -w json",
		"get c --consistency s -w json"),
		step{args: "txn -w json", stdin: "value(\"c\") = \"4\"\n\nput d 5\nget c\nget '' --prefix\ndel c --prev-kv\n\n" +
			"put no 1\n\n"},
		step{args: "txn", stdin: "mod(\"none\") = \"0\"\n\nget d\n\n\n"}, step{args: "watch '' --prefix --rev 1"})
	outside := steps("get '' --prefix", "get '' --prefix --keys-only -w json", "get '' --prefix --rev 3")
	var said [][]output
	both(t, 1, func(t *testing.T, members []*member) {
		c := dial(t, members[0])
		_, err := c.Put(call(t), "other", "not theirs")
		ok(t, err)
		p := inFront(t, members[0].kind, members, "--namespace", "ns/")
		var out []output
		for _, s := range inside {
			if strings.HasPrefix(s.args, "watch") {
				w := watch(t, []*member{p}, "", words(s.args)[1:]...)
				out = append(out, output{Stdout: strings.Join(w.until(t, "5"), "\n")})
				continue
			}
			out = append(out, perform(t, []*member{p}, []step{s})...)
		}
		out = append(out, perform(t, members, outside)...)
		said = append(said, out)
	})
	compare(t, slices.Concat(inside, outside), said)
}

// ofLease is what a lease is called, and what a lock that hangs on it.
var ofLease = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// TestProxyPassesUsersOn: who may do what is decided by the members, by the tokens that clients show.
func TestProxyPassesUsersOn(t *testing.T) {
	processes(t)
	all := steps("put a 1", "get a --consistency s", "user add root:r", "user add u:p", "user add v:p", "role add root",
		"role add readers", "role add writers", "role grant-permission readers read a",
		"role grant-permission writers readwrite b",
		"user grant-role root root", "user grant-role u readers", "user grant-role v writers", "auth enable",
		"--user root:r auth status", "get a", "--user u:p get a", "--user u:p get a --consistency s",
		"--user v:p get a --consistency s", "--user v:p put b 2", "--user v:p get b", "--user u:p get b",
		"--user u:p put a 2",
		"--user u:wrong get a", "--user v:p watch a", "--user u:p lease grant 100", "--user u:p lease list",
		"--user root:r role list", "--user u:p role list", "--user u:p member list", "--user u:p lock a echo", "lock b echo",
		"--user root:r snapshot save SNAPSHOT", "--user u:p snapshot save SNAPSHOT2", "--user root:r auth disable", "get a")
	var said [][]output
	both(t, 1, func(t *testing.T, members []*member) {
		out := perform(t, []*member{inFront(t, members[0].kind, members)}, all)
		for i := range out {
			out[i].Stdout = ofLease.ReplaceAllString(out[i].Stdout, "LEASE")
		}
		said = append(said, out)
	})
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i, s := range all {
		switch s.args {
		case "--user v:p get a --consistency s":
			// etcd's proxy gives what others have read to whoever asks; ours gives it to nobody who shows a token.
			if said[0][i].Code != 0 || !strings.Contains(said[1][i].Stderr, "permission denied") {
				t.Errorf("what others may not read: %+v", []output{said[0][i], said[1][i]})
			}
			said[0][i] = said[1][i]
		case "--user v:p watch a":
			// Ours passes on what the member says, by which a client knows that it must authenticate anew.
			for _, o := range said {
				o[i].Stderr = strings.Replace(o[i].Stderr, "rpc error: code = PermissionDenied desc = ", "", 1)
			}
		}
	}
	compare(t, all, said)
}

// TestProxyRefusesTheSame: command lines that make no sense.
func TestProxyRefusesTheSame(t *testing.T) {
	processes(t)
	for _, args := range []string{"--resolver-prefix x", "--resolver-ttl 5", "--tls-min-version TLS1.1",
		"--tls-max-version SSL", "--tls-min-version TLS1.3 --tls-max-version TLS1.2",
		"--auto-tls --self-signed-cert-validity 0",
		"--tls-min-version TLS1.3 --listen-cipher-suites TLS_RSA_WITH_AES_128_CBC_SHA",
		"--resolver-prefix x --resolver-ttl 5 --advertise-client-url=", "--listen-addr 127.0.0.1:1:2"} {
		var said []output
		for _, k := range []kind{etcd, vitrine} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			o := command(t, exec.CommandContext(ctx, binary(t, string(k)), words("grpc-proxy start "+args)...), "")
			cancel()
			o.Stdout, o.Stderr = "", normalise(o.Stderr, args)
			said = append(said, o)
		}
		if said[0] != said[1] {
			t.Errorf("%s\netcd:    %+v\nvitrine: %+v", args, said[0], said[1])
		}
	}
	for _, args := range []string{"--experimental-leasing-prefix x", "--nonsense"} {
		o := command(t, exec.Command(binary(t, "vitrine"), words("grpc-proxy start "+args)...), "")
		if name := words(args)[0][1:]; o.Code == 0 || !strings.Contains(o.Stderr, name) {
			t.Errorf("%s: %+v", args, o)
		}
	}
}

// TestProxiesKnowOneAnother: one proxy of each kind, registered under one prefix, in front of an etcd and of a vitrine.
func TestProxiesKnowOneAnother(t *testing.T) {
	processes(t)
	for _, k := range []kind{etcd, vitrine} {
		members := run(t, []kind{k})
		var proxies []*member
		for _, k := range []kind{etcd, vitrine} {
			proxies = append(proxies, inFront(t, k, members, "--resolver-prefix", "proxies", "--resolver-ttl", "3"))
		}
		listed := func(p *member) (urls []string) {
			list, err := etcdpb.NewClusterClient(dial(t, p).ActiveConnection()).MemberList(call(t), &etcdpb.MemberListRequest{})
			ok(t, err)
			host, _ := os.Hostname()
			for _, m := range list.Members {
				if m.Name != host {
					t.Errorf("a proxy is called %q, want %q", m.Name, host)
				}
				urls = append(urls, m.ClientURLs...)
			}
			slices.Sort(urls)
			return urls
		}
		eventually := func(what string, want ...string) {
			t.Helper()
			slices.Sort(want)
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
				late := time.Now().After(deadline)
				same := true
				for _, p := range proxies {
					got := listed(p)
					same = same && slices.Equal(got, want)
					if late && !same {
						t.Fatalf("%s, behind a member of %s: %s's proxy lists %q, want %q", what, k, p.kind, got, want)
					}
				}
				if same {
					return
				}
			}
		}
		addresses := []string{proxies[0].client[len("http://"):], proxies[1].client[len("http://"):]}
		eventually("both run", slices.Clone(addresses)...)
		keys := func() (all []string) {
			r, err := dial(t, members[0]).Get(call(t), "", clientv3.WithPrefix())
			ok(t, err)
			for _, kv := range r.Kvs {
				all = append(all, strings.ReplaceAll(string(kv.Key)+string(kv.Value), addresses[0], addresses[1]))
			}
			return all
		}
		if all := keys(); len(all) != 2 || all[0] != all[1] {
			t.Errorf("registered under other keys, or with other values: %q", all)
		}
		proxies[0].kill() // its lease runs out
		proxies = proxies[1:]
		eventually("one was killed", addresses[1])
		ok(t, proxies[0].cmd.Process.Signal(syscall.SIGTERM))
		proxies[0].wait(10 * time.Second)
		if all := keys(); len(all) != 0 { // at once
			t.Errorf("after a stop there is %q", all)
		}
	}
}

// TestProxySurvivesItsMembers: watchers, leases and reads by way of a proxy, while its members are killed one after
// another and come back.
func TestProxySurvivesItsMembers(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine})
	p := inFront(t, vitrine, members)
	c := dial(t, p)
	s, err := concurrency.NewSession(c, concurrency.WithTTL(20))
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const watchers, rounds = 30, 3
	seen := make([][]string, watchers)
	var watching sync.WaitGroup
	for i := range watchers {
		client := dial(t, p)
		created := make(chan struct{})
		watching.Go(func() {
			for r := range client.Watch(ctx, "k", clientv3.WithCreatedNotify()) {
				if r.Created {
					close(created)
				}
				for _, e := range r.Events {
					seen[i] = append(seen[i], string(e.Kv.Value))
					if string(e.Kv.Value) == "end" {
						return
					}
				}
			}
		})
		<-created
	}
	var want []string
	put := func(value string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			_, err := c.Put(call(t), "k", value)
			if err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		want = append(want, value)
	}
	for round := range rounds {
		m := members[round%len(members)]
		put(fmt.Sprint("before ", round))
		m.kill()
		put(fmt.Sprint("without ", round))
		m.start()
		m.ready()
		put(fmt.Sprint("after ", round))
	}
	put("end")
	watching.Wait()
	for i, got := range seen {
		// A put that failed may have been carried out all the same, so that it comes twice.
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("watcher %d has seen %q, want %q", i, got, want)
		}
	}
	select {
	case <-s.Done():
		t.Error("the lease is lost")
	default:
	}
}

// TestProxySharesWatches counts what a member has to watch for many.
func TestProxySharesWatches(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine})
	p := inFront(t, vitrine, members)
	const clients = 50
	var all []clientv3.WatchChan
	for range clients {
		for _, options := range [][]clientv3.OpOption{nil, {clientv3.WithRev(1)}, {clientv3.WithPrevKV()}} {
			w := dial(t, p).Watch(context.Background(), "k", append(options, clientv3.WithCreatedNotify())...)
			if r := <-w; !r.Created {
				t.Fatalf("%+v", r)
			}
			all = append(all, w)
		}
	}
	put := dial(t, members[0])
	for i := range 20 {
		_, err := put.Put(call(t), "k", fmt.Sprint(i))
		ok(t, err)
	}
	for n, w := range all {
		for i := 0; i < 20; {
			r := <-w
			ok(t, r.Err())
			for _, e := range r.Events {
				if string(e.Kv.Value) != fmt.Sprint(i) || (n%3 == 2 && i > 0) != (e.PrevKv != nil) {
					t.Fatalf("watcher %d, event %d: %v", n, i, e)
				}
				i++
			}
		}
	}
	figure := "etcd_debugging_mvcc_watcher_total "
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, _, body := request(t, members[0], "GET", "/metrics"); strings.Contains(body, figure+"2\n") {
			break
		} else if time.Now().After(deadline) {
			_, line, _ := strings.Cut(body, "\n"+figure)
			line, _, _ = strings.Cut(line, "\n")
			t.Fatalf("the member has %s watchers, want two", line)
		}
	}
	_, _, body := request(t, p, "GET", "/proxy/metrics")
	if want := fmt.Sprintf("etcd_grpc_proxy_watchers_coalescing_total %d\n", 3*clients-2); !strings.Contains(body, want) {
		t.Errorf("the proxy does not say %q", want)
	}
}

// TestProxyOverTLS: clients meet a proxy over TLS, with a certificate of its own making, by gRPC and by HTTP.
func TestProxyOverTLS(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine})
	families := map[kind][]string{}
	for _, k := range []kind{etcd, vitrine} {
		metrics := "http://" + freeAddresses(t, 1)[0]
		address := freeAddresses(t, 1)[0]
		dir := t.TempDir()
		cmd := exec.Command(binary(t, string(k)), "grpc-proxy", "start", "--listen-addr", address, "--endpoints",
			members[0].client, "--advertise-client-url", address, "--data-dir", dir, "--auto-tls", "--metrics-addr", metrics)
		ok(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		by := &member{t: t, kind: k, client: "https://" + address, tls: &tls.Config{InsecureSkipVerify: true},
			exited: make(chan error), flags: []string{"--insecure-skip-tls-verify", "--insecure-transport=false"}}
		ok(t, by.waitReady(readyTimeout))
		if o := ctl(t, []*member{by}, "", "put", "a", "1"); o.Code != 0 {
			t.Errorf("%s: %+v", k, o)
		}
		for _, path := range []string{"/health", "/proxy/health"} {
			if code, _, body := request(t, &member{t: t, client: metrics}, "GET", path); code != 200 ||
				body != `{"health":"true","reason":""}` {
				t.Errorf("%s, %s: %d %s", k, path, code, body)
			}
		}
		_, _, body := request(t, &member{t: t, client: metrics}, "GET", "/proxy/metrics")
		families[k] = proxyFamilies(body)
	}
	if !slices.Equal(families[etcd], families[vitrine]) {
		t.Errorf("families of etcd's proxy: %q\nof vitrine's: %q", families[etcd], families[vitrine])
	}
}

// proxyFamilies are those that tell of a proxy.
func proxyFamilies(body string) []string {
	found := map[string]bool{}
	for line := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(line, "# TYPE etcd_grpc_proxy_") || strings.HasPrefix(line, "# TYPE grpc_server_") {
			found[line] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
