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
	who := s.Text("feed.someone", nil)
	if l.Asks != "" {
		who = s.Text("feed.who", map[string]any{
			"client": clientName(l.Client), "text": l.Asks, "member": memberName(l.Member),
		})
	}
	what := s.Text("set."+l.Name, nil)
	switch l.Kind {
	case "asked":
		who = clientName(l.Client)
	case "fails":
		what = s.Text("fail."+l.Name, nil)
	}
	return s.Text("feed."+l.Kind, map[string]any{
		"member": memberName(l.Member), "peer": memberName(l.Peer), "term": l.Term, "index": l.Index, "rev": l.Rev,
		"from": s.names(l.From), "to": s.names(l.To), "n": max(l.N, uint64(len(l.From))), "text": l.Text,
		"who": who, "what": what, "name": l.Name, "why": "", "links": s.names(l.From) + " | " + s.names(l.To),
	})
}

// clientName is C2; the visitor of a page is nobody's number.
func clientName(id int) string { return fmt.Sprintf("C%d", id) }

func (s speaker) names(ids []uint64) string {
	var names []string
	for _, id := range ids {
		names = append(names, memberName(id))
	}
	return s.List(names)
}

func memberName(id uint64) string { return fmt.Sprintf("S%d", id) }
