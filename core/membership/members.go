package membership

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"vitrine/core/backend"
	"vitrine/core/mutant"

	"go.etcd.io/raft/v3/raftpb"
)

// The reasons to refuse a change, in etcd's words where etcd has any.
var (
	ErrIDRemoved        = errors.New("membership: ID removed")
	ErrIDExists         = errors.New("membership: ID exists")
	ErrIDNotFound       = errors.New("membership: ID not found")
	ErrPeerURLExists    = errors.New("membership: peerURL exists")
	ErrMemberNotLearner = errors.New("membership: can only promote a learner member")
	ErrTooManyLearners  = errors.New("membership: too many learner members in cluster")
	ErrNoVoter          = errors.New("membership: no voting member would be left")
	ErrBadContext       = errors.New("membership: bad conf change context")
	ErrBadVersion       = errors.New("membership: not a semantic version")
	ErrNoVersion        = errors.New("membership: the cluster has no version yet")
	ErrBadTarget        = errors.New("membership: the cluster cannot become one of that version")
	ErrDowngrading      = errors.New("membership: a downgrade is under way")
)

// Keys of the bucket cluster.
const (
	keyVersion   = "clusterVersion"
	keyDowngrade = "downgrade"
)

// A Writer takes the changed records; *backend.Batch is one.
type Writer interface {
	Put(b backend.Bucket, key, value []byte)
	Delete(b backend.Bucket, key []byte)
}

