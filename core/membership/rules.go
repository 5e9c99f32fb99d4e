package membership

// What etcd asks of the members before a change is proposed, if it is strict about it: that those who have ever started
// are a quorum of the voters after the change. Who is reachable now is another question (core/api).

// MayAdd tells whether a voter may be added. A lone member may always get a second: this is how a cluster is restored.
func (ms *Members) MayAdd() bool {
	started, voters := ms.started(0)
	return started == 1 && voters == 1 || started >= quorum(voters+1)
}

// MayRemove tells whether a voter may be removed.
func (ms *Members) MayRemove(id uint64) bool {
	started, voters := ms.started(id)
	return started >= quorum(voters)
}

// MayPromote tells whether a learner, which counts as started, may become a voter.
func (ms *Members) MayPromote() bool {
	started, voters := ms.started(0)
	return started+1 >= quorum(voters+1)
}

// MayDowngrade tells why the cluster must not be downgraded to a version now, nil if it may.
func (ms *Members) MayDowngrade(to Version) error {
	switch {
	case ms.version == nil:
		return ErrNoVersion
	case !ms.version.MayDowngrade(to):
		return ErrBadTarget
	case ms.downgrade.Enabled:
		return ErrDowngrading
	}
	return nil
}

// started counts the voters other than one, and those of them that have ever started.
func (ms *Members) started(but uint64) (started, voters int) {
	for _, m := range ms.members {
		if m.IsLearner || m.ID == but {
			continue
		}
		voters++
		if m.Started() {
			started++
		}
	}
	return started, voters
}

func quorum(voters int) int { return voters/2 + 1 }
