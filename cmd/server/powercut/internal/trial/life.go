// Package trial cuts the power of real servers on simulated disks, and judges
// what comes back.
//
// A run is a row of lives. A life is a cluster of one or three members from its
// birth on, through several cuts. Between two cuts clients write: each has keys of
// its own, every value is unique, some writes are transactions, some deletes,
// and one client watches everything. Then the power goes at a drawn moment (package
// mount), for one, two or all members; what was not synced is lost by the dice
// (package disk); and the members boot on the rest. They must
//
//   - boot, and serve within 20 seconds, also those whose power was not cut;
//   - have every acknowledged write at its revision, with its whole transaction,
//     and everything that the watcher was told;
//   - have at every other revision a write that somebody sent, once, and no gaps;
//   - have, by key, exactly the state that follows from this history;
//   - agree in HashKV, when there are three of them;
//
// and a database as the cut has left it must pass bbolt's own check.
//
// A life ends early when something is found. Then the image of each disk as its
// server found it, the last calls of each boot and the members' logs are kept.
package trial

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vitrine/powercut/internal/disk"
	"vitrine/powercut/internal/mount"
)

const (
	cutsPerLife = 8
	// behindWrites is more than --snapshot-count and --snapshot-catchup-entries, so
	// that a member which has missed them needs the database.
	behindWrites = 160
)

// life is one cluster from its birth on.
type life struct {
	config    *Config
	report    *Report
	fs        *mount.FS
	number    int
	dice      *rand.Rand
	names     disk.Names
	syncDelay time.Duration
	dir       string // of logs
	initial   string
	machines  []*machine
	history   *history
	http      *http.Client

	cuts     int
	now      string // what is going on, for reports
	findings []Finding
	images   map[*machine]image
}

// image is how a disk came to be: the same dice make it again.
type image struct {
	boot *mount.Boot
	seed uint64
}

// newLife makes the machines of a cluster. What is drawn depends on the seed and the number alone.
func newLife(config *Config, report *Report, fs *mount.FS, number int) (*life, error) {
	r := newDice(config.Seed, number)
	l := &life{
		config: config, report: report, fs: fs, number: number, dice: r, history: newHistory(), images: map[*machine]image{},
		names:     []disk.Names{disk.POSIX, disk.Journal}[r.IntN(2)],
		syncDelay: []time.Duration{0, time.Millisecond, 4 * time.Millisecond}[r.IntN(3)],
		http:      &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	members := []int{1, 3}[r.IntN(2)]
	if config.Members != 0 {
		members = config.Members
	}
	var err error
	if l.dir, err = os.MkdirTemp(config.Scratch, fmt.Sprintf("life-%d-", number)); err != nil {
		return nil, err
	}
	own := crc32.ChecksumIEEE([]byte(config.Server.Name)) // another server may be tried beside this one
	ports, err := addresses(rand.New(rand.NewPCG(uint64(os.Getpid())<<32|uint64(own), uint64(number))), 2*members)
	if err != nil {
		return nil, err
	}
	var initial []string
	for i := range members {
		m := &machine{life: l, name: fmt.Sprint("m", i+1), disk: fs.NewDisk(l.names)}
		m.client, m.peer = "http://"+ports[2*i], "http://"+ports[2*i+1]
		if m.log, err = os.Create(filepath.Join(l.dir, m.name+".log")); err != nil {
			return nil, err
		}
		l.machines = append(l.machines, m)
		initial = append(initial, m.name+"="+m.peer)
	}
	l.initial = strings.Join(initial, ",")
	return l, nil
}

func newDice(seed uint64, number int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(number))) }

