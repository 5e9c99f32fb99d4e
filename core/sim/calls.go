package sim

import (
	"vitrine/core/api"
	"vitrine/core/audit"
	"vitrine/core/pb"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/mirror"
	"vitrine/core/store"
)

// Calls are what operators ask: how a member is, what its data hash to, who is one, which alarms are up, another
// leader.

// answerCall is what a driver adds to a read that the member has let through.
func (l *readLane) answerCall(r *api.ReadReady) (any, error) {
	n := l.of
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		s := r.Partial
		s.DbSize, s.DbSizeInUse, s.StorageVersion = n.backend.Store().Size(), n.backend.Store().SizeInUse(),
			n.store.StorageVersion()
		s.Version, s.DbSizeQuota = clusterVersion, n.store.Quota()
		return s, nil
	case *pb.HashKVRequest:
		return pb.Answer(audit.Ask(n.store, req))
	case *pb.HashRequest:
		return &pb.HashResponse{Hash: mirror.Contents(n.backend)}, nil
	}
	return n.store.Read(r.Body)
}

// storeConfig is what every member's store is told.
func (w *World) storeConfig() store.Config {
	return store.Config{QuotaBytes: w.cfg.Quota, MinLeaseTTL: store.LeaseTTL(w.cfg.ElectionTicks, w.cfg.TickEvery)}
}

const clusterVersion = "3.7.0"

// reply sends a member's answer on its way.
func (n *node) reply(a *api.Reply) {
	w := n.world
	if r := w.clients.Asked(n.id, a.ID); !w.checkups.Back(n, a) && !w.passing.Back(a) && r != nil {
		q := judge.Question{Words: r.Words, Body: r.Body, Term: r.Met.Term, Rev: r.Met.Rev}
		w.judge.Answered(n, &q, a.Response, a.Err, &judge.Facts{
			Version: clusterVersion, First: w.cfg.Members, Most: max(len(w.nodes), len(w.roster.All())), Name: nodeName,
			Known: func(id uint64) bool { return w.byID(id) != nil },
		})
		w.clients.Reply(n, a)
	}
}
