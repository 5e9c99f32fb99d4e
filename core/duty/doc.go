// Package duty is what a member proposes by itself, without a client who asks for it: its name and URLs when it has
// started, the cluster's version when it leads, the alarm when its database is full,
// the compaction of old history.
//
// A duty hears of what happens to the member, and says at every poll what is to be proposed now. The proposals go
// through the log as clients' do; a duty learns how each has ended and may make it again. None may block another, and
// none waits: that a proposal is under way is a state of the duty.
//
//	d := duty.New(cfg)
//	d.Applied(result)                       // and other things that happen
//	list = d.Due(&duty.State{...}, list)    // at every poll; each goes into the log
//	d.Ended(duty.End{...})                  // once for each
//
// A new duty is a type with due and ended, a Kind, and a place in Duties.all.
package duty
