package settle

import (
	"fmt"
	"strings"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/sim/client"
)

// core are the members whose disks are not damaged for good, and whose pairs are right.
func (s *settling) core() (core []Member) {
	for _, n := range s.Members() {
		if n.Beyond() == nil && (s.spoiled == nil || n.ID() != s.spoiled.ID()) {
			core = append(core, n)
		}
	}
	return core
}

// voters are those of the core who vote: they answer everything.
func (s *settling) voters() (voters []Member) {
	for _, n := range s.core() {
		if !n.Learner() {
			voters = append(voters, n)
		}
	}
	return voters
}

// Unrecoverable names the damage that leaves no quorum of good disks, "" if
// there is one. A cluster in that state must answer nothing that needs one: it
// is halted, and safe.
func Unrecoverable(members []Member) string {
	good, all := 0, 0
	var b strings.Builder
	for _, n := range members {
		if n.Learner() {
			continue
		}
		all++
		if err := n.Beyond(); err != nil {
			fmt.Fprintf(&b, "; member %d: %v", n.ID(), err)
		} else {
			good++
		}
	}
	if good > all/2 {
		return ""
	}
	return fmt.Sprintf("%d of %d disks are good%s", good, all, &b)
}

// haltedFor is how long a halted cluster is watched for an answer that it must not
// give.
const haltedFor = 10 * time.Second

// halted sees to it that a cluster without a quorum of good disks confirms
// neither a write nor a linearizable read.
func (s *settling) halted() {
	// What was on its way when the last good disk went has its answer by then.
	s.RunUntil(s.Now() + int64(time.Second))
	s.Within(func() { s.put = s.write() })
	s.RunUntil(s.Now() + int64(haltedFor))
	wrote := ""
	s.Within(func() {
		wrote = s.clients.Request(s.put).Status
		s.get = s.read()
	})
	s.RunUntil(s.Now() + int64(haltedFor))
	s.Within(func() {
		if read := s.clients.Request(s.get).Status; wrote == client.OK || read == client.OK {
			s.judge.Broken(invariant.AckedDurable, "the cluster answers (write %s, read %s) though %s",
				wrote, read, Unrecoverable(s.Members()))
		}
	})
}
