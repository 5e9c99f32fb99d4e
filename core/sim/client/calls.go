package client

import (
	"slices"

	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/script"
)

// Calls are what operators ask: how a member is, what its data hash to, who the
// members are, which alarms are up, and to hand over leadership.

// call is a call of any kind. Alarms are raised by hand only where the seed wants
// that; who has been refused for one looks what is up and takes it down.
func (g *grammar) call() (script.Op, any) {
	members := g.p.host.Members()
	some := members[g.n(len(members))]
	switch g.n(10) {
	case 0, 1:
		return script.OpStatus, &pb.StatusRequest{}
	case 2:
		return script.OpHash, &pb.HashRequest{}
	case 3, 4:
		rev := g.past(16)
		if g.one(3) {
			rev = 0
		}
		return script.OpHashKV, &pb.HashKVRequest{Revision: rev}
	case 5:
		return script.OpMembers, &pb.MemberListRequest{Linearizable: g.one(2)}
	case 6, 7:
		if g.one(8) {
			some = slices.Max(members) + 1 + uint64(g.n(3)) // nobody
		}
		return script.OpMoveLeader, &pb.MoveLeaderRequest{TargetID: some}
	}
	r := &pb.AlarmRequest{MemberID: some, Alarm: pb.AlarmType_NOSPACE}
	if g.one(4) {
		r.Alarm = pb.AlarmType(g.n(3))
	}
	if g.p.load.Alarms && !g.one(3) {
		r.Action = pb.AlarmRequest_AlarmAction(1 + g.n(2))
	}
	return script.OpAlarm, r
}

// leases is how many leases the clients share: few, so that they take them from each other.
const leases = 10

// LongestLease is the longest TTL that they ask for, in seconds.
const LongestLease = 8

// lease is what a client does about one of the leases.
func (g *grammar) lease() (script.Op, any) {
	id := int64(1 + g.n(leases))
	switch g.n(12) {
	case 0, 1, 2:
		return script.OpLeaseGrant, &pb.LeaseGrantRequest{ID: id, TTL: int64(1 + g.n(LongestLease))}
	case 3:
		return script.OpLeaseRevoke, &pb.LeaseRevokeRequest{ID: id}
	case 4, 5:
		return script.OpTimeToLive, &pb.LeaseTimeToLiveRequest{ID: id, Keys: g.one(2)}
	case 6:
		return script.OpLeases, &pb.LeaseLeasesRequest{}
	}
	return script.OpKeepAlive, &pb.LeaseKeepAliveRequest{ID: id}
}

// Repair is what a client does that was refused for an alarm: it makes room, in the keys and then in the files, asks
// what is up, and takes it down.
func (p *Pool) Repair(c *Client) (script.Op, any) {
	switch {
	case len(c.Alarms) > 0:
		a := c.Alarms[0]
		c.Alarms = c.Alarms[1:]
		return script.OpAlarm, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.MemberID, Alarm: a.Alarm}
	case !c.cleared:
		c.cleared = true
		return script.OpCompact, &pb.CompactionRequest{Revision: max(1, c.LastRev), Physical: true}
	}
	p.Defragment(c)
	c.Refused, c.cleared = false, false
	return script.OpAlarm, &pb.AlarmRequest{}
}

// Defragment makes all members give back what their files do not use.
func (p *Pool) Defragment(c *Client) {
	for _, id := range p.host.Members() {
		if s := p.host.Server(id); s != nil && s.Defragment() && c.ID != 0 {
			p.host.Decided(script.Command{Cmd: script.Defragment, Member: id, Client: c.ID})
		}
	}
}

// refusedFor notes what an answer tells a client of alarms.
func (c *Client) refusedFor(answer any, err error) {
	if r, ok := answer.(*pb.AlarmResponse); ok && err == nil && len(r.Alarms) > 0 {
		c.Alarms = r.Alarms
	}
	if err == error(api.ErrNoSpace) || err == error(api.ErrCorrupt) {
		c.Refused = true
	}
}
