package settle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitrine/core/api"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/checkup"
	"vitrine/core/sim/client"
	"vitrine/core/sim/dice"
)

// Where leaders compare the members' keys, one member of the settled cluster is given a pair that the others do not
// have. It must be named by the alarm CORRUPT, which keeps writes out; an operator puts another machine in its place,
// takes the alarm down, and the cluster must settle once more. Where members that start compare themselves with the
// others, it may be given the pair while its process is down: then it must not start again, and say why.

// replacing is what the search for a member and its replacement may take besides settling.
const replacing = 60 * time.Second

// PairChanged is the text of the event that tells of it.
const PairChanged = "a pair is changed on the disk"

// pairWritten makes one member differ.
func (c *rollcall) pairWritten() (string, bool) {
	if c.spoiled == nil && !c.spoil() {
		return "", false
	}
	if c.asked > 0 {
		return c.heard()
	}
	victim := c.spoiled
	if victim.Runs() && victim.Defragments() { // the copy would take the place of what is written now
		return fmt.Sprintf("member %d defragments", victim.ID()), c.over(answerTime + victim.SlowestSync())
	}
	view, err := victim.Database()
	if err != nil {
		return err.Error(), true
	}
	defer view.Close()
	live, err := victim.Store().KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		return err.Error(), true
	}
	op, ok := checkup.WrongPair(view, live.Kvs, c.drawn())
	if !ok {
		return fmt.Sprintf("member %d has not saved any of its pairs", victim.ID()), c.over(answerTime + victim.SlowestSync())
	}
	if c.down && victim.Durable() < victim.Store().Applied().Index {
		return fmt.Sprintf("member %d has not saved what it has applied", victim.ID()),
			c.over(answerTime + c.cfg.CommitEvery + victim.SlowestSync())
	}
	c.asked = c.Now()
	c.judge.Spoiled(victim.ID())
	if c.Spoil(victim.ID(), op, c.down); c.down {
		return "", false
	}
	c.ledBySpoiled = c.Leader() == victim.ID()
	c.ask(c.voters()[0], c.audited(), unlessCorrupt) // with the next commit the member sees what is there
	return c.heard()
}

// audited is a write that moves the cluster on.
func (c *rollcall) audited() *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(ProbeKey + "-audit"), Value: c.clients.Probe()}
}

// pairRead: when the member has read it, a compaction remembers it, and there is a revision at which all can be asked.
func (c *rollcall) pairRead() (string, bool) {
	if c.spoiled == nil || c.asked > 0 {
		return c.heard()
	}
	if c.down && !c.spoiled.Runs() {
		if strings.Contains(c.spoiled.State(), "data inconsistency") || c.spoiled.Beyond() != nil {
			return "", false // or its log has rotted besides: another takes its place all the same
		}
		return fmt.Sprintf("member %d is %s", c.spoiled.ID(), c.spoiled.State()), c.over(3 * answerTime)
	}
	c.down = false // it could be compared with nobody, as its judge knows: it goes on as any other
	first := c.voters()[0]
	right, _, _, err := first.Store().HashKV(0)
	wrong, _, _, too := c.spoiled.Store().HashKV(0)
	if err = errors.Join(err, too); err != nil {
		return err.Error(), true
	}
	if n := c.spoiled.Store().KV; n.Revision() != first.Store().KV.Revision() || right == wrong {
		return fmt.Sprintf("member %d has not read what its disk has", c.spoiled.ID()),
			c.over(answerTime + c.spoiled.SlowestSync())
	}
	c.asked = c.Now()
	c.compactAnew(first)
	return c.heard()
}

// compactAnew asks for a write and a compaction of it: at a revision that nobody has compacted before.
func (c *rollcall) compactAnew(by Member) {
	c.ask(by, c.audited(), unlessCorrupt)
	c.ask(by, &pb.CompactionRequest{Revision: by.Store().KV.Revision() + 1}, unlessCorrupt)
}

// pairSummed: every member remembers the sum of that compaction. Who was still at the one before takes it over, and
// remembers neither; then they compact once more.
func (c *rollcall) pairSummed() (string, bool) {
	if waits, late := c.heard(); waits != "" || c.spoiled == nil || c.down || c.cfg.Audits.Compactions == 0 {
		return waits, late
	}
	first := c.voters()[0]
	if first.Store().Alarms.Active(pb.AlarmType_CORRUPT) {
		return "", false // it has been compared by other means
	}
	newest := first.Store().KV.CompactRevision()
	for _, n := range append(c.core(), c.spoiled) {
		kv := n.Store().KV
		if kv.Compacting() || kv.CompactRevision() != newest {
			return fmt.Sprintf("member %d is compacting", n.ID()), c.over(answerTime + n.SlowestSync())
		}
		if !slices.ContainsFunc(kv.CompactHashes(), func(h mvcc.CompactHash) bool { return h.Rev == newest }) {
			c.compactAnew(first)
			return fmt.Sprintf("member %d remembers no sum of what it has compacted", n.ID()), c.over(3 * answerTime)
		}
	}
	return "", false
}

