package sim

import (
	"fmt"

	"vitrine/core/pb"
	"vitrine/core/script"
)

// What the simulated clients do by themselves is drawn from the seed, one after
// another, so that nothing can be left out. Recorded as commands it becomes a
// list of decisions, and the same events follow from the list as from the dice.

// keep records a decision of a client.
func (w *World) keep(c script.Command) {
	if w.cfg.Record {
		w.commands = append(w.commands, script.Timed{At: w.clock.Now, Command: c})
	}
}

// decided records a request of a client that began at the node of that index.
func (w *World) decided(c *client, body any, node int) {
	if !w.cfg.Record {
		return
	}
	cmd := script.Of(body)
	cmd.Client, cmd.Member = c.id, uint64(node+1)
	w.keep(cmd)
}

// decideAs makes a simulated client do what a command says. Its own events tell;
// the command leaves none.
func (w *World) decideAs(x *client, a *act, c *script.Command) error {
	if a.decide == nil {
		return fmt.Errorf("sim: %s is not for clients", c.Cmd)
	}
	if err := a.free(x, c); err != nil {
		return err
	}
	return a.decide(w, x, c)
}

// isIdle: a client asks one thing at a time.
func isIdle(x *client, c *script.Command) error {
	if x.request >= 0 {
		return fmt.Errorf("sim: %s: client %d waits for an answer", c.Cmd, c.Client)
	}
	return nil
}

// hasRoom: a client holds few watches.
func hasRoom(x *client, c *script.Command) error {
	if x.stream != nil && !x.stream.closed && len(x.stream.watchers) >= maxWatchers {
		return fmt.Errorf("sim: watch: client %d has %d watches", c.Client, maxWatchers)
	}
	return nil
}

func hasStream(x *client, c *script.Command) error {
	if x.stream == nil || x.stream.closed {
		return fmt.Errorf("sim: %s: client %d has no watch", c.Cmd, c.Client)
	}
	return nil
}

// onStream does something to the stream of a client.
func onStream(do func(w *World, s *stream)) func(*World, *client, *script.Command) error {
	return func(w *World, x *client, _ *script.Command) error {
		do(w, x.stream)
		return nil
	}
}

func (w *World) hangUpStream(s *stream) { w.breakStream(s, true) }

func (w *World) loseStream(s *stream) { w.breakStream(s, false) }

func decideCancel(w *World, x *client, c *script.Command) error {
	w.cancelNumber(x.stream, c.ID)
	return nil
}

func decideRequest(w *World, x *client, c *script.Command) error {
	op, body, err := c.Body(x.lastRev)
	if err != nil {
		return err
	}
	if c.Member != 0 {
		x.next = w.byID(c.Member).ix
	}
	key := c.FirstKey()
	words := op.String()
	if op.Keyed() {
		words += " " + key
	}
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		w.watch(x, create, c.Leader, words, -1)
		return nil
	}
	x.request = w.issue(x, op, body, words, key, -1, w.patience())
	return nil
}

// brokenHow is the verb of a broken connection.
func brokenHow(heard bool) string {
	if heard {
		return script.HangUp
	}
	return script.Vanish
}
