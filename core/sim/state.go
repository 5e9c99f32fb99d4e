package sim

// Dials are the settings that a set command turns.
type Dials struct {
	Loss      float64  `json:"loss"`
	Duplicate float64  `json:"duplicate"`
	Latency   int64    `json:"latency"` // fixed one-way part, ns
	Jitter    int64    `json:"jitter"`
	Fsync     int64    `json:"fsync"`
	Rate      float64  `json:"rate"`
	Spread    float64  `json:"spread"` // of election timeouts
	Members   []Turned `json:"members"`
}

// Turned is what is turned at one member.
type Turned struct {
	ID    uint64  `json:"id"`
	Fsync int64   `json:"fsync"`
	Apply int64   `json:"apply"`
	Clock float64 `json:"clock"` // its rate
}

// Dials are as they are turned now.
func (w *World) Dials() Dials {
	d := Dials{
		Loss: w.net.Loss, Duplicate: w.net.Duplicate, Latency: int64(w.net.Base), Jitter: int64(w.net.Jitter + w.net.Uniform),
		Fsync: int64(w.nodes[0].dial.Fsync), Rate: w.clients.Rate(),
		Spread: w.spread,
	}
	for _, n := range w.nodes {
		d.Members = append(d.Members, Turned{n.id, int64(n.dial.Fsync), n.apply,
			float64(w.cfg.TickEvery) / float64(n.tickEvery)})
	}
	return d
}

// Count is a name with a number.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}
