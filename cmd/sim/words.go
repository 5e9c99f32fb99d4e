package main

import (
	"fmt"

	"vitrine/assets"
	"vitrine/core/story"
)

// speaker puts lines of a story into the words of the page's feed.
type speaker struct{ *assets.Catalogue }

func catalogue(lang string) (speaker, error) {
	c, err := assets.Load(lang)
	return speaker{c}, err
}

func (s speaker) line(l *story.Line) string {
	return s.Text("feed."+l.Kind, map[string]any{
		"member": memberName(l.Member), "peer": memberName(l.Peer), "term": l.Term, "index": l.Index, "rev": l.Rev,
		"from": s.names(l.From), "to": s.names(l.To), "n": max(l.N, uint64(len(l.From))), "text": l.Text,
		"who": s.Text("feed.someone", nil),
	})
}

func (s speaker) names(ids []uint64) string {
	var names []string
	for _, id := range ids {
		names = append(names, memberName(id))
	}
	return s.List(names)
}

func memberName(id uint64) string { return fmt.Sprintf("S%d", id) }
