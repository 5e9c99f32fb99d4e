package api

import (
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// downgrade takes a question about the downgrade of the cluster. What is decided rests on a state that is as new as the
// question.
func (b *Book) downgrade(p *pending, r *pb.DowngradeRequest) {
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		if _, err := membership.ParseTarget(r.Version); err != nil {
			b.answer(p, nil, ErrWrongDowngradeVersionFormat)
			return
		}
	case pb.DowngradeRequest_CANCEL:
	default:
		b.answer(p, nil, ErrUnknownMethod)
		return
	}
	b.read(p, false)
}

// downgradeAt decides by the state of now, and proposes what follows. To cancel what is not under way is no error to
// clients.
func (b *Book) downgradeAt(p *pending, r *pb.DowngradeRequest) {
	set := &pb.DowngradeInfoSetRequest{}
	done := r.Action == pb.DowngradeRequest_VALIDATE
	if r.Action == pb.DowngradeRequest_CANCEL {
		done = !b.members.Downgrade().Enabled
	} else {
		target, _ := membership.ParseTarget(r.Version)
		if err := b.members.MayDowngrade(target); err != nil {
			b.answer(p, nil, AsError(err))
			return
		}
		set.Enabled, set.Ver = true, target.String()
	}
	if done {
		b.answerWrite(p, b.downgradeAnswer())
		return
	}
	b.write(p, &pb.InternalRaftRequest{DowngradeInfoSet: set})
}

// downgradeAnswer names the version that the cluster has, not the one it is to have.
func (b *Book) downgradeAnswer() *pb.DowngradeResponse {
	r := &pb.DowngradeResponse{}
	if v := b.members.Version(); v != nil {
		r.Version = v.Cluster()
	}
	return r
}
