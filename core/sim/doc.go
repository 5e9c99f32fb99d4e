// Package sim is a world for members to live in: virtual time, one event
// queue, a network, disks, clients and faults, all drawn from one seed. The
// members are real ones: core/member over core/store and core/wal, with their
// bytes on simulated disks, so that a restart is a real recovery.
//
// Here are machines and the network between them; what else a world has are
// packages below, each of which sees the world by an interface of its own: clock
// and dice, disk (what goes wrong with one), client, chaos (what goes wrong at
// all), judge, settle. What is done to a world are commands of package script.
//
// A run is a seed, a configuration, and commands with their times; the same
// three give the same events, bit for bit, on every machine and in the
// browser. The running hash of the event stream tells.
//
//	w, err := sim.New(sim.DefaultConfig())
//	if err != nil { ... }
//	w.RunUntil(trace.Instant(5*time.Second), 0)
//	w.Do(script.Command{Cmd: script.Crash, Member: w.Leader()})
//	w.RunUntil(trace.Instant(10*time.Second), 0)
//	fmt.Println(w.HashText(), w.Violation())
//
// # Randomness
//
// Every concern has its own ChaCha8 stream (network per directed link, each
// disk, each client, faults, each member's raft), and an event draws a fixed
// number of values from it, so that a change in one place does not reshuffle
// the others. raft itself draws its election timeouts from crypto/rand.Reader
// and offers no hook. Therefore a World puts a reader of its own in that
// variable while it runs, and takes it out again before any of its methods
// returns; the reader serves the stream of the member that is stepping. Two
// worlds must not run at the same time in one process.
package sim
