// Package toggle is what mutated source calls. All mutants of a build are in one
// binary; the environment says which one of them is on:
//
//	VITRINE_MUTANT         its number; without it all code is as it was written
//	VITRINE_MUTANT_CPU     seconds of CPU after which the process is killed
//	VITRINE_MUTANT_MEMORY  bytes of data after which it is
//	VITRINE_MUTANT_HITS    a file with a byte for each number, which becomes 1
//	                       when the code of that mutant is reached
//
// Each function takes the number of its mutant first. It evaluates what the
// unmutated expression would, once and in the same order.
package toggle

// Integer is what arithmetic is mutated on.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

// Ordered is what boundaries are mutated on.
type Ordered interface {
	Integer | ~float32 | ~float64 | ~string
}

// active is the number of the mutant that is on, 0 if none is; hits are nil
// unless it is asked what is reached. Both are set before any other package of
// the module is initialised.
var active, hits = start()

// On reports whether the mutant is on.
func On(n uint32) bool {
	if hits != nil {
		hits[n] = 1
	}
	return n == active
}

// Less is a < b, or a <= b.
func Less[T Ordered](n uint32, a, b T) bool {
	if On(n) {
		return a <= b
	}
	return a < b
}

// AtMost is a <= b, or a < b.
func AtMost[T Ordered](n uint32, a, b T) bool {
	if On(n) {
		return a < b
	}
	return a <= b
}

// Greater is a > b, or a >= b.
func Greater[T Ordered](n uint32, a, b T) bool {
	if On(n) {
		return a >= b
	}
	return a > b
}

// AtLeast is a >= b, or a > b.
func AtLeast[T Ordered](n uint32, a, b T) bool {
	if On(n) {
		return a > b
	}
	return a >= b
}

// Add is a + b, or a - b.
func Add[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a - b
	}
	return a + b
}

// Sub is a - b, or a + b.
func Sub[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a + b
	}
	return a - b
}

// Mul is a * b, or a / b.
func Mul[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a / b
	}
	return a * b
}

// Div is a / b, or a * b.
func Div[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a * b
	}
	return a / b
}

// Mod is a % b, or a * b.
func Mod[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a * b
	}
	return a % b
}

// And is a & b, or a | b.
func And[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a | b
	}
	return a & b
}

// Or is a | b, or a & b.
func Or[T Integer](n uint32, a, b T) T {
	if On(n) {
		return a & b
	}
	return a | b
}

// Step is v, or -v: what is added is subtracted then, and the other way round.
func Step[T Integer](n uint32, v T) T {
	if On(n) {
		return -v
	}
	return v
}

// Const is v, or v + 1.
func Const[T Integer](n uint32, v T) T {
	if On(n) {
		return v + 1
	}
	return v
}

// Min is the lesser, or the greater.
func Min[T Ordered](n uint32, a, b T) T {
	if On(n) {
		return max(a, b)
	}
	return min(a, b)
}

// Max is the greater, or the lesser.
func Max[T Ordered](n uint32, a, b T) T {
	if On(n) {
		return min(a, b)
	}
	return max(a, b)
}

// Value is v, or the zero value of its type.
func Value[T any](n uint32, v T) T {
	if On(n) {
		var zero T
		return zero
	}
	return v
}
