package oracle

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDiscoveryTogether: members of both kinds find one another by a token, in an etcd of either kind.
func TestDiscoveryTogether(t *testing.T) {
	processes(t)
	for _, k := range []kind{etcd, vitrine} {
		meeting := run(t, []kind{k})
		_, err := dial(t, meeting...).Put(call(t), "/_etcd/registry/abc/_config/size", "3")
		ok(t, err)
		addresses := freeAddresses(t, 6)
		root := t.TempDir()
		var members []*member
		for i, k := range []kind{etcd, vitrine, vitrine} {
			m := &member{t: t, kind: k, name: fmt.Sprintf("d%d", i), client: "http://" + addresses[2*i],
				peer: "http://" + addresses[2*i+1],
				args: []string{"--discovery-token", "abc", "--discovery-endpoints", meeting[0].client}}
			m.dir = filepath.Join(root, m.name)
			members = append(members, m)
		}
		for _, m := range members {
			m.start()
		}
		for _, m := range members {
			m.ready()
		}
		c := dial(t, members...)
		_, err = c.Put(call(t), "a", "1")
		ok(t, err)
		if f := agree(t, members); f.Revision != 2 {
			t.Errorf("revision %d", f.Revision)
		}
		for _, m := range members { // afterwards nobody needs the other etcd
			m.stop()
		}
		meeting[0].stop()
		for _, m := range members {
			m.start()
		}
		for _, m := range members {
			m.ready()
		}
	}
}

// TestGatewayCommand: etcdctl by way of `gateway start`, whose first endpoint does not answer.
func TestGatewayCommand(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine})[0]
	for _, k := range []kind{etcd, vitrine} {
		free := freeAddresses(t, 2)
		cmd := exec.Command(binary(t, string(k)), "gateway", "start", "--listen-addr", free[0],
			"--endpoints=http://"+free[1]+","+strings.TrimPrefix(m.client, "http://"), "--retry-delay", "100ms")
		ok(t, cmd.Start())
		by := *m
		by.client = "http://" + free[0]
		if err := by.waitReady(readyTimeout); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		for i := range 4 {
			put := ctl(t, []*member{&by}, "", "put", fmt.Sprint("k", i), "v")
			if put.Stdout != "OK\n" {
				t.Errorf("%s: %+v", k, put)
			}
		}
		ok(t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait()
		bad := command(t, exec.Command(binary(t, string(k)), "gateway", "start", "--listen-addr", free[0], "--endpoints",
			free[0]), "")
		if bad.Code != 1 || !strings.Contains(bad.Stdout, "should not resolve to the gateway listen addr") {
			t.Errorf("%s: %+v", k, bad)
		}
	}
}
