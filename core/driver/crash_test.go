package driver

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

const self = 1

// diskOn is the disk of a member whose log has the smallest segments, which are
// recycled.
func diskOn(fs vfs.FS) *Disk {
	d := &Disk{FS: fs, Layout: At("data", ""), WAL: wal.Options{SegmentBytes: 4096, Recycle: true}}
	d.Open = func(path string) (backend.Store, error) { return backend.OpenMemFile(d.Watched(), path) }
	return d
}

// birthOf is a cluster of one.
func birthOf() (b Birth, err error) {
	m := &membership.Member{ID: self, PeerURLs: []string{"http://localhost:2380"}}
	if b.Metadata, err = (&pb.WALMetadata{NodeID: new(uint64(self)), ClusterID: new(uint64(7))}).MarshalVT(); err != nil {
		return b, err
	}
	b.Entries, b.HardState, err = consensus.Bootstrap([]consensus.Peer{{ID: self, Context: m.Bootstrap()}})
	return b, err
}

// promises is what a member may have said to others.
type promises struct {
	log     uint64 // entries up to here are durable
	applied uint64 // and so is their effect
	what    string
}

// life drives a member's disk through a story.
type life struct {
	t        *testing.T
	disk     *Disk
	started  *Started
	last     uint64 // entry written
	promised *promises
}

// living is a life that has begun on a disk, and has promised nothing yet.
func living(t *testing.T, d *Disk) *life {
	t.Helper()
	l := &life{t: t, disk: d, promised: &promises{}}
	l.start()
	return l
}

func (l *life) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%s: %v", l.promised.what, err)
	}
}

func (l *life) start() {
	l.t.Helper()
	var err error
	l.started, err = l.disk.Start(birthOf)
	l.check(err)
	l.last = l.started.Found.Snapshot.GetIndex() + uint64(len(l.started.Found.Entries))
	l.promised.log = l.last
	l.started.State.Store.Apply(store.ApplyContext{}, l.started.Found.Entries)
	l.commit()
}

// putEntry is an entry that puts a pair.
func putEntry(t *testing.T, index uint64, size int) *raftpb.Entry {
	t.Helper()
	data, err := (&pb.InternalRaftRequest{
		Header: &pb.RequestHeader{ID: index}, Put: &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", index%5),
			Value: bytes.Repeat([]byte("v"), size)},
	}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return &raftpb.Entry{Term: new(uint64(1)), Index: &index, Type: new(raftpb.EntryNormal), Data: data}
}

// group writes n entries one a LogWrite, all of them as one group, with a mark
// at the end if the database is durable up to mark.
func (l *life) group(n, size int, mark uint64) {
	l.t.Helper()
	var writes []consensus.LogWrite
	var entries []*raftpb.Entry
	for range n {
		l.last++
		e := putEntry(l.t, l.last, size)
		entries = append(entries, e)
		writes = append(writes, consensus.LogWrite{
			Ticket: l.last, Entries: []*raftpb.Entry{e}, MustSync: true,
			HardState: &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(self)), Commit: new(l.last)},
		})
	}
	if mark > 0 {
		cs := l.started.State.Store.Members.ConfState()
		writes = append(writes,
			consensus.LogWrite{Ticket: l.last, Mark: &pb.WALSnapshot{Index: &mark, Term: new(uint64(1)), ConfState: cs},
				Release: mark, MustSync: true})
	}
	mustSync, err := l.started.Log.Append(writes)
	l.check(err)
	if mustSync {
		l.check(l.started.Log.Sync())
		l.promised.log = l.last
	}
	l.check(l.started.Log.Finish(writes))
	l.started.State.Store.Apply(store.ApplyContext{}, entries)
}

func (l *life) commit() {
	l.t.Helper()
	c, err := l.started.State.Begin()
	l.check(err)
	if c == nil {
		return
	}
	at, _, err := l.started.State.End(c, c.Run())
	l.check(err)
	l.promised.applied = at.Index
}

