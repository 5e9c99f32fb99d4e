package oracle

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// step is one invocation of etcdctl.
type step struct {
	args  string // split at spaces; '...' keeps a word together, \x00 is a zero byte
	stdin string
}

// formats expands a command into all output formats that can be compared.
func formats(args string) []step {
	return []step{{args: args}, {args: args + " -w fields"}, {args: args + " -w json"}, {args: args + " -w protobuf"}}
}

func steps(lines ...string) (out []step) {
	for _, line := range lines {
		out = append(out, step{args: line})
	}
	return out
}

// script is what both servers are told, in this order, one member each.
func script() []step {
	var s []step
	add := func(more ...step) { s = append(s, more...) }
	add(steps("put a 1", "put b '' -w json", "put -- c -3", "put a 2 --prev-kv", "put a 3 --prev-kv -w fields",
		"put a 4 --prev-kv -w json",
		"put new x --prev-kv", "put a --ignore-value", "put missing --ignore-value", "put a 9 --ignore-lease",
		"put missing 9 --ignore-lease",
		"put a v --ignore-value", "put a 5 --lease=1234abcd", "put '' x", "put key/1 one", "put key/2 two", "put key/3 three",
		"put key/10 ten",
		"put key/2 zwei", "put key/3 three -w protobuf", "put zz last", "put ünï cödé",
		"put k 'with spaces and \"quotes\"'")...)
	add(step{args: "put from-stdin", stdin: "a value\nof two lines\n"})
	// How etcdctl prints is its own affair: a few answers in every format are enough, what is in them is compared all the
	// same.
	add(steps("get a", "get missing -w json", "get key/1 key/3", "get key/2 --from-key -w json", "get '' --prefix",
		"get '' --from-key --limit 3 -w fields", "get key/ --prefix --order DESCEND --sort-by KEY -w protobuf")...)
	for _, get := range []string{"get key/ --prefix", "get key/ --prefix --count-only", "get key/ --prefix --keys-only"} {
		add(formats(get)...)
	}
	for _, by := range []string{"KEY --order ASCEND", "VERSION", "CREATE --order ASCEND", "MODIFY --order DESCEND",
		"VALUE", "VALUE --order DESCEND", "VERSION --order DESCEND", "CREATE --order DESCEND"} {
		add(step{args: "get key/ --prefix --sort-by " + by})
	}
	add(steps("get key/ --prefix --limit 2", "get key/ --prefix --limit 2 -w json", "get key/ --prefix --limit 0",
		"get key/ --prefix --limit 1 --sort-by VALUE -w json",
		"get key/ --prefix --rev 20", "get key/2 --rev 14", "get a --rev 1", "get a --rev 2 -w json", "get a --rev 99999",
		"get a --rev -5",
		"get key/ --prefix --min-mod-rev 15", "get key/ --prefix --max-mod-rev 15 -w json",
		"get key/ --prefix --min-create-rev 12 --max-create-rev 13",
		"get key/ --prefix --min-create-rev 12 --limit 1 -w json",
		"get key/ --prefix --print-value-only", "get key/ --prefix --print-value-only --keys-only", "get a --consistency l",
		"get a --consistency s -w json", "get a --consistency x",
		"get key/ --prefix --count-only -w fields", "get key/ --prefix --count-only --limit 1 -w json", "get a b c", "get",
		"get a z --prefix", "get key/ --prefix --order SIDEWAYS", "get key/ --prefix --sort-by COLOR",
		"get key/ --prefix --hex", "get key/3 key/1", "get a a", "get key/ --prefix --rev 14 --keys-only -w json",
		"get key/ --prefix --stream", "get key/ --prefix --stream --limit 2 -w json",
		"get key/ --prefix --stream --order DESCEND", "get '' --from-key --stream --keys-only",
		"del missing", "del zz", "del zz -w json", "del key/1 key/2 --prev-kv", "put key/1 one",
		"del key/1 -w fields --prev-kv", "put key/1 one", "put key/11 elf", "del key/1 --prefix --prev-kv -w json",
		"del k --from-key", "del", "del '' --prefix -w json",
		"put a 1", "put b 2", "put c 3", "get a -w table", "put a 1 -w table", "del nothing -w table")...)
	add(transactions()...)
	add(maintenance()...)
	return s
}

