package player

import (
	"errors"

	"vitrine/core/picture"
	"vitrine/wasm/scene"
)

// stash is the visitor's own world while a guest is shown: a replay or a recording.
type stash struct {
	source  Source
	again   Open
	facts   Facts
	watch   *watcher
	fold    *picture.Picture
	epoch   int
	target  float64
	heat    scene.Heat
	said    map[uint64]string
	chosen  Choice
	speed   float64
	playing bool
	skip    bool
}

// guest tells whether what is shown is not the visitor's own.
func (p *Player) guest() bool { return p.facts.Show != nil || p.facts.Kind == Recording }

// keep puts the visitor's world aside, nil if that was done before.
func (p *Player) keep() *stash {
	if p.mine != nil || p.guest() {
		return p.mine
	}
	return &stash{
		source: p.source, again: p.again, facts: p.facts, watch: p.watch, fold: p.picture, epoch: p.epoch, target: p.target,
		heat: p.heat, said: p.said, chosen: p.Chosen, speed: p.Speed, playing: p.Playing, skip: p.Skip,
	}
}

// Close ends a replay or a recording and goes on with the visitor's own world as it
// was: members, seed, speed and time.
func (p *Player) Close() error {
	m := p.mine
	if m == nil {
		return errors.New("close: no replay is shown")
	}
	p.source, p.again, p.facts, p.watch, p.picture, p.epoch, p.target = m.source, m.again, m.facts, m.watch, m.fold,
		m.epoch, m.target
	p.heat, p.said, p.Chosen, p.Speed, p.Playing, p.Skip = m.heat, m.said, m.chosen, m.speed, m.playing, m.skip
	p.Boost, p.replay, p.told, p.file, p.mine = 1, 0, false, replayFile{}, nil
	p.refresh()
	return nil
}
