//go:build !mutants

package mutant

// Enabled reports whether this binary carries mutants at all.
const Enabled = false

// On reports whether the mutant is alive: never, in this build.
func On(ID) bool { return false }

// Plant does nothing in this build; see Enabled.
func Plant(ID) {}
