package member_test

import (
	"fmt"
	"testing"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// solo is one member whose log takes no time and whose store does nothing but answer, so that what is measured is the
// member.
type solo struct {
	m   *member.Member
	out member.Output
	req uint64
}

func newSolo(b *testing.B) *solo {
	entries, hs, err := consensus.Bootstrap([]consensus.Peer{{ID: 1}})
	must(b, err)
	m, err := member.New(member.Config{Config: consensus.Config{ID: 1}, ClusterID: 2, Limits: api.Limits{SlowRequest: -1}},
		consensus.Boot{HardState: hs, Entries: entries}, member.StoreInfo{}, 0)
	must(b, err)
	s := &solo{m: m}
	s.poll()
	m.Step(0, member.Input{Kind: member.Campaign})
	s.poll()
	if m.Leader() != 1 {
		b.Fatal("no leader")
	}
	return s
}

func (s *solo) poll() {
	for {
		s.m.Poll(&s.out)
		if len(s.out.Log)+len(s.out.Applies)+len(s.out.Replies)+len(s.out.Reads) == 0 {
			return
		}
		if n := len(s.out.Log); n > 0 {
			s.m.Step(trace.Instant(s.req), member.Input{Kind: member.LogDone, Ticket: s.out.Log[n-1].Ticket})
		}
		for _, a := range s.out.Applies {
			r := &store.Result{Index: a.Entries[len(a.Entries)-1].GetIndex()}
			for _, e := range a.Entries {
				r.Term = e.GetTerm()
				if e.GetType() != 0 {
					r.ConfChanges = append(r.ConfChanges, confChange(e.GetData()))
					continue
				}
				if len(e.GetData()) > 0 {
					var req pb.InternalRaftRequest
					if err := req.UnmarshalVT(e.GetData()); err != nil {
						panic(err)
					}
					r.Outcomes = append(r.Outcomes, store.Outcome{ID: req.Header.ID, Index: e.GetIndex(), Response: &pb.PutResponse{}})
				}
			}
			s.m.Step(trace.Instant(s.req), member.Input{Kind: member.Applied, Ticket: a.Ticket, Result: r})
		}
	}
}

// BenchmarkPut is a put through one member: request, proposal, log, commit, apply, answer. A batch is what a driver
// finds in its inbox at once.
func BenchmarkPut(b *testing.B) {
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := newSolo(b)
			value := make([]byte, 256)
			b.ReportAllocs()
			for b.Loop() {
				for range batch {
					s.req++
					s.m.Step(trace.Instant(s.req), member.Input{Kind: member.Request, Call: &api.Call{
						ID: s.req, Body: &pb.PutRequest{Key: []byte("key"), Value: value},
					}})
				}
				s.poll()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/put")
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// BenchmarkRead is a linearizable read up to the permission to read.
func BenchmarkRead(b *testing.B) {
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := newSolo(b)
			body := &pb.RangeRequest{Key: []byte("key")}
			b.ReportAllocs()
			for b.Loop() {
				for range batch {
					s.req++
					s.m.Step(trace.Instant(s.req), member.Input{Kind: member.Request, Call: &api.Call{ID: s.req, Body: body}})
				}
				s.poll()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/read")
		})
	}
}

// BenchmarkTick is what an idle member costs.
func BenchmarkTick(b *testing.B) {
	s := newSolo(b)
	b.ReportAllocs()
	for b.Loop() {
		s.req++
		s.m.Step(trace.Instant(s.req), member.Input{Kind: member.Tick})
		s.m.Poll(&s.out)
	}
}
