package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"slices"
)

// edit is a change of source text. Nothing that is inserted holds a newline, so
// lines keep their numbers and a panic names the right one.
type edit struct {
	at    int // offset
	cut   int // bytes that go
	text  string
	side  int // of what stands at one offset: 0 closes a node, 1 stands between, 2 opens one, 3 replaces a token
	depth int // of the node in the tree
	seq   int // of the edits of one node the earlier ones are outside
}

// wrap puts text around a node. A node's first wrap is the outermost.
func (p *pass) wrap(n ast.Node, before, after string) {
	depth := p.depth[n]
	p.edits = append(p.edits,
		edit{at: p.offset(n.Pos()), text: before, side: 2, depth: depth, seq: len(p.edits)},
		edit{at: p.offset(n.End()), text: after, side: 0, depth: depth, seq: len(p.edits)})
}

// replace puts text in the place of a token.
func (p *pass) replace(at token.Pos, length int, text string) {
	p.edits = append(p.edits, edit{at: p.offset(at), cut: length, text: text, side: 3})
}

// insert puts text between two tokens.
func (p *pass) insert(at token.Pos, text string) {
	p.edits = append(p.edits, edit{at: p.offset(at), text: text, side: 1})
}

// apply makes the edits.
func apply(src []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int {
		order := cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.seq, b.seq))
		if a.side == 0 { // what was opened last is closed first
			order = -order
		}
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.side, b.side), order)
	})
	var out []byte
	from := 0
	for _, e := range edits {
		out = append(out, src[from:e.at]...)
		out = append(out, e.text...)
		from = e.at + e.cut
	}
	return append(out, src[from:]...)
}
