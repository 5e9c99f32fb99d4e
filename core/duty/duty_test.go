package duty

import (
	"testing"
	"time"

	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// world is duties and the member that they see.
type world struct {
	t *testing.T
	d *Duties
	s State
}

func newWorld(t *testing.T, cfg Config) *world {
	cfg.MemberID = 7
	return &world{t: t, d: New(cfg, nil), s: State{Members: membership.New(0)}}
}

// wants polls and compares whose proposals come.
func (w *world) wants(when string, kinds ...Kind) []Proposal {
	w.t.Helper()
	list := w.d.Due(&w.s, nil)
	if len(list) != len(kinds) {
		w.t.Fatalf("%s: %d proposals, want %d", when, len(list), len(kinds))
	}
	for i, p := range list {
		if p.Duty != kinds[i] {
			w.t.Errorf("%s: proposal %d is of %d, want %d", when, i, p.Duty, kinds[i])
		}
	}
	return list
}

// TestPublication: tried again until the cluster knows it, with a pause, and never twice at a time.
func TestPublication(t *testing.T) {
	w := newWorld(t, Config{Self: Self{Name: "m", ClientURLs: []string{"u"}}, Retry: time.Second})
	w.wants("without a leader")
	w.s.Leader = 1
	p := w.wants("with a leader", Publication)[0].Request.ClusterMemberAttrSet
	if p.GetMember_ID() != 7 || p.GetMemberAttributes().GetName() != "m" {
		t.Errorf("publishes %v", p)
	}
	w.s.Now = trace.Instant(5 * time.Second)
	w.wants("while it is under way")
	w.d.Ended(End{Duty: Publication})
	w.wants("after it was lost", Publication)
	w.d.Ended(End{Duty: Publication, Applied: true, Refused: true})
	w.wants("at once after it was refused")
	w.s.Now += trace.Instant(time.Second)
	w.wants("later", Publication)
	w.d.Ended(End{Duty: Publication, Applied: true})
	w.s.Now += trace.Instant(time.Hour)
	w.wants("when it is done")
	if !w.d.Published() || !New(Config{}, nil).Published() {
		t.Error("not published")
	}
}

// TestClusterVersionOfALeader: once a term, when something of it is applied, and again if that was lost.
func TestClusterVersionOfALeader(t *testing.T) {
	w := newWorld(t, Config{Self: Self{ClusterVersion: "3.7.0"}})
	w.s.Term, w.s.Leader = 2, 7
	w.d.Applied(&store.Result{Term: 2})
	w.wants("at a follower")
	w.s.Leading, w.s.Term = true, 3
	w.wants("before anything of its term is applied")
	w.d.Applied(&store.Result{Term: 3})
	if v := w.wants("then", ClusterVersion)[0].Request.ClusterVersionSet.GetVer(); v != "3.7.0" {
		t.Errorf("proposes %s", v)
	}
	w.d.Ended(End{Duty: ClusterVersion})
	w.wants("when it was lost")
	w.d.Applied(&store.Result{Term: 3})
	w.wants("with the next entry", ClusterVersion)
	w.d.Ended(End{Duty: ClusterVersion, Applied: true})
	w.d.Applied(&store.Result{Term: 3})
	w.wants("when it was set")
}

// TestClusterVersionOfTheServers: news of releases counts once, at a leader, and not while a version is under way.
func TestClusterVersionOfTheServers(t *testing.T) {
	w := newWorld(t, Config{})
	least := &membership.Version{Major: 3, Minor: 6, Patch: 4}
	w.d.Versions(least, least)
	w.wants("at a follower")
	w.s.Leading = true
	w.wants("after it was told as a follower")
	w.d.Versions(least, least)
	if v := w.wants("at a leader", ClusterVersion)[0].Request.ClusterVersionSet.GetVer(); v != "3.6.0" {
		t.Errorf("proposes %s", v)
	}
	w.d.Versions(least, least)
	w.d.Ended(End{Duty: ClusterVersion, Applied: true})
	w.wants("with the news of before")
}

// TestSpaceAlarm: raised once for what went over the quota, and not if it is up.
func TestSpaceAlarm(t *testing.T) {
	w := newWorld(t, Config{})
	w.d.Applied(&store.Result{})
	w.wants("with space")
	w.d.Applied(&store.Result{OverQuota: true})
	a := w.wants("without space", SpaceAlarm)[0].Request.Alarm
	if a.GetMemberID() != 7 || a.GetAlarm() != pb.AlarmType_NOSPACE || a.GetAction() != pb.AlarmRequest_ACTIVATE {
		t.Errorf("raises %v", a)
	}
	w.d.Applied(&store.Result{OverQuota: true})
	w.wants("while it is under way")
	w.d.Ended(End{Duty: SpaceAlarm, Applied: true})
	w.wants("when it is up")
	w.s.Alarms = []*pb.AlarmMember{{MemberID: 7, Alarm: pb.AlarmType_NOSPACE}}
	w.d.Applied(&store.Result{OverQuota: true})
	w.wants("when more went over")
}