// run lives until so many cuts are made or something is found.
func (l *life) run(cuts int) error {
	defer l.bury()
	if err := l.birth(); err != nil || l.failed() {
		return err
	}
	for moments := 0; moments < 2*cuts && l.cuts < cuts && !l.failed() && !ended(l.config.Stop); moments++ {
		if err := l.cut(draw(l.dice, len(l.machines))); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) failed() bool { return len(l.findings) > 0 }

func (l *life) all() []int {
	out := make([]int, len(l.machines))
	for i := range out {
		out[i] = i
	}
	return out
}

// birth starts the cluster; a third of all lives is cut at once, before anything was promised.
func (l *life) birth() error {
	p := plan{aim: aim{name: "birth", match: func(mount.Op) bool { return true }}, victims: l.all()[:1]}
	p.count, p.after = 1+l.dice.IntN([]int{12, 60}[l.dice.IntN(2)]), l.dice.IntN(2) == 0
	p.kill = l.dice.IntN(4) == 0
	struck := l.dice.IntN(3) == 0
	l.now = "birth"
	for i, m := range l.machines {
		var traps []*mount.Trap
		if struck && i == 0 {
			traps = append(traps, &mount.Trap{Match: p.aim.match, Count: p.count, After: p.after})
		}
		if err := m.start(traps...); err != nil {
			return err
		}
	}
	if struck {
		return l.afterBoot(p)
	}
	l.serve(l.all())
	return nil
}

// cut takes the power away once, or twice if it goes again during the boot that follows.
func (l *life) cut(p plan) error {
	l.now = fmt.Sprintf("cut %d: %s %d", l.cuts+1, p.aim.name, p.count)
	if p.kill {
		l.now = fmt.Sprintf("kill after cut %d: %s %d", l.cuts, p.aim.name, p.count)
	}
	trigger := l.machines[p.victims[0]]
	trap := &mount.Trap{Match: p.aim.match, Count: p.count, After: p.after}
	if !p.aim.onBoot {
		trap.With = l.boots(p.victims[1:])
		if p.aim.ask == nothing {
			trigger.boot.Arm(trap)
		}
	}
	load := startLoad(l.history, l.endpoints(), l.dice.Uint64())
	deadline := time.After(p.pause + time.Second)
	if p.aim.onBoot {
		deadline = time.After(p.pause)
	}
	if p.aim.ask != nothing {
		go l.request(trigger.client, trigger.boot, trap, p)
	}
	select {
	case <-trigger.boot.Down():
	case <-deadline:
		trigger.boot.Cut("by the clock")
		for _, b := range trap.With {
			b.Cut("by the clock, with " + trigger.name)
		}
	}
	l.darken(p.victims, p)
	if p.aim.behind {
		l.await(load, behindWrites)
	} else if 2*(len(l.machines)-len(p.victims)) > len(l.machines) {
		time.Sleep(p.pause / 2)
	}
	if err := load.end(); err != nil {
		l.find(kindHistory, "%v", err)
	}
	for _, i := range p.victims {
		var traps []*mount.Trap
		if p.aim.onBoot && i == p.victims[0] {
			trap.With = nil
			traps = append(traps, trap)
		}
		if err := l.machines[i].start(traps...); err != nil {
			return err
		}
	}
	if p.aim.onBoot {
		return l.afterBoot(p)
	}
	l.serve(p.victims)
	return nil
}

// afterBoot waits until a booting member is struck, or serves after all, and boots it again if it was.
func (l *life) afterBoot(p plan) error {
	m := l.machines[p.victims[0]]
	select {
	case <-m.boot.Down():
	case <-m.exited:
	case <-time.After(p.pause + 300*time.Millisecond):
		m.boot.Disarm()
	}
	select {
	case <-m.boot.Down():
		p.aim.onBoot = false
		l.darken(p.victims[:1], p)
		if err := m.start(); err != nil {
			return err
		}
	default:
	}
	l.serve(p.victims)
	return nil
}

// request asks a member for what the aim is about, once it has work to do, and sets the trap.
func (l *life) request(client string, boot *mount.Boot, trap *mount.Trap, p plan) {
	time.Sleep(p.pause)
	c, err := dial(client)
	if err != nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	boot.Arm(trap)
	if p.aim.ask == defragment {
		_, _ = c.Defragment(ctx, client) // the power goes meanwhile
		return
	}
	if rev := l.history.lastSeen() * 9 / 10; rev > 1 {
		_, _ = c.Compact(ctx, rev)
	}
}

// await lets the clients of the others go on until they have written enough for a snapshot.
func (l *life) await(load *load, writes int64) {
	target := load.acked.Load() + writes
	for end := time.Now().Add(4 * time.Second); load.acked.Load() < target && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// darken ends the victims, and throws the dice for their disks.
func (l *life) darken(victims []int, p plan) {
	name, at := p.aim.name, l.machines[victims[0]].boot.CutAt()
	hit := strings.HasPrefix(at, "before") || strings.HasPrefix(at, "after")
	if p.aim.onBoot || !hit {
		name = "by the clock" // the first of two, or the moment did not come
	}
	for _, i := range victims {
		m := l.machines[i]
		if ended(m.exited) {
			l.find(kindExit, "%s has ended by itself: %s", m.name, m.lastWords())
		}
		if p.kill {
			m.kill()
			continue
		}
		seed := l.dice.Uint64()
		l.images[m] = image{m.boot, seed}
		m.down("with the others", func(d *disk.Disk) *disk.Disk { return d.Crash(rand.New(rand.NewPCG(seed, 0))) })
		if err := checkDatabase(m.disk); err != nil {
			l.find(kindDatabase, "%s: the database, as the cut has left it: %v", m.name, err)
		}
	}
	if p.kill {
		l.report.kills++
		return
	}
	l.cuts++
	l.report.cut(name, l.names, len(l.machines))
}

func ended(exited <-chan struct{}) bool {
	select {
	case <-exited:
		return true
	default:
		return false
	}
}

// serve waits for the members that were switched on, and verifies all.
func (l *life) serve(victims []int) {
	for _, i := range victims {
		m := l.machines[i]
		err := m.ready(patience)
		if err != nil {
			kind := kindRefused
			if sent, acked := l.history.count(); sent == 0 && acked == 0 {
				kind = kindUnborn
			}
			l.find(kind, "%s: %v", m.name, err)
			return
		}
		l.report.served(time.Since(m.started), fmt.Sprintf("life %d, %s", l.number, l.now))
	}
	for _, m := range l.machines {
		if ended(m.exited) {
			l.find(kindExit, "%s has ended by itself: %s", m.name, m.lastWords())
			return
		}
	}
	if !l.failed() {
		l.verify()
	}
}

func (l *life) endpoints() []string {
	var out []string
	for _, m := range l.machines {
		out = append(out, m.client)
	}
	return out
}

func (l *life) boots(victims []int) []*mount.Boot {
	var out []*mount.Boot
	for _, i := range victims {
		out = append(out, l.machines[i].boot)
	}
	return out
}

// find notes what must not be.
func (l *life) find(kind Kind, format string, args ...any) {
	l.findings = append(l.findings, Finding{
		Life: l.number, Names: l.names, Members: len(l.machines), Kind: kind, When: l.now, Text: fmt.Sprintf(format, args...),
	})
}

// findSome notes the first of several findings of a kind, and how many there are.
func (l *life) findSome(kind Kind, texts []string) {
	const shown = 3
	for i, text := range texts[:min(len(texts), shown)] {
		if i == shown-1 && len(texts) > shown {
			text += fmt.Sprintf(" (and %d more)", len(texts)-shown)
		}
		l.find(kind, "%s", text)
	}
}

// bury ends all processes, and keeps what is needed to understand a finding.
func (l *life) bury() {
	for _, m := range l.machines {
		m.bury()
		m.log.Close()
	}
	l.http.CloseIdleConnections()
	sent, acked := l.history.count()
	l.report.lived(sent, acked, l.findings)
	if l.failed() && l.config.Keep != "" {
		server, _, _ := strings.Cut(l.config.Server.Name, " ")
		if err := l.keep(filepath.Join(l.config.Keep, fmt.Sprintf("%s-%d-%d", server, l.config.Seed, l.number))); err != nil {
			fmt.Fprintln(l.config.Out, "cannot keep the evidence:", err)
		}
	}
	os.RemoveAll(l.dir)
}

func (l *life) keep(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d, life %d, %d members, names durable as in %s, fsync takes %v\n",
		l.config.Seed, l.number, len(l.machines), l.names, l.syncDelay)
	for _, f := range l.findings {
		fmt.Fprintln(&text, f)
	}
	for _, m := range l.machines {
		if err := l.keepMachine(m, dir, &text); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "findings.txt"), []byte(text.String()), 0o644)
}

func (l *life) keepMachine(m *machine, dir string, text io.Writer) error {
	log, err := os.ReadFile(m.log.Name())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, m.name+".log"), log, 0o644)
	}
	if err != nil {
		return err
	}
	if err := keepJournal(filepath.Join(dir, m.name+".journal"), m.boot); err != nil {
		return err
	}
	was, cut := l.images[m]
	if !cut {
		return nil
	}
	fmt.Fprintf(text, "%s was cut %s\n", m.name, was.boot.CutAt())
	if err := keepJournal(filepath.Join(dir, m.name+".journal-before-the-cut"), was.boot); err != nil {
		return err
	}
	var left *disk.Disk
	l.fs.Do(func() { left = was.boot.Disk().Crash(rand.New(rand.NewPCG(was.seed, 0))) })
	return left.Export(left.Root(), filepath.Join(dir, m.name+".image"))
}

func keepJournal(path string, b *mount.Boot) error {
	ops, total := b.Journal()
	var text strings.Builder
	fmt.Fprintf(&text, "%d calls, the last %d:\n", total, len(ops))
	for _, op := range ops {
		fmt.Fprintln(&text, op)
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
