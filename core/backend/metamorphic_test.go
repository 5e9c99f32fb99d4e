//go:build !js

package backend_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
)

// subject is one implementation under the same list of operations. Every
// method that observes something returns it as text.
type subject interface {
	write(puts []change, a backend.Applied)
	beginCommit() string
	runCommit()
	endCommit() string
	get(b backend.Bucket, key string) string
	scan(b backend.Bucket, start, end string, limit int) string
	openView(id int)
	viewScan(id int, b backend.Bucket, start, end string, limit int) string
	viewGet(id int, b backend.Bucket, key string) string
	closeView(id int)
	crash()
	moveSnapshot()
	position() string
	close()
}

type change struct {
	bucket     backend.Bucket
	key, value string
	del        bool
}

// real drives a Backend over a Store that reopen and restore can rebuild.
type real struct {
	t       *testing.T
	b       *backend.Backend
	batch   *backend.Batch
	commit  *backend.Commit
	ran     bool
	err     error
	views   map[int]backend.View
	reopen  func(s backend.Store) backend.Store
	restore func(old backend.Store, image []byte) backend.Store
}

func newReal(t *testing.T, s backend.Store, reopen func(backend.Store) backend.Store,
	restore func(backend.Store, []byte) backend.Store) *real {
	r := &real{t: t, batch: backend.NewBatch(), views: map[int]backend.View{}, reopen: reopen, restore: restore}
	r.open(s)
	return r
}

func (r *real) open(s backend.Store) {
	b, err := backend.New(s)
	if err != nil {
		r.t.Fatal(err)
	}
	r.b = b
}

func (r *real) write(puts []change, a backend.Applied) {
	r.batch.Reset(a)
	for _, c := range puts {
		if c.del {
			r.batch.Delete(c.bucket, []byte(c.key))
		} else {
			r.batch.Put(c.bucket, []byte(c.key), []byte(c.value))
		}
	}
	r.b.Write(r.batch)
}

func (r *real) beginCommit() string {
	c := r.b.BeginCommit()
	if c == nil {
		return "nothing"
	}
	r.commit, r.ran = c, false
	return fmt.Sprintf("%d ops", c.Ops())
}

func (r *real) runCommit() {
	if r.commit != nil && !r.ran {
		r.ran = true
		r.err = r.commit.Run()
	}
}

func (r *real) endCommit() string {
	if r.commit == nil {
		return "none"
	}
	r.runCommit()
	r.b.EndCommit(r.commit, r.err)
	r.commit = nil
	return fmt.Sprint(r.b.Err())
}

func show(v []byte) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%q", v)
}

func (r *real) get(b backend.Bucket, key string) string { return show(r.b.Get(b, []byte(key))) }

func bound(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func collect(scan func(fn func(k, v []byte) bool)) string {
	var out strings.Builder
	scan(func(k, v []byte) bool {
		fmt.Fprintf(&out, "%q=%q ", k, v)
		return true
	})
	return out.String()
}

func (r *real) scan(b backend.Bucket, start, end string, limit int) string {
	return collect(func(fn func(k, v []byte) bool) { r.b.Range(b, bound(start), bound(end), limit, fn) })
}

func (r *real) openView(id int) { r.views[id] = r.b.View() }

func (r *real) viewScan(id int, b backend.Bucket, start, end string, limit int) string {
	return collect(func(fn func(k, v []byte) bool) { r.views[id].Range(b, bound(start), bound(end), limit, fn) })
}

func (r *real) viewGet(id int, b backend.Bucket, key string) string {
	return show(r.views[id].Get(b, []byte(key)))
}

func (r *real) closeView(id int) {
	r.views[id].Close()
	delete(r.views, id)
}

func (r *real) closeViews() {
	for _, id := range slices.Sorted(maps.Keys(r.views)) {
		r.closeView(id)
	}
	r.commit = nil
}

func (r *real) crash() {
	r.closeViews()
	s := r.b.Store()
	r.b.Close()
	r.open(r.reopen(s))
}

func (r *real) moveSnapshot() {
	r.endCommit()
	r.closeViews()
	snap, a, err := r.b.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	var image bytes.Buffer
	n, err := snap.WriteTo(&image)
	if err != nil || n != int64(image.Len()) || n != snap.Size() {
		r.t.Fatalf("snapshot wrote %d bytes, counted %d, size %d: %v", image.Len(), n, snap.Size(), err)
	}
	snap.Close()
	s := r.b.Store()
	r.b.Close()
	r.open(r.restore(s, image.Bytes()))
	if got := r.b.Applied(); got.Index != a.Index || got.Term != a.Term {
		r.t.Fatalf("restored position %v, want %v", got, a)
	}
}

func words(a backend.Applied) string { return fmt.Sprintf("%d/%d/%v", a.Index, a.Term, a.ConfState) }

func (r *real) position() string { return words(r.b.Applied()) + " " + words(r.b.Durable()) }

func (r *real) close() {
	r.closeViews()
	if err := r.b.Close(); err != nil {
		r.t.Error(err)
	}
}

// mapModel is the specification: a map of everything written, a copy of it as
// of the last commit, and a copy for each view.
type mapModel struct {
	now, durable, flight state
	committing, ran      bool
	ops                  int
	views                map[int]state
}

type state struct {
	data    map[string]string // bucket name, 0, key
	applied backend.Applied
}

func (s state) clone() state { s.data = maps.Clone(s.data); return s }

func newModel() *mapModel {
	m := &mapModel{now: state{data: map[string]string{}}, views: map[int]state{}}
	m.durable = m.now.clone()
	return m
}

func place(b backend.Bucket, key string) string { return b.Name() + "\x00" + key }

func (m *mapModel) write(puts []change, a backend.Applied) {
	for _, c := range puts {
		if c.del {
			delete(m.now.data, place(c.bucket, c.key))
		} else {
			m.now.data[place(c.bucket, c.key)] = c.value
		}
	}
	m.ops += len(puts)
	m.now.applied.Index, m.now.applied.Term = a.Index, a.Term
	put := func(key, value string) { m.now.data[place(backend.Meta, key)] = value }
	put("consistent_index", be64(a.Index))
	put("term", be64(a.Term))
	if cs := a.ConfState; cs != nil {
		m.now.applied.ConfState = cs
		voters := strings.ReplaceAll(fmt.Sprint(cs.Voters), " ", ",")
		put("confState", fmt.Sprintf(`{"voters":%s,"auto_leave":%v}`, voters, *cs.AutoLeave))
	}
}

func be64(n uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (56 - 8*i))
	}
	return string(b[:])
}