func (l *life) defragment() {
	l.t.Helper()
	d, err := l.started.State.BeginDefrag()
	l.check(err)
	l.check(d.Copy())
	_, err = d.Rename()
	l.check(err)
	_, err = l.started.State.EndDefrag(d)
	l.check(err)
}

// imageAt is a database that stands at index, as a leader sends it.
func imageAt(t *testing.T, index uint64) ([]byte, *raftpb.SnapshotMetadata) {
	t.Helper()
	other := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{what: "the leader"}}
	other.start()
	for other.last < index {
		other.group(1, 10, 0)
	}
	other.commit()
	image, at, err := other.started.State.Image(index)
	other.check(err)
	var data bytes.Buffer
	if _, err := image.WriteTo(&data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes(), &raftpb.SnapshotMetadata{Index: &at.Index, Term: &at.Term, ConfState: at.ConfState}
}

// receive takes an image in two parts and keeps it.
func (l *life) receive(data []byte, index uint64) {
	l.t.Helper()
	r, err := l.disk.Receive(index, index, 1<<20)
	l.check(err)
	for _, part := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		_, err = r.Write(part)
		l.check(err)
	}
	l.check(r.Sync())
	l.check(r.Keep())
}

// install lets the log begin at a received image, and makes it the state.
func (l *life) install(m *raftpb.SnapshotMetadata) {
	l.t.Helper()
	writes := []consensus.LogWrite{{
		Ticket: 1, Snapshot: &raftpb.Snapshot{Metadata: m}, MustSync: true,
		HardState: &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(self)), Commit: m.Index},
	}}
	_, err := l.started.Log.Append(writes)
	l.check(err)
	l.check(l.started.Log.Sync())
	l.promised.log = m.GetIndex()
	l.check(l.started.Log.Finish(writes))
	fresh, err := l.disk.Adopt(m.GetIndex())
	l.check(err)
	_, err = l.started.State.Exchange(fresh)
	l.check(err)
	l.promised.applied = fresh.Backend.Durable().Index
	l.last = m.GetIndex()
	l.check(l.disk.DropImages(l.promised.applied))
}

// struckAt is what a crash before one operation leaves, and what had been promised.
type struckAt struct {
	op       vfs.Op
	number   int
	promised promises
	left     map[string]*vfs.Mem
}

// strikes runs a story and takes, before each operation that changes something,
// what different crashes would leave.
func strikes(t *testing.T, fs *vfs.Mem, story func(l *life)) (all []struckAt) {
	t.Helper()
	l := &life{t: t, promised: &promises{}}
	take := func(op vfs.Op) {
		n := uint64(len(all))
		left := map[string]*vfs.Mem{"kill": fs.Clone(), "power": fs.LoseUnsynced()}
		for seed := range uint64(2) {
			left[fmt.Sprintf("torn %d", seed)] = fs.CrashKeeping(rand.New(rand.NewPCG(n, seed)), 50)
		}
		// What the first process left in the page cache the second loses.
		left["kill, then power"] = nil
		all = append(all, struckAt{op: op, number: len(all), promised: *l.promised, left: left})
	}
	l.disk = diskOn(vfs.WithFaults(fs, func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpRead, vfs.OpOpen, vfs.OpStat, vfs.OpList, vfs.OpLock:
		default:
			take(op)
		}
		return nil
	}))
	story(l)
	take(vfs.Op{})
	return all
}

