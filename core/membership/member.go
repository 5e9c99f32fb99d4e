package membership

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitrine/core/invariant"

	"go.etcd.io/raft/v3/raftpb"
)

// Member is one member as it is written, in JSON, into the bucket members and into the context of a conf change.
type Member struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"` // empty until the member has started and published itself
	ClientURLs []string `json:"clientURLs,omitempty"`
}

// Change is the context of a conf change that adds or promotes a member.
type Change struct {
	Member
	IsPromote bool `json:"isPromote"` // a learner becomes a voter; the same type of conf change adds a voter
}

// Started tells whether the member has ever published its attributes.
func (m *Member) Started() bool { return m.Name != "" }

// Clone returns a copy that shares nothing.
func (m *Member) Clone() *Member {
	c := *m
	c.PeerURLs = slices.Clone(m.PeerURLs)
	c.ClientURLs = slices.Clone(m.ClientURLs)
	return &c
}

// Bootstrap is the context of the conf change that brings m into a new cluster: the member alone.
func (m *Member) Bootstrap() []byte { return mustJSON(m) }

// Context is the context of a conf change that adds m, or promotes it.
func (m *Member) Context(promote bool) []byte {
	return mustJSON(Change{Member: *m, IsPromote: promote})
}

// Promotes is Effect of a change that lets a learner vote; raft knows it as one that adds a voter.
const Promotes = 4

// Effect is what a change does, as the trace tells it: raft's ConfChangeType, or Promotes.
func Effect(cc *raftpb.ConfChange) uint64 {
	if c, err := ParseContext(cc.GetContext()); err == nil && c.IsPromote {
		return Promotes
	}
	return uint64(cc.GetType())
}

// ParseContext reads the context of a conf change in either form.
func ParseContext(b []byte) (*Change, error) {
	c := new(Change)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadContext, err)
	}
	return c, nil
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	invariant.Assert(err == nil, "membership: a record cannot be encoded") // it has nothing that JSON cannot say
	return b
}

// IDString writes an id as etcd does: hexadecimal, no leading zeros.
func IDString(id uint64) string { return strconv.FormatUint(id, 16) }

// ParseID reads what IDString wrote.
func ParseID(s string) (uint64, error) { return strconv.ParseUint(s, 16, 64) }

// MemberID derives a member's id: the first 8 bytes of the SHA-1 of its sorted peer URLs, the cluster token and, for a
// member that is added to a running cluster (which has no token there), the time in seconds.
func MemberID(peerURLs []string, token string, unixSeconds *int64) uint64 {
	sorted := slices.Sorted(slices.Values(peerURLs))
	s := strings.Join(sorted, "") + token
	if unixSeconds != nil {
		s += strconv.FormatInt(*unixSeconds, 10)
	}
	sum := sha1.Sum([]byte(s))
	return binary.BigEndian.Uint64(sum[:8])
}

// ClusterID derives the id of a cluster from those of its first members, in any order: the first 8 bytes of the SHA-1
// of the sorted ids.
func ClusterID(members []uint64) uint64 {
	sorted := slices.Sorted(slices.Values(members))
	b := make([]byte, 0, 8*len(sorted))
	for _, id := range sorted {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	sum := sha1.Sum(b)
	return binary.BigEndian.Uint64(sum[:8])
}
