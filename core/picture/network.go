package picture

import (
	"cmp"
	"slices"

	"vitrine/core/trace"
)

// Message types as events carry them.
var (
	msgApp           = messageType("MsgApp")
	msgHeartbeat     = messageType("MsgHeartbeat")
	msgHeartbeatResp = messageType("MsgHeartbeatResp")
	msgSnap          = messageType("MsgSnap")
	msgProp          = messageType("MsgProp")
	msgVoteResp      = messageType("MsgVoteResp")
	msgPreVoteResp   = messageType("MsgPreVoteResp")
	msgReadIndex     = messageType("MsgReadIndex")
	msgReadIndexResp = messageType("MsgReadIndexResp")
)

func messageType(name string) uint8 {
	msg, _ := trace.MessageOf(name) // TestMessageTypes looks that there is one
	return msg
}

// flightsBound is how many messages are shown on their way at most.
const flightsBound = 4096

func (p *Picture) network(e *trace.Event) {
	switch e.Kind {
	case trace.MessageSent:
		if refuses(e) {
			p.refusal(e)
		}
		if len(p.flights) >= flightsBound {
			p.flights = append(p.flights[:0], p.flights[1:]...)
		}
		size := int64(0)
		if m := p.find(e.Member); m != nil && e.Msg == msgSnap && m.sends.to == e.Peer {
			size = m.sends.size
		}
		p.flights = append(p.flights, Message{
			ID: e.Seq, Seq: e.Seq, From: e.Member, To: e.Peer, Type: trace.MessageName(e.Msg), Term: e.Term, Index: e.Index,
			Commit: e.A, LogTerm: e.B, Entries: int(e.C &^ trace.Rejected), Size: size, Reject: e.C&trace.Rejected != 0,
			Sent: int64(e.Now), Arrives: e.Rev, Lost: e.Text,
		})
	case trace.MessageDoubled:
		p.doubled(e)
	case trace.MessageDelivered:
		p.arrived(e)
		p.member(e.Member).heardFrom(e)
	case trace.MessageDropped:
		p.arrived(e)
	case trace.MessageHandled:
		p.handled(e)
	case trace.LinkCut:
		if link := [2]uint64{e.Member, e.Peer}; !slices.Contains(p.cuts, link) {
			p.cuts = append(p.cuts, link)
		}
	case trace.LinkHealed:
		p.cuts = slices.DeleteFunc(p.cuts, func(c [2]uint64) bool { return c == [2]uint64{e.Member, e.Peer} })
	}
}

// handled holds a message where it is, lets it go, or has it fall.
func (p *Picture) handled(e *trace.Event) {
	for i := range p.flights {
		f := &p.flights[i]
		if f.ID != e.Request {
			continue
		}
		switch e.A {
		case trace.HandHeld:
			f.Held = int64(e.Now)
		case trace.HandLetGo:
			f.Waited += int64(e.Now) - f.Held
			f.Held, f.Arrives = 0, e.Rev
		case trace.HandDropped:
			f.Lost = "hand"
			if f.Held == 0 { // it stays where it is until its end
				f.Held = int64(e.Now)
			} else {
				f.Arrives = int64(e.Now)
			}
		}
		return
	}
}

// doubled adds a second copy of a message that is on its way.
func (p *Picture) doubled(e *trace.Event) {
	for i := len(p.flights) - 1; i >= 0; i-- {
		if p.flights[i].Seq == e.Cause {
			again := p.flights[i]
			again.ID, again.Arrives = e.Seq, e.Rev
			if again.Waited, again.Held = 0, 0; int64(e.Now) > again.Sent { // by hand, a while later
				again.Sent = int64(e.Now)
			}
			p.flights = append(p.flights, again)
			return
		}
	}
}

// arrived ends a flight: of two copies the one that comes now, else the earlier.
func (p *Picture) arrived(e *trace.Event) {
	best := -1
	for i := range p.flights {
		f := &p.flights[i]
		if f.Seq != e.Cause {
			continue
		}
		if best < 0 || f.Arrives < p.flights[best].Arrives {
			best = i
		}
		if f.Arrives == int64(e.Now) {
			best = i
			break
		}
	}
	if best >= 0 {
		p.flights = append(p.flights[:best], p.flights[best+1:]...)
	}
}

// drawLinks shows each direction between two members.
func (p *Picture) drawLinks(s *State) {
	s.Links = s.Links[:0]
	for _, from := range p.members {
		for _, to := range p.members {
			if from != to {
				s.Links = append(s.Links, Link{From: from.ID, To: to.ID, Cut: slices.Contains(p.cuts, [2]uint64{from.ID, to.ID})})
			}
		}
	}
}

// byID orders clients.
func byID(c Client, id int) int { return cmp.Compare(c.ID, id) }