// comesBack starts a member on what a crash has left and compares with what it
// had promised.
func comesBack(t *testing.T, fs *vfs.Mem, s *struckAt, how string) (after *vfs.Mem) {
	t.Helper()
	where := fmt.Sprintf("%s, operation %d (%s %s), %s", s.promised.what, s.number, s.op.Kind, s.op.Path, how)
	started, err := diskOn(fs).Start(birthOf)
	if err != nil {
		t.Errorf("%s: it does not start: %v", where, err)
		return fs
	}
	st := started.State.Store
	last := started.Found.Snapshot.GetIndex() + uint64(len(started.Found.Entries))
	if last < s.promised.log {
		t.Errorf("%s: the log ends at %d, %d was promised", where, last, s.promised.log)
	}
	if at := st.Backend.Durable().Index; at < s.promised.applied {
		t.Errorf("%s: the database stands at %d, %d was durable", where, at, s.promised.applied)
	}
	if _, err := member.New(member.Config{Config: consensus.Config{ID: self}, ClusterID: 7}, started.Boot, Info(st),
		0); err != nil {
		t.Errorf("%s: there is no member: %v", where, err)
	}
	names, err := fs.List("data/member/snap")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, image := imageIndex(name); name != "db" && !image {
			t.Errorf("%s: %s is left over", where, name)
		}
	}
	after = fs.LoseUnsynced() // the power fails as soon as it is up
	if err := started.Close(); err != nil {
		t.Errorf("%s: close: %v", where, err)
	}
	return after
}

