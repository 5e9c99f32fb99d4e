package serving

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// noteSlow writes the way of a request that took long into the log, in etcd's words and without the steps that took no
// time of their own, as etcd leaves out the short ones.
func (s *Server) noteSlow(r *api.SlowRequest) {
	if r == nil {
		return
	}
	var steps []string
	last := r.Start
	for _, st := range r.Stations {
		if took := time.Duration(st.At - last); took > 0 {
			steps = append(steps, st.Name+" (duration: "+took.String()+")")
		}
		last = st.At
	}
	s.log.Info(
		"trace["+r.Operation.String()+"]",
		zap.Strings("steps", steps),
		zap.Duration("duration", r.Elapsed(s.Now())),
	)
}

// noteSlowRead writes a line about a read that took long, in etcd's words.
func (s *Server) noteSlowRead(op api.Operation, request, response any, took time.Duration, err error) {
	s.metrics.SlowApplies.Inc()
	prefix := "read-only range "
	if op == api.Txn {
		prefix = "read-only txn "
	}
	said := ""
	if m, ok := response.(interface{ SizeVT() int }); ok && err == nil {
		said = fmt.Sprintf("size:%d", m.SizeVT())
	}
	if r, ok := response.(*pb.RangeResponse); ok && err == nil {
		said = fmt.Sprintf("range_response_count:%d %s", len(r.Kvs), said)
	}
	s.log.Warn(
		"apply request took too long",
		zap.Duration("took", took),
		zap.Duration("expected-duration", s.cfg.Disk.SlowApply),
		zap.String("prefix", prefix),
		zap.String("request", api.Describe(request)),
		zap.String("response", said),
		zap.Error(err),
	)
}
