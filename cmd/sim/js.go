//go:build js

package main

import (
	"errors"
)

// parallel: a browser or node starts no processes.
func (p *program) parallel(int) int { return p.fail(errors.New("-j: not here")) }

func startProfile(name string) (stop func(), err error) {
	if name != "" {
		return nil, errors.New("-cpuprofile: not here")
	}
	return func() {}, nil
}

func (p *program) soakForever() int { return p.fail(errors.New("-soak: not here")) }
