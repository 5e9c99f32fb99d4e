package picture

import (
	"slices"

	"vitrine/core/trace"
)

// watch is one watch of a client.
type watch struct {
	Watch
	ended    bool
	fragment bool // what comes now is part of a response
}

// served is a watch as its member knows it.
type served struct {
	stream, id uint64
	key        string
}

// Bounds of what is shown: watches, closed ones included, events of one, and
// responses on their way; and how many watches of one member are known by their key.
const (
	keptWatches     = 16
	keptWatchEvents = 32
	keptPushes      = 16
	keptServed      = 256
)

// pushed puts a response on its way: to a client that watches that key there. Of
// several it is the one that has the fewest on their way, since each is sent its own.
func (p *Picture) pushed(e *trace.Event) {
	m := p.find(e.Member)
	if m == nil || e.C == 0 {
		return
	}
	i := slices.IndexFunc(m.watching, func(s served) bool { return s.stream == e.B && s.id == e.A })
	if i < 0 {
		return
	}
	var to *watch
	for _, w := range p.watches {
		if !w.ended && w.Member == e.Member && w.Key == m.watching[i].key && (to == nil || len(w.Pushes) < len(to.Pushes)) {
			to = w
		}
	}
	if to != nil && len(to.Pushes) < keptPushes {
		to.Pushes = append(to.Pushes, int64(e.Now))
	}
}

func (p *Picture) watch(e *trace.Event) {
	switch e.Kind {
	case trace.WatchCreated:
		m := p.member(e.Member)
		m.Watchers++
		if len(m.watching) < keptServed {
			m.watching = append(m.watching, served{e.B, e.A, e.Text})
		}
	case trace.WatchCanceled:
		m := p.member(e.Member)
		m.Watchers--
		m.watching = slices.DeleteFunc(m.watching, func(s served) bool { return s.stream == e.B && s.id == e.A })
	case trace.WatchStreamClosed:
		m := p.member(e.Member)
		m.Watchers -= int(e.C)
		m.watching = slices.DeleteFunc(m.watching, func(s served) bool { return s.stream == e.B })
	case trace.WatchPushed:
		p.pushed(e)
	case trace.WatchReceived, trace.WatchAsked, trace.WatchChange, trace.WatchMoved, trace.WatchEnded:
		p.clientWatch(e)
	}
	if m := p.find(e.Member); m != nil {
		m.Watchers = max(0, m.Watchers) // a stream that begins late has not told of all
	}
}

// clientWatch follows a watch at its client.
func (p *Picture) clientWatch(e *trace.Event) {
	i := slices.IndexFunc(p.watches, func(w *watch) bool { return w.ID == e.A })
	if i < 0 {
		if e.Kind != trace.WatchAsked {
			return
		}
		i, p.watches = len(p.watches), append(p.watches, &watch{Watch: Watch{ID: e.A, Client: int(e.B)}})
	}
	w := p.watches[i]
	switch e.Kind {
	case trace.WatchAsked:
		key := min(int(e.C), len(e.Text))
		w.Member, w.Next, w.Key, w.End, w.Pushes = e.Peer, e.Rev, e.Text[:key], e.Text[key:], nil
	case trace.WatchReceived:
		w.received(e)
	case trace.WatchMoved:
		w.Next = e.Rev
	case trace.WatchChange:
		w.change(e)
	case trace.WatchEnded:
		w.Open, w.ended, w.Reason, w.Pushes = false, true, e.Text, nil
		for len(p.watches) > keptWatches && p.watches[0].ended {
			p.watches = append(p.watches[:0], p.watches[1:]...)
		}
	}
}

// received takes the head of a response.
func (w *watch) received(e *trace.Event) {
	const fragment, created, canceled = 1, 2, 3
	w.fragment = e.Index == fragment
	if e.C > 0 && len(w.Pushes) > 0 {
		w.Pushes = append(w.Pushes[:0], w.Pushes[1:]...)
	}
	switch {
	case e.Index == canceled:
	case e.Index == created && w.Next != 0:
	case e.C == 0: // it tells how far it is
		w.Next = max(w.Next, e.Rev+1)
	}
}

func (w *watch) change(e *trace.Event) {
	w.Received++
	if !w.fragment {
		w.Next = e.Rev + 1
	}
	if len(w.Events) == keptWatchEvents {
		w.Events = append(w.Events[:0], w.Events[1:]...)
	}
	kind, key := "PUT", min(int(e.C), len(e.Text))
	if e.Index == 1 {
		kind = "DELETE"
	}
	w.Events = append(w.Events, WatchEvent{At: int64(e.Now), Rev: e.Rev, Type: kind, Key: e.Text[:key],
		Value: e.Text[key:]})
}

// opened notes that a server has said so.
func (p *Picture) opened(request uint64) {
	for _, w := range p.watches {
		if w.ID == request && !w.ended {
			w.Open = true
		}
	}
}

func (p *Picture) drawWatches(s *State) {
	s.Watches = s.Watches[:0]
	for _, w := range p.watches {
		var v *Watch
		s.Watches, v = grow(s.Watches)
		events, pushes := v.Events[:0], v.Pushes[:0]
		*v = w.Watch
		v.Events, v.Pushes = append(events, w.Events...), append(pushes, w.Pushes...)
	}
}