// A Reader gives the records that Load folds; *backend.Backend and backend.View are such.
type Reader interface {
	Get(b backend.Bucket, key []byte) []byte
	Range(b backend.Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
}

// Members is the membership of one cluster.
type Members struct {
	members     []*Member // by id
	removed     []uint64  // sorted
	version     *Version
	downgrade   Downgrade
	maxLearners int
}

// New returns the membership of a cluster without members. maxLearners is etcd's --max-learners; 0 means its default,
// 1.
func New(maxLearners int) *Members {
	return &Members{maxLearners: cmp.Or(maxLearners, 1)}
}

// Load reads the membership from its buckets.
func Load(r Reader, maxLearners int) (*Members, error) {
	ms := New(maxLearners)
	var err error
	r.Range(backend.Members, nil, nil, 0, func(k, v []byte) bool {
		m := new(Member)
		if m.ID, err = ParseID(string(k)); err != nil {
			return false
		}
		if err = json.Unmarshal(v, m); err != nil {
			return false
		}
		ms.put(m)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("membership: bucket members: %w", err)
	}
	r.Range(backend.MembersRemoved, nil, nil, 0, func(k, _ []byte) bool {
		var id uint64
		if id, err = ParseID(string(k)); err == nil {
			ms.removed = append(ms.removed, id)
		}
		return err == nil
	})
	if err != nil {
		return nil, fmt.Errorf("membership: bucket members_removed: %w", err)
	}
	slices.Sort(ms.removed) // the bucket is ordered by the text of the id
	if b := r.Get(backend.Cluster, []byte(keyVersion)); b != nil {
		v, err := ParseVersion(string(b))
		if err != nil {
			return nil, err
		}
		ms.version = &v
	}
	if b := r.Get(backend.Cluster, []byte(keyDowngrade)); b != nil {
		if err := json.Unmarshal(b, &ms.downgrade); err != nil {
			return nil, fmt.Errorf("membership: bucket cluster: %w", err)
		}
	}
	return ms, nil
}

// Clone returns a copy that later changes do not touch.
func (ms *Members) Clone() *Members {
	c := *ms
	c.members = slices.Clone(ms.members)
	c.removed = slices.Clone(ms.removed)
	return &c
}

// List returns the members by id. They must not be changed.
func (ms *Members) List() []*Member { return slices.Clone(ms.members) }

// Get returns a member, or nil. It must not be changed.
func (ms *Members) Get(id uint64) *Member {
	if i, ok := ms.find(id); ok {
		return ms.members[i]
	}
	return nil
}

// IsRemoved tells whether the id belonged to a member once. Such an id never returns.
func (ms *Members) IsRemoved(id uint64) bool {
	_, ok := slices.BinarySearch(ms.removed, id)
	return ok
}

// Voters returns the ids of the voting members, sorted.
func (ms *Members) Voters() []uint64 { return ms.ids(false) }

// Learners returns the ids of the learners, sorted.
func (ms *Members) Learners() []uint64 { return ms.ids(true) }

// ConfState is the configuration that raft must have after the same changes.
func (ms *Members) ConfState() *raftpb.ConfState {
	return &raftpb.ConfState{Voters: ms.Voters(), Learners: ms.Learners(), AutoLeave: new(bool)}
}

// Version is the cluster version, or nil if none was set yet.
func (ms *Members) Version() *Version {
	if ms.version == nil {
		return nil
	}
	v := *ms.version
	return &v
}

// Downgrade is the state of the cluster's downgrade.
func (ms *Members) Downgrade() Downgrade { return ms.downgrade }

// Validate tells why the change must be refused, or nil.
func (ms *Members) Validate(cc *raftpb.ConfChange) error {
	_, err := ms.plan(cc)
	return err
}

// Apply performs the change and writes what it changes to w, or refuses it and touches neither.
func (ms *Members) Apply(cc *raftpb.ConfChange, w Writer) error {
	m, err := ms.plan(cc)
	if err != nil {
		return err
	}
	if m != nil {
		ms.put(m)
		ms.save(m, w)
		return nil
	}
	id := cc.GetNodeId()
	i, _ := ms.find(id)
	ms.members = slices.Delete(ms.members, i, i+1)
	at, _ := slices.BinarySearch(ms.removed, id)
	ms.removed = slices.Insert(ms.removed, at, id)
	if !mutant.On(mutant.MemberSecondSource) {
		w.Delete(backend.Members, []byte(IDString(id)))
	}
	w.Put(backend.MembersRemoved, []byte(IDString(id)), []byte("removed"))
	return nil
}

// plan returns the member as it will be after the change, nil for one that will be gone.
func (ms *Members) plan(cc *raftpb.ConfChange) (*Member, error) {
	id := cc.GetNodeId()
	if ms.IsRemoved(id) && !mutant.On(mutant.IDReused) {
		return nil, ErrIDRemoved
	}
	old := ms.Get(id)
	switch cc.GetType() {
	case raftpb.ConfChangeAddNode, raftpb.ConfChangeAddLearnerNode:
		return ms.planAdd(cc, old)
	case raftpb.ConfChangeUpdateNode:
		return ms.planUpdate(cc, old)
	case raftpb.ConfChangeRemoveNode:
		switch {
		case old == nil:
			return nil, ErrIDNotFound
		case !old.IsLearner && len(ms.Voters()) == 1:
			return nil, ErrNoVoter // raft has no configuration without voters
		}
		return nil, nil
	}
	return nil, fmt.Errorf("%w: type %d", ErrBadContext, cc.GetType())
}

func (ms *Members) planAdd(cc *raftpb.ConfChange, old *Member) (*Member, error) {
	c, err := ms.context(cc)
	if err != nil {
		return nil, err
	}
	learner := cc.GetType() == raftpb.ConfChangeAddLearnerNode
	if c.IsPromote {
		switch {
		case old == nil:
			return nil, ErrIDNotFound
		case !old.IsLearner || learner:
			return nil, ErrMemberNotLearner
		}
		m := old.Clone()
		m.IsLearner = false
		return m, nil
	}
	if old != nil {
		return nil, ErrIDExists
	}
	if ms.urlTaken(c.PeerURLs, c.ID) {
		return nil, ErrPeerURLExists
	}
	switch {
	case learner && len(ms.Voters()) == 0:
		return nil, ErrNoVoter
	case learner && len(ms.Learners()) >= ms.maxLearners:
		return nil, ErrTooManyLearners
	}
	m := c.Member
	m.IsLearner = learner
	return &m, nil
}

func (ms *Members) planUpdate(cc *raftpb.ConfChange, old *Member) (*Member, error) {
	if old == nil {
		return nil, ErrIDNotFound
	}
	c, err := ms.context(cc)
	if err != nil {
		return nil, err
	}
	if ms.urlTaken(c.PeerURLs, c.ID) {
		return nil, ErrPeerURLExists
	}
	m := old.Clone()
	m.PeerURLs = c.PeerURLs
	return m, nil
}

func (ms *Members) context(cc *raftpb.ConfChange) (*Change, error) {
	c, err := ParseContext(cc.Context)
	if err != nil {
		return nil, err
	}
	if c.ID != cc.GetNodeId() || c.ID == 0 {
		return nil, fmt.Errorf("%w: node %x, member %x", ErrBadContext, cc.GetNodeId(), c.ID)
	}
	return c, nil
}

// urlTaken tells whether a member other than self has one of the URLs.
func (ms *Members) urlTaken(urls []string, self uint64) bool {
	return slices.ContainsFunc(ms.members, func(m *Member) bool {
		return m.ID != self && slices.ContainsFunc(m.PeerURLs, func(u string) bool { return slices.Contains(urls, u) })
	})
}

// SetAttributes records what a started member says of itself. For a member that was removed meanwhile it does nothing.
func (ms *Members) SetAttributes(id uint64, name string, clientURLs []string, w Writer) error {
	old := ms.Get(id)
	if old == nil {
		if ms.IsRemoved(id) {
			return nil
		}
		return ErrIDNotFound
	}
	m := old.Clone()
	m.Name, m.ClientURLs = name, slices.Clone(clientURLs)
	ms.put(m)
	ms.save(m, w)
	return nil
}

// SetVersion records the cluster version.
func (ms *Members) SetVersion(v Version, w Writer) {
	ms.version = &v
	w.Put(backend.Cluster, []byte(keyVersion), []byte(v.String()))
}

// SetDowngrade records the state of a downgrade.
func (ms *Members) SetDowngrade(d Downgrade, w Writer) {
	ms.downgrade = d
	w.Put(backend.Cluster, []byte(keyDowngrade), mustJSON(d))
}

func (ms *Members) save(m *Member, w Writer) {
	w.Put(backend.Members, []byte(IDString(m.ID)), m.Bootstrap())
}

func (ms *Members) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(ms.members, id, func(m *Member, id uint64) int { return cmp.Compare(m.ID, id) })
}

// put adds or replaces a member. Clones have a list of their own.
func (ms *Members) put(m *Member) {
	i, ok := ms.find(m.ID)
	if ok {
		ms.members[i] = m
	} else {
		ms.members = slices.Insert(ms.members, i, m)
	}
}

func (ms *Members) ids(learners bool) []uint64 {
	var ids []uint64
	for _, m := range ms.members {
		if m.IsLearner == learners {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
