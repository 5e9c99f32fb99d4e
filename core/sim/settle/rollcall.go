package settle

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitrine/core/api"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
)

// A cluster that has settled is asked for everything once more: nothing is in the
// way now, so each answer must come, and soon.

// rollcall is how far the asking has come.
type rollcall struct {
	*settling
	at    int
	since int64 // of the present step
	asked int64 // when it last asked
	list  []question
	again any // may be asked again where the answer is not the right one yet
	wrong string
	made  bool  // the files were rewritten to make space
	login int64 // when the visitor logged in
}

// question is what a member is asked in a roll call.
type question struct {
	to    Member
	body  any
	right func(answer any, err error) string // what is wrong with the answer
	token string                             // which the visitor shows, "" = he is root
	tries int
}

// missing does what is next, and says what has not been answered yet.
func (c *rollcall) missing() string {
	steps := [...]struct {
		number int // the promise that is broken by an answer that does not come
		run    func(c *rollcall) (waits string, late bool)
	}{
		{invariant.WatchAnswered, (*rollcall).watchesAnswered},
		{invariant.WatchProgress, (*rollcall).progressAsked}, {invariant.WatchProgress, (*rollcall).progressNotified},
		{invariant.NothingLeft, (*rollcall).nothingLeft},
		{invariant.Timely, (*rollcall).everythingAsked}, {invariant.Authorization, (*rollcall).tokensShown},
		{invariant.Timely, (*rollcall).pairWritten}, {invariant.Timely, (*rollcall).pairRead},
		{invariant.Timely, (*rollcall).pairSummed},
		{invariant.Corrupt, (*rollcall).namedSoon}, {invariant.Alarms, (*rollcall).writesRefused},
		{invariant.Timely, (*rollcall).replaced}, {invariant.Alarms, (*rollcall).alarmDown},
		{invariant.Liveness, (*rollcall).settledAgain},
		{invariant.Alarms, (*rollcall).spaceUsedUp}, {invariant.Alarms, (*rollcall).spaceMade},
		{invariant.Timely, (*rollcall).leaderMoved},
		{invariant.NothingLeft, (*rollcall).nothingLeft},
	}
	for c.at < len(steps) {
		if c.since == 0 {
			c.since = c.Now()
		}
		waits, late := steps[c.at].run(c)
		switch {
		case late:
			c.judge.Broken(steps[c.at].number, "%s, %v after the cluster has settled", waits, time.Duration(c.Now()-c.since))
			return ""
		case waits != "":
			return waits
		}
		c.at, c.since, c.asked = c.at+1, 0, 0
	}
	return ""
}

// answerTime is what a settled cluster may take for one answer.
const answerTime = 5 * time.Second

// over tells whether that is more than a while ago that a cluster may take for something. Where a database is being
// copied on a slow disk, commits wait, and whoever waits for one.
func (c *rollcall) over(limit time.Duration) bool {
	return c.Now()-max(c.since, c.Copied()) > int64(limit)
}

// watchesAnswered: no request on a stream is left without its answer.
func (c *rollcall) watchesAnswered() (string, bool) {
	for _, s := range c.clients.OpenStreams() {
		if s.Judged == nil {
			continue
		}
		if waits := s.Judged.Waits(); waits != "" {
			return fmt.Sprintf("the watch stream of client %d waits for the answer to %s", s.Client, waits), c.over(answerTime)
		}
	}
	return "", false
}

// progressAsked: whoever asks how far the watches of a stream are is told.
func (c *rollcall) progressAsked() (string, bool) {
	if c.asked == 0 || c.Now()-c.asked > int64(time.Second) { // one is free not to answer while it is behind
		c.asked = c.Now()
		for _, s := range c.clients.OpenStreams() {
			if c.tellable(s) {
				c.clients.AskProgress(s)
			}
		}
	}
	return c.untold(func(wt *client.Watcher) bool { return true }), c.over(answerTime)
}

// progressNotified: whoever wants to be told from time to time is.
func (c *rollcall) progressNotified() (string, bool) {
	interval := c.cfg.Progress
	if interval > 3*time.Second {
		return "", false
	}
	// The first may come one interval after the last event, and each up to a tenth later.
	return c.untold(func(wt *client.Watcher) bool { return wt.Create.ProgressNotify }),
		c.over(interval*22/10 + time.Second)
}

// untold names a watch that has not been told how far it is.
func (c *rollcall) untold(wants func(*client.Watcher) bool) string {
	for _, s := range c.clients.OpenStreams() {
		for _, wt := range s.Watchers {
			if wt.Told < c.since && wants(wt) && c.tellable(s) {
				return fmt.Sprintf("client %d was not told how far its watch %d is", s.Client, wt.Number)
			}
		}
	}
	return ""
}

// tellable reports whether the watches of a stream have begun: one that waits for
// a future revision is told nothing.
func (c *rollcall) tellable(s *client.Stream) bool {
	rev := c.core()[0].Store().KV.Revision()
	for _, wt := range s.Watchers {
		if wt.Start > rev || !wt.Answered {
			return false
		}
	}
	return true
}

