package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// register makes the flags of the table.
func (p *parser) register() {
	for _, s := range table() {
		for i := range s.specs {
			p.add(&s.specs[i])
		}
	}
	for _, name := range ignored {
		p.fs.Var(ignoredFlag{p, name}, name, "")
	}
}

// add makes one flag, and gives its field the default.
func (p *parser) add(s *spec) {
	if s.only != nil {
		p.fs.Var(s.only, s.name, s.help)
		return
	}
	switch to := s.field(p).(type) {
	case *string:
		p.fs.StringVar(to, s.name, s.def, s.help)
	case *bool:
		p.fs.BoolVar(to, s.name, false, s.help)
	case *int:
		p.fs.IntVar(to, s.name, 0, s.help)
	case *int64:
		p.fs.Int64Var(to, s.name, 0, s.help)
	case *uint:
		p.fs.UintVar(to, s.name, 0, s.help)
	case *uint64:
		p.fs.Uint64Var(to, s.name, 0, s.help)
	case *time.Duration:
		p.fs.DurationVar(to, s.name, 0, s.help)
	case flag.Value:
		p.fs.Var(to, s.name, s.help)
	}
	f := p.fs.Lookup(s.name)
	if err := f.Value.Set(s.def); err != nil {
		panic(fmt.Sprintf("config: the default of --%s: %v", s.name, err)) // a line of the table is wrong
	}
	f.DefValue = s.def
}

// kind is how a restricted flag's value is read.
type kind uint8

const (
	text kind = iota
	boolean
	number
	duration
	gates // name=value, separated by commas
)

// canonical writes a value of the kind in one way.
func (k kind) canonical(s string) (string, error) {
	switch k {
	case boolean:
		v, err := strconv.ParseBool(s)
		return strconv.FormatBool(v), plain(err)
	case number:
		v, err := strconv.ParseInt(s, 0, 64)
		return strconv.FormatInt(v, 10), plain(err)
	case duration:
		v, err := time.ParseDuration(s)
		return v.String(), err
	case gates:
		return gatesAt(s)
	}
	return s, nil
}

// plain is the cause of a conversion's failure, without the function's name.
func plain(err error) error {
	var n *strconv.NumError
	if errors.As(err, &n) {
		return n.Err
	}
	return err
}

// gateDefaults are etcd 3.7's features, and whether they are on.
var gateDefaults = map[string]bool{
	"CompactHashCheck": false, "FastLeaseKeepAlive": true, "InitialCorruptCheck": false, "LeaseCheckpoint": false,
	"LeaseCheckpointPersist": false,
	"PriorityRequest":        false, "SetMemberLocalAddr": false, "StopGRPCServiceOnDefrag": false,
	"TxnModeWriteWithSharedBuffer": true, "AllAlpha": false,
}

// idleGates are features that may be on or off, because what they are about is done either way: a renewal of a lease
// always waits until this member has applied what was committed, which is what there is without FastLeaseKeepAlive.
var idleGates = map[string]bool{"FastLeaseKeepAlive": true}

// features are those that can be switched.
type features struct{ to *Features }

// Features are etcd's feature gates that this version can switch.
type Features struct {
	InitialCorruptCheck bool // compare hashes with the others' before serving
	CompactHashCheck    bool // compare what compactions have summed
	// SetMemberLocalAddr lets connections to peers come from the address in --initial-advertise-peer-urls.
	SetMemberLocalAddr bool
	// StopGRPCServiceOnDefrag lets the health service say that this member does not serve while it defragments.
	StopGRPCServiceOnDefrag bool
}

// Switched are the features by their names.
func (f *Features) Switched() map[string]*bool {
	return map[string]*bool{
		"InitialCorruptCheck": &f.InitialCorruptCheck, "CompactHashCheck": &f.CompactHashCheck,
		"SetMemberLocalAddr": &f.SetMemberLocalAddr, "StopGRPCServiceOnDefrag": &f.StopGRPCServiceOnDefrag,
	}
}

func (f features) String() string {
	if f.to == nil {
		return ""
	}
	var all []string
	switched := f.to.Switched()
	for _, name := range sortedKeys(switched) {
		all = append(all, fmt.Sprintf("%s=%t", name, *switched[name]))
	}
	return strings.Join(all, ",")
}

// Set reads name=value, separated by commas.
func (f features) Set(s string) error {
	var rest []string
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		to := f.to.Switched()[strings.TrimSpace(name)]
		if to == nil || !ok {
			rest = append(rest, part)
			continue
		}
		on, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("invalid value of %s: %w", part, plain(err))
		}
		*to = on
	}
	differ, err := gatesAt(strings.Join(rest, ","))
	if err == nil && differ != "" {
		err = fmt.Errorf("%s: %s", differ, notYet)
	}
	return err
}

