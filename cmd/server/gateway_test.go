package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSubcommandStart(t *testing.T) {
	for _, c := range []struct {
		args, rest string
		start      bool
	}{
		{"start", "", true},
		{"start --endpoints=a:1", "--endpoints=a:1", true},
		{"--endpoints=a:1 start", "--endpoints=a:1", true},
		{"--endpoints a:1 start --retry-delay 1s", "--endpoints a:1 --retry-delay 1s", true},
		{"--insecure-discovery start", "--insecure-discovery", true},
		{"--endpoints start", "--endpoints start", false}, // start is where the members are
		{"stop", "stop", false},
		{"stop start", "stop start", false},
		{"", "", false},
	} {
		rest, start := subcommandStart(strings.Fields(c.args), "insecure-discovery")
		if start != c.start || !slices.Equal(rest, strings.Fields(c.rest)) {
			t.Errorf("%q: %q %v, want %q %v", c.args, rest, start, c.rest, c.start)
		}
	}
}