// soon is when a healthy cluster has answered, whatever it is asked.
const soon = 3 * time.Second

// maxTries is how often a question is asked that is not answered soon: what a
// follower has under way is lost to it when the leader sends it a snapshot.
const maxTries = 3

// ask puts a question on the list; each is asked when the one before is answered.
func (c *rollcall) ask(to Member, body any, right func(answer any, err error) string) {
	c.askShowing(to, "", body, right)
}

// askShowing is ask by who shows a token.
func (c *rollcall) askShowing(to Member, token string, body any, right func(answer any, err error) string) {
	c.list = append(c.list, question{to: to, body: body, right: right, token: token})
	if len(c.list) == 1 {
		c.next()
	}
}

func (c *rollcall) next() {
	q := &c.list[0]
	q.tries++
	cmd := script.Of(q.body)
	op, _, _ := cmd.Body(0)
	slot := c.clients.Issue(c.clients.Number(0), op, q.body, cmd.String(), cmd.FirstKey(), q.to.ID(), soon)
	c.clients.Show(c.clients.Request(slot), q.token)
	c.clients.Request(slot).Then = func(r *client.Request) {
		q := &c.list[0]
		wrong := q.right(r.Answer, r.Err)
		switch {
		case (r.Err == client.ErrDeadline || wrong != "" && q.body == c.again) && q.tries < maxTries:
			c.next()
			return
		case wrong != "" && c.wrong == "":
			c.wrong = fmt.Sprintf("member %d answers %q: %s", q.to.ID(), r.Words, wrong)
		}
		if c.list = c.list[1:]; len(c.list) > 0 {
			c.next()
		}
	}
}

// heard is what the answers of a step have come to.
func (c *rollcall) heard() (string, bool) {
	if len(c.list) > 0 {
		return "members are asked for everything", false
	}
	return c.wrong, c.wrong != ""
}

// compacted is fine, too, where another member was asked first.
func compacted(answer any, err error) string {
	if err != nil && errors.Is(err, api.ErrCompacted) {
		return ""
	}
	return fine(answer, err)
}

