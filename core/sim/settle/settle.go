// Package settle demands that a healed cluster converges: everyone up but those
// whose disk is damaged for good, everything applied everywhere, equal data, a
// write and a linearizable read answered, every watcher up to date (I27). Then it
// is asked for everything once more, and each answer must come, and soon. If so
// many disks are damaged that no quorum is left, the cluster must be safe instead.
//
//	settle.Run(world, clients, judge, &cfg, 30*time.Second)
//	if v := judge.Violation(); v != nil { ... }
package settle

import (
	"bytes"
	"fmt"
	"time"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/setup"
	"vitrine/core/store"
)

// World is a cluster that has been healed.
type World interface {
	Now() int64
	RunUntil(at int64)
	Within(f func()) // does something at the present moment, as an event would
	// Copied is when the last defragmentation has made its copy, or will have: that it has begun on a slow disk is no
	// fault of the cluster.
	Copied() int64
	Leader() uint64    // 0 = there is none
	Members() []Member // those in force
	Machines() int     // how many there have ever been; they are numbered from 1
	// Spoil writes to the database of a member behind its back: where it runs, or while its process is down for that.
	Spoil(id uint64, op backend.Op, down bool)
}

// Member is one of the cluster.
type Member interface {
	judge.Member
	State() string // what its process is doing, and why
	Beyond() error // the damage that its disk cannot get over, nil = it is good
	Learner() bool // it does not vote
	Defragments() bool
	// Compared is when it has done the passwords that it is at, 0 = it is at none. Those of clients who wait no more are
	// done, too, as in etcd: where clients log in again before that, there can be hundreds.
	Compared() int64
}

// ProbeKey is written and read to see that a settling cluster serves.
const ProbeKey = "settled"

// ProbePatience is how long a probe waits for an answer.
const ProbePatience = 5 * time.Second

// Run runs a healed world on until its cluster has converged. If it does not within
// the limit, the judge has a violation.
func Run(w World, p *client.Pool, j *judge.Judge, cfg *setup.Config, limit time.Duration) {
	s := &settling{World: w, clients: p, judge: j, cfg: cfg}
	s.run(limit)
}

// settling is how far it has come.
type settling struct {
	World
	clients  *client.Pool
	judge    *judge.Judge
	cfg      *setup.Config
	probing  int // what the probe does next
	put, get int32
	deadline int64

	spoiled      Member // has a pair that the others do not have, nil = nobody
	ledBySpoiled bool   // since it has it, or has started with it
	down         bool   // it is to find out when it starts
	place        uint64 // the machine that replaces it
}

// What a probe does next.
const (
	probeAlarms = iota - 1 // takes down alarms that are up
	probePut
	probeWritten
	probeRead
	probeDone
)

func (s *settling) run(limit time.Duration) {
	s.deadline = max(s.Now(), s.clients.Unread(), s.Copied())
	for _, n := range s.Members() {
		s.deadline = max(s.deadline, n.Compared())
	}
	s.deadline += int64(limit)
	roll := rollcall{settling: s}
	for s.judge.Violation() == nil {
		if Unrecoverable(s.Members()) != "" {
			s.halted()
			return
		}
		missing := s.missing()
		if missing == "" {
			s.Within(func() { missing = s.probe() })
		}
		if missing == "" && s.clients.Unread() > s.Now() {
			missing = "a client has not read what was sent to it"
		}
		if missing == "" {
			s.Within(func() { missing = roll.missing() })
		}
		if missing == "" {
			return
		}
		if s.Now() >= s.deadline {
			s.Within(func() {
				s.judge.Broken(invariant.Liveness, "%v after everything was healed: %s", limit, missing)
			})
			return
		}
		s.RunUntil(min(s.deadline, s.Now()+int64(50*time.Millisecond)))
	}
}

// missing says what keeps the cluster from being settled, "" if nothing does.
func (s *settling) missing() string {
	if n := s.clients.Open(); n > 0 {
		return fmt.Sprintf("%d requests are not answered", n)
	}
	for _, n := range s.Members() {
		if !n.Runs() && n.Beyond() == nil && (s.spoiled == nil || n.ID() != s.spoiled.ID()) {
			return fmt.Sprintf("member %d is %s", n.ID(), n.State())
		}
	}
	if s.Leader() == 0 {
		return "there is no leader"
	}
	core := s.core()
	first := core[0]
	for _, n := range core {
		a, b := first.Store().Applied().Index, n.Store().Applied().Index
		if a != b {
			return fmt.Sprintf("member %d has applied %d, member %d %d", first.ID(), a, n.ID(), b)
		}
		if n.Store().Compacting() {
			return fmt.Sprintf("member %d is compacting", n.ID())
		}
	}
	return ""
}

