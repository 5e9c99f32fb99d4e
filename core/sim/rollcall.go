package sim

import (
	"fmt"
	"time"

	"vitrine/core/check"
)

// A cluster that has settled is asked for everything once more: nothing is in the
// way now, so each answer must come, and soon.

// rollcall is how far the asking has come.
type rollcall struct {
	w     *World
	at    int
	since int64 // of the present question
	asked int64 // when it was last asked
}

// missing asks what is next, and says what has not been answered yet.
func (c *rollcall) missing() string {
	for _, step := range []func(c *rollcall) (waits string, late bool){
		(*rollcall).watchesAnswered, (*rollcall).progressAsked, (*rollcall).progressNotified,
	}[c.at:] {
		if c.since == 0 {
			c.since = c.w.now
		}
		waits, late := step(c)
		switch {
		case late:
			c.w.broken(c.number(), "%s, %v after the cluster has settled", waits, time.Duration(c.w.now-c.since))
			return ""
		case waits != "":
			return waits
		}
		c.at, c.since, c.asked = c.at+1, 0, 0
	}
	return ""
}

// number is the promise that an answer which does not come breaks.
func (c *rollcall) number() int {
	return [...]int{check.WatchAnswered, check.WatchProgress, check.WatchProgress}[c.at]
}

// answerTime is what a settled cluster may take for one answer.
const answerTime = 5 * time.Second

func (c *rollcall) over(limit time.Duration) bool { return c.w.now-c.since > int64(limit) }

// watchesAnswered: no request on a stream is left without its answer.
func (c *rollcall) watchesAnswered() (string, bool) {
	for _, s := range c.w.openStreams() {
		if s.judged == nil {
			continue
		}
		if waits := s.judged.Waits(); waits != "" {
			return fmt.Sprintf("the watch stream of client %d waits for the answer to %s", s.client, waits), c.over(answerTime)
		}
	}
	return "", false
}

// progressAsked: whoever asks how far the watches of a stream are is told.
func (c *rollcall) progressAsked() (string, bool) {
	if c.asked == 0 || c.w.now-c.asked > int64(time.Second) { // one is free not to answer while it is behind
		c.asked = c.w.now
		for _, s := range c.w.openStreams() {
			if c.tellable(s) {
				c.w.askProgress(s)
			}
		}
	}
	return c.untold(func(wt *watcher) bool { return true }), c.over(answerTime)
}

// progressNotified: whoever wants to be told from time to time is.
func (c *rollcall) progressNotified() (string, bool) {
	interval := c.w.cfg.Progress
	if interval > 3*time.Second {
		return "", false
	}
	// The first may come one interval after the last event, and each up to a tenth later.
	return c.untold(func(wt *watcher) bool { return wt.create.ProgressNotify }), c.over(interval*22/10 + time.Second)
}

// untold names a watch that has not been told how far it is.
func (c *rollcall) untold(wants func(*watcher) bool) string {
	for _, s := range c.w.openStreams() {
		for _, wt := range s.watchers {
			if wt.told < c.since && wants(wt) && c.tellable(s) {
				return fmt.Sprintf("client %d was not told how far its watch %d is", s.client, wt.number)
			}
		}
	}
	return ""
}

// tellable reports whether the watches of a stream have begun: one that waits for
// a future revision is told nothing.
func (c *rollcall) tellable(s *stream) bool {
	rev := c.w.core()[0].store.KV.Revision()
	for _, wt := range s.watchers {
		if wt.start > rev || !wt.answered {
			return false
		}
	}
	return true
}
