//go:build mutants

package mutant

// Enabled reports whether this binary carries mutants at all.
const Enabled = true

// planted is the one variable of a package in the core: mutants are read deep
// inside of functions that have no business knowing of them, and a world runs
// on one goroutine and plants its own before every step.
var planted ID

// On reports whether the mutant is alive.
func On(id ID) bool { return planted == id }

// Plant brings the mutant to life, and only it; None ends them all. Only the
// simulator calls it.
func Plant(id ID) { planted = id }
