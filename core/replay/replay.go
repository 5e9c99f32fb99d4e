// Package replay keeps runs as files: what a world was built from and the
// commands that were done to it, so that it can be repeated (Replay), made small
// (Shrinker), turned into a Go test (GoTest), and tried with a planted bug
// (TryMutant).
//
//	r := replay.Of(w, time.Minute)
//	text, err := r.Format()
//	r, err = replay.Parse(text)
//	again, err := r.World()
//	r.Run(again) // again.HashText() == r.Hash
package replay

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/trace"
)

// Version is the meaning of seeds and replay files. It rises when a change
// gives old seeds new stories.
const Version = 1

// Replay is a run as a text file:
//
//	vitrine replay 1
//	commit 0123abc
//	seed 42
//	for 60000000000
//	config {"seed":42,"members":3, ...}
//	violated 8 acknowledged means durable: ...
//	found 1812345678
//	since 1812345678
//	hash 0123456789abcdef
//	command 0 fault set name=loss value=0.1
//	command 1200000001 crash member=1
//
// Times are nanoseconds. A run "for 60000000000 open" is over then and does not
// settle: it is what a visitor did, up to where he looked. Blank lines and lines that begin with # mean nothing.
type Replay struct {
	Config   sim.Config
	For      time.Duration // then the run settles
	Open     bool          // it does not: somebody stopped watching
	Commands []script.Timed
	Hash     string // 16 hex digits at the end of the run; "" = unknown
	Violated int    // the invariant that breaks, 0 = none
	Text     string // how
	At       int64  // when that is found
	Since    int64  // when it happens
	Commit   string // of the build that wrote the file; "" = unknown
}

// maxBytes bounds what Parse accepts. What is to be sent around and
// opened in the page is shorter: MaxShared.
const maxBytes = 4 << 20

// MaxShared is the size of a replay file that the page opens.
const MaxShared = 100 << 10

// Source is the part of a world that a replay is made of.
type Source interface {
	Config() sim.Config
	Commands() []script.Timed
	HashText() string
	Violation() *sim.Violation
}

// Of is the run so far as a file that repeats it. A drawn run becomes a list of
// decisions, so that it can be edited.
func Of(w Source, length time.Duration) *Replay {
	cfg := w.Config()
	cfg.Faults = false
	if cfg.Record {
		cfg.Record, cfg.Workload.Explicit = false, true
	}
	r := &Replay{Config: cfg, For: length, Commands: w.Commands(), Hash: w.HashText()}
	if v := w.Violation(); v != nil {
		r.Violated, r.Text, r.At, r.Since = v.Number, v.Text, v.At, v.Since
	}
	return r
}

// Format writes the file.
func (r *Replay) Format() ([]byte, error) {
	cfg, err := json.Marshal(r.Config)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "vitrine replay %d\n", Version)
	if r.Commit != "" {
		b = fmt.Appendf(b, "commit %s\n", r.Commit)
	}
	b = fmt.Appendf(b, "seed %d\nfor %d", r.Config.Seed, r.For)
	if r.Open {
		b = append(b, " open"...)
	}
	b = fmt.Appendf(b, "\nconfig %s\n", cfg)
	if r.Violated != 0 {
		b = fmt.Appendf(b, "violated %d %s\nfound %d\nsince %d\n", r.Violated, oneLine(r.Text), r.At, r.Since)
	}
	if r.Hash != "" {
		b = fmt.Appendf(b, "hash %s\n", r.Hash)
	}
	for i := range r.Commands {
		t := &r.Commands[i]
		b = fmt.Appendf(b, "command %d ", t.At)
		if t.Fault {
			b = append(b, "fault "...)
		}
		b = append(t.Append(b), '\n')
	}
	return b, nil
}

// Parse reads the file.
func Parse(data []byte) (*Replay, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("replay: %d bytes are too many", len(data))
	}
	r, n := new(Replay), 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if err := r.parseLine(word, rest); err != nil {
			return nil, fmt.Errorf("replay: line %d: %w", n, err)
		}
	}
	switch {
	case r.Config.Members == 0:
		return nil, fmt.Errorf("replay: there is no configuration")
	case r.Violated == 0 && (r.At != 0 || r.Since != 0):
		return nil, fmt.Errorf("replay: it says when something broke, and not what")
	}
	return r, r.Config.Validate()
}

func (r *Replay) parseLine(word, rest string) (err error) {
	switch word {
	case "vitrine":
		if rest != "replay "+strconv.Itoa(Version) {
			return fmt.Errorf("this is %q, and I read \"replay %d\"", rest, Version)
		}
	case "seed": // for people; the configuration has it too
	case "for":
		var ns int64
		rest, r.Open = strings.CutSuffix(rest, " open")
		ns, err = strconv.ParseInt(rest, 10, 64)
		r.For = time.Duration(ns)
	case "config":
		r.Config = sim.DefaultConfig()
		err = json.Unmarshal([]byte(rest), &r.Config)
	case "commit":
		r.Commit = rest
	case "found":
		r.At, err = strconv.ParseInt(rest, 10, 64)
	case "since":
		r.Since, err = strconv.ParseInt(rest, 10, 64)
	case "violated":
		number, text, _ := strings.Cut(rest, " ")
		if r.Violated, err = strconv.Atoi(number); err == nil && r.Violated < 1 {
			return fmt.Errorf("there is no invariant %d", r.Violated)
		}
		r.Text = oneLine(text)
	case "hash":
		if _, err = strconv.ParseUint(rest, 16, 64); err != nil || len(rest) != 16 {
			return fmt.Errorf("%q is not a hash", rest)
		}
		r.Hash = rest
	case "command":
		var t script.Timed
		at, text, _ := strings.Cut(rest, " ")
		if t.At, err = strconv.ParseInt(at, 10, 64); err != nil {
			return err
		}
		text, t.Fault = strings.CutPrefix(text, "fault ")
		t.Command, err = script.Parse(text)
		r.Commands = append(r.Commands, t)
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return err
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// World builds the world of a replay, its commands scheduled.
func (r *Replay) World(sinks ...trace.Sink) (*sim.World, error) {
	w, err := sim.New(r.Config, sinks...)
	if err != nil {
		return nil, err
	}
	for _, t := range r.Commands {
		if err := w.Schedule(t); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Run runs the world of a replay to its end and returns the violation, if there
// was one.
func (r *Replay) Run(w *sim.World) *sim.Violation {
	if r.Open {
		w.RunUntil(trace.Instant(r.For), 0)
		return w.Violation()
	}
	return w.Run(r.For)
}
