package inspect

import (
	"fmt"

	"vitrine/core/consensus"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
)

// Keys is the key-value store of a member.
type Keys struct {
	Revision int64  `json:"revision"` // the newest
	Compact  int64  `json:"compact"`  // the oldest that can be read, -1 = all
	Rev      int64  `json:"rev"`      // that was read at
	Applied  uint64 `json:"applied"`
	Exist    int    `json:"exist"`   // keys that exist now
	Indexed  int    `json:"indexed"` // with those that are deleted and not forgotten
	Keys     []Key  `json:"keys"`
	Next     string `json:"next,omitempty"` // where to go on, "" = no further
	Pins     []Pin  `json:"pins"`           // watchers
	Watchers int    `json:"watchers"`
	// Pending are writes in the log that are not applied yet, oldest first.
	Pending []Pending `json:"pending"`
	Waiting int       `json:"waiting"` // how many there are
}

// Key is one key of the index.
type Key struct {
	Key     string `json:"key"`
	Exists  bool   `json:"exists"` // at that revision
	Value   string `json:"value,omitempty"`
	Size    int    `json:"size"` // of the value, in bytes
	Create  int64  `json:"create"`
	Mod     int64  `json:"mod"`
	Version int64  `json:"version"`
	Lease   int64  `json:"lease"`
	// Lives are the generations, the newest last; Forgotten of them are not shown.
	Lives     []Life `json:"lives"`
	Forgotten int    `json:"forgotten"`
}

// Life is a generation of a key.
type Life struct {
	Created int64    `json:"created"` // 0 = compaction has left the tombstone alone
	Version int64    `json:"version"`
	Ended   bool     `json:"ended"` // the last revision is the tombstone
	Revs    []string `json:"revs"`  // the newest
	More    int      `json:"more"`  // older ones that are not shown
}

// Pin is a watcher at the revision where it stands.
type Pin struct {
	Key    string `json:"key"`
	End    string `json:"end,omitempty"`
	Next   int64  `json:"next"`
	Behind bool   `json:"behind"`
	ID     int64  `json:"id"`
	Stream uint64 `json:"stream"`
}

// Pending is an entry of the log that is not applied.
type Pending struct {
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	Committed bool   `json:"committed"`
	Op        string `json:"op"`
	Key       string `json:"key,omitempty"`
	Value     string `json:"value,omitempty"`
	Bytes     int    `json:"bytes"` // of the entry's data in a message, 0 = it has none, or nobody asks
}

// mostPending bounds the entries of which an answer tells.
const mostPending = 64

