package scene

import "vitrine/core/picture"

// roleWord is how a member is called below its shape.
func roleWord(state *picture.State, m *picture.Member) (Word, bool) {
	switch {
	case m.Standing == picture.StandingRemoved:
		return WordRemoved, false
	case m.Joining && (m.Process == picture.Running || m.Process == picture.Starting):
		return WordJoining, false
	}
	switch m.Process {
	case picture.Crashed:
		return WordCrashed, true
	case picture.Killed:
		return WordKilled, true
	case picture.Stopped:
		return WordStopped, true
	case picture.Paused:
		return WordPaused, true
	case picture.Starting:
		return WordStarting, true
	case picture.Unknown:
		return WordUnknown, false
	}
	switch {
	case m.Role == picture.RoleLeader && m.ID != state.Leader:
		return WordStale, true
	case m.Role == picture.RoleLeader:
		return WordLeader, false
	case m.Role == picture.RoleCandidate:
		return WordCandidate, false
	case m.Role == picture.RolePreCandidate:
		return WordPreCandidate, false
	case learns(m):
		return WordLearner, false
	}
	return WordFollower, false
}

// caption writes role and progress below a member, as fully as the ring has room
// for. It lies over all that flies by.
func (s *Scene) caption(v *View, m *picture.Member) {
	if s.Layout.at(m.ID) < 0 || s.Layout.Caption == captionNone {
		return
	}
	at := s.Layout.Member(m.ID)
	at.Y += s.Layout.Radius + 24
	word, fault := roleWord(v.State, m)
	c := s.Theme.Muted
	switch {
	case fault:
		c = s.Theme.Fault
	case word == WordLeader:
		c = s.Theme.Term(m.Term)
	case word != WordFollower:
		c = s.Theme.Text
	}
	votes := (word == WordCandidate || word == WordPreCandidate) && len(m.Votes) > 0
	line := captionLine{word: word, named: true, color: c, votes: votes}
	switch s.Layout.Caption {
	case captionWide:
		s.line(v, m, at, line)
		at.Y += 16
		s.line(v, m, at, captionLine{committed: true, applied: true})
	case captionTall:
		s.line(v, m, at, line)
		at.Y += 16
		s.line(v, m, at, captionLine{committed: true})
		at.Y += 15
		s.line(v, m, at, captionLine{applied: true})
	case captionFlat:
		line.named = word != WordFollower && word != WordLearner // their shapes say it
		line.both = !votes
		s.line(v, m, Point{at.X, at.Y - 2}, line)
	default:
		line.named = word != WordFollower && word != WordLeader && word != WordLearner
		line.both = !line.named && s.Layout.Caption == captionShort
		if s.fit(v, m, &line) > captions[s.Layout.Caption].w-10 {
			return // its shape must do
		}
		s.line(v, m, Point{at.X, at.Y - 2}, line)
	}
}

// captionLine is what a line below a member says, in this order.
type captionLine struct {
	word               Word
	color              Color
	named, votes       bool // the role; who voted for it
	count              bool // "2/3": how many voted for it, and how many must
	committed, applied bool // "committed 7"
	both               bool // "7/7"
}

// Caption is a line that was written below a member, and what it said.
type Caption struct {
	Member          uint64
	Role            string
	Term            uint64
	Commit, Applied uint64
	Rect            Rect
}

// Written lists the captions of the last frame: what a test holds against the state, and against one another. The
// list is valid until the next frame.
func (s *Scene) Written() []Caption { return s.written }

// line writes one, on a ground of its own, within the stage.
func (s *Scene) line(v *View, m *picture.Member, at Point, line captionLine) {
	width := s.fit(v, m, &line)
	if width == 0 {
		return
	}
	left := clamp(at.X-width/2, 5, max(5, s.Layout.W-width-5))
	ground := Rect{left - 5, at.Y - 12, width + 10, 16}
	s.written = append(s.written, Caption{m.ID, m.Role, m.Term, m.Commit, m.Applied, ground})
	s.batch.Card(ground, 5, s.Theme.Ground.Alpha(0.86), Color{}, 0)
	p, gap := s.pen(Point{left, at.Y}, line.color), s.Atlas.Width(FontSmall, " ")
	if line.named {
		p.word(line.word)
		p.at.X += gap
	}
	if line.votes {
		s.votes(p, v.State, m)
	}
	if line.count {
		s.number(p, FontSmall, granted(m))
		p.text(FontSmall, "/")
		s.number(p, FontSmall, need(v.State))
	}
	figures := s.Theme.Text
	if !m.Alive {
		figures = s.Theme.Muted
	}
	part := func(w Word, n uint64) {
		p.color = s.Theme.Faint
		p.word(w)
		p.at.X += gap
		p.color = figures
		s.number(p, FontSmall, n)
		p.at.X += 2 * gap
	}
	if line.committed {
		part(WordCommitted, m.Commit)
	}
	if line.applied {
		part(WordApplied, m.Applied)
	}
	if line.both {
		p.color = figures
		s.number(p, FontSmall, m.Commit)
		p.text(FontSmall, "/")
		s.number(p, FontSmall, m.Applied)
	}
}