func fine(_ any, err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// everythingAsked asks each member for each kind of answer.
func (c *rollcall) everythingAsked() (string, bool) {
	if c.asked > 0 {
		return c.heard()
	}
	c.asked = c.Now()
	key := []byte(ProbeKey)
	leader := c.Leader()
	for _, n := range c.voters() {
		for _, body := range []any{
			&pb.PutRequest{Key: key, Value: fmt.Append(nil, "r", n.ID()), PrevKv: true}, &pb.RangeRequest{Key: key},
			&pb.RangeRequest{Key: key, Serializable: true},
			&pb.TxnRequest{Success: []*pb.RequestOp{client.Get(key)}},
			&pb.TxnRequest{Success: []*pb.RequestOp{client.Put(key, fmt.Append(nil, "t", n.ID())), client.Get(key)}},
			&pb.AlarmRequest{}, &pb.HashRequest{}, &pb.HashKVRequest{},
			&pb.CompactionRequest{Revision: n.Store().KV.Revision(), Physical: true},
			&pb.DeleteRangeRequest{Key: []byte(ProbeKey + "-none")},
		} {
			c.ask(n, body, compacted)
		}
		c.ask(n, &pb.StatusRequest{}, func(answer any, err error) string {
			if s, ok := answer.(*pb.StatusResponse); ok && s.Leader != leader {
				return fmt.Sprintf("the leader is %d, not %d", leader, s.Leader)
			}
			return fine(answer, err)
		})
		for _, linearizable := range []bool{false, true} {
			c.ask(n, &pb.MemberListRequest{Linearizable: linearizable}, func(answer any, err error) string {
				if l, ok := answer.(*pb.MemberListResponse); ok && len(l.Members) != len(c.Members()) {
					return fmt.Sprintf("there are %d members of %d", len(l.Members), len(c.Members()))
				}
				return fine(answer, err)
			})
		}
	}
	return c.heard()
}

// spaceUsedUp takes all the space that a small quota gives: the alarm goes up and
// keeps puts out, everywhere, and nothing else. What has used the space is taken away.
func (c *rollcall) spaceUsedUp() (string, bool) {
	if c.asked > 0 {
		return c.heard()
	}
	c.asked = c.Now()
	first := c.voters()[0]
	quota := int(c.cfg.Quota)
	if !c.smallQuota() {
		return "", false
	}
	key := []byte(ProbeKey)
	put := &pb.PutRequest{Key: key, Value: []byte("1")}
	c.again = put // the alarm may be on its way
	c.ask(first, &pb.PutRequest{Key: key, Value: bytes.Repeat([]byte{'x'}, quota)}, fine)
	for _, n := range c.voters() {
		c.ask(n, put, refusal(api.ErrNoSpace))
		c.ask(n, &pb.TxnRequest{Success: []*pb.RequestOp{client.Get(key)},
			Failure: []*pb.RequestOp{client.Nest(client.Put(key, nil))}}, refusal(api.ErrNoSpace))
		c.ask(n, &pb.RangeRequest{Key: key}, fine)
	}
	c.ask(first, &pb.AlarmRequest{}, spaceAlarms(first, 1))
	c.ask(first, spaceAlarm(first, pb.AlarmRequest_ACTIVATE), spaceAlarms(first, 1)) // it is up already
	c.ask(first, &pb.DeleteRangeRequest{Key: key}, fine)
	for _, n := range c.voters() { // each is asked, so that each has deleted before its file is rewritten
		c.ask(n, &pb.CompactionRequest{Revision: first.Store().KV.Revision() + 2, Physical: true}, compacted)
	}
	return c.heard()
}

// spaceMade: when the files have been rewritten and the alarm is taken down, puts come through.
func (c *rollcall) spaceMade() (string, bool) {
	if !c.smallQuota() {
		return "", false
	}
	if c.asked == 0 {
		c.asked = c.Now()
		c.clients.Defragment(c.clients.Number(0))
	}
	for _, n := range c.Members() {
		if n.Runs() && n.Defragments() {
			return fmt.Sprintf("member %d defragments", n.ID()), c.over(answerTime + n.SlowestSync())
		}
	}
	if !c.made {
		c.made = true
		first := c.voters()[0]
		c.ask(first, spaceAlarm(first, pb.AlarmRequest_DEACTIVATE), spaceAlarms(first, 1))
		c.ask(first, spaceAlarm(first, pb.AlarmRequest_DEACTIVATE), spaceAlarms(first, 0))
		c.ask(first, &pb.PutRequest{Key: []byte(ProbeKey), Value: []byte("1")}, fine)
	}
	return c.heard()
}

// smallQuota tells whether one request can use up the quota.
func (c *rollcall) smallQuota() bool {
	return c.cfg.Quota > 0 && c.cfg.Quota <= limits.MaxRequestBytes/4
}

func spaceAlarm(of Member, action pb.AlarmRequest_AlarmAction) *pb.AlarmRequest {
	return &pb.AlarmRequest{Action: action, MemberID: of.ID(), Alarm: pb.AlarmType_NOSPACE}
}

// spaceAlarms wants n alarms, which one member has raised.
func spaceAlarms(by Member, n int) func(any, error) string {
	return func(answer any, err error) string {
		r, ok := answer.(*pb.AlarmResponse)
		own := func(a *pb.AlarmMember) bool { return a.MemberID == by.ID() && a.Alarm == pb.AlarmType_NOSPACE }
		if !ok || len(r.Alarms) != n || n > 0 && !own(r.Alarms[0]) {
			return fmt.Sprintf("%v, and %d alarms", err, len(r.GetAlarms()))
		}
		return ""
	}
}

func refusal(want *api.Error) func(any, error) string {
	return func(_ any, err error) string {
		if err != error(want) {
			return fmt.Sprintf("%v, not %q", err, want.Text)
		}
		return ""
	}
}

// leaderMoved asks for all changes of leader that are refused or need none, and
// last for one.
func (c *rollcall) leaderMoved() (string, bool) {
	if c.asked > 0 {
		return c.heard()
	}
	c.asked = c.Now()
	core := c.voters()
	at := slices.IndexFunc(core, func(n Member) bool { return n.ID() == c.Leader() })
	leader := core[at]
	c.ask(leader, &pb.MoveLeaderRequest{TargetID: leader.ID()}, fine)
	c.ask(leader, &pb.MoveLeaderRequest{TargetID: script.MaxMachines + 1}, refusal(api.ErrBadLeaderTransferee))
	for _, n := range core {
		if n != leader {
			c.ask(n, &pb.MoveLeaderRequest{TargetID: n.ID()}, refusal(api.ErrNotLeader))
		}
	}
	if next := core[(at+1)%len(core)]; next != leader {
		c.ask(leader, &pb.MoveLeaderRequest{TargetID: next.ID()}, fine)
	}
	return c.heard()
}

// nothingLeft looks into the books of all members. A connection that vanished
// stays there until it is given up.
func (c *rollcall) nothingLeft() (string, bool) {
	for _, n := range c.core() {
		streams, watchers, fenced, named := 0, 0, 0, 0
		for _, s := range c.clients.OpenStreams() {
			if s.There && s.Member == n.ID() {
				streams, watchers = streams+1, watchers+len(s.Watchers)
				if s.Fenced {
					fenced++
				}
				if s.Shows() {
					named++
				}
			}
		}
		allowed := map[string]int{
			"watch streams": streams, "watchers": watchers, "watchers in the index": watchers,
			"streams that require a leader":           fenced,
			"streams whose clients show who they are": named,
		}
		for _, use := range n.Member().Held(nil) {
			if use.Have != allowed[use.Name] {
				return fmt.Sprintf("member %d holds %d %s, there should be %d", n.ID(), use.Have, use.Name, allowed[use.Name]),
					c.over(client.Keepalive + answerTime)
			}
		}
	}
	return "", false
}