// gatesAt leaves out the features that are asked to be as they are.
func gatesAt(s string) (string, error) {
	var differ []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return "", fmt.Errorf("missing bool value for %s", part)
		}
		on, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			return "", fmt.Errorf("invalid value of %s: %w", part, plain(err))
		}
		if def, known := gateDefaults[strings.TrimSpace(name)]; !known {
			return "", fmt.Errorf("unrecognized feature gate: %s", name)
		} else if def != on && !idleGates[strings.TrimSpace(name)] {
			differ = append(differ, part)
		}
	}
	return strings.Join(differ, ","), nil
}

// restriction is the value of a flag whose meaning this version does not have, or only in part. Taking any value
// silently would promise something; but a value that asks for what is done anyway is taken, above all the default.
type restriction struct {
	name, def string
	kind      kind
	why       string
	also      []string // values that ask for no more than the default does
	idle      bool     // any value does, because what it is about is switched off
}

func (r *restriction) String() string   { return r.def }
func (r *restriction) IsBoolFlag() bool { return r.kind == boolean }

// Set takes or refuses a value.
func (r *restriction) Set(s string) error {
	got, err := r.kind.canonical(s)
	if err != nil {
		return fmt.Errorf("invalid value %q for flag --%s: %w", s, r.name, err)
	}
	want, err := r.kind.canonical(r.def)
	if err != nil {
		return err
	}
	if got == want || r.idle || slices.Contains(r.also, got) {
		return nil
	}
	return &refusal{name: r.name, value: s, why: r.why}
}

// A refusal names a flag of etcd's that this version cannot honour, and why.
type refusal struct{ name, value, why string }

func (r *refusal) Error() string {
	return fmt.Sprintf("etcd's flag --%s is not supported by this version with the value %q: %s", r.name, r.value, r.why)
}

// ignored are flags of releases before 3.0 that etcd still takes without doing anything.
var ignored = []string{
	"cluster-active-size", "cluster-remove-delay", "cluster-sync-interval", "config", "force", "max-result-buffer",
	"max-retry-attempts", "peer-heartbeat-interval", "peer-election-timeout", "retry-interval", "snapshot", "v", "vv",
}

type ignoredFlag struct {
	p    *parser
	name string
}

func (f ignoredFlag) String() string   { return "" }
func (f ignoredFlag) IsBoolFlag() bool { return true }
func (f ignoredFlag) Set(string) error {
	f.p.note("flag --%s is no longer supported - ignoring", f.name)
	return nil
}

// explain drops the flag package's wrapping around what a flag says of itself, which would otherwise be said twice.
func (p *parser) explain(err error) error {
	text := err.Error()
	for _, start := range []string{"etcd's flag --", "invalid value "} {
		if at := strings.LastIndex(text, start); at > 0 {
			return errors.New(text[at:])
		}
	}
	return err
}

// choice is a string flag with a closed set of values.
type choice struct {
	to     *string
	values []string
}

func (c choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

func (c choice) Set(s string) error {
	if !slices.Contains(c.values, s) {
		return fmt.Errorf("invalid value %q, valid values are %s", s, strings.Join(c.values, ", "))
	}
	*c.to = s
	return nil
}

type uint32Value uint32

func (v *uint32Value) String() string { return strconv.FormatUint(uint64(*v), 10) }
func (v *uint32Value) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 32)
	*v = uint32Value(n)
	return err
}

const usage = `Usage:

  vitrine [flags]
    Start a server.

  vitrine gateway start [flags]
    Pass connections on to the members of a cluster.

  vitrine grpc-proxy start [flags]
    Ask the members of a cluster on behalf of many clients.

  vitrine --version
    Show the version.

  vitrine -h | --help
    Show all flags.
`

// Help lists the flags; each is also an environment variable, ETCD_<NAME> or VITRINE_<NAME>.
func Help(w io.Writer) {
	fmt.Fprint(w, usage, "\nEvery flag can be given in the environment instead, as VITRINE_<NAME> or ETCD_<NAME>.\n")
	for _, s := range table() {
		fmt.Fprintf(w, "\n%s:\n", s.title)
		for _, f := range s.specs {
			fmt.Fprintf(w, "  --%s '%s'\n    %s\n", f.name, f.def, f.help)
		}
	}
}