func transactions() []step {
	var s []step
	for _, in := range []string{
		"value(\"a\") = \"1\"\n\nput a 10\nget a\nget b\n\nput a nope\n\n",
		"value(\"a\") = \"1\"\n\nput a nope\n\nget a\ndel b --prev-kv\nget b\n\n",
		"mod(\"a\") > \"0\"\ncreate(\"a\") > \"0\"\nver(\"a\") = \"2\"\n\nput t1 x\nput t2 y\ndel t1\n\nget '' --prefix\n\n",
		"ver(\"nope\") = \"0\"\n\nput nope created\n\nget nope\n\n",
		"lease(\"a\") = 0\n\nget a --prefix\n\n\n",
		"value(\"nokey\") != \"x\"\n\nget a\n\nput none x\n\n",
		"mod(\"a\") < \"5\"\n\n\n\n",
		"\nput same 1\nput same 2\n\n\n",
		"\nput same 1\ndel sa --prefix\n\n\n",
		"\nget a --rev 100000\n\n\n",
		"\nput q 1 --lease=77\n\n\n",
		"\nput '' 1\n\n\n",
		"value(\"\") = \"1\"\n\nget a\n\n\n",
		"\nput q2 --ignore-value\n\n\n",
		"\ndel a b --prev-kv\nget a b\n\n\n",
		"bogus\n",
	} {
		for _, format := range []string{"", " -w json"} {
			s = append(s, step{args: "txn" + format, stdin: in})
		}
	}
	s = append(s, step{args: "txn -w fields", stdin: "ver(\"nope\") = \"1\"\n\nget nope\ndel nope\nput nope again\n\n\n"},
		step{args: "txn -w protobuf", stdin: "\nget nope\n\n\n"}, step{args: "txn -w table", stdin: "\nget nope\n\n\n"})
	var many strings.Builder
	for i := range 129 {
		fmt.Fprintf(&many, "put many%d x\n", i)
	}
	s = append(s, step{args: "txn", stdin: "\n" + many.String() + "\n\n"})
	s = append(s, step{args: "txn -w json", stdin: "\n" + strings.Join(strings.SplitAfter(many.String(), "\n")[:128], "") +
		"\n\n"})
	s = append(s, step{args: "put large", stdin: strings.Repeat("x", 1_572_864)},
		step{args: "put larger", stdin: strings.Repeat("x", 3_000_000)},
		step{args: "put fits", stdin: strings.Repeat("x", 1_500_000)}, step{args: "get fits --keys-only"},
		step{args: "del fits"})
	return s
}

func maintenance() []step {
	return append(steps("compaction 30", "compaction 30", "compaction 40 --physical", "compaction 99999", "compaction 0",
		"compaction -1", "compaction x", "compaction", "compaction 45 -w json",
		"get a --rev 39", "get a --rev 45", "get '' --prefix --rev 46 --count-only -w json", "watch a --rev 10",
		"member list", "member list -w table", "member list -w json", "member list -w fields", "member list --hex -w json",
		"endpoint status", "endpoint status -w json", "endpoint status -w fields", "endpoint status -w table",
		"endpoint health", "endpoint health -w json", "endpoint hashkv", "endpoint hashkv -w json",
		"endpoint hashkv -w fields", "endpoint hashkv -w table", "endpoint hashkv --rev 50", "endpoint hashkv --rev 10",
		"endpoint hashkv --rev 99999",
		"endpoint status --cluster", "endpoint health --cluster",
		"alarm list", "alarm list -w json", "alarm disarm", "move-leader 1234", "move-leader", "move-leader xyz",
		"alarm list -w fields", "alarm list -w table", "alarm list -w protobuf", "alarm disarm -w json",
		"alarm disarm -w fields",
		"member list -w protobuf", "endpoint status -w protobuf", "endpoint health -w fields", "endpoint health -w table",
		"endpoint health -w protobuf", "endpoint hashkv -w protobuf",
		"compaction 46 -w fields", "compaction 47 -w table", "compaction 48 -w protobuf", "compaction 99 -w json",
		"del a -w protobuf", "put a 1 -w simple", "get a -w bogus",
		"defrag", "defrag --cluster", "defrag -w json", "move-leader -w json 1234", "get a --keys-only -w table",
		"get a --count-only -w simple", "get a --count-only -w protobuf", "get a --print-value-only -w json",
		"put a 1 --dial-timeout 3s --command-timeout 4s", "get a --command-timeout 0s",
		"snapshot save", "version", "check", "nonsense"),
		step{args: "snapshot save SNAPSHOT"}, step{args: "ETCDUTL snapshot status SNAPSHOT -w json"},
		step{args: "ETCDUTL hashkv SNAPSHOT -w json"})
}

// words splits a command line.
func words(line string) (out []string) {
	for _, part := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		out = append(out, strings.ReplaceAll(strings.Trim(part, "'"), `\x00`, "\x00"))
	}
	return out
}

