package duty

import (
	"time"

	"vitrine/core/lease"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Self is what a member says of itself, and of the cluster that it founds.
type Self struct {
	// Name and ClientURLs are published to the cluster when the member has started. An empty Name publishes nothing.
	Name       string
	ClientURLs []string
	// ClusterVersion is what this member, as leader, sets if the cluster has no version yet: "3.7.0". "" = see Versions.
	ClusterVersion string
	// Retention is how much history it keeps as leader.
	Retention Retention
}

// Config is what duties are told once.
type Config struct {
	Self
	MemberID uint64
	Retry    time.Duration // the least time between two attempts to publish: an election timeout
}

// State is the member as its duties see it.
type State struct {
	Now          trace.Instant
	Leader, Term uint64
	Leading      bool
	Members      *membership.Members // nil = not known
	Alarms       []*pb.AlarmMember
	Revision     int64 // applied here
}

// Kind says whose a proposal is.
type Kind uint8

// The duties. None marks what a client has asked for.
const (
	None Kind = iota
	SpaceAlarm
	ClusterVersion
	Publication
	LeaseExpiry
	LeaseCheckpoint
	DowngradeEnd
	Compaction
)

// A Proposal is a request of the member's own for the log.
type Proposal struct {
	Duty    Kind
	Request *pb.InternalRaftRequest
	// Term, if not 0, is the only term in which it may be proposed, by its leader.
	Term uint64
}

// An End says what has become of a proposal: it was applied, and refused or not, or it is not known to have been, and
// may be applied yet.
type End struct {
	Duty    Kind
	Applied bool
	Refused bool
}

// duty is one thing that a member does by itself.
type duty interface {
	// due returns what is to be proposed now, nil if nothing is.
	due(s *State) *pb.InternalRaftRequest
	// ended tells that the last proposal is over.
	ended(e End)
}

// Duties are one member's. They are not safe for concurrent use.
type Duties struct {
	publication publication
	version     clusterVersion
	alarm       spaceAlarm
	expiry      leaseExpiry
	checkpoints checkpoints
	downgrade   downgradeEnd
	compaction  compaction
	all         [7]member // in the order in which they propose
}

// member is a duty with its kind. Of a fenced one every proposal is of the term in which it is made.
type member struct {
	kind           Kind
	duty           duty
	fenced         bool
	underWay, most int // proposals
}

// New returns the duties of a member that starts. The clock is that of its leases.
func New(cfg Config, clock *lease.Lessor) *Duties {
	d := &Duties{
		publication: publication{cfg: cfg, done: cfg.Name == ""}, version: clusterVersion{cfg: cfg},
		alarm:  spaceAlarm{member: cfg.MemberID},
		expiry: leaseExpiry{clock: clock}, checkpoints: checkpoints{clock: clock},
		compaction: compaction{keep: cfg.Retention},
	}
	d.all = [...]member{
		{kind: SpaceAlarm, duty: &d.alarm, most: 1}, {kind: ClusterVersion, duty: &d.version, most: 1},
		{kind: DowngradeEnd, duty: &d.downgrade, most: 1}, {kind: Publication, duty: &d.publication, most: 1},
		{kind: LeaseExpiry, duty: &d.expiry, most: limits.LeaseRevokesPending, fenced: true},
		{kind: LeaseCheckpoint, duty: &d.checkpoints, most: 1, fenced: true},
		{kind: Compaction, duty: &d.compaction, most: 1},
	}
	return d
}

// Due appends what is to be proposed now. Each proposal must be followed by an Ended.
func (d *Duties) Due(s *State, list []Proposal) []Proposal {
	for i := range d.all {
		m := &d.all[i]
		for m.underWay < m.most {
			r := m.duty.due(s)
			if r == nil {
				break
			}
			m.underWay++
			p := Proposal{Duty: m.kind, Request: r}
			if m.fenced && !mutant.On(mutant.RevokeUnfenced) {
				p.Term = s.Term
			}
			list = append(list, p)
		}
	}
	return list
}

// Ended takes what has become of a proposal.
func (d *Duties) Ended(e End) {
	for i := range d.all {
		if m := &d.all[i]; m.kind == e.Duty {
			m.underWay--
			m.duty.ended(e)
		}
	}
}

// Applied takes what applying a batch has brought about.
func (d *Duties) Applied(r *store.Result) {
	d.version.appliedTerm = r.Term
	d.alarm.wanted = d.alarm.wanted || r.OverQuota
}

// Versions takes the least and the newest release of all members' servers, nil if not all are known. The leader lets
// the cluster's version rise to the least, and ends a downgrade when all have the release that it was for.
func (d *Duties) Versions(least, newest *membership.Version) {
	d.version.told, d.version.least = true, least
	d.downgrade.told, d.downgrade.least, d.downgrade.newest = true, least, newest
}

// Revoked counts the leases that this member has revoked because they had run out.
func (d *Duties) Revoked() uint64 { return d.expiry.revoked }

// Published tells whether the cluster knows this member's name and URLs.
func (d *Duties) Published() bool { return d.publication.done }
