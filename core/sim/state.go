package sim

// Dials are as they are turned now.
func (w *World) Dials() Dials {
	d := Dials{
		Loss: w.net.Loss, Duplicate: w.net.Duplicate, Latency: int64(w.net.Base), Jitter: int64(w.net.Jitter + w.net.Uniform),
		Fsync: int64(w.nodes[0].dial.Fsync), Rate: w.clients.Rate(),
		Spread: w.spread,
	}
	for _, n := range w.nodes {
		d.Members = append(d.Members, Turned{ID: n.id, Fsync: int64(n.dial.Fsync), Apply: n.apply,
			Clock: float64(w.cfg.TickEvery) / float64(n.tickEvery)})
	}
	return d
}

// Count is a name with a number.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}