func (m *mapModel) beginCommit() string {
	if m.committing || (m.ops == 0 && m.now.applied == m.durable.applied) {
		return "nothing"
	}
	m.committing, m.ran, m.flight = true, false, m.now.clone()
	s := fmt.Sprintf("%d ops", m.ops)
	m.ops = 0
	return s
}

func (m *mapModel) runCommit() { m.ran = m.ran || m.committing }

func (m *mapModel) endCommit() string {
	if !m.committing {
		return "none"
	}
	m.durable, m.committing = m.flight, false
	return "<nil>"
}

func (s state) get(b backend.Bucket, key string) string {
	v, ok := s.data[place(b, key)]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%q", v)
}

func (s state) scan(b backend.Bucket, start, end string, limit int) string {
	var out strings.Builder
	n := 0
	for _, k := range slices.Sorted(maps.Keys(s.data)) {
		key, ok := strings.CutPrefix(k, place(b, ""))
		if !ok || key < start || (end != "" && key >= end) || (limit > 0 && n == limit) {
			continue
		}
		n++
		fmt.Fprintf(&out, "%q=%q ", key, s.data[k])
	}
	return out.String()
}

func (m *mapModel) get(b backend.Bucket, key string) string { return m.now.get(b, key) }
func (m *mapModel) scan(b backend.Bucket, start, end string, limit int) string {
	return m.now.scan(b, start, end, limit)
}
func (m *mapModel) openView(id int) { m.views[id] = m.now.clone() }
func (m *mapModel) viewScan(id int, b backend.Bucket, start, end string, limit int) string {
	return m.views[id].scan(b, start, end, limit)
}
func (m *mapModel) viewGet(id int, b backend.Bucket, key string) string {
	return m.views[id].get(b, key)
}
func (m *mapModel) closeView(id int) { delete(m.views, id) }

func (m *mapModel) crash() {
	if m.committing && m.ran {
		m.durable = m.flight
	}
	m.durable.applied.ConfState = nil // nobody has said it yet: see SetConfState
	m.now, m.committing, m.ops, m.views = m.durable.clone(), false, 0, map[int]state{}
}

func (m *mapModel) moveSnapshot() {
	m.endCommit()
	m.crash()
}

func (m *mapModel) position() string {
	return words(m.now.applied) + " " + words(m.durable.applied)
}

func (m *mapModel) close() {}

// script draws operations, applies each to every subject and compares what
// they answer.
type script struct {
	t        *testing.T
	rnd      *rand.Rand
	subjects []subject
	index    uint64
	rev      uint64
	views    []int
	nextView int
}

func (s *script) same(op string, f func(subject) string) {
	s.t.Helper()
	want := f(s.subjects[0])
	for i, other := range s.subjects[1:] {
		if got := f(other); got != want {
			s.t.Fatalf("%s: subject %d answers\n%s\nwant\n%s", op, i+1, got, want)
		}
	}
}

func (s *script) each(f func(subject)) {
	for _, sub := range s.subjects {
		f(sub)
	}
}

func (s *script) bucket() backend.Bucket {
	all := backend.Buckets()
	if s.rnd.IntN(2) == 0 {
		return backend.Key
	}
	return all[s.rnd.IntN(len(all))]
}

