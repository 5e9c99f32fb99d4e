//go:build js

package main

import (
	"errors"
)

// workers: a browser or node has one thread for us.
func (p *program) workers() int { return 1 }

func (p *program) parallel(int) int { return p.many() }

func startProfile(name string) (stop func(), err error) {
	if name != "" {
		return nil, errors.New("-cpuprofile: not here")
	}
	return func() {}, nil
}

func (p *program) soakForever() int { return p.fail(errors.New("-soak: not here")) }