// volatile are the parts of an output that may differ between two servers, or two runs of one.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`took[":= ]+[0-9.]+[a-zµ]*s`), "took T"},
	{regexp.MustCompile(`\b[0-9.]+(m|µ)s\b`), "T"},
	{
		regexp.MustCompile(
			`(?i)("?raft_?term"?|"?raft(?:applied)?_?index"?|"?db_?size(?:_?in_?use)?"?|"totalSize"|"downgradeInfo")( ?: ?)\d+`),
		"$1$2N"},
	{regexp.MustCompile(`\b\d+(\.\d+)? [kM]?B\b`), "SIZE"},
	{regexp.MustCompile(`/\S*/00\d/`), "DIR/"},
	{regexp.MustCompile(`"hash":\d+,"revision":(\d+),"totalKey":(\d+)`), `"hash":N,"revision":$1,"totalKey":$2`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
}

// normalise blanks out what is volatile, and the logs that etcdctl mixes in.
func normalise(text, line string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	var keep []string
	for l := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(l, `{"level":`) {
			keep = append(keep, l)
		}
	}
	text = strings.Join(keep, "\n")
	if table := strings.Contains(line, "-w table"); strings.HasPrefix(line, "endpoint") &&
		(table || !strings.Contains(line, "-w")) {
		// The width of the columns of sizes, term and indexes follows their contents.
		text = regexp.MustCompile(`[-+─┌┬┐├┼┤└┴┘]{3,}`).ReplaceAllString(text, "---")
		text = regexp.MustCompile(`\s+`).ReplaceAllString(strings.ReplaceAll(text, "│", "|"), " ")
		text = regexp.MustCompile(`SIZE(,| \|) SIZE(,| \|) \d+%`).ReplaceAllString(text, "SIZE SIZE QUOTA")
		text = regexp.MustCompile(`(true|false)(,| \|) (true|false)(,| \|) \d+(,| \|) \d+(,| \|) \d+`).ReplaceAllString(text,
			"$1 $3 TERM INDEX APPLIED")
	}
	return text
}

// perform runs a script and returns what was said, step by step.
func perform(t *testing.T, members []*member, script []step) []output {
	t.Helper()
	snapshot := filepath.Join(t.TempDir(), "snapshot.db")
	var out []output
	for _, s := range script {
		args := words(strings.ReplaceAll(s.args, "SNAPSHOT", snapshot))
		var o output
		switch {
		case args[0] == "ETCDUTL":
			o = command(t, exec.Command(binary(t, "etcdutl"), args[1:]...), s.stdin)
		default:
			o = ctl(t, members, s.stdin, args...)
		}
		o.Stdout, o.Stderr = normalise(o.Stdout, s.args), normalise(o.Stderr, s.args)
		out = append(out, o)
	}
	if info, err := os.Stat(snapshot); err == nil && info.Size()%512 != 32 {
		t.Errorf("a snapshot of %d bytes does not end with a checksum", info.Size())
	}
	return out
}

// both runs f on a fresh etcd and then on a fresh vitrine, at the same
// addresses: names, URLs and token are the same, so the ids must be, too.
func both(t *testing.T, n int, f func(t *testing.T, members []*member)) {
	t.Helper()
	kinds := make([]kind, n)
	template := cluster(t, kinds)
	for _, k := range []kind{etcd, vitrine} {
		t.Run(string(k), func(t *testing.T) {
			root := t.TempDir()
			var members []*member
			for _, m := range template {
				members = append(members, &member{t: t, kind: k, name: m.name, dir: filepath.Join(root, m.name), client: m.client,
					peer: m.peer, args: m.args})
			}
			for _, m := range members {
				m.start()
			}
			start := time.Now()
			for _, m := range members {
				m.ready()
			}
			t.Logf("ready in %v", time.Since(start).Round(time.Millisecond))
			f(t, members)
			for _, m := range members {
				m.stop()
			}
		})
	}
}

func TestCtlSaysTheSame(t *testing.T) {
	processes(t)
	all := script()
	var said [][]output
	both(t, 1, func(t *testing.T, members []*member) { said = append(said, perform(t, members, all)) })
	compare(t, all, said)
}

// compare holds what both were told to what they have said.
func compare(t *testing.T, all []step, said [][]output) {
	t.Helper()
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	differ := 0
	for i, s := range all {
		if a, b := said[0][i], said[1][i]; a != b {
			differ++
			t.Errorf("etcdctl %s <<<%.80q\netcd:    %d %s%s\nvitrine: %d %s%s", s.args, s.stdin, a.Code, brief(a.Stdout),
				brief(a.Stderr), b.Code, brief(b.Stdout), brief(b.Stderr))
		}
	}
	t.Logf("%d of %d commands answered alike", len(all)-differ, len(all))
}

func brief(s string) string {
	if len(s) > 700 {
		return s[:700] + "..."
	}
	return s
}

// watching is an etcdctl watch that runs while other commands do.
type watching struct {
	cmd   *exec.Cmd
	lines chan string
}