// TestCrashAnywhere strikes before every operation of each sequence that the
// driver knows: with power lost, with unsynced blocks and names torn, with the
// process killed, and with the process killed and the power lost when the next
// one has started. Each time the member comes back with all that it had promised.
func TestCrashAnywhere(t *testing.T) {
	image, meta := imageAt(t, 40)
	newer, newerMeta := imageAt(t, 55)
	for _, c := range []struct {
		name  string
		story func(l *life)
	}{
		{"a group of writes", func(l *life) { l.group(5, 300, 0); l.group(3, 900, 0) }},
		{"marks, released and recycled segments", func(l *life) {
			for range 6 {
				l.group(6, 500, 0)
				l.commit()
				l.group(1, 10, l.promised.applied)
			}
		}},
		{"commits", func(l *life) { l.group(3, 10, 0); l.commit(); l.group(3, 10, 0); l.commit() }},
		{"a received database", func(l *life) {
			l.group(3, 10, 0)
			l.receive(image, meta.GetIndex())
			l.group(3, 10, 0)
			l.install(meta)
			l.group(3, 10, 0)
			l.commit()
			l.group(1, 10, l.promised.applied)
		}},
		{"two of them", func(l *life) {
			l.receive(image, meta.GetIndex())
			l.receive(newer, newerMeta.GetIndex())
			l.install(meta)
			l.install(newerMeta)
			l.group(3, 10, 0)
		}},
		{"a defragmentation", func(l *life) {
			l.group(9, 100, 0)
			l.commit()
			l.defragment()
			l.group(3, 10, 0)
			l.commit()
			l.group(1, 10, l.promised.applied)
		}},
		{"a second start", func(l *life) {
			l.group(3, 10, 0)
			l.check(l.started.Close())
			l.start()
			l.group(3, 10, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			all := strikes(t, fs, func(l *life) {
				l.promised.what = c.name
				l.start()
				c.story(l)
			})
			for i := range all {
				s := &all[i]
				kept := comesBack(t, s.left["kill"], s, "kill")
				s.left["kill, then power"] = kept
				for _, how := range []string{"power", "torn 0", "torn 1", "kill, then power"} {
					comesBack(t, s.left[how], s, how)
				}
				if t.Failed() {
					return
				}
			}
			if len(all) < 10 {
				t.Errorf("only %d operations", len(all))
			}
		})
	}
}

// TestErrorAnywhere has every step fail once. What the driver reports is an
// error, and the member comes back with all that it had promised.
func TestErrorAnywhere(t *testing.T) {
	image, meta := imageAt(t, 40)
	broken := errors.New("broken")
	for _, step := range Steps() {
		for skip := range 3 {
			fs, n := vfs.NewMem(), 0
			l := &life{t: t, disk: diskOn(fs), promised: &promises{what: step.String()}}
			l.disk.Hook = func(s Step) error {
				if s == step {
					if n++; n == skip+1 {
						return broken
					}
				}
				return nil
			}
			err := l.tell(image, meta)
			if n > skip && !errors.Is(err, broken) {
				t.Errorf("%s %d failed, and the driver says %v", step, skip, err)
			}
			comesBack(t, fs.Clone(), &struckAt{promised: *l.promised}, "after an error")
		}
	}
}

// tell runs a story and stops at the first error.
func (l *life) tell(image []byte, meta *raftpb.SnapshotMetadata) (err error) {
	var state *State
	then := func(do func() error) {
		if err == nil {
			err = do()
		}
	}
	then(func() (err error) {
		if l.started, err = l.disk.Start(birthOf); err == nil {
			state = l.started.State
			l.promised.log = uint64(len(l.started.Found.Entries))
			state.Store.Apply(store.ApplyContext{}, l.started.Found.Entries)
		}
		return err
	})
	commit := func() error { return l.tellCommit(state) }
	then(commit)
	for index := uint64(2); index < 30; index++ {
		then(func() error {
			e := putEntry(l.t, index, 900)
			w := consensus.LogWrite{Entries: []*raftpb.Entry{e}, HardState: hardAt(index), MustSync: true}
			err := l.tellWrite(w, index)
			if err == nil {
				state.Store.Apply(store.ApplyContext{}, []*raftpb.Entry{e})
			}
			return err
		})
		if index%9 == 0 {
			then(commit)
			then(func() error {
				mark := state.Store.Backend.Durable().Index
				snapshot := &pb.WALSnapshot{Index: &mark, Term: new(uint64(1)), ConfState: meta.ConfState}
				return l.tellWrite(consensus.LogWrite{Mark: snapshot, Release: mark, MustSync: true}, 0)
			})
		}
	}
	then(func() error { return tellDefrag(state) })
	then(func() error { _, err := state.Housekeep(10); return err })
	then(func() error {
		s, _, err := state.Image(0)
		if err == nil {
			err = s.Close()
		}
		return err
	})
	then(func() error { return l.tellReceive(image, meta.GetIndex()) })
	then(func() error {
		snapshot, index := &raftpb.Snapshot{Metadata: meta}, meta.GetIndex()
		return l.tellWrite(consensus.LogWrite{Snapshot: snapshot, HardState: hardAt(index), MustSync: true}, index)
	})
	then(func() error {
		fresh, err := l.disk.Adopt(meta.GetIndex())
		if err == nil {
			_, err = state.Exchange(fresh)
		}
		return err
	})
	then(func() error { return l.disk.DropImages(meta.GetIndex()) })
	return err
}

func hardAt(commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(self)), Commit: &commit}
}

func (l *life) tellCommit(state *State) error {
	c, err := state.Begin()
	if err != nil || c == nil {
		return err
	}
	at, _, err := state.End(c, c.Run())
	if err == nil {
		l.promised.applied = at.Index
	}
	return err
}

// tellWrite makes a write of the log durable, up to that index.
func (l *life) tellWrite(w consensus.LogWrite, index uint64) error {
	group := []consensus.LogWrite{w}
	if _, err := l.started.Log.Append(group); err != nil {
		return err
	}
	if err := l.started.Log.Sync(); err != nil {
		return err
	}
	l.promised.log = max(l.promised.log, index)
	return l.started.Log.Finish(group)
}

func tellDefrag(state *State) error {
	d, err := state.BeginDefrag()
	if err == nil {
		err = d.Copy()
	}
	if err == nil {
		_, err = d.Rename()
	}
	if err == nil {
		_, err = state.EndDefrag(d)
	}
	return err
}

func (l *life) tellReceive(image []byte, index uint64) error {
	r, err := l.disk.Receive(index, 1, 1<<20)
	if err == nil {
		_, err = r.Write(image)
	}
	if err == nil {
		err = r.Sync()
	}
	if err == nil {
		err = r.Keep()
	}
	return err
}
