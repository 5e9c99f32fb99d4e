package script

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The words by which a disk fails (fail), a log decays (rot), and what happens
// before a step of a driver (strike), in the order of their numbers.
var (
	diskErrors = [...]string{"write", "full", "sync", "read", "commit"}
	decays     = [...]string{"bit", "misdirected", "zeros", "cut"}
	strikes    = [...]string{"power", "kill", "error", "full"}
)

// DiskError is an operation that a disk can refuse.
type DiskError uint8

// What a fail command names.
const (
	FailWrite  DiskError = iota // of the log
	FailFull                    // the same, for want of space: half of it is written
	FailSync                    // of the log
	FailRead                    // of the log, at the next start
	FailCommit                  // of the database
	DiskErrors                  // how many there are
)

func (e DiskError) String() string { return diskErrors[e] }

// DiskErrorNamed finds one; false if no disk fails like that.
func DiskErrorNamed(name string) (DiskError, bool) {
	i := slices.Index(diskErrors[:], name)
	return DiskError(max(i, 0)), i >= 0
}

// Decays lists the ways in which a log decays.
func Decays() []string { return slices.Clone(decays[:]) }

// What a rot command names, where it is told apart.
const (
	DecayBit   = "bit"
	DecayZeros = "zeros"
	DecayCut   = "cut"
)

// StrikeHow is what happens before a step of a driver.
type StrikeHow uint8

// What a strike command has as its value.
const (
	NoStrike   StrikeHow = iota
	PowerFails           // what was not synced is lost, but for each block of it with a chance
	ProcessDies
	StepFails   // with an I/O error
	StepFillsUp // the disk is full: of the next write some part gets there
)

func (h StrikeHow) String() string {
	if h == NoStrike {
		return ""
	}
	return strikes[h-1]
}

// StrikeNamed finds one, NoStrike if there is none of that name.
func StrikeNamed(name string) StrikeHow { return StrikeHow(slices.Index(strikes[:], name) + 1) }

func checkTorn(c *Command) error {
	if c.Torn < 0 || c.Torn > 100 {
		return fmt.Errorf("script: crash: torn = %d: want a percentage", c.Torn)
	}
	return nil
}

func checkStall(c *Command) error {
	if d, err := c.Duration(); err != nil || d < 0 {
		return fmt.Errorf("script: stall: value %q is not a duration", c.Value)
	}
	return nil
}

func checkFail(c *Command) error {
	if _, ok := DiskErrorNamed(c.Name); !ok || c.Rev < 0 {
		return fmt.Errorf("script: fail: a disk cannot fail to %q", c.Name)
	}
	return nil
}

func checkRot(c *Command) error {
	if !slices.Contains(decays[:], c.Name) || c.Rev < 0 || c.Limit < 0 {
		return fmt.Errorf("script: rot: a log does not decay by %q", c.Name)
	}
	return nil
}

func checkGarble(c *Command) error {
	if c.Rev < 0 || c.Limit < 0 {
		return fmt.Errorf("script: garble: rev = %d, limit = %d: want a byte and a bit", c.Rev, c.Limit)
	}
	return nil
}

// checkStrike leaves the name of the step to who knows the driver's.
func checkStrike(c *Command) error {
	switch {
	case StrikeNamed(c.Value) == NoStrike:
		return fmt.Errorf("script: strike: %q is neither power, kill, error nor full", c.Value)
	case c.Rev < 0 || c.Torn < 0 || c.Torn > 100:
		return fmt.Errorf("script: strike: rev = %d, torn = %d: want a number of steps and a percentage", c.Rev, c.Torn)
	}
	return nil
}

func checkCut(c *Command) error {
	if len(c.From) == 0 || len(c.To) == 0 {
		return fmt.Errorf("script: cut needs from and to")
	}
	for _, id := range c.From {
		if slices.Contains(c.To, id) {
			return fmt.Errorf("script: cut: member %d is on both sides", id)
		}
	}
	return nil
}

func checkMessage(c *Command) error {
	if c.ID <= 0 {
		return fmt.Errorf("script: %s: which message?", c.Cmd)
	}
	return nil
}

// The names of clock commands that are about the time of day.
const (
	ClockStep = "step" // it jumps by the value
	ClockLost = "lost" // it begins anew at each start of the member from now on
)

func checkClock(c *Command) (err error) {
	switch c.Name {
	case ClockStep:
		if _, err = c.Duration(); err != nil {
			return fmt.Errorf("script: clock: step %q is not a duration", c.Value)
		}
		return nil
	case ClockLost:
		if c.Value != "" {
			return fmt.Errorf("script: clock: a lost time of day has no value %q", c.Value)
		}
		return nil
	}
	_, err = c.Rate()
	return err
}

// Rate reads the value of a clock command: ticks for each tick of a right clock.
func (c *Command) Rate() (float64, error) {
	rate, err := strconv.ParseFloat(c.Value, 64)
	if err != nil || !(rate >= 0.1 && rate <= 10) {
		return 0, fmt.Errorf("script: clock: rate %q is not between 0.1 and 10", c.Value)
	}
	return rate, nil
}

// Passwords is the name of the setting that says how long a member is at a password.
const Passwords = "passwords"

// A Setting is what a set command can turn.
type Setting struct {
	Name string `json:"name"`
	Form string `json:"form"` // of its value: probability, duration, number, preset
}

// Settings lists them.
func Settings() []Setting {
	return []Setting{
		{"network", "preset"}, // lan or teaching
		{"loss", "probability"},
		{"duplicate", "probability"},
		{"latency", "duration"}, // the fixed one-way part
		{"jitter", "duration"},  // the mean of the random part
		{"client-latency", "duration"},
		{"write", "duration"},
		{"fsync", "duration"},                // the mean
		{"spike", "duration"},                // mean of an fsync that hangs
		{"spike-probability", "probability"}, // of an fsync
		{"apply", "duration"},
		{Passwords, "duration"},   // the mean time that a member is at one
		{"rate", "number"},        // operations a simulated second
		{"spread", "probability"}, // of election timeouts: 0 = all are equal, 1 = as raft draws them
	}
}

// maxRate bounds the load, in operations a simulated second.
const maxRate = 100_000

// Setting reads the value of a set command in its form. A preset is a name, which
// the world knows.
func (c *Command) Setting() (number float64, d time.Duration, err error) {
	form := ""
	for _, s := range Settings() {
		if s.Name == c.Name {
			form = s.Form
		}
	}
	switch form {
	case "preset":
		return 0, 0, nil
	case "probability":
		if number, err = strconv.ParseFloat(c.Value, 64); err == nil && number >= 0 && number <= 1 {
			return number, 0, nil
		}
	case "number":
		if number, err = strconv.ParseFloat(c.Value, 64); err == nil && number >= 0 && number <= maxRate {
			return number, 0, nil
		}
	case "duration":
		if d, err = c.Duration(); err == nil && d >= 0 && d <= time.Hour {
			return 0, d, nil
		}
	default:
		return 0, 0, fmt.Errorf("script: set: there is no setting %q", c.Name)
	}
	return 0, 0, fmt.Errorf("script: set %s: %q is not a %s", c.Name, c.Value, form)
}
