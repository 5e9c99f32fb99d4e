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
	version, job := b.members.Version(), b.members.Downgrade()
	if version == nil {
		b.answer(p, nil, ErrClusterVersionUnavailable)
		return
	}
	set := &pb.DowngradeInfoSetRequest{}
	if r.Action == pb.DowngradeRequest_CANCEL {
		if !job.Enabled {
			b.answerWrite(p, b.downgradeAnswer())
			return
		}
	} else {
		target, _ := membership.ParseTarget(r.Version)
		switch {
		case !version.MayDowngrade(target):
			b.answer(p, nil, ErrInvalidDowngradeTargetVersion)
			return
		case job.Enabled:
			b.answer(p, nil, ErrDowngradeInProcess)
			return
		case r.Action == pb.DowngradeRequest_VALIDATE:
			b.answerWrite(p, b.downgradeAnswer())
			return
		}
		set.Enabled, set.Ver = true, target.String()
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
