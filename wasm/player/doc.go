// Package player plays a simulated world to a visitor: it turns the time that
// passes in front of the screen into simulated time, at a speed from one
// thousandth to a thousand times the real one, runs faster through spans in
// which nothing happens, and keeps what the page shows besides the picture of
// the world: the feed of events, the traffic of each link, the way of each
// request.
//
// It knows no browser. The bridge calls Advance once a frame and Dispatch for
// every command, and ordinary tests do the same.
//
//	p, err := player.New(player.Simulate, player.Settings{Seed: 7, Members: 5, Speed: 0.02})
//	p.Advance(16*time.Millisecond, clock)
//	p.Dispatch([]byte(`{"cmd":"crash","member":1}`))
//	json := p.Frame()
package player
