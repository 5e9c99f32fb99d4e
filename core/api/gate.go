package api

import "vitrine/core/mutant"

// A Gate says which calls a member takes, as it stands. Every way in asks it: the book for what goes through the
// member, and whoever serves clients for what does not (a serializable read, a stream, a defragmentation), so that a
// rule holds for all of them or for none.
type Gate struct {
	Learner   bool
	Leader    uint64 // that the member knows of; 0 = none
	MaxTxnOps int    // bounds the compares, the success and the failure operations of a txn, each
}

// Admit tells why a call is refused, nil if it is not.
func (g Gate) Admit(c *Call) *Error {
	if err := g.Serves(c); err != nil {
		return err
	}
	if err := g.Led(c); err != nil {
		return err
	}
	return c.operation().validate(c.Body, g.MaxTxnOps)
}

// Serves is the part of Admit that asks whether this kind of member answers such calls. A learner, which may be far
// behind, answers few of clients and all of the server's own.
func (g Gate) Serves(c *Call) *Error {
	o := c.operation()
	if o == NoOperation {
		return ErrUnknownMethod
	}
	if g.Learner && !c.Identity.Own && !o.learnerToo(c.Body) {
		return ErrNotSupportedForLearner
	}
	return nil
}

// Led is the part of Admit that asks for a leader, where the client wants one.
func (g Gate) Led(c *Call) *Error {
	if c.RequireLeader && g.Leader == 0 && !mutant.On(mutant.LeaderNotRequired) {
		return ErrNoLeader
	}
	return nil
}
