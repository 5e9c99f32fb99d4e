package api

import (
	"errors"

	"vitrine/core/auth"
	"vitrine/core/trace"
)

// Denied is the event of a call that its asker may not make, with what is lacking; false if err is no such refusal.
// index is that of the entry at which it was judged, 0 if it was not there.
func Denied(request, index uint64, err error) (e trace.Event, ok bool) {
	var d *auth.Denied
	if !errors.As(err, &d) || request == 0 {
		return e, false
	}
	e = trace.Event{Kind: trace.RequestDenied, Request: request, Index: index, A: trace.DeniedRead}
	switch {
	case len(d.Range.Key) == 0 && len(d.Range.End) == 0:
		e.A = trace.DeniedRoot
	case d.Write:
		e.A = trace.DeniedWrite
	}
	key, end := Clip(d.Range.Key, entryWords), Clip(d.Range.End, entryWords)
	user := Clip(d.User, entryWords)
	e.B, e.C, e.Text = uint64(len(user)), uint64(len(key)), user+key+end
	return e, true
}

// denied tells of a refusal, if it is one for want of a permission.
func (b *Book) denied(p *pending, err error) {
	if e, ok := Denied(p.id, p.index, err); ok && b.t.On() {
		b.t.Emit(e)
	}
}
