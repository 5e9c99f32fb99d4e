package consensus

import (
	"fmt"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// logger is raft's voice. What raft says of its daily work is in the events already; what it panics at is a broken
// invariant, since no input can bring it there (validate.go).
type logger struct{ t *trace.Tracer }

func (logger) Debug(...any)            {}
func (logger) Debugf(string, ...any)   {}
func (logger) Info(...any)             {}
func (logger) Infof(string, ...any)    {}
func (logger) Warning(...any)          {}
func (logger) Warningf(string, ...any) {}
func (logger) Error(...any)            {}
func (logger) Errorf(string, ...any)   {}

func (l logger) Fatal(v ...any)            { l.Panic(v...) }
func (l logger) Fatalf(f string, v ...any) { l.Panicf(f, v...) }
func (l logger) Panic(v ...any) {
	invariant.Violated(l.t, invariant.NoPanic, "raft: %s", fmt.Sprint(v...))
}
func (l logger) Panicf(f string, v ...any) {
	invariant.Violated(l.t, invariant.NoPanic, "raft: "+f, v...)
}