func watch(t *testing.T, members []*member, stdin string, args ...string) *watching {
	t.Helper()
	cmd := exec.Command(binary(t, "etcdctl"), append([]string{"--endpoints", members[0].client, "watch"}, args...)...)
	in, err := cmd.StdinPipe()
	ok(t, err)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	w := &watching{cmd: cmd, lines: make(chan string, 10_000)}
	go func() {
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 4<<20)
		for scanner.Scan() {
			w.lines <- scanner.Text()
		}
		close(w.lines)
	}()
	_, err = in.Write([]byte(stdin))
	ok(t, err)
	t.Cleanup(w.end)
	return w
}

func (w *watching) end() {
	w.cmd.Process.Kill()
	w.cmd.Wait()
}

// until returns the lines up to the first one that contains last.
func (w *watching) until(t *testing.T, last string) (out []string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, open := <-w.lines:
			if !open {
				return append(out, "(ended)")
			}
			out = append(out, normalise(line, "watch"))
			if strings.Contains(line, last) {
				return out
			}
		case <-timeout:
			t.Fatalf("no line with %q in %q", last, out)
		}
	}
}

// TestCtlWatchesTheSame starts watchers from the past and waits for what they
// print, live events included.
func TestCtlWatchesTheSame(t *testing.T) {
	processes(t)
	watches := []struct{ args, stdin string }{
		{args: "--rev 1 w/ --prefix"}, {args: "--rev 3 w/ --prefix --prev-kv"}, {args: "--rev 1 w/1"},
		{args: "--rev 1 w/1 w/3"}, {args: "--rev 1 w/1 zzz -w json"},
		{args: "--rev 1 w/ --prefix --prev-kv -w json"}, {args: "--rev 2 w/2 --from-key -w fields"},
		{args: "--rev 4 w/ --prefix --progress-notify"}, {args: "w/ --prefix"},
		{args: "-i", stdin: "watch w/ --prefix --rev 1 --prev-kv\n"},
	}
	var said [][]string
	both(t, 1, func(t *testing.T, members []*member) {
		do := func(lines ...string) {
			for _, line := range lines {
				if o := ctl(t, members, "", words(line)...); o.Code != 0 {
					t.Fatalf("%s: %+v", line, o)
				}
			}
		}
		do("put w/1 one", "put w/2 two", "put w/3 three", "del w/2", "put w/2 again", "put w/1 eins", "del w/ --prefix",
			"put other x", "put w/4 four")
		var running []*watching
		for _, w := range watches {
			running = append(running, watch(t, members, w.stdin, words(w.args)...))
		}
		time.Sleep(time.Second) // the one without a revision must be there before the rest
		do("put w/1 live", "del w/4")
		if o := ctl(t, members, "\nput w/5 txn\nput w/6 txn\ndel w/1\n\n\n", "txn"); o.Code != 0 {
			t.Fatalf("txn: %+v", o)
		}
		do("put w/1 end-of-test", "put w/3 end-of-test")
		var lines []string
		for i, w := range running {
			lines = append(lines, fmt.Sprintf("%s: %q", watches[i].args, w.until(t, endMark(watches[i].args))))
			w.end()
		}
		said = append(said, lines)
	})
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i := range watches {
		if said[0][i] != said[1][i] {
			t.Errorf("etcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
}

// endMark is how the value "end-of-test" looks in an output format.
func endMark(args string) string {
	if strings.Contains(args, "json") {
		return "ZW5kLW9mLXRlc3Q="
	}
	return "end-of-test"
}

// TestCtlMovesTheLeader needs three members.
func TestCtlMovesTheLeader(t *testing.T) {
	processes(t)
	var said [][]string
	both(t, 3, func(t *testing.T, members []*member) {
		old := leader(t, members)
		var target *member
		for _, m := range members {
			if m != old {
				target = m
			}
		}
		status, err := target.status()
		ok(t, err)
		var lines []string
		note := func(o output) {
			lines = append(lines,
				regexp.MustCompile(`[0-9a-f]{15,16}`).ReplaceAllString(fmt.Sprintf("%d %s%s", o.Code, normalise(o.Stdout, ""),
					normalise(o.Stderr, "")), "ID"))
		}
		note(ctl(t, []*member{target}, "", "move-leader", fmt.Sprintf("%x", status.Header.MemberId))) // not the leader
		note(ctl(t, members, "", "move-leader", fmt.Sprintf("%x", status.Header.MemberId)))
		if now := leader(t, members); now != target {
			t.Errorf("the leader is %s, want %s", now.name, target.name)
		}
		note(ctl(t, members, "", "put", "after", "transfer"))
		note(ctl(t, members, "", "endpoint", "health"))
		note(ctl(t, members, "", "endpoint", "hashkv"))
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
}
