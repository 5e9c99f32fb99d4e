package member_test

import (
	"fmt"
	"time"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// A driver of one member: the log is a slice, the store is in memory, and time is a number. A real driver differs in
// that writing, applying and reading happen elsewhere and come back later, in the order of their tickets.
func Example() {
	self := &membership.Member{ID: 1, PeerURLs: []string{"http://localhost:2380"}}
	entries, hard, err := consensus.Bootstrap([]consensus.Peer{{ID: self.ID, Context: self.Bootstrap()}})
	check(err)
	log := entries

	b, err := backend.New(backend.NewMem())
	check(err)
	state, err := store.Open(b, store.Config{}, nil)
	check(err)

	var now trace.Instant
	m, err := member.New(
		member.Config{Config: consensus.Config{ID: self.ID}, ClusterID: 7},
		consensus.Boot{HardState: hard, Entries: entries},
		member.StoreInfo{Revision: state.KV.Revision(), Members: state.Members.Clone()}, now)
	check(err)

	var out member.Output
	answers := map[uint64]any{}
	// drive does what the member wants until it wants nothing any more.
	drive := func(in member.Input) {
		m.Step(now, in)
		for m.Poll(&out); len(out.Log)+len(out.Applies)+len(out.Reads)+len(out.Replies) > 0; m.Poll(&out) {
			for _, w := range out.Log { // in order; a real driver syncs before it reports
				if len(w.Entries) > 0 {
					log = append(log[:w.Entries[0].GetIndex()-1], w.Entries...)
				}
				m.Step(now, member.Input{Kind: member.LogDone, Ticket: w.Ticket})
			}
			for _, a := range out.Applies { // in order
				result := state.Apply(store.ApplyContext{WithPrev: m.WantsPrev()}, a.Entries)
				m.Step(now, member.Input{Kind: member.Applied, Ticket: a.Ticket, Result: result})
			}
			for _, r := range out.Reads { // whenever; the state may be newer by then
				resp, err := state.Read(r.Body)
				answers[r.ID], _ = r.Finish(resp, err)
			}
			for _, r := range out.Replies {
				answers[r.ID] = r.Response
			}
		}
	}

	m.Poll(&out) // a member wants things done from the start: the conf changes of its log are not applied yet
	for _, a := range out.Applies {
		m.Step(now, member.Input{Kind: member.Applied, Ticket: a.Ticket,
			Result: state.Apply(store.ApplyContext{}, a.Entries)})
	}
	for m.Leader() == 0 { // nobody else is there, so after an election timeout it leads
		now += trace.Instant(100 * time.Millisecond)
		drive(member.Input{Kind: member.Tick})
	}
	drive(member.Input{Kind: member.Request, Call: &api.Call{
		ID: 1, Body: &pb.PutRequest{Key: []byte("greeting"), Value: []byte("hello")},
	}})
	drive(member.Input{Kind: member.Request, Call: &api.Call{
		ID: 2, Body: &pb.RangeRequest{Key: []byte("greeting")},
	}})

	kv := answers[2].(*pb.RangeResponse).Kvs[0]
	fmt.Printf("%s = %s at revision %d\n", kv.Key, kv.Value, kv.ModRevision)
	fmt.Printf("the log has %d entries\n", len(log))
	// Output:
	// greeting = hello at revision 2
	// the log has 3 entries
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
