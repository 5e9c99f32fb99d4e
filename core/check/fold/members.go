package fold

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// The members by the log, by etcd's rules written down once more. A change that they refuse has no effect.

// ErrMembers says that an image has other members than the log makes: a violation of I13.
var ErrMembers = errors.New("fold: the image has other members")

type node struct {
	ID       uint64   `json:"id"`
	PeerURLs []string `json:"peerURLs"`
	Learner  bool     `json:"isLearner"`
	Promote  bool     `json:"isPromote"`
}

// roster is who is in the cluster from an index on, and who was.
type roster struct {
	from    uint64
	members []node // in the order in which they came
	removed []uint64
}

// maxRecords bounds the records of members that are kept as they were read.
const maxRecords = 64

// maxLearners is etcd's --max-learners.
const maxLearners = 1

// changeOf reads a change of the configuration; nil if the entry is none.
func changeOf(e *raftpb.Entry) *raftpb.ConfChange {
	if e.GetType() != raftpb.EntryConfChange {
		return nil
	}
	cc := &raftpb.ConfChange{}
	if proto.Unmarshal(e.GetData(), cc) != nil {
		return nil
	}
	return cc
}

// after is the roster behind a change, and false if nothing changes.
func (r *roster) after(index uint64, cc *raftpb.ConfChange) (roster, bool) {
	var said node
	if cc.GetType() != raftpb.ConfChangeRemoveNode && json.Unmarshal(cc.GetContext(), &said) != nil {
		return roster{}, false
	}
	id := cc.GetNodeId()
	at := slices.IndexFunc(r.members, func(n node) bool { return n.ID == id })
	next := roster{from: index, members: slices.Clone(r.members), removed: slices.Clone(r.removed)}
	voters := 0
	for _, n := range r.members {
		if !n.Learner {
			voters++
		}
	}
	switch kind := cc.GetType(); {
	case slices.Contains(r.removed, id):
		return roster{}, false
	case kind == raftpb.ConfChangeRemoveNode:
		if at < 0 || voters == 1 && !r.members[at].Learner {
			return roster{}, false
		}
		next.members, next.removed = slices.Delete(next.members, at, at+1), append(next.removed, id)
	case kind == raftpb.ConfChangeUpdateNode:
		if at < 0 || r.taken(said.PeerURLs, id) {
			return roster{}, false
		}
		next.members[at].PeerURLs = said.PeerURLs
	case said.Promote:
		if at < 0 || !r.members[at].Learner {
			return roster{}, false
		}
		next.members[at].Learner = false
	default:
		said.Learner = kind == raftpb.ConfChangeAddLearnerNode
		full := said.Learner && (voters == 0 || len(r.members)-voters >= maxLearners)
		if at >= 0 || full || r.taken(said.PeerURLs, id) {
			return roster{}, false
		}
		next.members = append(next.members, said)
	}
	return next, true
}

// taken tells whether somebody else has one of the URLs.
func (r *roster) taken(urls []string, id uint64) bool {
	return slices.ContainsFunc(r.members, func(n node) bool {
		return n.ID != id && slices.ContainsFunc(n.PeerURLs, func(u string) bool { return slices.Contains(urls, u) })
	})
}

// sameMembers holds the buckets of an image to the roster at its index.
func (f *Fold) sameMembers(image Image, index uint64) (err error) {
	r := f.rosterAt(index)
	left := slices.Clone(r.members)
	image("members", func(k, v []byte) bool {
		id, bad := strconv.ParseUint(string(k), 16, 64)
		have, ok := f.member(v)
		if bad != nil || !ok {
			err = fmt.Errorf("%w: %q is unreadable", ErrMembers, k)
			return false
		}
		at := slices.IndexFunc(left, func(n node) bool { return n.ID == id })
		switch {
		case at < 0:
			err = fmt.Errorf("%w: %d is none by the log up to %d", ErrMembers, id, index)
		case left[at].Learner != have.Learner || !slices.Equal(left[at].PeerURLs, have.PeerURLs):
			err = fmt.Errorf("%w: %d is a learner: %t, at %v; by the log %t, at %v", ErrMembers, id, have.Learner, have.PeerURLs,
				left[at].Learner, left[at].PeerURLs)
		default:
			left = slices.Delete(left, at, at+1)
		}
		return err == nil
	})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: it lacks %d", ErrMembers, left[0].ID)
	}
	gone := 0
	image("members_removed", func(k, _ []byte) bool {
		id, _ := strconv.ParseUint(string(k), 16, 64)
		if !slices.Contains(r.removed, id) && err == nil {
			err = fmt.Errorf("%w: %d was never removed", ErrMembers, id)
		}
		gone++
		return true
	})
	if err == nil && gone < len(r.removed) {
		err = fmt.Errorf("%w: %d were removed, it knows of %d", ErrMembers, len(r.removed), gone)
	}
	return err
}

// member reads a member's record; false if it is unreadable. The same few come again with every image.
func (f *Fold) member(record []byte) (n node, ok bool) {
	if n, ok = f.records[string(record)]; ok {
		return n, true
	}
	if json.Unmarshal(record, &n) != nil {
		return n, false
	}
	if len(f.records) >= maxRecords {
		clear(f.records)
	}
	f.records[string(record)] = n
	return n, true
}

func (f *Fold) rosterAt(index uint64) *roster {
	for i := len(f.rosters) - 1; i > 0; i-- {
		if f.rosters[i].from <= index {
			return &f.rosters[i]
		}
	}
	return &f.rosters[0]
}

// changeMembers follows an entry.
func (f *Fold) changeMembers(e Entry) {
	if e.Change == nil {
		return
	}
	if next, ok := f.rosters[len(f.rosters)-1].after(e.Index, e.Change); ok {
		f.rosters = append(f.rosters, next)
	}
}

// forgetMembers drops the rosters before the one at an index.
func (f *Fold) forgetMembers(index uint64) {
	n := 0
	for n+1 < len(f.rosters) && f.rosters[n+1].from <= index {
		n++
	}
	f.rosters = slices.Delete(f.rosters, 0, n)
}
