package trial

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"vitrine/powercut/internal/disk"
	"vitrine/powercut/internal/mount"
)

// Kind is what a finding is about.
type Kind string

const (
	kindLost     Kind = "acknowledged writes lost"
	kindHistory  Kind = "history or state wrong"
	kindHash     Kind = "HashKV differs"
	kindDatabase Kind = "database damaged"
	kindRefused  Kind = "boot refused"
	kindUnborn   Kind = "boot refused, nothing promised yet"
	kindExit     Kind = "process ended by itself"
	kindOther    Kind = "cannot be read"
)

// Kinds are all kinds of findings, in the order of reports.
func Kinds() []Kind {
	return []Kind{kindLost, kindHistory, kindHash, kindDatabase, kindRefused, kindUnborn, kindExit, kindOther}
}

// Finding is something that must not be.
type Finding struct {
	Life, Members int
	Names         disk.Names
	Kind          Kind
	When          string
	Text          string
}

func (f Finding) String() string {
	return fmt.Sprintf("life %d (%d members, %s), %s: %s: %s", f.Life, f.Members, f.Names, f.When, f.Kind, f.Text)
}

// Config of a run.
type Config struct {
	Server  Server
	Seed    uint64
	First   int                 // number of the first life
	Cuts    int                 // to make in all
	Within  time.Duration       // stop earlier after so long; 0: do not
	Members int                 // of every cluster; 0: one or three, drawn
	Lies    func(mount.Op) bool // fsyncs that do nothing, for a control
	Stop    <-chan struct{}     // closed: begin no further cluster; nil: never
	Keep    string              // folder for evidence; empty: keep none
	Scratch string              // folder for logs
	Out     io.Writer           // findings, as they come
}

// Report is what a run has found.
type Report struct {
	Server      string
	Cuts        int
	Lives       int
	Sent, Acked int
	Findings    []Finding
	Took        time.Duration

	kills   int             // of processes whose power stayed on
	moments map[string]int  // cuts by moment
	kinds   map[string]int  // cuts by members and names
	times   []time.Duration // from the start of a process to an answer
	slowest string          // what came before the longest of them
}

func newReport(server string) *Report {
	return &Report{Server: server, moments: map[string]int{}, kinds: map[string]int{}}
}

func (r *Report) cut(moment string, names disk.Names, members int) {
	r.Cuts++
	r.moments[moment]++
	r.kinds[fmt.Sprintf("%d members, %s", members, names)]++
}

func (r *Report) served(d time.Duration, when string) {
	if len(r.times) == 0 || d > slices.Max(r.times) {
		r.slowest = when
	}
	r.times = append(r.times, d)
}

func (r *Report) lived(sent, acked int, findings []Finding) {
	r.Lives++
	r.Sent += sent
	r.Acked += acked
	r.Findings = append(r.Findings, findings...)
}

// Run makes the cuts.
func Run(config Config) (*Report, error) {
	report := newReport(config.Server.Name)
	began := time.Now()
	dir, err := os.MkdirTemp("", "powercut-mount")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	fs, err := mount.New(dir)
	if err != nil {
		return nil, err
	}
	done := func() bool {
		return report.Cuts >= config.Cuts || config.Within > 0 && time.Since(began) > config.Within ||
			ended(config.Stop)
	}
	for number := config.First; err == nil && !done(); number++ {
		var l *life
		if l, err = newLife(&config, report, fs, number); err == nil {
			err = l.run(min(cutsPerLife, config.Cuts-report.Cuts))
			for _, f := range l.findings {
				fmt.Fprintf(config.Out, "%s: %s\n", config.Server.Name, f)
			}
		}
	}
	report.Took = time.Since(began)
	if closed := fs.Close(); err == nil {
		err = closed
	}
	return report, err
}

// lives is in how many lives there was a finding of a kind.
func (r *Report) lives(kind Kind, names ...disk.Names) int {
	seen := map[int]bool{}
	for _, f := range r.Findings {
		if f.Kind == kind && (len(names) == 0 || slices.Contains(names, f.Names)) {
			seen[f.Life] = true
		}
	}
	return len(seen)
}

func (r *Report) quantile(q float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	times := slices.Sorted(slices.Values(r.times))
	return times[int(q*float64(len(times)-1))].Round(time.Millisecond)
}

// Print writes reports side by side.
func Print(out io.Writer, reports ...*Report) {
	row := func(name string, cell func(r *Report) string) {
		fmt.Fprintf(out, "%-46s", name)
		for _, r := range reports {
			fmt.Fprintf(out, "%22s", cell(r))
		}
		fmt.Fprintln(out)
	}
	row("", func(r *Report) string { return r.Server })
	row("cuts", func(r *Report) string { return fmt.Sprint(r.Cuts) })
	for _, kind := range keys(reports, func(r *Report) map[string]int { return r.kinds }) {
		row("  "+kind, func(r *Report) string { return fmt.Sprint(r.kinds[kind]) })
	}
	for _, moment := range keys(reports, func(r *Report) map[string]int { return r.moments }) {
		row("  at: "+moment, func(r *Report) string { return fmt.Sprint(r.moments[moment]) })
	}
	row("kills -9 between them", func(r *Report) string { return fmt.Sprint(r.kills) })
	row("writes acknowledged, of sent", func(r *Report) string { return fmt.Sprintf("%d of %d", r.Acked, r.Sent) })
	for _, kind := range Kinds() {
		row("clusters with: "+string(kind), func(r *Report) string {
			if n := r.lives(kind); n > 0 {
				return fmt.Sprintf("%d (%d with journal)", n, r.lives(kind, disk.Journal))
			}
			return "0"
		})
	}
	row("time to serve, median / 95 % / longest", func(r *Report) string {
		return fmt.Sprintf("%v/%v/%v", r.quantile(0.5), r.quantile(0.95), r.quantile(1))
	})
	row("took", func(r *Report) string { return r.Took.Round(time.Second).String() })
	for _, r := range reports {
		fmt.Fprintf(out, "%s: the longest time to serve was in %s\n", r.Server, r.slowest)
		for _, text := range r.refusals() {
			fmt.Fprintf(out, "%s: %s\n", r.Server, text)
		}
	}
}

func keys(reports []*Report, of func(*Report) map[string]int) []string {
	all := map[string]bool{}
	for _, r := range reports {
		for k := range of(r) {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// refusals are the texts with which boots were refused, each once, with its count.
func (r *Report) refusals() []string {
	changing := regexp.MustCompile(`[0-9a-f]{6,}|[0-9]+`)
	count, example := map[string]int{}, map[string]string{}
	for _, f := range r.Findings {
		if f.Kind == kindRefused || f.Kind == kindUnborn || f.Kind == kindExit {
			key := changing.ReplaceAllString(f.Text, "#")
			count[key]++
			example[key] = strings.TrimSpace(f.Text)
		}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%d times: %s", count[key], example[key]))
	}
	return out
}
