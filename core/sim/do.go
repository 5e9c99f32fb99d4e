package sim

import (
	"vitrine/core/member"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/trace"
)

// What commands do to processes, links and settings.

func campaign(n *node, _ *script.Command, cause uint64) {
	n.step(&member.Input{Kind: member.Campaign, Cause: cause})
}

func transfer(to *node, _ *script.Command, cause uint64) {
	to.world.leader().step(&member.Input{Kind: member.TransferLeadership, Peer: to.id, Cause: cause})
}

func stall(n *node, c *script.Command, _ uint64) {
	d, _ := c.Duration() // it was valid
	n.hang(max(n.busy.hungUntil, n.world.clock.Now+int64(d)))
}

func defragment(n *node, _ *script.Command, _ uint64) { n.beginDefrag() }

func garbleNext(n *node, c *script.Command, _ uint64) { n.garbled = new(*c) }

func restart(n *node, _ *script.Command, _ uint64) { n.start() }

// start brings a process up after the time it takes.
func (n *node) start() {
	w := n.world
	n.process, n.reason = starting, ""
	w.emit(trace.Event{Kind: trace.MemberStarting, Member: n.id})
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.cfg.Process.Restart), Kind: evBoot, Member: uint32(n.id),
		Life: n.life})
}

func isolate(w *World, c *script.Command, cause uint64) (uint64, error) {
	n := w.byID(c.Member)
	for _, other := range w.nodes {
		if other != n {
			w.network.setCut(n, other, true, cause)
			w.network.setCut(other, n, true, cause)
		}
	}
	return 0, nil
}

func cut(w *World, c *script.Command, cause uint64) (uint64, error) {
	w.setCuts(c, true, cause)
	return 0, nil
}

func heal(w *World, c *script.Command, cause uint64) (uint64, error) {
	if len(c.From) > 0 && len(c.To) > 0 {
		w.setCuts(c, false, cause)
		return 0, nil
	}
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if from != to && (c.Member == 0 || from.id == c.Member || to.id == c.Member) {
				w.network.setCut(from, to, false, cause)
			}
		}
	}
	return 0, nil
}

func undoAll(w *World, _ *script.Command, cause uint64) (uint64, error) {
	w.healAll(cause)
	return 0, nil
}

func (w *World) setCuts(c *script.Command, cut bool, cause uint64) {
	for _, from := range c.From {
		for _, to := range c.To {
			if from == to {
				continue
			}
			w.network.setCut(w.byID(from), w.byID(to), cut, cause)
			if !c.OneWay {
				w.network.setCut(w.byID(to), w.byID(from), cut, cause)
			}
		}
	}
}

// healAll takes back everything that can be: cuts, pauses, stalls, and held
// messages. What is dead stays dead.
func (w *World) healAll(cause uint64) {
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if from != to {
				w.network.setCut(from, to, false, cause)
			}
		}
	}
	w.network.letAllGo(cause)
	for _, n := range w.nodes {
		n.hang(min(n.busy.hungUntil, w.clock.Now))
		if n.process == paused {
			n.resume(nil, cause)
		}
	}
}

// validSetting knows the presets, too.
func validSetting(w *World, c *script.Command) error {
	_, _, err := c.Setting()
	if err == nil && c.Name == "network" {
		_, err = Preset(c.Value)
	}
	return err
}

// set turns a dial of the whole world, or of one member.
func set(w *World, c *script.Command, _ uint64) (uint64, error) {
	number, d, err := c.Setting()
	if err != nil {
		return 0, err
	}
	switch c.Name {
	case "network":
		preset, err := Preset(c.Value)
		if err != nil {
			return 0, err
		}
		preset.Loss, preset.Duplicate = w.net.Loss, w.net.Duplicate
		w.net = preset
	case "loss":
		w.net.Loss = number
	case "duplicate":
		w.net.Duplicate = number
	case "latency":
		w.net.Base, w.net.Uniform = d, min(w.net.Uniform, d)
	case "jitter":
		w.net.Jitter = d
	case "client-latency":
		w.net.Client = d
	case "write":
		w.eachNode(c.Member, func(n *node) { n.dial.Write = d })
	case "fsync":
		w.eachNode(c.Member, func(n *node) { n.dial.Fsync = d })
	case "spike":
		w.eachNode(c.Member, func(n *node) { n.dial.Spike = d })
	case "spike-probability":
		w.eachNode(c.Member, func(n *node) { n.dial.SpikeProb = number })
	case "apply":
		w.eachNode(c.Member, func(n *node) { n.apply = int64(d) })
	case script.Passwords:
		w.eachNode(c.Member, func(n *node) { n.TakesFor(d) })
	case "rate":
		w.clients.SetRate(number)
	case "spread":
		w.spread = number
	}
	return 0, nil
}

func (w *World) eachNode(id uint64, turn func(*node)) {
	for _, n := range w.nodes {
		if id == 0 || n.id == id {
			turn(n)
		}
	}
}
