package audit

import (
	"fmt"
	"strconv"
	"strings"

	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// Inconsistent is why a member must not start: its keys are not those of some of its peers.
type Inconsistent struct {
	Member uint64
	Peers  []uint64
}

// Error implements error, in etcd's words.
func (e *Inconsistent) Error() string {
	var peers []string
	for _, id := range e.Peers {
		peers = append(peers, strconv.FormatUint(id, 16))
	}
	return fmt.Sprintf("%x found data inconsistency with peers %s", e.Member, strings.Join(peers, ", "))
}

// AtStart judges the answers about the newest revision of a member that does not serve yet: nil, or an *Inconsistent.
// Who has not answered is left out, and who has another history. Where nothing lives nothing is compared: others answer
// with what a compaction at that revision has left, and by etcd's rule that is another sum then (mvcc.CompactHash).
func AtStart(member uint64, own Hash, lives bool, answers []Answer) error {
	if peers := differing(own, answers); lives && len(peers) > 0 && !mutant.On(mutant.StartUnchecked) {
		return &Inconsistent{member, peers}
	}
	return nil
}

// Lives tells whether a store has any pair at its newest revision.
func Lives(kv *mvcc.Store) bool {
	some, err := kv.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 1, KeysOnly: true})
	return err == nil && len(some.Kvs) > 0
}
