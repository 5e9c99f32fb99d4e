// Command sample has something for each operator of mutation, and something for
// each rule that leaves code out. It prints what each function says.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"
)

type size uint64

const limit = 7

func less(a, b size) bool    { return a < b }
func atMost(a, b int) bool   { return a <= b }
func greater(a, b int) bool  { return a > b+0*limit }
func equal(a, b string) bool { return a == b }

func both(a, b bool) bool   { return a && b }
func either(a, b bool) bool { return a || b }
func chain(a, b, c bool) bool {
	return a && b && c
}

func arithmetic(a, b int) []int {
	return []int{a + b, a - b, a * b, a / b, a % b, a & b, a | b}
}

func steps(n int) (int, int) {
	up, down := 0, n
	for i := 0; i < n; i++ {
		up += 2
		down--
	}
	return up, down
}

func truth() (ok bool) {
	ok = true
	return ok
}

func extremes(a, b int) int { return min(a, b) + max(a, b)<<4 }

func tail(list []int, from int) []int { return list[from:] }

func branches(c bool) string {
	if c {
		return "yes"
	} else {
		return "no"
	}
}

func guard(list []int) int {
	if len(list) == 0 {
		return -1
	}
	for _, v := range list {
		if v > limit {
			continue
		}
		return v
	}
	return 0
}

func cases(n int) string {
	switch {
	case n == 1:
		return "one"
	}
	return "many"
}

func fails(n int) (value int, err error) {
	if n > limit {
		return 0, os.ErrInvalid
	}
	return n, nil
}

func pointer() *int { return new(3) }

// exempt holds nothing that is mutated but its first statement.
func exempt(t *trace.Tracer, n int) (list []int) {
	list = append(list, n)
	invariant.Assert(n > 0, "sample: n must be positive")
	t.Emit(trace.Event{A: uint64(n + 1)})
	tell(t, n)
	if mutant.On(mutant.Canary) {
		list = bug(n)
	}
	if mutant.On(mutant.Canary) || mutant.On(mutant.GroupStateFirst) {
		list = bug(n)
	}
	if t.On() {
		t.Emit(trace.Event{A: 1})
	}
	wait := 5 * time.Second
	const odd = 2*limit + 1
	room := make([]int, len(list), len(list)+1)
	_ = slices.Grow(room, 3)
	_ = fmt.Sprint(n+1, wait, odd)
	return room
}

// tell does nothing but trace.
func tell(t *trace.Tracer, n int) {
	for i := range n {
		if even := i%2 == 0; even {
			t.Emit(trace.Event{A: uint64(i)})
		}
	}
}

func bug(n int) []int { return []int{n + 1} }

type text int

// String is a text.
func (t text) String() string { return fmt.Sprint(int(t) + 1) }

func main() {
	defer func() {
		if p := recover(); p != nil {
			fmt.Println("panic:", p)
		}
	}()
	fmt.Println("less", less(1, 2), less(2, 2), "atMost", atMost(1, 2), atMost(2, 2))
	fmt.Println("greater", greater(2, 1), greater(2, 2))
	fmt.Println("equal", equal("a", "b"), "both", both(true, false), both(false, true), both(true, true))
	fmt.Println("either", either(true, false), either(false, true), either(false, false))
	fmt.Println("chain", chain(false, true, true), chain(true, false, true), chain(true, true, false))
	fmt.Println("arithmetic", arithmetic(13, 6), "truth", truth(), "extremes", extremes(1, 2))
	fmt.Println(steps(3))
	fmt.Println("tail", tail([]int{1, 2, 3}, 1), "branches", branches(true), branches(false))
	fmt.Println("guard", guard(nil), guard([]int{9, 5}), guard([]int{8}), "cases", cases(1), cases(2))
	fmt.Println(fails(8))
	fmt.Println(fails(7))
	fmt.Println("pointer", *pointer(), "exempt", exempt(nil, 4), text(1).String())
}

func unused(n int) int { return n + 1 }
