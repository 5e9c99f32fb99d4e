// Package clock is virtual time: what time it is, and what is to happen when.
// Time is a number of nanoseconds that moves from one event to the next; events
// of one moment happen in the order in which they were scheduled, commands and
// faults before all others.
//
//	c.Push(clock.Event{At: c.Now + int64(time.Second), Kind: wake})
//	e := c.Next() // c.Now is a second later
package clock
