//go:build browser

package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"vitrine/core/pb"
)

// A real cluster: three processes of the server on this machine, and those that join them.
type realCluster struct {
	t       *testing.T
	bin     string
	dir     string
	clients []string // host:port
	peers   []string
	procs   []*exec.Cmd
}

const founders = 3

func newRealCluster(t *testing.T) *realCluster {
	t.Helper()
	c := &realCluster{t: t, dir: t.TempDir()}
	c.bin = filepath.Join(c.dir, "vitrine")
	build := exec.Command("go", "build", "-trimpath", "-o", c.bin, "vitrine/cmd/server")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.room(founders)
	for i := range founders {
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.procs {
			c.kill(i)
		}
	})
	return c
}

// room finds ports for n more processes, all at once, so that none is given twice.
func (c *realCluster) room(n int) {
	c.t.Helper()
	var open []net.Listener
	for i := range 2 * n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(c.t, err)
		open = append(open, l)
		if i < n {
			c.clients = append(c.clients, l.Addr().String())
		} else {
			c.peers = append(c.peers, l.Addr().String())
		}
	}
	for _, l := range open {
		l.Close()
	}
	c.procs = append(c.procs, make([]*exec.Cmd, n)...)
}

// join adds a member to the cluster, and starts it. The others take it when they have been connected for a while.
func (c *realCluster) join() (i int, id uint64) {
	c.t.Helper()
	c.room(1)
	i = len(c.procs) - 1
	var added pb.MemberAddResponse
	c.call(0, "Cluster/MemberAdd", &pb.MemberAddRequest{PeerURLs: []string{"http://" + c.peers[i]}}, &added)
	c.start(i)
	return i, added.Member.ID
}

func (c *realCluster) start(i int) {
	c.t.Helper()
	var all []string
	for j, p := range c.peers {
		all = append(all, fmt.Sprintf("infra%d=http://%s", j+1, p))
	}
	client, peer := "http://"+c.clients[i], "http://"+c.peers[i]
	name := fmt.Sprint("infra", i+1)
	cmd := exec.Command(c.bin, "--name", name, "--data-dir", filepath.Join(c.dir, name),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", strings.Join(all, ","), "--flight-recorder-bytes", "8000000",
		"--initial-cluster-state", map[bool]string{true: "new", false: "existing"}[i < founders])
	must(c.t, cmd.Start())
	c.procs[i] = cmd
}

func (c *realCluster) kill(i int) {
	if cmd := c.procs[i]; cmd != nil {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		c.procs[i] = nil
	}
}

// file is what a member remembers.
func (c *realCluster) file(i int) []byte {
	c.t.Helper()
	resp, err := http.Get("http://" + c.clients[i] + "/debug/flight")
	must(c.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(c.t, err)
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("infra%d: %s: %s", i+1, resp.Status, data)
	}
	return data
}

// call asks a member, and again while the cluster cannot serve.
func (c *realCluster) call(i int, method string, req, resp proto.Message) {
	c.t.Helper()
	conn, err := grpc.NewClient(c.clients[i], grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(c.t, err)
	defer conn.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := conn.Invoke(ctx, "/etcdserverpb."+method, req, resp, grpc.WaitForReady(true))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("infra%d does not answer %s: %v", i+1, method, err)
		}
	}
}

func (c *realCluster) put(i int, key string) {
	c.t.Helper()
	c.call(i, "KV/Put", &pb.PutRequest{Key: []byte(key), Value: []byte("a secret")}, new(pb.PutResponse))
}

// settle waits until each member has applied all that was acknowledged, as who answers a linearizable read has, and a
// while longer than the page goes back from a file's end: what they did for it lies before that moment, too.
func (c *realCluster) settle() {
	c.t.Helper()
	for i := range c.procs {
		c.call(i, "KV/Range", &pb.RangeRequest{Key: []byte("before")}, new(pb.RangeResponse))
	}
	time.Sleep(100 * time.Millisecond)
}

