package oracle

import (
	"fmt"
	"path/filepath"
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
