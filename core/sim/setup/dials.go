package setup

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