// spoil chooses who is to differ: of three members or more, who are all there.
func (c *rollcall) spoil() bool {
	voters := c.voters()
	if !c.cfg.Audits.Wrong || len(voters) < 3 || len(c.core()) < len(c.Members()) || c.machine() > script.MaxMachines {
		return false
	}
	c.spoiled, c.place = voters[c.drawn()%uint64(len(voters))], c.machine()
	c.down = c.cfg.Audits.Start && (!c.leadersLook() || c.drawn()>>40%2 == 0)
	c.deadline += int64(replacing)
	return true
}

// leadersLook tells whether leaders compare the members.
func (c *rollcall) leadersLook() bool {
	return c.cfg.Audits.Leading > 0 || c.cfg.Audits.Compactions > 0
}

// drawn are some bits of the seed.
func (c *rollcall) drawn() uint64 { return dice.Mix(c.cfg.Seed ^ spoiling) }

const spoiling = 0x77726f6e67 // no other choice is made by these bits

// machine is the number of the next one.
func (c *rollcall) machine() uint64 { return uint64(c.Machines() + 1) }

// unlessCorrupt: it is done, or the alarm has been quicker.
func unlessCorrupt(answer any, err error) string {
	if err == error(api.ErrCorrupt) {
		return ""
	}
	return compacted(answer, err)
}

// namedSoon: every member knows of the alarm about the one that differs. If that leads, and compares the others with
// itself, it is they whom it names. The cluster is written to meanwhile: members answer with what a compaction has left
// if the newest revision is its own, and that cannot be compared with what the leader has.
func (c *rollcall) namedSoon() (string, bool) {
	if c.spoiled == nil || c.down || !c.leadersLook() {
		return "", false
	}
	c.ledBySpoiled = c.ledBySpoiled || c.Leader() == c.spoiled.ID() // since it started
	for _, n := range c.core() {
		named := false
		for _, a := range n.Store().Alarms.List(pb.AlarmType_CORRUPT) {
			named = named || a.MemberID == c.spoiled.ID() || c.ledBySpoiled && c.cfg.Audits.Leading > 0
		}
		if !named {
			c.insist(c.audited())
			return fmt.Sprintf("member %d has a pair that the others do not have, and by member %d nobody says so",
				c.spoiled.ID(), n.ID()), c.over(2*max(c.cfg.Audits.Leading, c.cfg.Audits.Compactions) + answerTime)
		}
	}
	return "", false
}

// writesRefused: while the alarm is up nothing is written, and what is there can be read.
func (c *rollcall) writesRefused() (string, bool) {
	if c.spoiled == nil || c.down || !c.leadersLook() || c.asked > 0 {
		return c.heard()
	}
	c.asked = c.Now()
	key := []byte(ProbeKey)
	for _, n := range c.voters() {
		for _, body := range []any{
			&pb.PutRequest{Key: key, Value: []byte("c")}, &pb.DeleteRangeRequest{Key: key},
			&pb.TxnRequest{Success: []*pb.RequestOp{client.Put(key, []byte("c"))}},
			&pb.CompactionRequest{Revision: n.Store().KV.Revision()}, &pb.LeaseGrantRequest{ID: 1, TTL: 1},
		} {
			c.ask(n, body, refusal(api.ErrCorrupt))
		}
		c.ask(n, &pb.RangeRequest{Key: key}, fine)
		c.ask(n, &pb.AlarmRequest{}, fine)
	}
	if c.ledBySpoiled {
		c.ask(c.spoiled, &pb.MoveLeaderRequest{TargetID: c.voters()[0].ID()}, fine)
	}
	return c.heard()
}

// replaced: another machine takes the place of the member. Who asks does so until it is done.
func (c *rollcall) replaced() (string, bool) {
	if c.spoiled == nil {
		return "", false
	}
	removed, added := true, false
	for _, n := range c.Members() {
		removed = removed && n.ID() != c.spoiled.ID()
		added = added || n.ID() == c.place
	}
	add := &pb.MemberAddRequest{PeerURLs: []string{script.MachineURL(c.place)}}
	switch {
	case !removed:
		c.insist(&pb.MemberRemoveRequest{ID: c.spoiled.ID()})
		return fmt.Sprintf("member %d is not removed", c.spoiled.ID()), c.over(3 * answerTime)
	case !added:
		c.insist(add)
		return fmt.Sprintf("member %d is not added", c.place), c.over(3 * answerTime)
	}
	return c.heard()
}

// insist asks once more, if it is time.
func (c *rollcall) insist(body any) {
	if len(c.list) == 0 && c.Now()-c.asked > int64(time.Second) {
		c.asked = c.Now()
		c.ask(c.voters()[0], body, func(any, error) string { return "" })
	}
}

// alarmDown: the alarm is taken down, and the cluster serves as before, with the new member.
func (c *rollcall) alarmDown() (string, bool) {
	if c.spoiled == nil {
		return "", false
	}
	first := c.voters()[0]
	if up := first.Store().Alarms.List(pb.AlarmType_CORRUPT); len(up) > 0 {
		c.insist(&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: up[0].MemberID, Alarm: up[0].Alarm})
		return "the alarm CORRUPT is up", c.over(3 * answerTime)
	}
	c.probing = probePut
	return c.heard()
}

// settledAgain: what was demanded of the cluster before holds for it now.
func (c *rollcall) settledAgain() (string, bool) {
	if c.spoiled == nil || c.probing == probeDone {
		return "", false
	}
	return "the cluster is to settle once more", c.over(replacing)
}
