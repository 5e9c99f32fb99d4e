package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vitrine/core/replay"
	"vitrine/core/sim"
	"vitrine/core/story"
	"vitrine/core/trace"
)

// read and write a replay file.
func read(name string) (*replay.Replay, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return replay.Parse(data)
}

func write(name string, r *replay.Replay) error {
	if commit != "unknown" {
		r.Commit = commit
	}
	data, err := r.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// replayFile repeats a run and compares how it ends.
func (p *program) replayFile() int {
	file, err := read(p.replay)
	if err != nil {
		return p.fail(err)
	}
	if p.gotest {
		return p.goTest(file)
	}
	sinks, finish, err := p.sinks()
	if err != nil {
		return p.fail(err)
	}
	events := new(story.Recorder)
	if p.story {
		sinks = append(sinks, events)
	}
	w, err := file.World(sinks...)
	if err != nil {
		return p.fail(err)
	}
	r := execute(w, func() { file.Run(w) })
	if err := finish(); err != nil {
		return p.fail(err)
	}
	if p.story {
		if err := p.tellStory(w, events); err != nil {
			return p.fail(err)
		}
	} else if status := p.conclude(w, r); status == 2 {
		return status
	}
	return p.compare(file, w)
}

// compare says whether a replay ended as recorded.
func (p *program) compare(file *replay.Replay, w *sim.World) int {
	v := w.Violation()
	number := 0
	if v != nil {
		number = v.Number
	}
	sameHash := file.Hash == "" || file.Hash == w.HashText()
	switch {
	case number != file.Violated:
		fmt.Fprintf(p.stderr, "sim: %s, but the file says that %s\n", ending(number), ending(file.Violated))
		if !sameHash {
			p.otherBuild(file, w)
		}
		return 1
	case !sameHash:
		p.otherBuild(file, w)
		return 2
	case number != 0:
		fmt.Fprintf(p.stderr, "sim: as recorded: %s at %v\n", ending(number), time.Duration(v.At))
	default:
		fmt.Fprintln(p.stderr, "sim: as recorded")
	}
	return 0
}

func ending(number int) string {
	if number == 0 {
		return "no invariant breaks"
	}
	return fmt.Sprintf("I%d breaks", number)
}

func (p *program) otherBuild(file *replay.Replay, w *sim.World) {
	by := ""
	if file.Commit != "" {
		by = fmt.Sprintf(" It was written by commit %s, and I am %s.", file.Commit, commit)
	}
	fmt.Fprintf(p.stderr, "sim: not the same build: the file says hash %s, this run has %s.%s\n", file.Hash, w.HashText(),
		by)
}

// tellStory prints what led to the violation, or the run's decisions if there
// is none.
func (p *program) tellStory(w *sim.World, events *story.Recorder) error {
	words, err := catalogue(p.lang)
	if err != nil {
		return err
	}
	for _, line := range events.Story(w.Violation()).Lines {
		at := time.Duration(line.At)
		fmt.Fprintf(p.stdout, "%3d.%06d  %s\n", at/time.Second, at%time.Second/time.Microsecond, words.line(&line))
	}
	return nil
}

// goTest prints a test that repeats a run.
func (p *program) goTest(file *replay.Replay) int {
	name := strings.TrimSuffix(filepath.Base(p.replay), filepath.Ext(p.replay))
	text, err := file.GoTest(name)
	if err != nil {
		return p.fail(err)
	}
	p.stdout.Write(text)
	return 0
}

var _ trace.Sink = (*story.Recorder)(nil)