// KV looks at the keys from Query.From on, as they are at Query.Rev.
func KV(s *Subject, q Query) (*Keys, error) {
	kv := s.Store.KV
	k := &Keys{
		Revision: kv.Revision(), Compact: kv.CompactRevision(), Rev: q.Rev, Applied: s.Store.Applied().Index,
		Exist: kv.Keys(), Indexed: kv.Indexed(), Keys: []Key{}, Pins: []Pin{}, Pending: []Pending{},
	}
	if q.Rev <= 0 {
		k.Rev = k.Revision
	}
	err := kv.Look([]byte(q.From), k.Rev, func(l mvcc.Look) bool {
		if len(k.Keys) == q.limit() {
			k.Next = string(l.Key)
			return false
		}
		k.Keys = append(k.Keys, keyOf(&l))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("inspect: revision %d: %w", k.Rev, err)
	}
	if s.Member != nil {
		pins := s.Member.Pins()
		k.Watchers = len(pins)
		for _, p := range pins[:min(len(pins), mostThings)] {
			k.Pins = append(k.Pins, Pin{Key: clip([]byte(p.Key)), End: clip([]byte(p.End)), Next: p.Next, Behind: p.Behind,
				ID: p.ID, Stream: p.Stream})
		}
	}
	waiting := s.waiting(k.Applied)
	k.Waiting = len(waiting)
	commit := uint64(0)
	if s.Member != nil {
		commit = s.Member.Brief().Commit
	}
	for _, e := range waiting[:min(len(waiting), mostPending)] {
		p := pendingOf(e)
		p.Committed = e.GetIndex() <= commit
		k.Pending = append(k.Pending, p)
	}
	return k, nil
}

func keyOf(l *mvcc.Look) Key {
	k := Key{Key: clip(l.Key), Exists: l.KV != nil, Lives: []Life{}}
	if v := l.KV; v != nil {
		k.Value, k.Size, k.Create, k.Mod, k.Version, k.Lease = clip(v.Value), len(v.Value), v.CreateRevision, v.ModRevision,
			v.Version, v.Lease
	}
	k.Forgotten = max(0, len(l.Generations)-mostLives)
	for _, g := range l.Generations[k.Forgotten:] {
		life := Life{Created: g.Created, Version: g.Version, Ended: g.Ended, More: max(0, len(g.Revisions)-mostListed)}
		for _, r := range g.Revisions[life.More:] {
			life.Revs = append(life.Revs, revision(r))
		}
		k.Lives = append(k.Lives, life)
	}
	return k
}

// revision is 7, or 7.2 for the third change of one.
func revision(r mvcc.Revision) string {
	if r.Sub == 0 {
		return fmt.Sprint(r.Main)
	}
	return fmt.Sprintf("%d.%d", r.Main, r.Sub)
}

// waiting are the entries of the log behind index: the durable ones that are kept
// in memory, and those on their way to the disk.
func (s *Subject) waiting(applied uint64) (all []*raftpb.Entry) {
	if s.Member == nil {
		return s.logged(applied)
	}
	all = append(all, s.Member.Kept(applied+1, mostThings)...)
	for i := range s.Writes {
		all = overwrite(all, &s.Writes[i])
	}
	return after(all, applied)
}

// overwrite puts a write behind what it leaves of the entries before.
func overwrite(all []*raftpb.Entry, w *consensus.LogWrite) []*raftpb.Entry {
	if w.Snapshot != nil {
		all = nil
	}
	for _, e := range w.Entries {
		all = append(before(all, e.GetIndex()), e)
	}
	return all
}

func before(all []*raftpb.Entry, index uint64) []*raftpb.Entry {
	for len(all) > 0 && all[len(all)-1].GetIndex() >= index {
		all = all[:len(all)-1]
	}
	return all
}

func after(all []*raftpb.Entry, index uint64) []*raftpb.Entry {
	for len(all) > 0 && all[0].GetIndex() <= index {
		all = all[1:]
	}
	return all
}

// pendingOf says what an entry will do.
func pendingOf(e *raftpb.Entry) Pending {
	p := Pending{Index: e.GetIndex(), Term: e.GetTerm()}
	switch {
	case e.GetType() != raftpb.EntryNormal:
		p.Op = "conf"
		return p
	case len(e.GetData()) == 0:
		p.Op = "no-op"
		return p
	}
	r, err := store.Decode(e.GetData())
	if err != nil {
		p.Op = "?"
		return p
	}
	p.Op, p.Key, p.Value = does(r)
	return p
}

// does names what a request of the log does, and to what.
func does(r *pb.InternalRaftRequest) (op, key, value string) {
	switch {
	case r.Put != nil:
		return "put", clip(r.Put.Key), clip(r.Put.Value)
	case r.DeleteRange != nil:
		return "delete", clip(r.DeleteRange.Key), clip(r.DeleteRange.RangeEnd)
	case r.Txn != nil:
		if len(r.Txn.Compare) > 0 {
			key = clip(r.Txn.Compare[0].Key)
		}
		return "txn", key, ""
	case r.Compaction != nil:
		return "compact", "", fmt.Sprint(r.Compaction.Revision)
	case r.LeaseGrant != nil:
		return "lease-grant", fmt.Sprint(r.LeaseGrant.ID), fmt.Sprintf("%d s", r.LeaseGrant.TTL)
	case r.LeaseRevoke != nil:
		return "lease-revoke", fmt.Sprint(r.LeaseRevoke.ID), ""
	case r.LeaseCheckpoint != nil:
		return "lease-checkpoint", "", ""
	case r.Alarm != nil:
		return "alarm", "", r.Alarm.Alarm.String()
	}
	return doesForUsers(r)
}

func doesForUsers(r *pb.InternalRaftRequest) (op, key, value string) {
	switch {
	case r.AuthEnable != nil:
		return "auth", "enable", ""
	case r.AuthDisable != nil:
		return "auth", "disable", ""
	case r.AuthUserAdd != nil:
		return "user-add", r.AuthUserAdd.Name, ""
	case r.AuthUserDelete != nil:
		return "user-delete", r.AuthUserDelete.Name, ""
	case r.AuthUserGrantRole != nil:
		return "grant-role", r.AuthUserGrantRole.User, r.AuthUserGrantRole.Role
	case r.AuthUserRevokeRole != nil:
		return "revoke-role", r.AuthUserRevokeRole.Name, r.AuthUserRevokeRole.Role
	case r.AuthRoleAdd != nil:
		return "role-add", r.AuthRoleAdd.Name, ""
	case r.AuthRoleDelete != nil:
		return "role-delete", r.AuthRoleDelete.Role, ""
	case r.AuthRoleGrantPermission != nil:
		return "grant", r.AuthRoleGrantPermission.Name, clip(r.AuthRoleGrantPermission.GetPerm().GetKey())
	case r.AuthRoleRevokePermission != nil:
		return "revoke", r.AuthRoleRevokePermission.Role, clip(r.AuthRoleRevokePermission.Key)
	}
	return "member", "", ""
}