func (s *script) key(b backend.Bucket) string {
	switch {
	case b == backend.Key:
		return be64(s.rnd.Uint64N(s.rev + 2))
	case b == backend.Meta && s.rnd.IntN(3) == 0:
		return []string{"consistent_index", "term", "confState"}[s.rnd.IntN(3)]
	}
	return fmt.Sprintf("k%02d", s.rnd.IntN(40))
}

func (s *script) writeBatch() {
	var puts []change
	for range s.rnd.IntN(6) {
		b := s.bucket()
		c := change{bucket: b, key: s.key(b), value: strings.Repeat("v", s.rnd.IntN(4)), del: s.rnd.IntN(4) == 0}
		if b == backend.Meta {
			c.key = fmt.Sprintf("m%d", s.rnd.IntN(5))
		}
		if b == backend.Key && s.rnd.IntN(4) != 0 {
			s.rev++
			c.key, c.del = be64(s.rev), false
		}
		puts = append(puts, c)
	}
	s.index++
	a := backend.Applied{Index: s.index, Term: 1 + s.index/100}
	if s.rnd.IntN(20) == 0 {
		leave := s.rnd.IntN(2) == 0
		a.ConfState = &raftpb.ConfState{Voters: []uint64{1, 2 + s.index}, AutoLeave: &leave}
	}
	s.each(func(sub subject) { sub.write(puts, a) })
}

func (s *script) step() {
	b := s.bucket()
	key, start, end, limit := s.key(b), s.key(b), s.key(b), s.rnd.IntN(12)
	if s.rnd.IntN(4) == 0 {
		start = ""
	}
	if s.rnd.IntN(4) == 0 {
		end = ""
	}
	switch n := s.rnd.IntN(100); {
	case n < 40:
		s.writeBatch()
	case n < 55:
		s.same("get", func(sub subject) string { return sub.get(b, key) })
	case n < 70:
		s.same("range", func(sub subject) string { return sub.scan(b, start, end, limit) })
	case n < 75:
		s.views = append(s.views, s.nextView)
		s.each(func(sub subject) { sub.openView(s.nextView) })
		s.nextView++
	case n < 85 && len(s.views) > 0:
		id := s.views[s.rnd.IntN(len(s.views))]
		s.same("view range", func(sub subject) string { return sub.viewScan(id, b, start, end, limit) })
		s.same("view get", func(sub subject) string { return sub.viewGet(id, b, key) })
	case n < 89 && len(s.views) > 0:
		i := s.rnd.IntN(len(s.views))
		s.each(func(sub subject) { sub.closeView(s.views[i]) })
		s.views = slices.Delete(s.views, i, i+1)
	case n < 93:
		s.same("begin", func(sub subject) string { return sub.beginCommit() })
	case n < 95:
		s.each(func(sub subject) { sub.runCommit() })
	case n < 98:
		s.same("end", func(sub subject) string { return sub.endCommit() })
	case n == 98 && s.rnd.IntN(4) == 0:
		s.each(func(sub subject) { sub.crash() })
		s.views = nil
	case n == 99 && s.rnd.IntN(4) == 0:
		s.each(func(sub subject) { sub.moveSnapshot() })
		s.views = nil
	}
	s.same("position", func(sub subject) string { return sub.position() })
}

// digest sums every bucket, so that equal digests mean equal stores.
func digest(sub subject) string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range backend.Buckets() {
		fmt.Fprintf(h, "%s:%s\n", b, sub.scan(b, "", "", 0))
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

func boltSubject(t *testing.T) *real {
	dir := t.TempDir()
	open := func(path string) backend.Store {
		db, err := bolt.Open(path, bolt.Options{NoSync: true, MmapSize: 1 << 24})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	generation := 0
	return newReal(t, open(filepath.Join(dir, "db")),
		func(s backend.Store) backend.Store { return open(s.(*bolt.DB).Path()) },
		func(_ backend.Store, image []byte) backend.Store {
			generation++
			path := filepath.Join(dir, fmt.Sprintf("db%d", generation))
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			return open(path)
		})
}

func memSubject(t *testing.T) *real {
	return newReal(t, backend.NewMem(),
		func(s backend.Store) backend.Store { return s.(*backend.Mem).Clone() },
		func(_ backend.Store, image []byte) backend.Store {
			m, err := backend.OpenMemSnapshot(image)
			if err != nil {
				t.Fatal(err)
			}
			return m
		})
}

func TestMetamorphic(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &script{t: t, rnd: rand.New(rand.NewPCG(seed, 1)),
				subjects: []subject{newModel(), memSubject(t), boltSubject(t)}}
			for range 1500 {
				s.step()
			}
			s.same("digest", digest)
			s.each(func(sub subject) { sub.endCommit() })
			s.each(func(sub subject) { sub.crash() })
			s.same("digest after crash", digest)
			s.each(func(sub subject) { sub.close() })
		})
	}
}