// leader is the member that leads, once all that run agree.
func (c *realCluster) leader() int {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		leads, told := -1, map[uint64]bool{}
		for i, p := range c.procs {
			if p == nil {
				continue
			}
			var s pb.StatusResponse
			c.call(i, "Maintenance/Status", &pb.StatusRequest{}, &s)
			told[s.Leader] = true
			if s.Leader == s.Header.MemberId {
				leads = i
			}
		}
		if leads >= 0 && len(told) == 1 {
			return leads
		}
	}
	c.t.Fatal("there is no leader")
	return 0
}

// recordings are what a cluster remembers whose leader was killed and came back:
// one file of each member, and one more that was fetched of the leader before.
func recordings(t *testing.T) (files [][]byte, old, now int) {
	t.Helper()
	c := newRealCluster(t)
	old = c.leader()
	other := (old + 1) % 3
	for i := range 12 {
		c.put(other, fmt.Sprint("before", i))
	}
	c.settle()
	files = append(files, c.file(old))
	c.kill(old)
	c.put(other, "between")
	now = c.leader()
	for i := range 6 {
		c.put(other, fmt.Sprint("after", i))
	}
	c.start(old)
	c.put(old, "again")
	for i := range 3 {
		files = append(files, c.file(i))
	}
	return files, old, now
}

// give hands files to the page as a visitor does.
func (b *browser) give(files [][]byte) {
	b.t.Helper()
	var all []string
	for _, f := range files {
		all = append(all, base64.StdEncoding.EncodeToString(f))
	}
	data, err := json.Marshal(all)
	b.must(err)
	b.do(fmt.Sprintf(`{
		const given = new DataTransfer();
		%s.forEach((f, i) => given.items.add(new File([Uint8Array.from(atob(f), (c) => c.charCodeAt(0))], i + '.recording')));
		const input = document.getElementById('replay-file');
		input.files = given.files;
		input.dispatchEvent(new Event('change'));
	}`, data))
}

// TestRecordingsOfARealCluster plays what three processes have recorded, of which
// the leader was killed and started again.
func TestRecordingsOfARealCluster(t *testing.T) {
	labOf(t)
	files, old, now := recordings(t)
	if dir := os.Getenv("VITRINE_RECORDINGS"); dir != "" {
		for i, f := range files {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".recording")), f, 0o644))
		}
	}
	b := world(t, 7, 5, 0.02)
	b.give(files)
	b.until("the recording", `s.source.kind === 'recording' && !document.getElementById('showing').hidden`)
	b.do(`vitrine.dispatch({ cmd: 'pause' })`)
	if names := eval[string](b, `vitrine.state().members.map((m) => m.name).join()`); names != "infra1,infra2,infra3" {
		t.Fatalf("members %s", names)
	}
	b.before(old + 1)
	b.between(old+1, now+1)
	b.refuses()
	b.after(old + 1)
}

// at goes to a moment of the recording, in JavaScript.
func (b *browser) at(moment string) {
	b.t.Helper()
	b.do(fmt.Sprintf(`{ const s = vitrine.state(); vitrine.dispatch({ cmd: 'seek', value: %s }); }`, moment))
}

