package node

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/store"
)

// noteMembers takes the membership after a change that was applied. Only the core loop calls it.
func (n *Node) noteMembers(r *store.Result) {
	if r == nil || r.Members == nil {
		return
	}
	before := n.members.Swap(r.Members)
	if v := r.Members.Version(); v != nil && (before.Version() == nil || *before.Version() != *v) {
		if from := before.Version(); from == nil {
			n.log.Info("set initial cluster version", zap.String("cluster-id", hexID(n.cluster)),
				zap.String("cluster-version", fmt.Sprintf("%d.%d", v.Major, v.Minor)))
		} else {
			n.log.Info("updated cluster version", zap.String("cluster-id", hexID(n.cluster)), zap.Stringer("from", from),
				zap.Stringer("to", v))
		}
		n.metrics.ClusterVersion(*v)
	}
	poke(n.reconnects)
}

// publishStatus makes what others need of the member readable without the core loop.
func (n *Node) publishStatus() {
	st := n.member.Brief()
	n.wantsPrev.Store(n.member.WantsPrev())
	n.term.Store(st.Term)
	n.commitIndex.Store(st.Commit)
	n.appliedIndex.Store(st.Applied)
	n.learner.Store(st.Learner)
	if !n.leading.Swap(st.Leading) && st.Leading {
		poke(n.elected)
	}
	if n.lead.Swap(st.Lead) != st.Lead {
		n.leaderSince.Store(time.Now().UnixNano())
		if st.Lead != 0 {
			n.metrics.LeaderChanges.Inc()
		}
		clear(n.beats)
		n.log.Info("leader changed", zap.String("local-member-id", hexID(n.id)), zap.String("leader", hexID(st.Lead)),
			zap.Uint64("term", st.Term))
	}
	if st.Published && !n.published {
		n.published = true
		n.log.Info("published local member to cluster through raft", zap.String("local-member-id", hexID(n.id)),
			zap.String("local-member-name", n.cfg.Name), zap.String("cluster-id", hexID(n.cluster)))
		close(n.ready)
	}
}

// countWatchers looks at what is too dear to look at after every step. The core loop calls it at every tick.
func (n *Node) countWatchers() {
	counts := n.member.Counts()
	n.metrics.Watchers.Store(int64(counts.Watchers))
	n.metrics.Behind.Store(int64(counts.Behind))
}

// refused is how many messages of peers were refused without a word in the log, and since when.
type refused struct {
	count uint64
	since time.Time
}

// noteRefused says in the log why a peer's message was refused, at most once a second: whoever can send one can send
// many.
func (n *Node) noteRefused(err error) {
	if err == nil {
		return
	}
	r := &n.refused
	r.count++
	if now := time.Now(); now.Sub(r.since) >= time.Second {
		n.log.Warn("refused a message of a peer", zap.String("local-member-id", hexID(n.id)),
			zap.Uint64("refused-since-last", r.count), zap.Error(err))
		*r = refused{since: now}
	}
}

// Figures are the member's as of its last step.
func (n *Node) Figures() telemetry.Figures {
	return telemetry.Figures{
		ID: n.id, Leader: n.lead.Load(), Term: n.term.Load(), Commit: n.commitIndex.Load(), Applied: n.appliedIndex.Load(),
		Leading: n.leading.Load(), Learner: n.learner.Load(), LeaderSince: time.Unix(0, n.leaderSince.Load()),
	}
}