// probe writes and reads once more, and says what has not been answered yet.
func (s *settling) probe() string {
	visitor := s.clients.Number(0)
	switch s.probing {
	case probeAlarms:
		if visitor.Refused || len(visitor.Alarms) > 0 {
			op, body := s.clients.Repair(visitor)
			s.clients.Issue(visitor, op, body, op.String(), "", 0, ProbePatience)
			return "alarms are taken down"
		}
		s.probing = probePut
		fallthrough
	case probePut:
		s.put = s.write()
		s.probing = probeWritten
		return "the last write is on its way"
	case probeWritten:
		if s.clients.Request(s.put).Status != client.OK {
			s.probing = probePut
			if visitor.Refused {
				s.probing = probeAlarms
			}
			return "a write fails: " + s.clients.Request(s.put).Err.Error()
		}
		s.get = s.read()
		s.probing = probeRead
		return "the last read is on its way"
	case probeRead:
		if s.clients.Request(s.get).Status != client.OK {
			s.probing = probeWritten
			return "a linearizable read fails: " + s.clients.Request(s.get).Err.Error()
		}
		s.probing = probeDone
	}
	return s.different()
}

// write and read ask the cluster for the probe.
func (s *settling) write() int32 {
	put := &pb.PutRequest{Key: []byte(ProbeKey), Value: s.clients.Probe()}
	return s.clients.Issue(s.clients.Number(0), script.OpPut, put, "put "+ProbeKey, ProbeKey, 0, ProbePatience)
}

func (s *settling) read() int32 {
	get := &pb.RangeRequest{Key: []byte(ProbeKey)}
	return s.clients.Issue(s.clients.Number(0), script.OpGet, get, "get "+ProbeKey, ProbeKey, 0, ProbePatience)
}

// different says how the settled members or their watchers differ.
func (s *settling) different() string {
	core := s.core()
	rev := core[0].Store().KV.Revision()
	sum, _, _, err := core[0].Store().HashKV(0)
	if err != nil {
		return err.Error()
	}
	for _, n := range core[1:] {
		other, _, _, err := n.Store().HashKV(0)
		if err != nil {
			return err.Error()
		}
		if r := n.Store().KV.Revision(); r != rev || other != sum {
			return fmt.Sprintf("member %d is at revision %d with hash %08x, member %d at %d with %08x", core[0].ID(), rev, sum,
				n.ID(), r, other)
		}
	}
	for _, l := range core[0].Store().Leases.All() {
		if l.TTL <= client.LongestLease {
			return fmt.Sprintf("lease %d of %d s is still there", l.ID, l.TTL)
		}
	}
	for _, wt := range s.clients.Watchers() {
		rest, err := Missed(wt, core[0].Store(), rev)
		if err != nil {
			return err.Error()
		}
		if rest != 0 {
			return fmt.Sprintf("the watcher of client %d waits for revision %d, the cluster is at %d", wt.Client, rest, rev)
		}
	}
	return ""
}

// Missed is the first revision up to rev with a change that the watcher is
// still to be told of, 0 if there is none. What its filters leave out is not
// looked for, nor what has been compacted.
func Missed(wt *client.Watcher, from *store.Store, rev int64) (int64, error) {
	if wt.Closed || len(wt.Create.Filters) > 0 || wt.Next == 0 || wt.Next > rev {
		return 0, nil
	}
	changes, _, err := from.KV.Scan(max(wt.Next, from.KV.CompactRevision()), rev, 0, false)
	if err != nil {
		return 0, err
	}
	for _, c := range changes {
		for _, e := range c.Events {
			if covers(wt, e.Kv.Key) {
				return c.Rev, nil
			}
		}
	}
	return 0, nil
}

// covers reports whether key is in the range that the watcher asked for.
func covers(wt *client.Watcher, key []byte) bool {
	from, end := wt.Create.Key, wt.Create.RangeEnd
	switch {
	case len(end) == 0:
		return bytes.Equal(key, from)
	case string(end) == "\x00":
		return bytes.Compare(key, from) >= 0
	default:
		return bytes.Compare(key, from) >= 0 && bytes.Compare(key, end) < 0
	}
}
