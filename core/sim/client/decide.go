package client

import (
	"fmt"
	"slices"

	"vitrine/core/pb"
	"vitrine/core/script"
)

// What the simulated clients do by themselves is drawn from the seed, one after
// another, so that nothing can be left out. Recorded as commands it becomes a
// list of decisions, and the same events follow from the list as from the dice.

// decided records a request of a client that began at a member.
func (p *Pool) decided(c *Client, body any, member uint64, token string) {
	if !p.cfg.Record {
		return
	}
	cmd := script.Of(body)
	cmd.Client, cmd.Member, cmd.Token = c.ID, member, token
	p.host.Decided(cmd)
}

// deed is what a simulated client does for a verb, and what keeps it from doing so.
type deed struct {
	free func(c *Client, cmd *script.Command) error
	do   func(p *Pool, c *Client, cmd *script.Command) error
}

// deeds is the table, by verb. All requests but one share a row: what they ask is
// told by package script.
func deeds() map[string]deed {
	deeds := map[string]deed{
		script.CancelWatch: {hasStream, cancel},
		script.EndStream:   {hasStream, onStream((*Pool).CloseStream)},
		script.AskProgress: {hasStream, onStream((*Pool).AskProgress)},
		script.HangUp:      {hasStream, onStream((*Pool).hangUpStream)},
		script.Vanish:      {hasStream, onStream((*Pool).loseStream)},
		script.Watch:       {hasRoom, request},
		script.Defragment:  {always, rewrite},
	}
	for _, v := range script.Verbs() {
		if _, known := deeds[v.Name]; !known && v.Op != 0 {
			deeds[v.Name] = deed{isIdle, request}
		}
	}
	return deeds
}

// Does reports whether simulated clients have that verb.
func (p *Pool) Does(verb string) bool {
	_, known := p.deeds[verb]
	return known
}

// Decide makes a simulated client do what a command says. Its own events tell; the
// command leaves none.
func (p *Pool) Decide(cmd *script.Command) error {
	c := p.clients[cmd.Client]
	d, known := p.deeds[cmd.Cmd]
	if !known {
		return fmt.Errorf("client: %s is not for clients", cmd.Cmd)
	}
	if err := d.free(c, cmd); err != nil {
		return err
	}
	return d.do(p, c, cmd)
}

// Visit makes the visitor ask something, told in words, and returns the id of his
// request.
func (p *Pool) Visit(cmd *script.Command, words string) (uint64, error) {
	visitor := p.clients[0]
	op, body, err := cmd.Body(visitor.LastRev)
	if err != nil {
		return 0, err
	}
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		visitor.as, visitor.shows = cmd.As, cmd.Token
		return p.Watch(visitor, create, cmd.Leader, words, cmd.Member).ID, nil
	}
	slot := p.Issue(visitor, op, body, words, cmd.Key, cmd.Member, p.cfg.Workload.Timeout)
	switch r := p.requests.At(slot); {
	case cmd.As != "":
		r.Who = Named(cmd.As)
	case cmd.Token != "":
		p.Show(r, cmd.Token)
	}
	return p.requests.At(slot).ID, nil
}

// WatchToCancel is the visitor's watch that a command means, nil if there is none.
func (p *Pool) WatchToCancel(cmd *script.Command) *Watcher {
	for i := len(p.watchers) - 1; i >= 0; i-- {
		wt := p.watchers[i]
		if !wt.Closed && wt.Client == 0 && (cmd.Request == 0 || cmd.Request == wt.ID) {
			return wt
		}
	}
	return nil
}

// always: nothing keeps a client from it.
func always(*Client, *script.Command) error { return nil }

// rewrite makes a member give back what its file does not use.
func rewrite(p *Pool, _ *Client, cmd *script.Command) error {
	if s := p.host.Server(cmd.Member); s == nil || !s.Defragment() {
		return fmt.Errorf("client: defragment: member %d cannot", cmd.Member)
	}
	return nil
}

// isIdle: a client asks one thing at a time.
func isIdle(c *Client, cmd *script.Command) error {
	if c.Request >= 0 {
		return fmt.Errorf("client: %s: client %d waits for an answer", cmd.Cmd, cmd.Client)
	}
	return nil
}

// hasRoom: a client holds few watches.
func hasRoom(c *Client, cmd *script.Command) error {
	if c.Stream != nil && !c.Stream.Closed && len(c.Stream.Watchers) >= maxWatchers {
		return fmt.Errorf("client: watch: client %d has %d watches", cmd.Client, maxWatchers)
	}
	return nil
}

func hasStream(c *Client, cmd *script.Command) error {
	if c.Stream == nil || c.Stream.Closed {
		return fmt.Errorf("client: %s: client %d has no watch", cmd.Cmd, cmd.Client)
	}
	return nil
}

// onStream does something to the stream of a client.
func onStream(do func(p *Pool, s *Stream)) func(*Pool, *Client, *script.Command) error {
	return func(p *Pool, c *Client, _ *script.Command) error {
		do(p, c.Stream)
		return nil
	}
}

func (p *Pool) hangUpStream(s *Stream) { p.breakStream(s, true) }

func (p *Pool) loseStream(s *Stream) { p.breakStream(s, false) }

func cancel(p *Pool, c *Client, cmd *script.Command) error {
	p.cancelNumber(c.Stream, cmd.ID)
	return nil
}

func request(p *Pool, c *Client, cmd *script.Command) error {
	op, body, err := cmd.Body(c.LastRev)
	if err != nil {
		return err
	}
	if cmd.Member != 0 {
		c.next = max(0, slices.Index(p.host.Members(), cmd.Member))
	}
	key := cmd.FirstKey()
	words := op.String()
	if op.Keyed() {
		words += " " + key
	}
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		p.Watch(c, create, cmd.Leader, words, 0)
		return nil
	}
	c.Request = p.Issue(c, op, body, words, key, 0, p.load.patience())
	p.Show(p.requests.At(c.Request), cmd.Token)
	return nil
}

// brokenHow is the verb of a broken connection.
func brokenHow(heard bool) string {
	if heard {
		return script.HangUp
	}
	return script.Vanish
}