// before the leader is killed all is there that a page draws.
func (b *browser) before(old int) {
	b.t.Helper()
	killed := fmt.Sprintf(`Math.min(...s.source.files.filter((f) => f.member === %d).map((f) => f.to))`, old)
	b.at(killed + ` - 1e6`)
	b.until("the first leader", fmt.Sprintf(`s.leader === %d && s.members.every((m) => m.process === 'running')`, old))
	for what, js := range map[string]string{
		"logs": `s.members.every((m) => m.log.filter((e) => /^before/.test(e.text)
			&& e.synced && e.committed && e.applied).length > 5)`,
		"disks and stores": `s.members.every((m) => m.synced > 10 && m.revision > 10 && m.keys > 10)`,
		"requests": `s.requests.some((r) => r.op === 'put' && r.status === 'ok' && r.revision > 1 &&
			['arrived', 'proposed', 'appended to the log', 'synced on a majority', 'committed', 'applied', 'answered']
				.every((name) => r.stations.some((x) => x.name === name)))`,
		"progress": fmt.Sprintf(`s.members.find((m) => m.id === %d).progress.every((p) => p.state === 'replicate')`, old),
	} {
		if !b.holds(`(() => { const s = vitrine.state(); return ` + js + `; })()`) {
			b.t.Errorf("before the kill: no %s in %s", what,
				eval[string](b, `JSON.stringify(vitrine.state()).slice(0, 6000)`))
		}
	}
	b.at(`0`)
	b.do(`vitrine.dispatch({ cmd: 'speed', value: 0.05 })`)
	seen := `{ let n = 0; for (let i = 0; i < 400 && n < 4; i++) {
		vitrine.dispatch({ cmd: 'step', unit: 'message' });
		if (vitrine.state().messages.some((m) => m.type === 'MsgApp' && !m.lost && m.arrives > m.sent)) n++;
	} document.body.dataset.seen = n; }`
	b.do(seen)
	if n := eval[string](b, `document.body.dataset.seen`); n != "4" {
		b.t.Errorf("%s moments with appends on their way", n)
	}
	b.shot("recording-messages")
}

// between the kill and the return nobody tells of the old leader, and another leads.
func (b *browser) between(old, now int) {
	b.t.Helper()
	returned := fmt.Sprintf(`Math.max(...s.source.files.filter((f) => f.member === %d).map((f) => f.from))`, old)
	b.at(returned + ` - 2e6`)
	b.until("another leader", fmt.Sprintf(
		`s.leader === %d && s.members.some((m) => m.id === %d && m.process === 'unknown' && !m.alive) 
			&& s.term > 1`, now, old))
	b.shot("recording-killed")
}

// refuses: what cannot act says why, in both languages.
func (b *browser) refuses() {
	b.t.Helper()
	for lang, why := range map[string]string{"zh": "无法再对它做任何操作", "en": "nothing can be done to it"} {
		b.do(fmt.Sprintf(
			`if (document.documentElement.lang.slice(0, 2) !== %q) document.getElementById('lang').click()`, lang))
		for _, id := range []string{"act-crash", "act-pause", "tool-crash", "tool-split", "tool-heal", "save-run"} {
			if !eval[bool](b, fmt.Sprintf(`document.getElementById(%q).getAttribute('aria-disabled') === 'true' &&
				document.getElementById(%[1]q).title.includes(%q)`, id, why)) {
				b.t.Errorf("%s: %s does not say why it cannot act", lang, id)
			}
		}
		b.do(`document.getElementById('tool-crash').click()`)
		b.until("the reason", fmt.Sprintf(`document.getElementById('toast').textContent.includes(%q)`, why))
		b.shot("recording-" + lang)
		for _, tab := range []string{"kv", "wal", "store", "leases", "users"} {
			b.do(fmt.Sprintf(`document.getElementById('tab-%s').click()`, tab))
			b.until("why it shows no "+tab, fmt.Sprintf(`document.getElementById('tabpanel').textContent.includes(%q)`,
				map[string]string{"zh": "录像只记录发生过的事", "en": "A recording tells what happened."}[lang]))
		}
		b.do(`document.getElementById('tab-raft').click()`)
		b.until("the terms", `document.querySelectorAll('.terms li').length > 0`)
	}
	said := eval[string](b,
		`(() => { try { vitrine.dispatch({ cmd: 'crash', member: 1 }); return '' } catch (err) { return err.message } })()`)
	if !strings.Contains(said, "recording") {
		b.t.Errorf("a command to a recording: %q", said)
	}
}

