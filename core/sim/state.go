package sim

// Dials are the settings that a set command turns.
type Dials struct {
	Loss      float64 `json:"loss"`
	Duplicate float64 `json:"duplicate"`
	Latency   int64   `json:"latency"` // fixed one-way part, ns
	Jitter    int64   `json:"jitter"`
	Fsync     int64   `json:"fsync"`
	Rate      float64 `json:"rate"`
}

// Dials are as they are turned now.
func (w *World) Dials() Dials {
	return Dials{
		Loss: w.net.Loss, Duplicate: w.net.Duplicate, Latency: int64(w.net.Base), Jitter: int64(w.net.Jitter + w.net.Uniform),
		Fsync: int64(w.nodes[0].dial.Fsync), Rate: w.clients.Rate(),
	}
}

// Count is a name with a number.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}
