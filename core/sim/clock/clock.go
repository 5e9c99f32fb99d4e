package clock

// Clock is the time of one world, with the queue of what is to happen.
type Clock struct {
	Queue
	Now   int64  // nanoseconds since the world began
	Busy  int64  // when the last event happened
	Taken uint64 // events so far
}

// Next takes the next event from the queue, which must not be empty, and moves to
// its moment.
func (c *Clock) Next() Event {
	e := c.Pop()
	c.Now, c.Busy = e.At, e.At
	c.Taken++
	return e
}