// after it has come back the old leader is there again, with its log.
func (b *browser) after(old int) {
	b.t.Helper()
	b.at(`s.source.end`)
	b.until("the end", fmt.Sprintf(`s.members.every((m) => m.alive) && !s.playing &&
		s.members.find((m) => m.id === %d).log.some((e) => e.text === 'again' && e.applied)`, old))
	b.shot("recording-end")
	b.do(`vitrine.dispatch({ cmd: 'reset', seed: 7, members: 3 })`)
	b.until("a world of one's own", `s.source.kind === 'simulation' && s.source.acts && s.members.length === 3`)
}

// TestRecordingsOfAClusterThatChanges plays what was recorded while a member came and went: at each moment the page
// shows those who were members then.
func TestRecordingsOfAClusterThatChanges(t *testing.T) {
	labOf(t)
	c := newRealCluster(t)
	c.put(c.leader(), "before")
	c.settle()
	fourth, id := c.join()
	c.put(0, "joined")
	c.settle()
	files := [][]byte{c.file(fourth)}
	c.call(0, "Cluster/MemberRemove", &pb.MemberRemoveRequest{ID: id}, new(pb.MemberRemoveResponse))
	// Files whose ends are less than half a second apart count as fetched at one time.
	for i, end := 0, time.Now().Add(time.Second); time.Now().Before(end); i++ {
		c.put(0, fmt.Sprint("after", i))
		time.Sleep(100 * time.Millisecond)
	}
	for i := range founders {
		c.put(i, fmt.Sprint("last", i)) // it has applied all before
		files = append(files, c.file(i))
	}
	if dir := os.Getenv("VITRINE_RECORDINGS"); dir != "" {
		for i, f := range files {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("changes", i, ".recording")), f, 0o644))
		}
	}

	b := world(t, 7, 5, 0.02)
	b.give(files)
	b.until("the recording", `s.source.kind === 'recording' && !document.getElementById('showing').hidden`)
	b.do(`vitrine.dispatch({ cmd: 'pause' })`)
	const file = `s.source.files.find((f) => f.name === 'infra4')`
	are := func(names string, quorum int) string {
		return fmt.Sprintf(`s.members.map((m) => m.name).sort().join() === %q && s.conf.quorum === %d &&
			document.querySelectorAll('#members-list button').length === s.members.length &&
			s.members.every((m) => vitrine.rectOf('member/' + m.id))`, names, quorum)
	}
	b.at(file + `.from - 1e6`)
	b.until("the fourth, of whom nothing is known yet", are("infra1,infra2,infra3,infra4", 3)+` &&
		s.members[3].process === 'unknown'`)
	b.do(`const s = vitrine.state(); for (let at = s.now; at > 0 && vitrine.state().members.length > 3; at -= 1e8)
		vitrine.dispatch({ cmd: 'seek', value: Math.max(0, at) })`)
	b.until("the founders", are("infra1,infra2,infra3", 2)+` && s.members.every((m) =>
		m.log.some((e) => e.text.startsWith('before') && e.applied))`)
	b.shot("recording-before")
	b.at(file + `.to - 1`)
	b.until("the fourth among them", are("infra1,infra2,infra3,infra4", 3)+` && s.members.every((m) =>
		m.standing === 'voter' && m.process === 'running' && m.log.some((e) => e.text.startsWith('joined') && e.applied))`)
	b.shot("recording-joined")
	b.at(`s.source.end`)
	b.until("the founders again", are("infra1,infra2,infra3", 2)+` && s.members.every((m) =>
		m.log.some((e) => e.text.startsWith('last0') && e.applied))`)
	b.shot("recording-removed")
	b.at(file + `.to - 1`)
	b.until("the fourth once more, when one goes back", are("infra1,infra2,infra3,infra4", 3))
	b.do(`vitrine.dispatch({ cmd: 'reset', seed: 7, members: 3 })`)
	b.until("a world of one's own", `s.source.kind === 'simulation' && s.members.length === 3`)
}
