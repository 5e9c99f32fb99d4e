package world

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/picture"
	"vitrine/core/replay"
	"vitrine/core/script"
	"vitrine/core/story"
	"vitrine/core/trace"
	"vitrine/wasm/player"
)

// What a replay may ask of a page.
const longestReplay = 10 * time.Minute

// ErrOtherBuild: a replay does not end as recorded. To show it would be to tell
// a false story.
var ErrOtherBuild = errors.New("not the same build")

// Replay is the run of a file. It is run once in the dark before, to see that it
// ends as recorded and what led to its end.
func (Opener) Replay(text, name string, correct bool) player.Open {
	r, err := parse(text, correct)
	if err != nil {
		return refuse(err)
	}
	show := &player.Show{Name: name, Mutant: r.Config.Mutant, Correct: correct, Lit: map[uint64]bool{}}
	if err := rehearse(show, r); err != nil {
		return refuse(err)
	}
	end := show.Failure.Since
	if show.Failure.Number == 0 {
		end = int64(r.For)
	}
	speed := show.Direct(deeds(show, r, text), end, int64(r.Config.Network.Base+r.Config.Network.Jitter))
	return opens(r.Config, r.Commands, func(w *world) {
		if !r.Open {
			w.until = trace.Instant(r.For)
		}
		w.facts.Show, w.facts.Speed = show, speed
	})
}

// deeds are the moments of a replay that one must have seen: what was done to the
// world, what of it led to the violation, and that. What came before the first thing
// done is no part of it, nor what settles the world after the end of the file.
func deeds(show *player.Show, r *replay.Replay, text string) (all []int64) {
	if show.Failure.Number == 0 {
		return nil
	}
	since, first := show.Failure.Since, int64(0)
	for i := range r.Commands {
		if c := &r.Commands[i]; c.Cmd != script.Set && c.At <= since {
			if len(all) == 0 {
				first = c.At
			}
			all = append(all, c.At)
		}
	}
	for _, line := range told(show, text) {
		if line.Kind != "turned" && line.At >= first && line.At <= min(since, int64(r.For)) {
			all = append(all, line.At)
		}
	}
	slices.Sort(all) // the lines came in no order
	return append(all, since)
}

// told is the story of a replay; that of the correct core is the story of the bug.
func told(show *player.Show, text string) map[uint64]story.Line {
	if !show.Correct || !mutant.Enabled {
		return show.Lines
	}
	r, err := parse(text, false)
	if err != nil {
		return nil
	}
	bug := &player.Show{Lit: map[uint64]bool{}}
	if err := rehearse(bug, r); err != nil {
		return nil
	}
	return bug.Lines
}

func parse(text string, correct bool) (*replay.Replay, error) {
	if len(text) > replay.MaxShared {
		return nil, fmt.Errorf("replay: %d bytes are too many: a page opens files of up to %d", len(text), replay.MaxShared)
	}
	r, err := replay.Parse([]byte(text))
	switch {
	case err != nil:
		return nil, err
	case r.For > longestReplay:
		return nil, fmt.Errorf("replay: %v are too long: a page opens runs of up to %v", r.For, longestReplay)
	case correct:
		r.Config.Mutant = ""
	case r.Config.Mutant != "" && !mutant.Enabled:
		return nil, fmt.Errorf("replay: it needs the planted bug %q, and this page was built without", r.Config.Mutant)
	}
	return r, nil
}

// rehearse runs a replay once and compares its end with what the file says.
func rehearse(s *player.Show, r *replay.Replay) error {
	events := new(story.Recorder)
	w, err := r.World(events)
	if err != nil {
		return err
	}
	v := r.Run(w)
	number := 0
	if v != nil {
		number = v.Number
	}
	s.Failure = picture.Violation{Number: r.Violated, Text: r.Text, At: r.At, Since: r.Since}
	switch {
	case s.Correct && v != nil:
		return fmt.Errorf("replay: I%d breaks on the correct core too: %w", v.Number, v)
	case s.Correct:
		return nil
	case r.Hash != "" && w.HashText() != r.Hash || number != r.Violated:
		by := ""
		if r.Commit != "" {
			by = ", written by commit " + r.Commit
		}
		return fmt.Errorf("%w: the file%s says hash %s, this run has %s", ErrOtherBuild, by, r.Hash, w.HashText())
	case v == nil:
		return nil
	}
	s.Failure = picture.Violation{Number: v.Number, Text: v.Text, At: v.At, Since: v.Since, Seq: v.Seq}
	led := events.Story(v)
	for _, seq := range led.Events {
		s.Lit[seq] = true
	}
	s.Members, s.Lines = led.Members, map[uint64]story.Line{}
	for _, line := range led.Lines {
		s.Lines[line.Seq] = line
	}
	return nil
}
