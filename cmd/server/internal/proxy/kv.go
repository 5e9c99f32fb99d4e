package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/api"
	"vitrine/core/pb"
)

func (p *Proxy) rangeOf(c *call, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	anybody := c.caller.Anonymous()
	if r.Serializable && anybody {
		answer, err := p.memory.get(r)
		if answer != nil || err != nil {
			p.meters.hits.Inc()
			return answer, err
		}
		p.meters.misses.Inc()
	}
	asked, err := p.space.Range(r)
	if err != nil {
		return nil, err
	}
	var q *question
	if anybody {
		q = p.memory.ask(r)
	}
	var answer *pb.RangeResponse
	err = p.inOrder(func() (*pb.ResponseHeader, error) {
		answer = &pb.RangeResponse{}
		err := p.cluster.Ask(c.asked(), c.method, asked, answer, true)
		return answer.Header, err
	})
	if err != nil {
		answer = nil
	} else {
		p.space.RangeAnswer(answer)
	}
	if anybody {
		p.memory.answer(q, answer)
		p.meters.keys(p.memory)
	}
	return answer, err
}

func (p *Proxy) rangeStream(*call) error {
	return status.Error(codes.Unimplemented, "RangeStream is not supported by the gRPC proxy")
}

// writing forgets what a write may change, before it and after: in between somebody may have read the old state.
func (p *Proxy) writing(forget func(), write func() error) error {
	forget()
	err := write()
	forget()
	p.meters.keys(p.memory)
	return err
}

func (p *Proxy) put(c *call, r *pb.PutRequest) (*pb.PutResponse, error) {
	asked, err := p.space.Put(r)
	if err != nil {
		return nil, err
	}
	answer := &pb.PutResponse{}
	err = p.writing(func() { p.memory.invalidate(r.Key, nil) }, func() error {
		return p.cluster.Ask(c.asked(), c.method, asked, answer, false)
	})
	p.space.PutAnswer(answer)
	return answer, err
}

func (p *Proxy) deleteRange(c *call, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	asked, err := p.space.Delete(r)
	if err != nil {
		return nil, err
	}
	answer := &pb.DeleteRangeResponse{}
	err = p.writing(func() { p.memory.invalidate(r.Key, r.RangeEnd) }, func() error {
		return p.cluster.Ask(c.asked(), c.method, asked, answer, false)
	})
	p.space.DeleteAnswer(answer)
	return answer, err
}

func (p *Proxy) txn(c *call, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	asked, err := p.space.Txn(r)
	if err != nil {
		return nil, err
	}
	answer := &pb.TxnResponse{}
	err = p.writing(func() { p.invalidate(r) }, func() error {
		return p.inOrder(func() (*pb.ResponseHeader, error) {
			answer = &pb.TxnResponse{}
			err := p.cluster.Ask(c.asked(), c.method, asked, answer, pb.ReadOnly(r))
			return answer.Header, err
		})
	})
	p.space.TxnAnswer(answer)
	return answer, err
}

// invalidate forgets what a transaction may change, and what it compares: who asks so has seen that it is not what it
// thought.
func (p *Proxy) invalidate(r *pb.TxnRequest) {
	for _, c := range r.Compare {
		p.memory.invalidate(c.Key, c.RangeEnd)
	}
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			if w := op.GetRequestPut(); w != nil {
				p.memory.invalidate(w.Key, nil)
			}
			if w := op.GetRequestDeleteRange(); w != nil {
				p.memory.invalidate(w.Key, w.RangeEnd)
			}
			if inner := op.GetRequestTxn(); inner != nil {
				p.invalidate(inner)
			}
		}
	}
}

func (p *Proxy) compact(c *call, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	answer := &pb.CompactionResponse{}
	if err := p.cluster.Ask(c.asked(), c.method, r, answer, false); err != nil {
		return nil, err
	}
	p.memory.compact(r.Revision)
	return answer, nil
}

func (p *Proxy) timeToLive(c *call, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	answer := &pb.LeaseTimeToLiveResponse{}
	if err := p.cluster.Ask(c.asked(), c.method, r, answer, true); err != nil {
		return nil, err
	}
	answer.Keys = p.space.Keys(answer.Keys)
	return answer, nil
}

// order keeps answers from going back behind those before.
type order struct {
	on   bool
	seen atomic.Int64
}

// errNoGreaterRev has the words of etcd's client library.
var errNoGreaterRev = errors.New(
	"etcdclient: no cluster members have a revision higher than the previously received revision")

// disorderPause is the wait before the next member is asked.
const disorderPause = 25 * time.Millisecond

// inOrder asks one member after another until one knows what was answered before the call; each is asked twice.
func (p *Proxy) inOrder(ask func() (*pb.ResponseHeader, error)) error {
	if !p.order.on {
		_, err := ask()
		return err
	}
	before := p.order.seen.Load()
	for range 2*len(p.cluster.Endpoints()) + 1 {
		header, err := ask()
		if err != nil {
			return err
		}
		for rev := header.GetRevision(); rev >= before; {
			if seen := p.order.seen.Load(); rev <= seen || p.order.seen.CompareAndSwap(seen, rev) {
				return nil
			}
		}
		if !tasks.Sleep(disorderPause, p.ctx.Done()) {
			break
		}
	}
	return errNoGreaterRev
}

// firstLook learns where the order begins: nobody is to see less than what there was before this proxy.
func (p *Proxy) firstLook() error {
	if !p.cfg.Ordering {
		return nil
	}
	p.log.Info("waiting for linearized read from cluster to recover ordering")
	for {
		r := &pb.RangeResponse{}
		err := p.cluster.Ask(p.ctx, api.Range.Method(), &pb.RangeRequest{Key: []byte("_"), KeysOnly: true}, r, true)
		if err == nil {
			p.order.seen.Store(r.Header.GetRevision())
			return nil
		}
		p.log.Warn("ordering recovery failed, retrying in 1s", zap.Error(err))
		if !tasks.Sleep(time.Second, p.ctx.Done()) {
			return p.ctx.Err()
		}
	}
}