// fit takes from a line what the ring has no room for, and returns how wide it is then: of votes the number is left,
// then figures go, which the log below shows, too.
func (s *Scene) fit(v *View, m *picture.Member, line *captionLine) float64 {
	room := captions[s.Layout.Caption].w - 10
	width := s.lineWidth(v, m, *line)
	if width > room && line.votes {
		line.votes, line.count = false, true
		width = s.lineWidth(v, m, *line)
	}
	if width > room && line.named && line.both {
		line.both = false
		width = s.lineWidth(v, m, *line)
	}
	return width
}

// granted is how many have voted for a candidate.
func granted(m *picture.Member) (n uint64) {
	for _, vote := range m.Votes {
		if vote.Granted {
			n++
		}
	}
	return n
}

// lineWidth is how much room a line takes.
func (s *Scene) lineWidth(v *View, m *picture.Member, line captionLine) (width float64) {
	gap := s.Atlas.Width(FontSmall, " ")
	if line.named {
		width += s.Atlas.WordWidth(line.word)
		if line.votes || line.both || line.count {
			width += gap
		}
	}
	if line.count {
		width += s.numberWidth(FontSmall, granted(m)) + s.Atlas.Width(FontSmall, "/") +
			s.numberWidth(FontSmall, need(v.State))
	}
	if line.votes {
		width += votesWidth(v.State)
	}
	if line.committed {
		width += s.Atlas.WordWidth(WordCommitted) + gap + s.numberWidth(FontSmall, m.Commit)
	}
	if line.applied {
		width += s.Atlas.WordWidth(WordApplied) + gap + s.numberWidth(FontSmall, m.Applied)
	}
	if line.committed && line.applied {
		width += 2 * gap
	}
	if line.both {
		width += s.numberWidth(FontSmall, m.Commit) + s.Atlas.Width(FontSmall, "/") + s.numberWidth(FontSmall, m.Applied)
	}
	return width
}

// ballot is the room that one member's vote takes.
const ballot = 15

func votesWidth(state *picture.State) float64 {
	n := 0
	for i := range state.Members {
		if votes(&state.Members[i]) {
			n++
		}
	}
	return ballot * float64(n)
}

// votes tells whether a member has a vote.
func votes(m *picture.Member) bool {
	return m.Standing == picture.StandingVoter || m.Standing == "" && !m.Learner
}

// need is how many votes it takes.
func need(state *picture.State) uint64 {
	if state.Conf.Quorum > 0 {
		return uint64(state.Conf.Quorum)
	}
	return uint64(len(state.Members)/2 + 1)
}

// votes shows a dot for each member: filled if it has voted for the candidate, crossed if it does not, empty while it
// has not answered.
func (s *Scene) votes(p *pen, state *picture.State, m *picture.Member) {
	t := &s.Theme
	hue := t.Term(m.Term)
	for i := range state.Members {
		o := &state.Members[i]
		if !votes(o) {
			continue
		}
		at := Point{p.at.X + ballot/2, p.at.Y - 4}
		p.at.X += ballot
		digit := []rune(s.name(o))
		number := string(digit[len(digit)-1])
		switch has, no := ballotOf(m, o.ID); {
		case has:
			s.batch.Disc(at, 6.5, hue)
			s.centered(Point{at.X, at.Y + 3.5}, FontTiny, number, t.Ground)
		case no:
			s.batch.Ring(at, 6, 1.2, t.Fault)
			s.centered(Point{at.X, at.Y + 3.5}, FontTiny, number, t.Muted)
			s.batch.Line(Point{at.X - 4.5, at.Y + 4.5}, Point{at.X + 4.5, at.Y - 4.5}, 1.4, t.Fault)
		default:
			s.batch.Ring(at, 6, 1, t.Strong)
			s.centered(Point{at.X, at.Y + 3.5}, FontTiny, number, t.Faint)
		}
	}
}

// ballotOf tells whether a member has voted for a candidate, or said no to it.
func ballotOf(candidate *picture.Member, id uint64) (has, no bool) {
	for _, vote := range candidate.Votes {
		if vote.ID == id {
			return vote.Granted, !vote.Granted
		}
	}
	for _, r := range candidate.Refusals {
		no = no || r.ID == id
	}
	return false, no
}
